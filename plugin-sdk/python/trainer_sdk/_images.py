"""Image files without an imaging library: size from the header, damage from the structure, pixels of plain PNGs."""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

_PNG = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_MAX_PIXELS = 1 << 28
#: Seconds that a byte of a PNG row takes to unpack here, by filter.
_COST = (0.0, 1e-7, 1e-7, 4e-7, 5e-7)


class ImageProblem(ValueError):
    """The file is no readable image; the message says why."""


@dataclass(frozen=True)
class Pixels:
    """Rows from the top, 8 bits a channel, without gaps."""

    width: int
    height: int
    channels: int
    data: bytes

    def grey(self, side: int) -> list[float]:
        """`side`×`side` values in 0–1: luma, the mean of the area that each covers, in steps of 1/255. `grey_steps(side)` says the same to the
        wrappers of an export; alpha is ignored."""
        columns, rows = _areas(self.width, side), _areas(self.height, side)
        total = [[0.0] * side for _ in range(side)]
        wanted: dict[int, list[tuple[int, float]]] = {}
        for target, taps in enumerate(rows):
            for index, weight in taps:
                wanted.setdefault(index, []).append((target, weight))
        for index, targets in wanted.items():
            line = self._luma(index)
            short = [sum([line[at] * weight for at, weight in taps]) for taps in columns]
            for target, weight in targets:
                total[target] = [value + weight * item for value, item in zip(total[target], short, strict=True)]
        return [math.floor(value + 0.5) / 255 for row in total for value in row]

    def _luma(self, row: int) -> list[int]:
        stride = self.width * self.channels
        line = self.data[row * stride : (row + 1) * stride]
        if self.channels < 3:
            return list(line[:: self.channels])
        step = self.channels
        planes = zip(line[::step], line[1::step], line[2::step], strict=True)
        return [(r * 19595 + g * 38470 + b * 7471 + 32768) >> 16 for r, g, b in planes]


def _areas(source: int, target: int) -> list[list[tuple[int, float]]]:
    """For each target pixel the source pixels that it covers and their shares."""
    scale = source / target
    found: list[list[tuple[int, float]]] = []
    for at in range(target):
        first, last = at * scale, (at + 1) * scale
        start = int(first)
        taps = [(index, min(index + 1, last) - max(index, first)) for index in range(start, min(int(math.ceil(last)) + 1, source))]
        taps = [(index, weight) for index, weight in taps if weight > 1e-9]
        whole = sum(weight for _, weight in taps)
        found.append([(index, weight / whole) for index, weight in taps])
    return found


def grey_steps(side: int) -> list[dict[str, Any]]:
    """What `Pixels.grey(side)` does, as preprocess ops of an export with the input [1, 1, side, side]."""
    return [
        {"op": "decode", "color": "gray"},
        {"op": "resize", "mode": "stretch", "size": [side, side], "interpolation": "area", "antialias": False, "round": "uint8"},
        {"op": "rescale", "factor": 1 / 255},
        {"op": "transpose", "layout": "NCHW"},
    ]


def image_size(path: Path) -> tuple[int, int]:
    """Width and height from the header."""
    with path.open("rb") as file:
        head = file.read(32)
        if head.startswith(_PNG) and head[12:16] == b"IHDR" and len(head) >= 24:
            size = struct.unpack(">II", head[16:24])
        elif head[:2] == b"\xff\xd8":
            size = _jpeg_walk(path.read_bytes(), to_end=False)
        elif head[:2] == b"BM" and len(head) >= 26:
            width, height = struct.unpack("<ii", head[18:26])
            size = (width, abs(height))
        elif head[:4] == b"RIFF" and head[8:12] == b"WEBP" and len(head) >= 30:
            size = _webp_size(head)
        else:
            raise ImageProblem("not a PNG, JPEG, BMP or WebP file")
    if size[0] < 1 or size[1] < 1 or size[0] * size[1] > _MAX_PIXELS:
        raise ImageProblem(f"impossible size {size[0]} x {size[1]}")
    return int(size[0]), int(size[1])


def check_image(path: Path, data: bytes | None = None, inflate: bool = True) -> tuple[int, int]:
    """Size, after looking through the whole file for damage; raises ImageProblem. Without `inflate` a PNG's pixels stay packed: its chunks,
    check sums and end are looked at only."""
    try:
        return _check(image_size(path), path.read_bytes() if data is None else data, inflate)
    except (struct.error, IndexError):
        raise ImageProblem("the file is cut short") from None


