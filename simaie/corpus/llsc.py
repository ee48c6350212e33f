"""LL/SC of every instruction set that has it: reservations, and the members of a tiny set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simaie.corpus.audit_case import Case, Expect
from simaie.corpus.common import ARM, TORN_LLSC, X, store_conditional_failed
from simaie.corpus.dialects import ARM32, LLSC, Dialect
from simaie.guest.code import Ins, ins
from simaie.guest.program import FinalState, Program, ThreadCode

__all__ = ["CASES", "few"]

A, B = 0, 1


def few(dialect: Dialect) -> int:
    """Return how many executions of a larger program to sample: fewer if Arm runs the same one."""
    return 100 if dialect is ARM32 else 20


def _increment(dialect: Dialect) -> list[Ins]:
    """Add 1 to X by LL/SC, without a retry."""
    return [dialect.reserve(X, "v"), ins("reg_add", "v", 1, into="v"), dialect.attempt(X, "v")]


def _generations(dialect: Dialect, name: str, vcpus: int, times: int) -> Program:
    """Each vCPU tries `times` increments by LL/SC, without retries; X counts the SCs that reported success."""
    code = [*_increment(dialect), *dialect.count_success()] * times

    def final(state: FinalState) -> bool:
        return state[X] == sum(v for name, v in state.registers.items() if name.endswith(":done"))

    return Program(name, isa=dialect.isa, threads=[code] * vcpus, init={X: 0}, final=final)


def _aba(dialect: Dialect, name: str, flippers: int, times: int) -> Program:
    """vCPU 0 holds a reservation while others change X from A to B and back, by store-conditionals only."""
    flip = [part for value in (B, A) for part in (dialect.reserve(X), ins(dialect.conditional, X, value))]
    owner = [dialect.reserve(X, "seen"), dialect.attempt(X, 9)]
    return Program(name, isa=dialect.isa, threads=[owner, *[flip * times] * flippers], init={X: A})


def _identity_used_again(dialect: Dialect) -> ThreadCode:
    """A thread that leaves a reservation when it ends, and a later one that never made any."""

    async def leaves_a_reservation(cpu: Any) -> None:
        await getattr(cpu, dialect.linked)(X)

    async def never_reserved(cpu: Any) -> None:
        cpu.observe(dialect.result, await getattr(cpu, dialect.conditional)(X, 7))

    async def one_after_the_other(cpu: Any) -> None:
        await cpu.join(await cpu.spawn(leaves_a_reservation))
        await cpu.join(await cpu.spawn(never_reserved))

    return one_after_the_other


def _cases(dialect: Dialect) -> Iterator[Case]:
    suffix, isa = dialect.suffix, dialect.isa
    yield Case(
        row=13,
        title="LL/SC against LL/SC: two SC successes from one generation",
        why="An SC that stores empties the set under the entry's lock, so no other vCPU of its generation is in it.",
        program=_generations(dialect, f"two-sc-one-generation{suffix}", 2, 2 if dialect is ARM32 else 1),
        larger=_generations(dialect, f"two-sc-one-generation{suffix}-large", 4, 4 if dialect is ARM32 else 2),
        samples=few(dialect),
        kinds=TORN_LLSC,
        expected=ARM(Expect.MUST_NOT, none=Expect.FINDABLE),
    )
    yield Case(
        row=14,
        title="A-B-A through SCs only",
        why="The first foreign SC emptied the set, whatever the value is now; a compare-and-swap sees only the value.",
        program=_aba(dialect, f"aba-through-sc{suffix}", 1, 1),
        larger=_aba(dialect, f"aba-through-sc{suffix}-large", 2, 3 if dialect is ARM32 else 1),
        samples=few(dialect),
        kinds=TORN_LLSC,
        expected=ARM(Expect.MUST_NOT, cas=Expect.FINDABLE),
    )
    yield Case(
        row=15,
        title="a plain store between LL and SC goes undetected",
        why="By design: a plain store ignores the set, so the reservation remains and the SC overwrites the store.",
        program=Program(
            f"plain-store-between-ll-and-sc{suffix}",
            isa=isa,
            threads=[_increment(dialect), [ins(dialect.store, X, 5)]],
            init={X: 0},
        ),
        kinds=TORN_LLSC,
        expected=ARM(Expect.FINDABLE),
    )
    yield Case(
        row=20,
        title="another word of the same granule: a spurious SC failure",
        why="Ownership is by granule: a neighbour's SC empties the set. Legal, since an SC may fail spuriously.",
        program=Program(
            f"granule-neighbours{suffix}",
            isa=isa,
            threads=[_increment(dialect), [dialect.reserve(X + 4), dialect.attempt(X + 4, 1)]],
            init={X: 0, X + 4: 0},
        ),
        observed=store_conditional_failed,
        expected=ARM(Expect.MODEL),
    )
    yield Case(
        row=30,
        title="a thread's identity is used again while it is still in a tiny set",
        why="The set holds identities: a new thread with the dead thread's identity counts as the owner.",
        program=Program(
            f"identity-used-again{suffix}",
            isa=isa,
            threads=[_identity_used_again(dialect)],
            init={X: 0},
            final=lambda s: s[X] == 0,
        ),
        started=(2, 0),
        kinds=TORN_LLSC,
        expected=ARM(Expect.FINDABLE),
    )


CASES = tuple(case for dialect in LLSC for case in _cases(dialect))
