"""The kinds of atomic instructions, and the programs that each of them has in every instruction set: one shape for all.

Each instruction works on X, which is 0 at first. The register that receives its result tells whether it came first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from simaie.corpus.common import X
from simaie.corpus.dialects import Dialect
from simaie.guest.code import Ins, ins
from simaie.guest.program import FinalState, Program

__all__ = ["ADDITION", "COMPARE", "EXCHANGE", "TEST", "AtomicKind"]

#: What a plain store stores: none of its bytes is 0, so that a test-and-set of any byte sees it.
STORED = 0x05050505


class AtomicKind(NamedTuple):
    """A kind of atomic instruction.

    Attributes:
        name: What it is, as in names of programs.
        mnemonic: The instruction of a dialect; empty if it has none.
        instruction: Returns the n-th instruction of a program, from 1, and the register of its result.
        claims: Whether only the instruction that comes first has the result of a fresh location, and changes it. If
            not, the results and the final value are the numbers from 0, each once.
    """

    name: str
    mnemonic: Callable[[Dialect], str]
    instruction: Callable[[Dialect, int, str], Ins]
    claims: bool

    def against_itself(self, dialect: Dialect, name: str, vcpus: int, times: int = 1) -> Program:
        """Return a program in which each of `vcpus` runs the instruction `times` times."""
        threads = [
            [self.instruction(dialect, 1 + vcpu * times + i, f"got{i}") for i in range(times)] for vcpu in range(vcpus)
        ]
        return Program(name, isa=dialect.isa, threads=threads, init={X: 0}, final=lambda s: self.lost_none(dialect, s))

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

    def lost_none(self, dialect: Dialect, state: FinalState) -> bool:
        """Return whether instructions that ran against each other lost no update."""
        results = list(state.registers.values())
        if self.claims:
            return results.count(self.first(dialect)) == 1
        return sorted([*results, state[X]]) == list(range(len(results) + 1))


ADDITION = AtomicKind("addition", lambda d: d.add, lambda d, _, into: ins(d.add, X, 1, into=into), False)
EXCHANGE = AtomicKind("swap", lambda d: d.swap, lambda d, n, into: d.exchange(X, n, into), False)
COMPARE = AtomicKind(
    "compare-and-swap", lambda d: d.compare, lambda d, n, into: ins(d.compare, X, 0, n, into=into), True
)
TEST = AtomicKind("test-and-set", lambda d: d.test, lambda d, _, into: ins(d.test, X, into=into), True)