def _check(size: tuple[int, int], data: bytes, inflate: bool) -> tuple[int, int]:
    if data.startswith(_PNG):
        _png_rows(data) if inflate else _png_parts(data)
    elif data[:2] == b"\xff\xd8":
        _jpeg_walk(data, to_end=True)
    elif data[:2] == b"BM":
        offset, bits = struct.unpack("<I", data[10:14])[0], struct.unpack("<H", data[28:30])[0]
        compression = struct.unpack("<I", data[30:34])[0]
        if compression in (0, 3) and offset + (size[0] * bits + 31) // 32 * 4 * size[1] > len(data):
            raise ImageProblem("the BMP file is cut short")
    elif struct.unpack("<I", data[4:8])[0] + 8 > len(data):
        raise ImageProblem("the WebP file is cut short")
    return size


def read_pixels(path: Path) -> Pixels:
    """A PNG as it is; any other image as RGB through Pillow, where that is installed. Raises ImageProblem."""
    with path.open("rb") as file:
        if file.read(8) == _PNG:
            return read_png(path)
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise ImageProblem("not a PNG file, and Pillow is not installed") from None
    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
            return Pixels(upright.width, upright.height, 3, upright.tobytes())
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageProblem(str(error)) from None


def read_png(path: Path) -> Pixels:
    """Pixels of a PNG that is not interlaced; palettes are resolved, 16 bits cut to 8."""
    data = path.read_bytes()
    if not data.startswith(_PNG):
        raise ImageProblem("not a PNG file")
    width, height, depth, colour, raw, palette = _png_rows(data)
    if raw is None:
        raise ImageProblem("interlaced PNGs are not read")
    channels = _CHANNELS[colour]
    stride, step = (width * channels * depth + 7) // 8, max(1, channels * depth // 8)
    rows = _unfilter(raw, height, stride, step)
    if depth == 16:
        rows = rows[::2]
    elif depth < 8:
        rows = _unpack(rows, width, height, stride, depth, scale=colour != 3)
    if colour != 3:
        return Pixels(width, height, channels, bytes(rows))
    if palette is None or len(palette) < 3 * (max(rows) + 1):
        raise ImageProblem("the palette is missing or too short")
    return Pixels(width, height, 3, b"".join(palette[3 * index : 3 * index + 3] for index in rows))


def read_mask(path: Path) -> Pixels:
    """A mask of `mask-png@1`: one byte a pixel, the class index as it stands in the file, never a colour of the palette."""
    return mask_pixels(path.read_bytes())[0]


def mask_pixels(data: bytes, budget: float = float("inf")) -> tuple[Pixels, float]:
    """The mask and what unpacking it cost (about seconds); no pixels (empty `data`) when that would be more than `budget`."""
    if not data.startswith(_PNG):
        raise ImageProblem("this is not a PNG file")
    (width, height, depth, colour, interlace), _, _ = _png_parts(data)
    if depth != 8 or colour not in (0, 3):
        raise ImageProblem("a mask is an 8-bit PNG with one channel (grey or palette)")
    if interlace:
        raise ImageProblem("a mask must not be interlaced")
    raw = _png_rows(data)[4] or b""
    if len(raw) != (width + 1) * height:
        raise ImageProblem("the PNG file is cut off")
    slow = sum(_COST[raw[y * (width + 1)]] for y in range(height)) * width
    if slow > budget:
        return Pixels(width, height, 1, b""), 0.0
    return Pixels(width, height, 1, bytes(_unfilter(raw, height, width, 1))), slow


def write_png(path: Path, width: int, height: int, data: bytes, channels: int = 1) -> None:
    """8 bits a channel, rows from the top without gaps: 1 = grey or class indices, 3 = RGB."""
    stride = width * channels
    if len(data) != stride * height or channels not in (1, 3):
        raise ValueError(f"{len(data)} bytes are not {width} x {height} x {channels}")
    raw = b"".join(b"\0" + data[y * stride : (y + 1) * stride] for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 0 if channels == 1 else 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(raw, 6)), (b"IEND", b""))
    chunks = (struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind))) for kind, body in parts)
    path.write_bytes(_PNG + b"".join(chunks))


