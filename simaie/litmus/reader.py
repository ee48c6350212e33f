"""The reader of litmus tests: text or file in, a checked `LitmusTest` or one `LitmusError` out."""

from __future__ import annotations

import os

from simaie.input_file import read_bounded
from simaie.litmus.checks import check
from simaie.litmus.errors import LitmusError, PositionedError
from simaie.litmus.header import Header, read_header
from simaie.litmus.limits import FILE_BYTES
from simaie.litmus.model import LitmusTest
from simaie.litmus.sections import cut
from simaie.litmus.source import Position, Source
from simaie.litmus.state import read_final, read_init
from simaie.litmus.table import read_table

__all__ = ["load", "parse"]

_START = Position(1, 1)


def parse(text: str, file: str = "<text>") -> LitmusTest:
    """Read a litmus test from a text.

    Args:
        text: The text.
        file: Name of the file in errors.

    Raises:
        LitmusError: The text is not a litmus test.
    """
    try:
        _check_text(text)
        return _read(text, file)
    except PositionedError as fault:
        raise LitmusError(file, fault.position, fault.problem, fault.expected) from None


def load(path: str | os.PathLike[str]) -> LitmusTest:
    """Read a litmus test from a file; raise LitmusError if it cannot be opened, decoded or parsed."""
    name = os.fspath(path)
    try:
        text = _decoded(read_bounded(name, FILE_BYTES))
    except PositionedError as fault:
        raise LitmusError(name, fault.position, fault.problem, fault.expected) from None
    except OSError as error:
        raise LitmusError(name, _START, f"the file cannot be read: {error.strerror}") from None
    return parse(text, name)


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start]
        place = Position(before.count(b"\n") + 1, len(before) - before.rfind(b"\n"))
        raise PositionedError(place, "this is not text in UTF-8", ["a .litmus file"]) from None


def _check_size(length: int) -> None:
    if length > FILE_BYTES:
        raise PositionedError(_START, "the file is too large", [f"at most {FILE_BYTES} bytes"])


def _check_text(text: str) -> None:
    _check_size(len(text))
    nul = text.find("\0")
    if nul >= 0:
        raise PositionedError(Source(text).position(nul), "a NUL byte: this is not a text", ["a .litmus file"])


def _read(text: str, file: str) -> LitmusTest:
    source = Source(text)
    header = read_header(source)
    try:
        return _read_after(header, source, file)
    except PositionedError as fault:
        if header.open_comment is None:
            raise
        # The `{` that ended the header was meant as a part of the comment, or the closing mark of the comment is
        # missing.
        problem = f"the comment is not closed before the first '{{', and what follows cannot be read: {fault.problem}"
        raise PositionedError(source.position(header.open_comment), problem, ["'*)'"]) from None


def _read_after(header: Header, source: Source, file: str) -> LitmusTest:
    sections = cut(header, source)
    init = read_init(header.arch, sections.source, sections.init)
    threads = read_table(header.arch, sections.source, sections.rows, sections.condition[0])
    final = read_final(header.arch, sections.source, sections.condition)
    test = LitmusTest(
        arch=header.arch,
        name=header.name,
        doc=header.doc,
        metadata=header.metadata,
        init=init,
        threads=threads,
        locations=final.locations,
        filter=final.filter,
        condition=final.condition,
        file=file,
    )
    check(test)
    return test
