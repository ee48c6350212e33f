"""Arm: load-linked and store-conditional, their reservations, and the members of a tiny set."""

from __future__ import annotations

from typing import Any

from simaie.corpus.audit_case import Case, Expect
from simaie.corpus.common import ARM, TORN_LLSC, X, store_conditional_failed
from simaie.guest.code import Ins, ins
from simaie.guest.program import FinalState, Program

__all__ = ["CASES"]

A, B = 0, 1
ATTEMPT = [ins("ldrex", X, into="v"), ins("reg_add", "v", 1, into="v"), ins("strex", X, "v", into="failed")]


def _generations(name: str, vcpus: int, times: int) -> Program:
    """Each vCPU tries `times` increments by LL/SC, without retries; X counts the SCs that reported success."""
    code: list[Ins] = []
    for _ in range(times):
        code += [*ATTEMPT, ins("reg_sub", 1, "failed", into="ok"), ins("reg_add", "done", "ok", into="done")]

    def final(state: FinalState) -> bool:
        return state[X] == sum(v for name, v in state.registers.items() if name.endswith(":done"))

    return Program(name, isa="arm", threads=[code] * vcpus, init={X: 0}, final=final)


def _aba(name: str, flippers: int, times: int) -> Program:
    """vCPU 0 holds a reservation while others change X from A to B and back, by store-conditionals only."""
    flip = [ins("ldrex", X), ins("strex", X, B), ins("ldrex", X), ins("strex", X, A)]
    return Program(
        name,
        isa="arm",
        threads=[[ins("ldrex", X, into="seen"), ins("strex", X, 9, into="failed")], *[flip * times] * flippers],
        init={X: A},
    )


async def _leaves_a_reservation(cpu: Any) -> None:
    await cpu.ldrex(X)


async def _never_reserved(cpu: Any) -> None:
    cpu.observe("failed", await cpu.strex(X, 7))


async def _one_after_the_other(cpu: Any) -> None:
    await cpu.join(await cpu.spawn(_leaves_a_reservation))
    await cpu.join(await cpu.spawn(_never_reserved))


CASES = (
    Case(
        row=13,
        title="LL/SC against LL/SC: two SC successes from one generation",
        why="An SC that stores empties the set under the entry's lock, so no other vCPU of its generation is in it.",
        program=_generations("two-sc-one-generation", 2, 2),
        larger=_generations("two-sc-one-generation-large", 4, 4),
        kinds=TORN_LLSC,
        expected=ARM(Expect.MUST_NOT, none=Expect.FINDABLE),
    ),
    Case(
        row=14,
        title="A-B-A through SCs only",
        why="The first foreign SC emptied the set, whatever the value is now; a compare-and-swap sees only the value.",
        program=_aba("aba-through-sc", 1, 1),
        larger=_aba("aba-through-sc-large", 2, 3),
        kinds=TORN_LLSC,
        expected=ARM(Expect.MUST_NOT, cas=Expect.FINDABLE),
    ),
    Case(
        row=15,
        title="a plain store between LL and SC goes undetected",
        why="By design: a plain store ignores the set, so the reservation remains and the SC overwrites the store.",
        program=Program(
            "plain-store-between-ll-and-sc",
            isa="arm",
            threads=[ATTEMPT, [ins("str_", X, 5)]],
            init={X: 0},
        ),
        kinds=TORN_LLSC,
        expected=ARM(Expect.FINDABLE),
    ),
    Case(
        row=20,
        title="another word of the same granule: a spurious SC failure",
        why="Ownership is by granule: a neighbour's SC empties the set. Legal, since an SC may fail spuriously.",
        program=Program(
            "granule-neighbours",
            isa="arm",
            threads=[ATTEMPT, [ins("ldrex", X + 4), ins("strex", X + 4, 1, into="failed")]],
            init={X: 0, X + 4: 0},
        ),
        observed=store_conditional_failed,
        expected=ARM(Expect.MODEL),
    ),
    Case(
        row=30,
        title="a thread's identity is used again while it is still in a tiny set",
        why="The set holds identities: a new thread with the dead thread's identity counts as the owner.",
        program=Program(
            "identity-used-again",
            isa="arm",
            threads=[_one_after_the_other],
            init={X: 0},
            final=lambda s: s[X] == 0,
        ),
        kinds=TORN_LLSC,
        expected=ARM(Expect.FINDABLE),
    ),
)