def _png_parts(data: bytes) -> tuple[tuple[int, int, int, int, int], bytes, bytes | None]:
    """Checks chunks and check sums; gives (width, height, depth, colour type, interlace), the packed rows and the palette."""
    at, header, palette, ended = 8, None, None, False
    packed: list[bytes] = []
    while at + 12 <= len(data):
        length = struct.unpack(">I", data[at : at + 4])[0]
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        crc = data[at + 8 + length : at + 12 + length]
        if len(body) != length or len(crc) != 4:
            break
        if struct.unpack(">I", crc)[0] != zlib.crc32(body, zlib.crc32(kind)):
            raise ImageProblem("a check sum of the PNG is wrong")
        if kind == b"IHDR":
            header = struct.unpack(">IIBBBBB", body)
        elif kind == b"PLTE":
            palette = body
        elif kind == b"IDAT":
            packed.append(body)
        elif kind == b"IEND":
            ended = True
            break
        at += 12 + length
    if header is None or not ended:
        raise ImageProblem("the PNG file is cut short")
    width, height, depth, colour, _, _, interlace = header
    if colour not in _CHANNELS or depth not in (1, 2, 4, 8, 16):
        raise ImageProblem("unknown PNG colour type")
    if width < 1 or height < 1 or width * height > _MAX_PIXELS:
        raise ImageProblem(f"impossible size {width} x {height}")
    return (width, height, depth, colour, interlace), b"".join(packed), palette


def _png_rows(data: bytes) -> tuple[int, int, int, int, bytes | None, bytes | None]:
    """Size, depth, colour type, filtered rows (None if interlaced) and palette."""
    (width, height, depth, colour, interlace), packed, palette = _png_parts(data)
    expected = ((width * _CHANNELS[colour] * depth + 7) // 8 + 1) * height
    try:
        raw = zlib.decompressobj().decompress(packed, 2 * expected + 1024)
    except zlib.error as error:
        raise ImageProblem(f"the PNG data is damaged: {error}") from None
    if interlace:
        return width, height, depth, colour, None, palette
    if len(raw) < expected:
        raise ImageProblem("the PNG data is cut short")
    if any(raw[row * (expected // height)] > 4 for row in range(height)):
        raise ImageProblem("a PNG row has an unknown filter")
    return width, height, depth, colour, raw, palette


def _unfilter(raw: bytes, height: int, stride: int, step: int) -> bytearray:
    out = bytearray()
    before = bytes(stride)
    for row in range(height):
        start = row * (stride + 1)
        before = _unfilter_row(raw[start], raw[start + 1 : start + 1 + stride], before, step)
        out += before
    return out


def _unfilter_row(kind: int, packed: bytes, before: bytes, step: int) -> bytes:
    if kind == 0:
        return packed
    if kind in (2, 4) and not any(packed):
        # Nothing added to what is foretold: the row above again, by either rule.
        return before
    if kind == 1 and step == 1:
        return bytes(value & 255 for value in accumulate(packed))
    if kind == 2:
        return bytes((value + up) & 255 for value, up in zip(packed, before, strict=True))
    line = bytearray(packed)
    if kind == 1:
        for i in range(step, len(line)):
            line[i] = (line[i] + line[i - step]) & 255
    elif kind == 3:
        for i in range(len(line)):
            line[i] = (line[i] + ((line[i - step] if i >= step else 0) + before[i]) // 2) & 255
    elif kind == 4:
        for i in range(len(line)):
            left, up, corner = (line[i - step], before[i], before[i - step]) if i >= step else (0, before[i], 0)
            guess = left + up - corner
            a, b, c = abs(guess - left), abs(guess - up), abs(guess - corner)
            line[i] = (line[i] + (left if a <= b and a <= c else up if b <= c else corner)) & 255
    return bytes(line)


def _unpack(rows: bytearray, width: int, height: int, stride: int, depth: int, scale: bool) -> bytearray:
    top, out = (1 << depth) - 1, bytearray()
    for y in range(height):
        for x in range(width):
            bit = x * depth
            value = rows[y * stride + bit // 8] >> (8 - depth - bit % 8) & top
            out.append(value * 255 // top if scale else value)
    return out


def _jpeg_walk(data: bytes, to_end: bool) -> tuple[int, int]:
    """Follows the markers; size from the frame header, and with `to_end` up to the end marker."""
    at, size = 2, (0, 0)
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            raise ImageProblem("a JPEG marker is missing")
        kind = data[at + 1]
        if kind == 0xFF:
            at += 1
            continue
        if kind == 0xD9:
            break
        length = struct.unpack(">H", data[at + 2 : at + 4])[0]
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC) and at + 9 <= len(data):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            size = (width, height)
            if not to_end:
                return size
        if kind == 0xDA:
            if size == (0, 0):
                raise ImageProblem("the JPEG has no frame header")
            if data.rfind(b"\xff\xd9", at) < 0:
                raise ImageProblem("the JPEG file is cut short")
            return size
        at += 2 + length
    raise ImageProblem("the JPEG file is cut short")


def _webp_size(head: bytes) -> tuple[int, int]:
    kind = head[12:16]
    if kind == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        return struct.unpack("<H", head[26:28])[0] & 0x3FFF, struct.unpack("<H", head[28:30])[0] & 0x3FFF
    raise ImageProblem("unknown WebP form")
