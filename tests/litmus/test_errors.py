"""What is wrong with a file is one `LitmusError`, at the right place."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from simaie.errors import InputError
from simaie.litmus import LitmusError, load, parse
from simaie.litmus.limits import FILE_BYTES, NESTING, THREADS

from .samples import with_parts


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("", 1, 1),
        ("  \n", 2, 1),
        ("Arch64 t\n{}\nP0;\n", 1, 1),
        ("PPC\n{}\nP0;\n", 1, 4),
        ("PPC a*b\n{}\nP0;\n", 1, 6),
        ('PPC t "text\n{}\nP0;\n', 1, 7),
        ("PPC t\nKey=1\n", 3, 1),
        ("PPC t\n{ x=1;\n", 2, 1),
        ("PPC t\n{}\n (* P0;\n", 3, 2),
        ("PPC t\n{ x=1; (* }\nP0;\n", 2, 8),
        ("PPC t\n{}\nP0;\nnop;\nexists (x=1) (* why", 5, 14),
        ("PPC t\n{}\nP0;\nnop; (* one (* two *)\n", 4, 6),
        ("PPC t\n(* see {x}\n{ x=1; }\nP0;\nnop;\n", 2, 1),
        ("PPC t\nKey=1\n  (* a set { of words *)\n{}\nP0;\nnop;\n", 3, 3),
        ("PPC t\n{}\n", 3, 1),
        ("PPC t\n{}\nQ0;\n", 3, 1),
        ("PPC t\n{}\nP0 | P0;\n", 3, 6),
        ("PPC t\n{}\nP0;\nnop | nop;\n", 4, 7),
        ("PPC t\n{}\nP0 | P1;\nnop;\n", 4, 1),
        ("PPC t\n{}\nP0;\nnop\n", 5, 1),
        ("PPC t\n{}\nP0;\nnop\nexists x=1\n", 5, 1),
        ("PPC t\n{}\nP0;\n  lwz r1,4(r2;\n", 4, 14),
        ("PPC t\n{}\nP0 | P1;\nnop | li\n r1,,2;\n", 5, 5),
        ("PPC t\n{}\nP0;\nL: b M;\n", 4, 1),
        ("PPC t\n{}\nP0;\nL: nop;\nL: nop;\n", 5, 1),
        ("PPC t\n{x=\0}\nP0;\n", 2, 4),
        ("MIPS t\n{}\nP0;\nlw $99,0($1);\n", 4, 4),
    ],
)  # fmt: skip
def test_place_of_error(text: str, line: int, column: int) -> None:
    """The error names the line and the column, both from 1."""
    with pytest.raises(LitmusError) as caught:
        parse(text, "a.litmus")
    error = caught.value
    assert (error.file, error.line, error.column) == ("a.litmus", line, column)
    assert error.problem
    assert isinstance(error, InputError)


@pytest.mark.parametrize(
    ("init", "column"),
    [
        ("x=1; x=2", 7),
        ("int x; long x=1", 14),
        ("x==1", 4),
        ("t[2]=1", 4),
        ("int t[2]={1}", 6),
        ("int t[0]", 8),
        ("int t[99999999]", 8),
        ("x=" + "9" * 50, 4),
        ("x=", 4),
        ("x=1 y=2", 6),
        ("0:r99=1", 4),
        ("7:r1=1", 2),
        ("0:r1=P0:M", 2),
        ("0:r1=P7:L", 2),
        ('0:r1=label:"L"', 7),
        ("0:r1=1; 0:R1=2", 10),
        ("x=\u0663", 4),
    ],
)
def test_bad_init(init: str, column: int) -> None:
    """Items that are malformed, or contradict each other or the program."""
    with pytest.raises(LitmusError) as caught:
        with_parts(init=init)
    assert (caught.value.line, caught.value.column) == (2, column)


def test_contradictory_values_say_where_the_other_one_stands() -> None:
    """So that the reader finds the two."""
    with pytest.raises(LitmusError) as caught:
        with_parts(init="y=0; x=1; x=2")
    assert caught.value.expected == ("the value of line 2, column 7",)


@pytest.mark.parametrize(
    ("final", "column"),
    [
        ("exists", 7),
        ("exists (x=1", 12),
        ("exists x=1 y", 12),
        ("exists 1:r1=0", 8),
        ("exists 0:EAX=0", 10),
        ("exists 0:r1=1:r1", 8),
        ('exists 0:r1=label:"P0:M"', 8),
        ("locations [1:r1;]", 12),
        ("filter 1:r1=0 exists true", 8),
        ("forall t[-1]=0", 8),
        ("exists x=1 with tso exists", 21),
    ],
)
def test_bad_condition(final: str, column: int) -> None:
    """Conditions that are malformed, or speak of what does not exist."""
    with pytest.raises(LitmusError) as caught:
        with_parts(final=final)
    assert (caught.value.line, caught.value.column) == (5, column)


def test_index_outside_of_a_declared_array() -> None:
    """A cell that the array does not have is refused."""
    with pytest.raises(LitmusError):
        with_parts(init="int t[2]", final="exists t[2]=0")


def test_expected_names_what_could_stand_there() -> None:
    """The error lists what was expected, in the words of the format."""
    with pytest.raises(LitmusError) as caught:
        with_parts(rows="lwz r1,4(r2;")
    assert caught.value.expected == ("')'",)
    with pytest.raises(LitmusError) as caught:
        parse("aarch64 t\n{}\nP0;\n")
    assert "AArch64" in caught.value.expected


def test_limits() -> None:
    """Too much of anything is refused, quickly."""
    chain, deep = " /\\ ".join(["x=1"] * 1000), "(" * 1000 + "x=1" + ")" * 1000
    assert with_parts(final=f"exists {chain}")
    assert with_parts(final=f"exists {deep}")
    for final in ("~" * (NESTING + 1) + "true", "(true => " * NESTING + "true" + ")" * NESTING):
        with pytest.raises(LitmusError):
            with_parts(final=f"exists {final}")
    many = " | ".join(f"P{n}" for n in range(THREADS + 1))
    for text in (f"PPC t\n{{}}\n{many};\n", "x" * (FILE_BYTES + 1)):
        with pytest.raises(LitmusError):
            parse(text)


def test_nested_comments_are_read_in_linear_time() -> None:
    """A hundred thousand comments within each other are no more than their characters."""
    depth = 100_000
    assert with_parts(rows="(*" * depth + "*)" * depth + "nop;")


def test_files(tmp_path: Path) -> None:
    """A file that is missing, no file, too large, or no text is a `LitmusError` too."""
    binary, huge = tmp_path / "b.litmus", tmp_path / "h.litmus"
    binary.write_bytes(b"PPC t\n{\xff}\nP0;\n")
    huge.write_bytes("\u00e9".encode() * FILE_BYTES)
    for path in (tmp_path / "none.litmus", tmp_path, huge, tmp_path / "nul\0"):
        with pytest.raises(LitmusError):
            load(path)
    with pytest.raises(LitmusError) as caught:
        load(binary)
    assert (caught.value.line, caught.value.column) == (2, 2)


def test_error_survives_pickling() -> None:
    """A worker can hand the error back."""
    with pytest.raises(LitmusError) as caught:
        parse("PPC t\n{")
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
    assert again.line == caught.value.line


def test_an_open_comment_is_named_where_it_begins() -> None:
    """Also where herd7's rule, that the first `{` ends the header, makes nonsense of what follows."""
    with pytest.raises(LitmusError, match="comment is not closed before"):
        parse("PPC t\n(* see {x}\n{ x=1; }\nP0;\nnop;\n")
    with pytest.raises(LitmusError, match="comment is never closed"):
        parse("PPC t\n{ x=1; }\nP0;\nnop; (*\n")


def test_a_comment_may_be_open_in_the_foreign_text_at_the_end() -> None:
    """What follows `<<` is no part of the test."""
    assert parse("PPC t\n{}\nP0;\nnop;\nexists (true)\n<< log (* of something\n").threads
