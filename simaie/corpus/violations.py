"""A small program for each class of violations, by which schemes are told apart; see `simaie.schemes.holes`.

Each program is so small that a search can run it in every order under every scheme. It has a violation of its class
under a scheme exactly if some execution has one of the kinds of finding that count for the class.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from simaie.corpus.audit_case import Needs
from simaie.corpus.common import X, Y
from simaie.corpus.faults import ABSENT, ALIAS, READ_ONLY, faults_in_rmw, faults_then_stores
from simaie.corpus.program_entry import ProgramEntry
from simaie.errors import UsageError
from simaie.guest.code import Ins, ins
from simaie.guest.program import FinalState, Program, ThreadCode
from simaie.schemes.holes import LLSC_HOLES, LOCK_HOLES, PLAIN_HOLES, Hole

__all__ = ["VIOLATIONS", "Violation", "kinds_of", "violation", "violations"]

#: Another word of the page of X, outside the granule of X.
_FAR = X + 0x40
#: A place of four bytes across the end of the 8-byte word at X.
_SPLIT = X + 6

_LL, _SC = ins("ldrex", X, into="seen"), ins("strex", X, 1, into="failed")
_PAIR = [_LL, _SC]
_SWAP = ins("swp", X, 5, into="old")


def _flip() -> list[Ins]:
    """Change X from 0 to 7 and back by store-conditionals."""
    return [each for value in (7, 0) for each in (ins("ldrex", X), ins("strex", X, value, into=f"failed{value}"))]


def _stores(*values: int) -> list[Ins]:
    return [ins("str_", X, value) for value in values]


def _add(address: int, value: int = 1, width: int = 4) -> list[Ins]:
    return [ins("lock_xadd", address, value, width=width, into="old")]


def _twice(*attempt: Ins) -> list[Ins]:
    """Try again after a failure: a loop that a search can run to its end, unlike one that tries for ever.

    A scheme that lets the second try of a vCPU fail, which runs alone, lets every try fail.
    """
    return [*attempt, ins("cbz", "failed", "done"), *attempt, ins("label", "done")]


_ARM: dict[Hole, list[ThreadCode]] = {
    Hole.LLSC: [_PAIR, [_LL, ins("strex", X, 2, into="failed")]],
    Hole.STORE: [_PAIR, _stores(5)],
    Hole.SAME_VALUE: [_PAIR, _stores(0)],
    Hole.ABA_ONE_STORER: [_PAIR, _stores(7, 0)],
    Hole.ABA_TWO_STORERS: [_PAIR, _stores(7), _stores(0)],
    Hole.ABA_BY_SC: [_PAIR, _flip()],
    Hole.ABA_FAILED_SC: [_PAIR, [ins("strex", _FAR, 9, into="failed")], _stores(7, 0)],
    Hole.NEIGHBOUR: [
        [ins("ldrexb", X, into="seen"), ins("str_", X + 1, 9, width=1), ins("strexb", X, 1, into="failed")],
        [ins("str_", X, 7, width=1)],
    ],
    Hole.WIDE: [[ins("ldrexd", X, into="seen"), ins("strexd", X, 1, into="failed")], [ins("str_", X + 4, 0)]],
    Hole.LLSC_RMW: [_PAIR, [_SWAP]],
    Hole.RMW: [[_SWAP], [ins("swp", X, 6, into="old")]],
    Hole.RMW_STORE: [[_SWAP], _stores(7)],
    Hole.SWITCH: [[_LL, ins("clrex"), _SC]],
    Hole.DEADLOCK: [[ins("strex", X, 4, into="alone"), *_PAIR], [*_stores(7), _LL]],
    Hole.LIVELOCK: [_twice(_LL, ins("dmb"), _SC)],
    Hole.LEAK: [[ins("strex", X, 4, into="alone"), _LL, *_stores(7), _SC]],
}
_AARCH64: dict[Hole, list[ThreadCode]] = {
    Hole.EXCEPTION: [[ins("ldxr", X, into="seen"), ins("exception"), ins("stxr", X, 1, into="failed")]],
    Hole.TORN_8: [[ins("str_", X, -1, width=8)], [ins("ldr", X, width=8, into="seen")]],
    Hole.TORN_16: [[ins("stp", X, -1)], [ins("ldp", X, into="seen")]],
}
_LR = ins("lr", X, into="seen")
_RISCV: dict[Hole, list[ThreadCode]] = {
    # The store overlaps both, so that every search sees their order.
    Hole.WIDTH: [
        [ins("lr", X, width=8, into="seen"), ins("sc", X, 1, into="failed")],
        [ins("store", X, 1 << 32, width=8)],
    ],
    Hole.ADDRESS: [[_LR, ins("sc", Y, 1, into="failed")]],
    Hole.ALONE: [[ins("sc", 0, 1, into="failed")]],
    Hole.FAULT: [faults_then_stores],
    # An operating system ends the reservation by a store-conditional to a word of its own.
    Hole.SWITCH: [[_LR, ins("sc", Y, 0, into="dummy"), ins("sc", X, 1, into="failed")]],
}
_PPC: dict[Hole, list[ThreadCode]] = {Hole.TORN_16: [[ins("stq", X, -1)], [ins("lq", X, into="seen")]]}
_S390X: dict[Hole, list[ThreadCode]] = {Hole.TORN_16: [[ins("stpq", X, -1)], [ins("lpq", X, into="seen")]]}
_FAULTING: list[ThreadCode] = [faults_in_rmw("lock_xadd", X, 1), _add(ALIAS + X)]
_X86: dict[Hole, list[ThreadCode]] = {
    Hole.RMW: [_add(X), _add(X)],
    Hole.RMW_STORE: [_add(X), [ins("store", X, 5)]],
    Hole.BYTE: [[ins("lock_cmpxchg", X, 0, 1, width=1, into="old")], [ins("store", X + 1, 5, width=1)]],
    Hole.SPLIT: [_add(_SPLIT), _add(_SPLIT)],
    Hole.SPLIT_LOCK: [_add(_SPLIT, 0x10001), [*_add(X + 8), *_add(X + 4, 0x10000)]],
    Hole.SPLIT_STORE: [_add(_SPLIT, 0x10001), [ins("store", X + 8, 1), ins("store", X + 4, 0x50000)]],
    Hole.SPLIT_LOAD: [_add(_SPLIT, 0x10001), [ins("load", _SPLIT, width=4, into="seen")]],
    Hole.MISALIGNED: [_add(X + 1, 0x100), _add(X + 1, 0x100)],
    Hole.WIDE_LOCK: [[ins("lock_cmpxchg16b", X, 0, 1 << 64, into="old")], [*_add(X + 8, 1, 8), *_add(X, 1, 8)]],
    Hole.TORN_16: [[ins("movaps", X, -1)], [ins("movaps_load", X, into="seen")]],
    Hole.DEADLOCK: _FAULTING,
    Hole.LEAK: _FAULTING,
}
_TORN_LLSC = frozenset({"llsc-atomicity"})
_LOST_RMW = frozenset({"rmw-atomicity"})
_KINDS = {
    **dict.fromkeys(LLSC_HOLES, _TORN_LLSC),
    **dict.fromkeys(LOCK_HOLES, _LOST_RMW),
    **dict.fromkeys((Hole.SPLIT, Hole.SPLIT_LOCK, Hole.SPLIT_STORE, Hole.WIDE_LOCK), _LOST_RMW | {"serializability"}),
    Hole.BYTE: _LOST_RMW | {"final-check"},
    Hole.SPLIT_LOAD: frozenset({"serializability", "single-copy-atomicity"}),
    **dict.fromkeys(PLAIN_HOLES, frozenset({"single-copy-atomicity"})),
    Hole.DEADLOCK: frozenset({"deadlock"}),
    Hole.LIVELOCK: frozenset({"livelock", "final-check"}),
    Hole.LEAK: frozenset({"lock-leak"}),
}


def _keeps_the_next_byte(state: FinalState) -> bool:
    return state[X + 1] == 5


def _has_stored(state: FinalState) -> bool:
    return state[X] == 1


_PAGED = Needs(full_system=True, address_bits=13)
#: The page table and the checks of the programs that have some.
_OPTIONS: dict[str, dict[str, Any]] = {
    "hole-llsc-fault": {"pages": ABSENT},
    "hole-rmw-byte": {"watch": {X + 1: 1}, "final": _keeps_the_next_byte},
    "hole-livelock": {"final": _has_stored},
    "hole-deadlock-x86": {"pages": READ_ONLY},
    "hole-leak-x86": {"pages": READ_ONLY},
    "hole-torn-16-aarch64": {"checkers": ["single-copy-atomicity-lse2"]},
    "hole-torn-16-x86": {"checkers": ["single-copy-atomicity-avx"]},
}
#: The machines of the programs that need another than the usual one: with pages, or the extension that promises more.
_NEEDS = {name: _PAGED for name, options in _OPTIONS.items() if "pages" in options} | {
    "hole-torn-16-aarch64": Needs(options={"single_copy": "lse2"}),
    "hole-torn-16-x86": Needs(options={"single_copy": "avx"}),
}


@dataclass(frozen=True, kw_only=True)
class Violation(ProgramEntry):
    """The program of a class of violations for one kind of guest.

    Attributes:
        hole: The class.
        program: The program.
        llsc: Whether the guest is one with LL/SC.
        needs: The machine.
    """

    hole: Hole
    program: Program
    llsc: bool
    needs: Needs = field(default_factory=Needs)

    @property
    def title(self) -> str:
        """What happens in the class."""
        return self.hole.meaning

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of finding that show a violation of the class."""
        return _KINDS[self.hole]

    @property
    def expected(self) -> Mapping[str, Any]:
        """No expectation: those of a scheme are in its data, see `simaie.schemes.holes.Variant`."""
        return {}


