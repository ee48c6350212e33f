"""The corpus: every row has its programs, their content is fixed, and they run where they say they do."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from runs import execute

from simaie import corpus
from simaie.check import judge
from simaie.corpus import Case, Expect, Needs
from simaie.corpus.common import insertion_lost, load_inside_rmw, store_conditional_failed, store_took_a_lock
from simaie.corpus.violations import VIOLATIONS
from simaie.errors import UnknownNameError, UsageError
from simaie.exploration.explorer import explore
from simaie.machine import Limits, Machine
from simaie.op import Kind
from simaie.trace import AccessKind, Ending

CASES = corpus.cases()
NAMES = [case.name for case in CASES]
AIE = ("aie-rfc", "aie-v2")

#: The table of the design, row by row.
MUST_NOT = {1, 3, 4, 5, 7, 11, 13, 14, 16, 18, 19, 21, 22, 23, 25, 27, 28}
FINDABLE = {6, 7, 8, 15, 17, 23, 24, 25, 26, 27, 30}
MODEL = {2, 9, 10, 12, 20, 27, 29, 31}


def machine_of(case, scheme):
    needs = case.needs
    return Machine(
        (scheme, needs.options),
        host=needs.host,
        full_system=needs.full_system,
        host_word=needs.host_word,
        address_bits=needs.address_bits,
        limits=Limits(steps=needs.steps),
    )


def traces_of(case, program, scheme, scheduler, executions=1):
    """The traces of an exploration, collected by a checker that finds nothing."""
    traces = []

    def collect(trace):
        traces.append(trace)
        return ()

    explore(program, machine_of(case, scheme), scheduler=scheduler, executions=executions, checkers=[collect])
    return traces


# -- what is there ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expect", "rows"), [(Expect.MUST_NOT, MUST_NOT), (Expect.FINDABLE, FINDABLE), (Expect.MODEL, MODEL)]
)
def test_the_expectations_of_the_aie_schemes_are_those_of_the_designs_table(expect, rows):
    found = {case.row for case in CASES for scheme in AIE if case.expected.get(scheme) is expect}
    assert found == rows


def test_x86_programs_run_under_both_aie_schemes_and_all_others_under_the_rfc_alone():
    only_with_a_bitmap = {29}
    for case in CASES:
        schemes = {scheme for scheme in case.expected if scheme in AIE}
        if case.row not in only_with_a_bitmap and schemes:
            assert schemes == (set(AIE) if case.program.isa == "x86" else {"aie-rfc"}), case.name


def test_rows_have_cases_of_every_instruction_set_that_has_the_instruction():
    """Rows 11 and 12 are about x86 alone, and rows 17 and 18 are rows 6 and 5 of Arm, which has no atomic but SWP."""
    found = {}
    for case in CASES:
        found.setdefault(case.row, set()).add(case.program.isa)
    linked = {"arm", "aarch64", "riscv", "mips", "ppc"}
    for row in (13, 14, 15, 19, 20, 30):
        assert found[row] >= linked
    assert found[27] >= linked - {"arm"}
    for row in (4, 5, 6, 7, 8, 9, 10, 16, 17, 18, 21, 22, 27, 29):
        assert found[row] >= {"aarch64", "riscv"}
    for row in (4, 8, 9, 16, 17, 18, 21, 22, 29):
        assert "arm" in found[row]
    for row in (16, 17, 18, 27):
        assert "ppc" in found[row]


#: The atomic instructions of row 27 that are between LL and SC, and those of instruction sets without LL/SC.
MIXED = [
    ("addition", "aarch64"), ("addition", "loongarch"), ("addition", "ppc"), ("addition", "riscv"),
    ("compare-and-swap", "xtensa"), ("swap", "arm"), ("test-and-set", "sh4"),
]  # fmt: skip
ALONE = [
    ("addition", "s390x"), ("swap", "sparc"),
    *((kind, isa) for kind in ("compare-and-swap", "test-and-set") for isa in ("m68k", "s390x", "sparc")),
]  # fmt: skip


def test_row_27_has_each_pair_of_instructions_that_an_instruction_set_has():
    names = {case.program.name for case in CASES if case.row == 27}
    linked = {"alpha", "hexagon", "loongarch", "microblaze", "openrisc", "sh4", "xtensa"}
    assert names >= {f"{pair}-{isa}" for isa in linked for pair in ("pair-against-pair", "store-between-pair")}
    assert names >= {f"{kind}-between-ll-and-sc{how}-{isa}" for kind, isa in MIXED for how in ("", "-revoked")}
    assert names >= {f"{kind}s-{isa}" for kind, isa in (*MIXED, *ALONE) if isa != "arm"}
    other_rows = {"arm", "aarch64", "riscv", "ppc"}
    assert names >= {f"{kind}-against-store-{isa}" for kind, isa in (*MIXED, *ALONE) if isa not in other_rows}


def test_names_are_unique_sorted_and_lead_to_program_and_case():
    names = corpus.names()
    assert names == sorted(set(names))
    entries = (*CASES, *corpus.guests(), *corpus.regressions(), *VIOLATIONS, *corpus.idioms())
    assert len(names) == sum(len(entry.programs) for entry in entries)
    for name in names:
        assert corpus.program(name).name == name
        assert corpus.program(name) in corpus.entry(name).programs


def test_a_case_and_a_guest_are_found_each_as_what_it_is():
    assert all(corpus.case(program.name) is case for case in CASES for program in case.programs)
    assert all(corpus.guest(program.name) is guest for guest in corpus.guests() for program in guest.programs)
    with pytest.raises(UnknownNameError, match="unknown case"):
        corpus.case("treiber-stack-arm")
    with pytest.raises(UnknownNameError, match="unknown guest"):
        corpus.guest("insertion-race")


@pytest.mark.parametrize("find", [corpus.program, corpus.case])
def test_an_unknown_name_is_refused_with_the_nearest_known_one(find):
    with pytest.raises(UnknownNameError, match="insertion-race"):
        find("insertion-rice")


def test_equal_content_in_every_process_whatever_the_hash_seed():
    code = (
        "from simaie import corpus; import hashlib; "
        "print(hashlib.sha256(''.join(corpus.program(n).digest for n in corpus.names()).encode()).hexdigest())"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1] != ""


@pytest.mark.untraced
def test_programs_share_their_content_only_if_the_machine_alone_makes_the_case():
    by_digest = {}
    for name in corpus.names():
        if getattr(corpus.entry(name), "row", 25) != 25:  # each litmus test is run with every kind of barriers
            by_digest.setdefault(corpus.program(name).digest, []).append(name)
    revoked = (sorted(f"{kind}-between-ll-and-sc{how}-{isa}" for how in ("", "-revoked")) for kind, isa in MIXED)
    assert sorted(names for names in by_digest.values() if len(names) > 1) == sorted([
        ["aliases-full-system", "aliases-user-mode"],
        ["aliases-full-system-arm", "aliases-user-mode-arm"],
        *revoked,
    ])


@pytest.mark.parametrize("expect", list(Expect))
def test_a_case_without_what_its_expectation_needs_is_refused(expect):
    program = CASES[0].program
    with pytest.raises(UsageError, match=program.name):
        Case(row=1, title="t", why="w", program=program, expected={"none": expect})


def test_a_machine_of_small_scope_by_default():
    assert Needs() == Needs(full_system=False, host_word=64, address_bits=12, steps=20_000, options={})


# -- how they run ----------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_run_one_after_the_other_each_program_ends_and_is_accepted(case):
    """Without a switch in mid-instruction nothing breaks; a broken thread identity and a wait need no switch."""
    for scheme in case.expected:
        for program in case.programs:
            if len(program.threads) > 8:
                continue
            (trace,) = traces_of(case, program, scheme, "round-robin:quantum=1000")
            assert trace.ending is Ending.FINISHED
            assert judge(trace) == () or case.row == 30


@pytest.mark.untraced
def test_all_eighty_vcpus_are_in_the_tiny_set_before_the_first_conditional_store():
    case = corpus.case("tiny-set-80")
    for trace in traces_of(case, corpus.program("tiny-set-80"), "aie-rfc", "random-walk", executions=1):
        members = set()
        for event in trace.events:
            if event.op.kind is Kind.UPDATE and event.instruction.access is AccessKind.STORE_CONDITIONAL:
                break
            if event.op.kind is Kind.UPDATE:
                members.add(event.actor)
        assert len(members) == 80
        conditional = [i for i, _ in trace.instructions if i.access is AccessKind.STORE_CONDITIONAL]
        assert sum(i.result for i in conditional) == 1


@pytest.mark.untraced
def test_the_lock_with_sixty_four_contenders_is_taken_by_each_exactly_once():
    case = corpus.case("contended-lock-64")
    (trace,) = traces_of(case, corpus.program("contended-lock-64"), "aie-rfc", "random-walk")
    takers = [i.vcpu for i, _ in trace.instructions if i.access is AccessKind.STORE_CONDITIONAL and i.result]
    assert sorted(takers, key=int) == [str(n) for n in range(64)]
    assert judge(trace) == ()


@pytest.mark.parametrize(
    ("name", "scheme", "predicate"),
    [
        ("insertion-loser-adopts", "aie-rfc", insertion_lost),
        ("load-during-rmw", "aie-v2", load_inside_rmw),
        ("granule-neighbours", "aie-rfc", store_conditional_failed),
        ("bitmap-alias", "aie-v2", store_took_a_lock),
        ("wide-loads-tear", "aie-v2", corpus.case("wide-loads-tear").observed),
        ("counters-of-one-granule", "aie-rfc", corpus.case("counters-of-one-granule").observed),
        ("common-counter", "aie-rfc", corpus.case("common-counter").observed),
        ("unlocked-rmw-loses", "aie-v2", corpus.case("unlocked-rmw-loses").observed),
    ],
)
def test_a_model_predicate_tells_some_interleavings_from_others(name, scheme, predicate):
    case = corpus.case(name)
    traces = traces_of(case, case.program, scheme, "dpor", executions=1_000)
    assert {predicate(trace) for trace in traces} == {True, False}


@pytest.mark.untraced
def test_all_thousand_vcpus_of_a_chain_are_members_before_the_first_conditional_store():
    case = corpus.case("chain-of-reservations-3")
    (trace,) = traces_of(case, corpus.program("chain-of-reservations-1000"), "aie-rfc", "random-walk")
    kinds = [instruction.access for instruction, _ in trace.instructions]
    assert kinds[: kinds.index(AccessKind.STORE_CONDITIONAL)].count(AccessKind.LOAD_LINKED) == 1000
    conditional = [i.result for i, _ in trace.instructions if i.access is AccessKind.STORE_CONDITIONAL]
    assert (len(conditional), sum(conditional), conditional[0]) == (1000, 1, True)


@pytest.mark.parametrize("name", [case.name for case in CASES if case.started[0]])
def test_a_case_counts_the_vcpus_that_its_threads_start(name):
    case = corpus.case(name)
    assert len(case.program.threads) == 1
    trace = execute(case.program, machine_of(case, "aie-rfc"))
    assert len({event.actor for event in trace.events}) == case.vcpus(case.program) == 1 + case.started[0]


def test_the_larger_program_of_a_case_counts_its_own_vcpus():
    case = corpus.case("chain-of-reservations-3")
    assert (case.vcpus(case.program), case.vcpus(case.larger)) == (3, 1000)
