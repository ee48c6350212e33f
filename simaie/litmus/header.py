"""The header of a file: `ARCH NAME`, an optional quoted text, `Key=Value` lines, and other text, which is ignored."""

from __future__ import annotations

import string

import msgspec

from simaie.litmus.errors import PositionedError, nearest, quoted
from simaie.litmus.model import Arch
from simaie.litmus.source import Source, without_comments

__all__ = ["Header", "read_header"]

_NAME = frozenset(string.ascii_letters + string.digits + "_/.-+[]:")
_KEY = frozenset(string.ascii_letters + string.digits + "_/.-")
_KNOWN = [str(arch) for arch in Arch]


class Header(msgspec.Struct, frozen=True):
    """The contents of a header.

    Attributes:
        arch: The architecture.
        name: Name of the test.
        doc: The quoted text.
        metadata: The `Key=Value` pairs, in order.
        end: Offset of the `{` that ends the header.
        open_comment: Offset of a comment that the header does not close; None if it closes all.
    """

    arch: Arch
    name: str
    doc: str
    metadata: tuple[tuple[str, str], ...]
    end: int
    open_comment: int | None = None


def read_header(source: Source) -> Header:
    """Read the header of a file."""
    text = source.text
    first = len(text) - len(text.lstrip())
    arch_end = _word_end(text, first)
    arch = _architecture(source, first, text[first:arch_end])
    name_start = _skip_spaces(text, arch_end)
    name_end = _word_end(text, name_start)
    name = _checked_name(source, name_start, text[name_start:name_end])
    doc, after = _doc(source, name_end)
    metadata, end = _metadata(source, after)
    _, open_comment = without_comments(text[:end], after)
    return Header(arch, name, doc, metadata, end, open_comment)


def _architecture(source: Source, at: int, word: str) -> Arch:
    if word in _KNOWN:
        return Arch(word)
    problem = f"unknown architecture {quoted(word)}{nearest(word, _KNOWN)}" if word else "the file is empty"
    raise PositionedError(source.position(at), problem, _KNOWN)


def _checked_name(source: Source, start: int, name: str) -> str:
    if not name:
        raise PositionedError(source.position(start), "the test has no name", ["a name after the architecture"])
    for offset, char in enumerate(name):
        if char not in _NAME:
            problem = f"{quoted(char)} in the name of the test"
            raise PositionedError(source.position(start + offset), problem, ["letters, digits", "one of _/.-+[]:"])
    return name


def _doc(source: Source, at: int) -> tuple[str, int]:
    """Read `(texname)`, which is ignored, and `"text"`, on this line or the next."""
    text = source.text
    at = _skip_spaces(text, at)
    if text.startswith("(", at) and not text.startswith("(*", at):
        closing = text.find(")", at, _line_end(text, at))
        at = _skip_spaces(text, closing + 1) if closing >= 0 else at
    line_end = _line_end(text, at)
    opening = _skip_spaces(text, line_end + 1) if at == line_end else at
    if not text.startswith('"', opening):
        return "", at
    closing = text.find('"', opening + 1)
    if closing < 0:
        raise PositionedError(source.position(opening), "the text is never closed", ["'\"'"])
    return text[opening + 1 : closing], closing + 1


def _metadata(source: Source, at: int) -> tuple[tuple[tuple[str, str], ...], int]:
    """Collect the `Key=Value` lines up to the `{`."""
    text, found = source.text, []
    while at < len(text):
        end = _line_end(text, at)
        pair = _pair(text[at:end])
        if pair is not None:
            found.append(pair)
        else:
            brace = text.find("{", at, end)
            if brace >= 0:
                return tuple(found), brace
        at = end + 1
    raise PositionedError(source.position(len(text)), "the file ends inside its header", ["'{' and the initial state"])


def _pair(line: str) -> tuple[str, str] | None:
    key, equals, value = line.partition("=")
    key = key.rstrip()
    if not equals or not key or not (key[0].isascii() and key[0].isalpha()) or not _KEY.issuperset(key):
        return None
    return key, value.strip()


def _word_end(text: str, at: int) -> int:
    while at < len(text) and not text[at].isspace() and text[at] != "{":
        at += 1
    return at


def _skip_spaces(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r":
        at += 1
    return at


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end
