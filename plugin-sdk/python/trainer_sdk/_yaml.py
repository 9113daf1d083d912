"""Reads the YAML a manifest may use: block and flow collections, quoted and plain scalars, `|` and `>` texts.

Core schema of YAML 1.2 (`no` stays a string). Anchors, aliases, tags, merge keys, second documents, duplicate keys and `.nan`/`.inf` are
refused, as the hub refuses them.
"""

from __future__ import annotations

import re
from typing import Any

_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_CONSTANTS: dict[str, bool | None] = {"null": None, "Null": None, "NULL": None, "~": None, "": None}
_CONSTANTS |= {word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", '"': '"', "\\": "\\", "/": "/", " ": " ", "b": "\b", "e": "\x1b"}
_MAX_DEPTH = 16


class YamlError(ValueError):
    """The text is not in the subset; the message names the line."""


def load_yaml(text: str) -> Any:
    """The value of one document."""
    return _Reader(text).document()


def _scalar(word: str, line: int) -> Any:
    if word in _CONSTANTS:
        return _CONSTANTS[word]
    if re.fullmatch(r"[-+]?\.(inf|nan)", word, re.IGNORECASE):
        raise YamlError(f"line {line}: {word} is not allowed")
    if _INT.fullmatch(word):
        return int(word, 0) if word[:2] in ("0o", "0x") else int(word)
    if _FLOAT.fullmatch(word):
        return float(word)
    if word[0] in "&*!%@`":
        raise YamlError(f"line {line}: anchors, aliases and tags are not allowed")
    return word


def _quoted(text: str, at: int, line: int) -> tuple[str, int]:
    quote, at = text[at], at + 1
    out: list[str] = []
    while at < len(text):
        char = text[at]
        if quote == "'" and char == "'":
            if text[at + 1 : at + 2] != "'":
                return "".join(out), at + 1
            out.append("'")
            at += 2
            continue
        if quote == '"' and char == '"':
            return "".join(out), at + 1
        if quote == '"' and char == "\\":
            kind = text[at + 1 : at + 2]
            width = {"x": 2, "u": 4, "U": 8}.get(kind)
            if width is not None:
                out.append(chr(int(text[at + 2 : at + 2 + width], 16)))
                at += 2 + width
                continue
            if kind not in _ESCAPES:
                raise YamlError(f"line {line}: unknown escape \\{kind}")
            out.append(_ESCAPES[kind])
            at += 2
            continue
        out.append(char)
        at += 1
    raise YamlError(f"line {line}: a quoted text does not end")


def _scan(text: str) -> tuple[str, int]:
    """The text without its comment, and how many brackets stay open."""
    depth, at = 0, 0
    while at < len(text):
        char = text[at]
        if char in "'\"" and (at == 0 or text[at - 1] in " [{,:-"):
            try:
                _, at = _quoted(text, at, 0)
            except YamlError:
                return text, depth
            continue
        if char == "#" and (at == 0 or text[at - 1] in " \t"):
            return text[:at].rstrip(), depth
        # Brackets count only where a value starts or inside a flow collection.
        if char in "[{" and (depth > 0 or at == 0 or text[:at].rstrip().endswith((":", "-"))):
            depth += 1
        elif char in "]}" and depth > 0:
            depth -= 1
        at += 1
    return text.rstrip(), depth


def _key_end(text: str, line: int) -> tuple[str, str] | None:
    """`key: rest` split, or None when the text is no mapping entry."""
    if text[0] in "'\"":
        key, at = _quoted(text, 0, line)
        rest = text[at:].lstrip()
        return (key, rest[1:].strip()) if rest.startswith(":") else None
    if text[0] in "[{":
        return None
    found = re.match(r"((?:[^:#]|:(?=\S)|(?<=\S)#)+?)\s*:(?:\s+|$)", text)
    return (found.group(1), text[found.end() :].strip()) if found else None


class _Reader:
    def __init__(self, text: str) -> None:
        if "\t" in re.sub(r"\S.*", "", text):
            raise YamlError("tabs must not indent")
        self.raw = text.replace("\r\n", "\n").lstrip("\ufeff").split("\n")
        self.at = 0

    def document(self) -> Any:
        if self._peek() is not None and self.raw[self.at].rstrip() == "---":
            self.at += 1
        if (first := self._peek()) is None:
            return None
        value = self._block(first[0], 0)
        if self._peek() is not None:
            raise YamlError(f"line {self.at + 1}: does not belong to the document")
        return value

    def _peek(self) -> tuple[int, str] | None:
        while self.at < len(self.raw):
            line = self.raw[self.at]
            text, _ = _scan(line.strip())
            if text:
                return len(line) - len(line.lstrip()), text
            self.at += 1
        return None

    def _block(self, indent: int, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise YamlError(f"line {self.at + 1}: nested too deeply")
        here = self._peek()
        assert here is not None
        text = here[1]
        if text == "-" or text.startswith("- "):
            return self._list(indent, depth)
        if _key_end(text, self.at + 1) is not None:
            return self._map(indent, depth)
        return self._value(text, indent - 1, depth)

    def _list(self, indent: int, depth: int) -> list[Any]:
        items: list[Any] = []
        while (here := self._peek()) is not None and here[0] == indent and (here[1] == "-" or here[1].startswith("- ")):
            rest = here[1][1:].strip()
            if not rest:
                self.at += 1
                items.append(self._nested(indent, depth))
                continue
            if rest[0] not in "[{'\"|>" and _key_end(rest, self.at + 1) is not None:
                # `- key: value`: the entry is a mapping that starts on this line; blank the dash and read it as a block.
                line = self.raw[self.at]
                dash = line.index("-")
                self.raw[self.at] = line[:dash] + " " + line[dash + 1 :]
                inner = self._peek()
                assert inner is not None
                items.append(self._map(inner[0], depth + 1))
                continue
            items.append(self._value(rest, indent, depth))
        return items

    def _map(self, indent: int, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while (here := self._peek()) is not None and here[0] == indent:
            pair = _key_end(here[1], self.at + 1)
            if pair is None:
                raise YamlError(f"line {self.at + 1}: expected `key: value`")
            key, rest = pair
            if key in found or key == "<<":
                raise YamlError(f"line {self.at + 1}: key {key} is given twice or not allowed")
            if rest:
                found[key] = self._value(rest, indent, depth)
            else:
                self.at += 1
                found[key] = self._nested(indent, depth, lists_at_same_indent=True)
        if here is not None and here[0] > indent:
            raise YamlError(f"line {self.at + 1}: wrong indentation")
        return found

    def _nested(self, indent: int, depth: int, lists_at_same_indent: bool = False) -> Any:
        here = self._peek()
        if here is None:
            return None
        if here[0] > indent:
            return self._block(here[0], depth + 1)
        if lists_at_same_indent and here[0] == indent and (here[1] == "-" or here[1].startswith("- ")):
            return self._list(indent, depth + 1)
        return None

    def _value(self, text: str, indent: int, depth: int) -> Any:
        line = self.at + 1
        if text[0] in "|>":
            return self._text_block(text, indent)
        if text[0] in "[{":
            text, left = _scan(text)
            while left > 0:
                self.at += 1
                if self.at >= len(self.raw):
                    raise YamlError(f"line {line}: a bracket does not close")
                text, left = _scan(f"{text} {_scan(self.raw[self.at].strip())[0]}")
            self.at += 1
            value, end = _flow(text, 0, line, depth)
            if text[end:].strip():
                raise YamlError(f"line {line}: text after the closing bracket")
            return value
        self.at += 1
        if text[0] in "'\"":
            value, end = _quoted(text, 0, line)
            if text[end:].strip():
                raise YamlError(f"line {line}: text after the closing quote")
            return value
        while (more := self._peek()) is not None and more[0] > indent >= 0:
            if _key_end(more[1], self.at + 1) is not None:
                raise YamlError(f"line {self.at + 1}: wrong indentation")
            text = f"{text} {more[1]}"
            self.at += 1
        return _scalar(text, line)

    def _text_block(self, header: str, indent: int) -> str:
        self.at += 1
        lines: list[str] = []
        while self.at < len(self.raw):
            line = self.raw[self.at]
            if line.strip() and len(line) - len(line.lstrip()) <= indent:
                break
            lines.append(line)
            self.at += 1
        while lines and not lines[-1].strip():
            lines.pop()
        cut = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
        body = [line[cut:] for line in lines]
        text = "\n".join(body) if header[0] == "|" else re.sub(r"(?<!\n)\n(?!\n)", " ", "\n".join(body))
        return text if header[1:2] == "-" else text + "\n"


def _flow(text: str, at: int, line: int, depth: int) -> tuple[Any, int]:
    """One flow value at `at`; gives value and where it ends."""
    if depth > _MAX_DEPTH:
        raise YamlError(f"line {line}: nested too deeply")
    at = _skip(text, at)
    char = text[at : at + 1]
    if char in ("'", '"'):
        return _quoted(text, at, line)
    if char == "[":
        items: list[Any] = []
        at = _skip(text, at + 1)
        while text[at : at + 1] != "]":
            value, at = _flow(text, at, line, depth + 1)
            items.append(value)
            at = _comma(text, at, "]", line)
        return items, at + 1
    if char == "{":
        found: dict[str, Any] = {}
        at = _skip(text, at + 1)
        while text[at : at + 1] != "}":
            key, at = _flow_key(text, at, line)
            if key in found:
                raise YamlError(f"line {line}: key {key} is given twice")
            at = _skip(text, at)
            if text[at : at + 1] in (",", "}"):
                found[key] = None
            else:
                found[key], at = _flow(text, at, line, depth + 1)
            at = _comma(text, at, "}", line)
        return found, at + 1
    found_end = re.compile(r"[,\]}\[{]|$").search(text, at)
    end = found_end.start() if found_end else len(text)
    return _scalar(text[at:end].strip(), line), end


def _flow_key(text: str, at: int, line: int) -> tuple[str, int]:
    if text[at : at + 1] in ("'", '"'):
        key, at = _quoted(text, at, line)
        at = _skip(text, at)
    else:
        start = at
        while at < len(text) and text[at] not in ":,}]":
            at += 1
        key = text[start:at].strip()
    if text[at : at + 1] != ":":
        raise YamlError(f"line {line}: expected `:` after {key}")
    return key, at + 1


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \n":
        at += 1
    return at


def _comma(text: str, at: int, close: str, line: int) -> int:
    at = _skip(text, at)
    if text[at : at + 1] == ",":
        return _skip(text, at + 1)
    if text[at : at + 1] == close:
        return at
    raise YamlError(f"line {line}: expected , or {close}")
