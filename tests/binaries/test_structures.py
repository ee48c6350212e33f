"""Compiled lock-free structures: A-B-A, publication, sequence locks."""

import pytest
from elf_guests import TARGETS, searched, structures

from simaie import Verdict

#: Name -> threads, call before, final check.
CASES = {
    "stack": (["push:2", "pop:0"], "stack_setup", "stack_check"),
    "aba": (["again:2", "pop:0"], "stack_setup", "stack_check"),
    "aba-linked": (["again_ll:2", "pop_ll:0"], "stack_setup", "stack_check"),
    "aba-counted": (["again_dw:2", "pop_dw:0"], "counted_setup", "counted_check"),
    "queue": (["enqueue:1 enqueue:2", "dequeue:0"], None, "queue_check"),
    "ring": (["produce:2", "consume:2"], None, "ring_check"),
    "ring-relaxed": (["produce_relaxed:1", "consume:1"], None, "ring_check"),
    "seqlock": (["write_pair:7", "read_pair"], None, "pair_check"),
    "torn": (["write_pair:7", "read_pair_carelessly"], None, "pair_check"),
    "rwlock": (["rw_write", "rw_read"], None, "pair_check"),
    "barrier": (["meet:0", "meet:1"], None, "pair_check"),
    "references": (["put", "put"], None, "freed_check"),
    "references-carelessly": (["put_carelessly", "put_carelessly"], None, "freed_check"),
    "publication": (["publish:1", "subscribe"], None, "pair_check"),
    "dekker": (["dekker:0", "dekker:1"], None, "dekker_check"),
    "dekker-carelessly": (["dekker_carelessly:0", "dekker_carelessly:1"], None, "dekker_check"),
}
#: Those that are wrong on a sequentially consistent machine already.
WRONG = ("torn", "references-carelessly")


def verdict(target: str, case: str, scheme: str, host: str = "sc") -> Verdict:
    threads, init, final = CASES[case]
    return searched(structures(target, threads, final, init=init), scheme, host).verdict


@pytest.mark.parametrize("target", ["arm", "aarch64", "riscv64", "ppc64le", "mips"])
def test_a_linked_pop_has_no_aba_unless_the_scheme_compares_values(target):
    assert verdict(target, "aba-linked", "native") is Verdict.HOLDS
    assert verdict(target, "aba-linked", "cas") is Verdict.VIOLATED


@pytest.mark.parametrize("target", ["arm", "x86_64"])
def test_a_pop_by_compare_and_swap_has_aba_in_itself_and_a_counter_prevents_it(target):
    assert verdict(target, "aba", "native") is Verdict.VIOLATED
    assert verdict(target, "aba-counted", "native") is Verdict.HOLDS


@pytest.mark.parametrize("case", [case for case in CASES if case != "aba"])
def test_each_structure_on_a_strong_machine(case):
    assert verdict("aarch64" if case != "aba-counted" else "lse", case, "native") is (
        Verdict.VIOLATED if case in WRONG else Verdict.HOLDS
    )


@pytest.mark.parametrize("case", ["ring", "seqlock", "publication", "dekker"])
def test_barriers_of_the_guest_are_needed_on_a_weak_host(case):
    assert verdict("aarch64", case, "cas:barriers=none", "pso") is Verdict.VIOLATED
    assert verdict("aarch64", case, "cas:barriers=guest", "pso") is Verdict.HOLDS


def test_what_the_source_lacks_no_scheme_can_add():
    assert verdict("aarch64", "ring-relaxed", "cas:barriers=guest", "pso") is Verdict.VIOLATED
    assert verdict("x86_64", "dekker-carelessly", "native", "tso") is Verdict.VIOLATED
    assert verdict("x86_64", "dekker", "native", "tso") is Verdict.HOLDS


@pytest.mark.soak
@pytest.mark.parametrize("target", TARGETS)
def test_every_structure_on_every_target(target):
    for case in CASES:
        if case.startswith("aba") or case.startswith("dekker"):
            continue  # above, and not on every target
        assert verdict(target, case, "native") is (Verdict.VIOLATED if case in WRONG else Verdict.HOLDS), case
