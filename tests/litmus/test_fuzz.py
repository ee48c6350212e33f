"""Whatever a file holds, it is a test or one `LitmusError`."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simaie.litmus import LitmusError, parse

from .samples import SAMPLES

pytestmark = pytest.mark.untraced

TEXTS = [path.read_text("utf-8") for path in SAMPLES]
MARKS = [
    "(*", "*)", "{", "}", "|", ";", ":", '"', "(", ")", "[", "]", "~", "not ", "exists", "forall", "/\\",
    "\\/", "=>", "=", "0x", "9" * 50, "%x0", "$4", "\0", "\u0663", "\ud800", "P0", "P99", "0:", 'instr:"',
    'label:"', "<<", "locations", "filter", "-", "!", "#", "\r", "\n", "lock ", "fence ", "csel ", "lsl",
    "{R3-R1}", "int t[3]={1,2}", "observed",
]  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """Draw a sample with a few pieces cut, doubled, replaced or taken from another sample."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 40)))
        other = draw(st.sampled_from(TEXTS))
        at = draw(st.integers(0, len(other)))
        piece = draw(st.sampled_from([*MARKS, "", text[start:end] * 3, other[at : at + 30]]))
        text = text[:start] + (piece if draw(st.booleans()) else draw(st.text(max_size=3))) + text[end:]
    return text[: draw(st.integers(0, len(text)))] if draw(st.integers(0, 5)) == 0 else text


def refusal(text: str) -> LitmusError | None:
    """The error that `text` is refused with, None if it is read."""
    try:
        parse(text)
    except LitmusError as error:
        return error
    return None


@settings(max_examples=100, deadline=None, derandomize=True)
@given(mutated())
def test_mutated_files(text: str) -> None:
    """A mutated file is read, or refused at a place that is in it."""
    lines = text.split("\n")
    error = refusal(text)
    if error is not None:
        assert 1 <= error.line <= len(lines)
        assert 1 <= error.column <= len(lines[error.line - 1]) + 1
        assert str(error).isprintable()


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.text())
def test_any_text(text: str) -> None:
    """So is any text at all."""
    error = refusal(text)
    assert error is None or error.line >= 1
