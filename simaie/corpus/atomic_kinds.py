"""The kinds of atomic instructions, and the programs that each of them has in every instruction set: one shape for all.

Each instruction works on X, which is 0 at first. The register that receives its result tells whether it came first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from simaie.corpus.common import X
from simaie.corpus.dialects import Dialect
from simaie.guest.code import Ins, ins
from simaie.guest.program import FinalState, Program

__all__ = ["ADDITION", "COMPARE", "EXCHANGE", "TEST", "AtomicKind"]

#: What a plain store stores: none of its bytes is 0, so that a test-and-set of any byte sees it.
STORED = 0x05050505

_Judge: TypeAlias = Callable[[Dialect, FinalState], bool]


class AtomicKind(NamedTuple):
    """A kind of atomic instruction.

    Attributes:
        name: What it is, as in names of programs.
        mnemonic: The instruction of a dialect; empty if it has none.
        instruction: Returns the n-th instruction of a program, from 1, and the register of its result.
        judge: Whether instructions that ran against each other lost none.
    """

    name: str
    mnemonic: Callable[[Dialect], str]
    instruction: Callable[[Dialect, int, str], Ins]
    judge: _Judge

    def against_itself(self, dialect: Dialect, name: str, vcpus: int, times: int = 1) -> Program:
        """Return a program in which each of `vcpus` runs the instruction `times` times."""
        threads = [
            [self.instruction(dialect, 1 + vcpu * times + i, f"got{i}") for i in range(times)] for vcpu in range(vcpus)
        ]
        return Program(name, isa=dialect.isa, threads=threads, init={X: 0}, final=lambda s: self.judge(dialect, s))

    def against_store(self, dialect: Dialect, name: str) -> Program:
        """Return a program with one instruction and a plain store, which is in memory at the end if it came last."""
        first = self.first(dialect)
        return Program(
            name,
            isa=dialect.isa,
            threads=[[self.instruction(dialect, 1, "got")], [ins(dialect.store, X, STORED)]],
            init={X: 0},
            final=lambda s: s[X] == STORED or s.registers.get("0:got") != first,
        )

    def first(self, dialect: Dialect) -> int:
        """Return the result of the instruction that comes before all others and before the store."""
        return dialect.free if self is TEST else 0


def _in_turn(_: Dialect, state: FinalState) -> bool:
    """Whether each value was returned exactly once, or is in memory at the end."""
    return sorted([*state.registers.values(), state[X]]) == list(range(len(state.registers) + 1))


ADDITION = AtomicKind("addition", lambda d: d.add, lambda d, _, into: ins(d.add, X, 1, into=into), _in_turn)
EXCHANGE = AtomicKind("swap", lambda d: d.swap, lambda d, n, into: d.exchange(X, n, into), _in_turn)
COMPARE = AtomicKind(
    "compare-and-swap",
    lambda d: d.compare,
    lambda d, n, into: ins(d.compare, X, 0, n, into=into),
    lambda d, s: list(s.registers.values()).count(COMPARE.first(d)) == 1,
)
TEST = AtomicKind(
    "test-and-set",
    lambda d: d.test,
    lambda d, _, into: ins(d.test, X, into=into),
    lambda d, s: list(s.registers.values()).count(TEST.first(d)) == 1,
)
