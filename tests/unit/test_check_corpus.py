"""The checkers of whole histories on the corpus: they agree with those of single instructions on what is broken."""

import pytest

import simaie
from simaie import Limits, Machine, corpus
from simaie.check import CHECKERS, judge
from simaie.corpus import Expect
from simaie.corpus.dialects import LLSC
from simaie.plugins import Spec

ROWS = [(case, scheme) for case in corpus.cases() for scheme in case.expected]
BROKEN = {"rmw-atomicity", "llsc-atomicity"}
#: An identity used again stores without any load-linked of its own: no conflict is wrong, only the success is.
NO_CYCLE = {f"identity-used-again{dialect.suffix}" for dialect in LLSC}
#: Instructions that the architecture does not promise to be atomic: an unlocked read-modify-write, two 8-byte halves,
#: LDRD and STRD without LPAE.
UNPROMISED = {"unlocked-rmw-loses", "wide-loads-tear", "wide-access-on-narrow-host-arm"}


def kinds(case, scheme, executions=40):
    """The kinds of finding of each execution, by the default checkers and by serializability."""
    needs, seen = case.needs, []

    def keep(trace):
        found = judge(trace)
        seen.append({finding.kind for finding in (*found, *CHECKERS["serializability"](trace))})
        return ()

    machine = Machine(
        Spec(scheme, dict(needs.options)),
        full_system=needs.full_system,
        host_word=needs.host_word,
        address_bits=needs.address_bits,
        limits=Limits(steps=needs.steps),
    )
    options = {"executions": executions, "failures": None, "checkers": [keep]}
    simaie.explore(case.program, machine, scheduler="random-walk", **options)
    return seen


@pytest.mark.one_in(6)
@pytest.mark.parametrize(("case", "scheme"), ROWS, ids=[f"{case.name}-{scheme}" for case, scheme in ROWS])
def test_serializability_finds_what_is_not_atomic_and_nothing_else_that_was_promised(case, scheme):
    for found in kinds(case, scheme):
        if case.expected[scheme] is Expect.MUST_NOT:
            assert found == set()
        if found & BROKEN and case.name not in NO_CYCLE:
            assert "serializability" in found
        if "serializability" in found and case.name not in UNPROMISED:
            assert found & {*BROKEN, "single-copy-atomicity"}
