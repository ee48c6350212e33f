"""x86 emulated on hosts that reorder loads: the corpus next to the project, if it is there, under each mapping.

The counts are those of the tests with a forbidden state, with exactly the states of TSO, and with fewer, as herd7
computes TSO's. They were found before by another search for the same models.
"""

from __future__ import annotations

import functools

import pytest

from simaie.exploration.barriers import minimal_barriers
from simaie.exploration.judge_mapping import judge_mapping
from simaie.exploration.mapping_report import Judgement
from simaie.exploration.outcomes import outcomes_of
from simaie.exploration.subject import SearchSubject, search_subject
from simaie.litmus import Arch, LitmusTest, load
from simaie.machine import Machine

from .outcomes import State, comparable
from .test_known_answers import FOLDER, INDEX
from .test_known_answers import pytestmark as needs_corpus

pytestmark = [needs_corpus, pytest.mark.untraced]

AROUND = "atomic.before=full/atomic.after=full/atomic.failed=full"
#: Host and mapping -> the tests with a forbidden state, those with all states of TSO, and those with fewer.
COUNTS = {
    ("armv8", "none"): (62, 113, 0),
    ("armv8", "qemu"): (2, 158, 15),
    ("armv8", "qemu-llsc"): (10, 155, 10),
    ("armv8:atomics=llsc", "qemu"): (10, 155, 10),
    ("armv8", f"qemu/{AROUND}"): (0, 159, 16),
    ("armv8", "risotto"): (2, 173, 0),
    ("armv8", "risotto-llsc"): (0, 175, 0),
    ("armv8", "fex"): (0, 175, 0),
    ("armv8", "acquire-release"): (0, 109, 66),
    ("armv8", "load.before=ld-ld"): (55, 120, 0),
    ("armv8", "store.before=ld-st"): (53, 122, 0),
    ("armv8", "store.before=st-st"): (43, 132, 0),
    ("armv8", "load.before=ld-ld/store.before=ld-st+st-st"): (2, 158, 15),
    ("rvwmo", "relaxed"): (84, 91, 0),
    ("rvwmo", "riscv"): (0, 175, 0),
    ("rvwmo", "riscv-llsc"): (0, 175, 0),
    ("rvwmo", "riscv-leading"): (0, 175, 0),
    ("rvwmo", "riscv/atomic.order=relaxed"): (25, 150, 0),
    ("rvwmo", "risotto-llsc"): (0, 175, 0),
}
#: Those that run always; the others take long and teach little more.
ALWAYS = {("armv8", "none"), ("armv8", "qemu"), ("armv8", "fex"), ("rvwmo", "riscv")}
#: A failed LOCK CMPXCHG is a full fence on x86; a failed CASAL is not.
FAILED = ["X86_64/LOCK-R+casf+cas", "X86_64/LOCK-SBfence+lxor+casf"]


@functools.cache
def corpus_tests() -> list[tuple[str, LitmusTest, SearchSubject, set[State]]]:
    """The tests of x86 that herd7 answers for TSO, with their states."""
    assert FOLDER is not None
    found = []
    for entry in INDEX:
        if entry["arch"] in (Arch.X86, Arch.X86_64) and "tso" in entry["expected"]:
            test = load(FOLDER / entry["file"])
            states = comparable(test, entry["expected"]["tso"]["states"])
            found.append((entry["id"], test, search_subject(test), states))
    return found


def judged(host: str, mapping: str) -> dict[str, list[str]]:
    """The names of the tests with a forbidden state, with all states, and with fewer."""
    found: dict[str, list[str]] = {"bad": [], "equal": [], "fewer": []}
    for name, test, subject, allowed in corpus_tests():
        outcomes = outcomes_of(subject, Machine(f"cas:mapping={mapping}", host=host))
        assert outcomes.complete
        possible = comparable(test, outcomes.states)
        found["bad" if possible - allowed else "equal" if possible == allowed else "fewer"].append(name)
    return found


ROWS = [pytest.param(*row, marks=() if row in ALWAYS else pytest.mark.soak, id="-".join(row)) for row in COUNTS]


@pytest.mark.parametrize(("host", "mapping"), ROWS)
def test_as_many_tests_show_a_forbidden_state_as_are_known_to(host: str, mapping: str) -> None:
    found = judged(host, mapping)
    assert (len(found["bad"]), len(found["equal"]), len(found["fewer"])) == COUNTS[host, mapping]
    if COUNTS[host, mapping][0] == len(FAILED):
        assert found["bad"] == FAILED


@pytest.mark.soak
def test_the_fewest_barriers_of_the_corpus_and_their_places() -> None:
    """A failed compare-and-swap may be the load that is too early, so that the fence has to be before it."""
    report = minimal_barriers([test for _, test, _, _ in corpus_tests()], "cas", "armv8", places=True)
    assert [chosen.text for chosen in report.minimal] == [
        "load.after=ld-ld/store.before=st-st/atomic.before=full",
        "load.after=ld-st/store.before=st-st/atomic.before=full",
        "load.after=ld-ld/store.after=st-st/atomic.before=full",
        "load.after=ld-st/store.after=st-st/atomic.before=full",
        "load.before=ld-ld/store.before=ld-st+st-st/atomic.before=full",
        "load.before=ld-ld/store.before=ld-st/store.after=st-st/atomic.before=full",
    ]


@pytest.mark.soak
@pytest.mark.parametrize(
    ("mapping", "judgement", "weaker"),
    [
        ("qemu", Judgement.TOO_WEAK, ""),
        ("risotto/atomic.failed=full", Judgement.TOO_WEAK, ""),
        (
            "risotto/atomic.before=full",
            Judgement.EXACT,
            "risotto/atomic.before=full/load.after=ld-st/atomic.before=st-ld",
        ),
        ("fex", Judgement.EXACT, ""),
        ("acquire-release", Judgement.STRONGER, "acquire-release/load.order=acquire"),
    ],
)
def test_mappings_are_judged_by_the_corpus(mapping: str, judgement: Judgement, weaker: str) -> None:
    report = judge_mapping([test for _, test, _, _ in corpus_tests()], f"cas:mapping={mapping}", "armv8")
    assert (report.judgement, report.weaker) == (judgement, weaker)
