"""The facts of the format: headers, initial states, tables, conditions."""

from __future__ import annotations

import pytest

from simaie.litmus import (
    Address,
    And,
    Arch,
    Atom,
    CodeLabel,
    Constant,
    CType,
    Global,
    Implies,
    InstructionWord,
    Not,
    Or,
    Position,
    Prop,
    Quantifier,
    RegisterOf,
    Same,
    SymbolicName,
    parse,
    state_locations,
)

from .samples import SAMPLES, sample, with_parts


def test_samples_cover_every_architecture() -> None:
    """There is a sample file for each architecture."""
    assert {sample(path.stem).arch for path in SAMPLES} == set(Arch)


def test_header() -> None:
    """Name, text and metadata are read, free text is not; a `{` ends the header, even in a comment."""
    test = sample("sb")
    assert (test.arch, test.name) == (Arch.X86, "SB-own")
    assert test.doc == "Each thread misses the other's store"
    assert test.metadata == (("Key", "one two"), ("Other", "3"))
    assert sample("cas").doc == "A locked compare and exchange"
    assert len(sample("llsc").init) == 7
    assert parse("MIPS a_/.-+[]:9 {} P0;").name == "a_/.-+[]:9"


@pytest.mark.parametrize(
    ("item", "location", "ctype", "value"),
    [
        ("x=1", Global("x"), None, 1),
        ("[x]=-0x10", Global("x"), None, -16),
        ("0:r1=x", RegisterOf(0, "r1"), None, Address("x")),
        ("P0:r1=t[1]", RegisterOf(0, "r1"), None, Address("t", 1)),
        ("uint64_t x=3", Global("x"), CType("uint64_t"), 3),
        ("int *p=&z", Global("p"), CType("int", pointer=True), Address("z")),
        ("*p=z", Global("p"), CType("int", pointer=True), Address("z")),
        ("int t[2]={1,-1}", Global("t"), CType("int", count=2), (1, -1)),
        ("int t[2]", Global("t"), CType("int", count=2), None),
        ("uint64_t 0:r9;", RegisterOf(0, "r9"), CType("uint64_t"), None),
        ("_Atomic int x=1", Global("x"), CType("int", atomic=True), 1),
        ("0:r1=P0:L", RegisterOf(0, "r1"), None, CodeLabel(0, "L")),
        ('0:r1=label:"P0:L"', RegisterOf(0, "r1"), None, CodeLabel(0, "L")),
        ('0:r1=instr:"NOP"', RegisterOf(0, "r1"), None, InstructionWord("NOP")),
        ("%x0=x", SymbolicName("x0"), None, Address("x")),
        ("0:%x0=x", RegisterOf(0, "%x0"), None, Address("x")),
        ("P1=2", Global("P1"), None, 2),
        ("x", Global("x"), None, None),
    ],
)
def test_init_item(item: str, location: object, ctype: object, value: object) -> None:
    """Each form of an item of the initial state."""
    (found,) = with_parts(init=item).init
    assert (found.location, found.type, found.value) == (location, ctype, value)
    assert found.position.line == 2


def test_repeated_items_may_agree() -> None:
    """A type, then a value, then the same value again: nothing is contradicted."""
    assert len(with_parts(init=";; int x; x=1;; x=1;").init) == 3


def test_registers_have_one_name() -> None:
    """Whatever the spelling, a register is named as herd7 prints it."""
    assert state_locations(sample("riscv")) == ("0:x5", "x")
    assert sample("mips").init[1].location == RegisterOf(0, "$5")
    assert sample("llsc").init[3].location == RegisterOf(1, "X5")
    assert sample("cas").init[2].location == RegisterOf(0, "rcx")


def test_table() -> None:
    """Cells are split by `|`, may be empty, and know their place; comments are nothing."""
    first, second = sample("sb").threads
    assert [s.instruction.written for s in first.statements if s.instruction] == ["mov", "mfence", "mov"]
    assert [s.position for s in second.statements] == [Position(7, 15), Position(9, 15)]
    assert [thread.id for thread in sample("ppc").threads] == [0, 4]
    assert sample("llsc").threads[1].statements[-1].labels == ("End",)


def _x(value: int, column: int, *, equal: bool = True) -> Atom:
    return Atom(Global("x"), value, equal, Position(5, column))


@pytest.mark.parametrize(
    ("text", "prop"),
    [
        ("x=1", _x(1, 8)),
        ("[x]==1", _x(1, 9)),
        ("x!=1", _x(1, 8, equal=False)),
        ("x<>1", _x(1, 8, equal=False)),
        ("true", Constant(True)),
        ("x=1\\/x=2/\\x=3", Or((_x(1, 8), And((_x(2, 13), _x(3, 18)))))),
        ("x=1=>x=2=>x=3", Implies(_x(1, 8), Implies(_x(2, 13), _x(3, 18)))),
        ("x=1/\\x=2=>x=3", And((_x(1, 8), Implies(_x(2, 13), _x(3, 18))))),
        ("~x=1/\\not x=2", And((Not(_x(1, 9)), Not(_x(2, 18))))),
        ("0:r1=0:r2", Same(RegisterOf(0, "r1"), RegisterOf(0, "r2"), True, Position(5, 8))),
        ("0:r1=[x]", Same(RegisterOf(0, "r1"), Global("x"), True, Position(5, 8))),
        ("t[1]=x", Atom(Global("t", 1), Address("x"), True, Position(5, 8))),
        ("t={1,2}", Atom(Global("t"), (1, 2), True, Position(5, 8))),
    ],
)
def test_proposition(text: str, prop: Prop) -> None:
    """Atoms and connectives, from loose to tight."""
    assert with_parts(final=f"exists {text}").condition.prop == prop


@pytest.mark.parametrize(
    ("final", "quantifier", "keyword"),
    [
        ("exists x=1", Quantifier.EXISTS, "exists"),
        ("final x=1;", Quantifier.EXISTS, "final"),
        ("(x=1)", Quantifier.EXISTS, ""),
        ("observed x=1; and x=2;", Quantifier.EXISTS, "observed"),
        ("~exists x=1", Quantifier.NOT_EXISTS, "~exists"),
        ("not exists x=1", Quantifier.NOT_EXISTS, "not exists"),
        ("forall x=1", Quantifier.FORALL, "forall"),
        ("", Quantifier.NONE, ""),
        ("<< exists x=1", Quantifier.NONE, ""),
    ],
)
def test_quantifier(final: str, quantifier: Quantifier, keyword: str) -> None:
    """Every way to ask, and not to ask."""
    condition = with_parts(final=final).condition
    assert (condition.quantifier, condition.keyword) == (quantifier, keyword)


def test_locations_filter_and_models() -> None:
    """What else may stand after the program."""
    test = sample("llsc")
    assert state_locations(test) == ("1:X5", "t", "x", "t[1]", "0:X1")
    assert [item.type for item in test.locations] == [CType("uint32_t"), None, CType("int", pointer=True)]
    assert test.filter == Atom(RegisterOf(0, "X2"), 0, True, Position(16, 9))
    assert sample("sb").condition.models == (("tso", Quantifier.NOT_EXISTS), ("weak", Quantifier.EXISTS))
    assert with_parts(final="locations []").locations == ()