def _made() -> Iterator[Violation]:
    """Yield the programs of all classes; a class of both kinds of guest has one for each."""
    for hole in Hole:
        found = [(isa, patterns[hole]) for isa, patterns in _BY_ISA.items() if hole in patterns]
        for number, (isa, threads) in enumerate(found):
            name = f"hole-{hole}" + (f"-{isa}" if number else "")
            options = _OPTIONS.get(name, {})
            init = dict.fromkeys((X, X + 8, _FAR), (0, 8))
            program = Program(name, isa=isa, threads=threads, init=init, **options)
            needs = _NEEDS.get(name, Needs())
            yield Violation(hole=hole, program=program, llsc=isa not in _WITHOUT_LLSC, needs=needs)


# Stores and loads of 16 bytes: other instruction sets have none, or promise nothing of them. RISC-V, LoongArch and MIPS
# have atomic instructions or LL/SC of that width only.
_BY_ISA = {"arm": _ARM, "riscv": _RISCV, "ppc": _PPC, "aarch64": _AARCH64, "s390x": _S390X, "x86": _X86}
_WITHOUT_LLSC = ("s390x", "x86")
#: The programs, in the order of the classes.
VIOLATIONS = tuple(_made())


def kinds_of(hole: Hole) -> frozenset[str]:
    """Return the kinds of finding that show a violation of this class."""
    return _KINDS[hole]


def violations(hole: Hole) -> tuple[Violation, ...]:
    """Return the programs of a class: one, or one for each kind of guest."""
    return tuple(each for each in VIOLATIONS if each.hole is hole)


def violation(hole: Hole, *, llsc: bool = True) -> Program:
    """Return the program of a class of violations.

    Args:
        hole: The class.
        llsc: Whether the guest is to be one with LL/SC, if the class is not of one kind of guest only.

    Raises:
        UsageError: No such guest has the class.
    """
    for each in violations(hole):
        if each.llsc is llsc:
            return each.program
    raise UsageError(f"the class {hole} has no program for a guest with{'' if llsc else 'out'} LL/SC")
