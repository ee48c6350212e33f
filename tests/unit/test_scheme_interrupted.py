"""Interrupts and kills at any step of a helper: what a scheme must release, and what stays held."""

from __future__ import annotations

import pytest
from exhaustive.test_sections import assert_each_trace_once

import simaie
from simaie import GuestFault, Machine, Program, ins, plugins
from simaie.corpus.violations import violation, violations
from simaie.errors import NotEmulatedError, UsageError
from simaie.op import Kind
from simaie.schemes.holes import Hole
from simaie.schemes.tlib import Tlib

X = 0x100
ADD = ins("lock_xadd", X, 1, into="old")
ADDS = Program("adds", isa="x86", threads=[[ADD], [ADD]], init={X: 0}, final=lambda state: state[X] == 2)
PAIR = [ins("ldxr", X, into="seen"), ins("stxr", X, 1, into="failed")]
ALONE = Program("pair", isa="aarch64", threads=[PAIR], init={X: 0})


def explored(program, scheme, **options):
    return simaie.explore(program, Machine(scheme, address_bits=12), scheduler="dpor", failures=None, **options)


def kinds(report):
    return {finding.kind for failure in report.kept for finding in failure.findings}


class ForgetsTheWorld(Tlib):
    """An exception drops the reservation, and leaves the lock of the entry held."""

    async def exception(self, cpu, cause):
        cpu.local.linked = None


# -- exceptions ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["global-lock", "aie-rfc", "cas", "split-mutex", "hst", "tlib", "pst-remap"])
def test_a_helper_that_is_interrupted_releases_what_it_holds_and_starts_again(scheme):
    report = explored(ADDS, f"interrupted:scheme={scheme},vcpus=0")
    assert report.verdict == "holds"
    assert report.complete


FAMILY = [
    pytest.param(name, variant, marks=[pytest.mark.soak] * bool(variant.options), id=f"{name}:{variant.options}")
    for name in plugins.names(plugins.SCHEMES)
    for variant in plugins.resolve(plugins.SCHEMES, name).variants
    if name != "pico-cas"
]


@pytest.mark.untraced
@pytest.mark.one_in(3)
@pytest.mark.parametrize(("name", "variant"), FAMILY)
def test_an_exception_at_any_step_leaves_no_vcpu_stuck_unless_the_data_say_so(name, variant):
    inner = name + ":" * bool(variant.options) + variant.options.replace(",", "&")
    stuck = set()
    programs = [each for hole in (Hole.DEADLOCK, Hole.RMW, Hole.SPLIT) for each in violations(hole)]
    for program in (each.program for each in programs if not each.needs.full_system):
        try:
            report = explored(program, f"interrupted:scheme={inner},vcpus=0")
        except NotEmulatedError:
            continue
        assert report.complete
        stuck |= kinds(report) & {"deadlock", "lock-leak"}
    assert bool(stuck) is bool({Hole.DEADLOCK, Hole.LEAK} & variant.holes)


@pytest.mark.parametrize("scheme", ["global-lock:unlocks=false", ForgetsTheWorld])
def test_a_lock_that_an_exception_leaves_held_is_found(scheme):
    assert explored(ADDS, scheme).verdict == "holds"
    report = explored(ADDS, ("interrupted", {"scheme": scheme, "vcpus": "0"}))
    assert kinds(report) & {"deadlock", "lock-leak"}


@pytest.mark.parametrize(
    ("scheme", "found"),
    [("cas", False), ("cas:on_exception=leave", True), ("ldstex2cas", True), ("native", False), ("aie-rfc", True)],
)
def test_a_reservation_across_an_exception_is_found(scheme, found):
    report = explored(ALONE, f"interrupted:scheme={scheme}")
    assert ("llsc-atomicity" in kinds(report)) is found
    failed = {dict(outcome.items)["0:failed"] for outcome in report.outcomes}
    assert failed == ({0} if found else {0, 1})


def test_an_exception_before_a_load_linked_does_not_end_its_reservation():
    """Only the load-linked is exposed, so the store-conditional succeeds lawfully although the record is left."""
    program = Program("ll", isa="aarch64", threads=[PAIR[:1]], init={X: 0})
    assert kinds(explored(program, "interrupted:scheme=cas:on_exception=leave,times=3")) == set()


def test_the_number_of_exceptions_is_limited_per_vcpu_and_off_by_default():
    """One load: it is interrupted at most n times before its only step, so there are n + 1 executions."""
    load = Program("load", isa="arm", threads=[[ins("ldr", X)]], init={X: 0})
    for times in range(4):
        report = explored(load, f"interrupted:scheme=cas,times={times}")
        assert report.statistics.executions == times + 1
    assert explored(load, "cas").statistics.executions == 1


@pytest.mark.untraced
def test_an_instruction_that_has_written_is_not_interrupted():
    """It could not start again: an addition would be made twice."""
    report = explored(ADDS, "interrupted:scheme=global-lock,times=2")
    assert report.verdict == "holds"


@pytest.mark.parametrize("scheme", ["tlib", "hst-htm", "cas"])
def test_each_trace_with_exceptions_is_run_once(scheme):
    pair = [ins("ldrex", X, into="a"), ins("strex", X, 1, into="f")]
    program = Program("pair", isa="arm", threads=[pair, [ins("str_", X, 5)]], init={X: 0})
    assert_each_trace_once(program, Machine(f"interrupted:scheme={scheme},vcpus=0", address_bits=12))


@pytest.mark.parametrize(
    ("options", "steps", "deaths"),
    [("times=1", 2, 0), ("times=2", 3, 0), ("times=3", 4, 0), ("times=1,kills=1", 2, 2)],
)
def test_several_choices_of_two_vcpus_in_a_row_are_told_apart(options, steps, deaths):
    """By ways in which a vCPU comes to its only step, and in which it is killed before. Two steps have two orders."""
    traces = assert_each_trace_once(ADDS, Machine(f"interrupted:scheme=cas,{options}", address_bits=12))
    assert traces == 2 * steps**2 + 2 * steps * deaths + deaths**2


@pytest.mark.parametrize("scheme", ["split-mutex", "global-lock", "cas"])
def test_each_trace_with_a_kill_is_run_once(scheme):
    split = ins("lock_xadd", X + 6, 1, into="old")
    program = Program("split", isa="x86", threads=[[split], [split]], init={X: (0, 16)})
    assert_each_trace_once(program, Machine(f"interrupted:scheme={scheme},times=1,kills=1,vcpus=0", address_bits=12))


def test_the_published_holes_stay_and_no_other_comes():
    """An exception clears the reservation, so it adds no success."""
    for hole, verdict in ((Hole.LLSC, "holds"), (Hole.ABA_ONE_STORER, "holds"), (Hole.SAME_VALUE, "violated")):
        assert explored(violation(hole), "interrupted:scheme=hst,vcpus=0").verdict == verdict


def test_an_access_of_two_registers_is_that_of_the_interrupted_scheme():
    """Both words are one access with LSE2 only; an exception between the halves starts the load again."""
    pair = [ins("stp", X, 1 + (1 << 32), width=4)], [ins("ldp", X, into="r", width=4)]
    program = Program("pair", isa="aarch64", threads=list(pair), init={X: (0, 8)})
    for scheme, values in (("native:single_copy=lse2", 2), ("native", 4)):
        outcomes = explored(program, f"interrupted:scheme={scheme},vcpus=1", checkers=[]).outcomes
        assert len({outcome.as_dict()["1:r"] for outcome in outcomes}) == values


@pytest.mark.parametrize("scheme", ["cas", "aie-rfc", "aie-v2"])
def test_a_compare_and_swap_of_two_locations_that_is_interrupted_resumes_the_world(scheme):
    swap = [ins("cas2", X, X + 8, 0, 0, 1, 1)]
    program = Program("two", isa="m68k", threads=[swap, swap], init={X: 0, X + 8: 0})
    report = explored(program, f"interrupted:scheme={scheme},vcpus=0")
    assert report.verdict == "holds"
    assert report.statistics.executions > explored(program, scheme).statistics.executions


@pytest.mark.parametrize(("isa", "code", "host"), [
    ("aarch64", [ins("isb")], "armv8"), ("x86", [ins("movups", X, 1)], "sc"),
])  # fmt: skip
def test_instructions_that_ask_the_scheme_for_more_than_an_access_can_be_interrupted(isa, code, host):
    program = Program("one", isa=isa, threads=[code], init={X: (0, 16)})
    machine = Machine("interrupted:scheme=native", host=host)
    assert simaie.explore(program, machine, scheduler="dpor", failures=None).verdict == "holds"


async def sleeps(cpu):
    await cpu.futex_wait(X, 0)


async def wakes(cpu):
    await cpu.store(X, 1)
    await cpu.futex_wake(X)


WAITS = [ins("ldrex", X), ins("wfe")], [ins("str_", X, 5), ins("sev")]


@pytest.mark.parametrize(("isa", "threads", "executions"), [("x86", [sleeps, wakes], 3), ("arm", WAITS, 4)])
def test_guests_sleep_as_under_the_interrupted_scheme(isa, threads, executions):
    program = Program("sleeps", isa=isa, threads=threads, init={X: 0})
    report = explored(program, "interrupted:scheme=native:events=sleep,times=0")
    assert (report.verdict, report.statistics.executions) == ("holds", executions)


# -- kills -----------------------------------------------------------------------------------------------


def test_a_process_killed_with_the_split_lock_mutex_blocks_the_others():
    split = ins("lock_xadd", X + 6, 1, into="old")
    program = Program("split", isa="x86", threads=[[split], [split]], init={X: (0, 16)})
    report = explored(program, "interrupted:scheme=split-mutex,times=0,kills=1,vcpus=0")
    assert kinds(report) == {"deadlock", "lock-leak"}
    assert "deadlock" not in kinds(explored(program, "interrupted:scheme=split-cas,times=0,kills=1,vcpus=0"))


def test_a_kill_is_no_fault_of_the_guest():
    """The vCPU is killed before its only step, or not."""
    store = Program("store", isa="arm", threads=[[ins("str_", X, 5)]], init={X: 0})
    report = explored(store, "interrupted:scheme=cas,times=0,kills=1")
    assert report.verdict == "holds"
    assert {dict(outcome.items)[f"[{X:#x}]"] for outcome in report.outcomes} == {0, 5}
    assert report.statistics.executions == 2


class AfterKills:
    """Collects the kinds of operations that a killed vCPU performs after its end."""

    def __init__(self):
        self.kills, self.kinds = 0, set()

    def __call__(self, trace):
        for step, event in enumerate(trace.events):
            if event.op.kind is Kind.CHOICE and event.value:  # the only choice is that of a kill
                self.kills += 1
                self.kinds |= {later.op.kind for later in trace.events[step + 1 :] if later.actor == event.actor}
        return ()


@pytest.mark.parametrize("scheme", ["global-lock", "split-mutex", "cas"])
def test_nothing_runs_for_a_killed_vcpu(scheme):
    split = ins("lock_xadd", X + 6, 1, into="old")
    program = Program("split", isa="x86", threads=[[split], [split]], init={X: (0, 16)})
    after = AfterKills()
    explored(program, f"interrupted:scheme={scheme},times=0,kills=1,vcpus=0", checkers=[after])
    assert after.kills > 2
    assert after.kinds == set()


async def joins(cpu):
    await cpu.join(await cpu.spawn(child))


async def child(cpu):
    await cpu.ldrex(X)
    await cpu.strex(X, 1)


def test_a_killed_thread_cleans_nothing_up_and_can_be_joined():
    """Under aie-rfc the end of a thread takes the lock of its entry, to leave the set of reservations."""
    program = Program("joined", isa="arm", threads=[joins], init={X: 0})
    after = AfterKills()
    report = explored(program, "interrupted:scheme=aie-rfc,times=0,kills=1,vcpus=0.0", checkers=[after])
    assert report.complete
    assert after.kills > 2
    assert after.kinds == {Kind.EXIT}


async def handles_faults(cpu):
    try:
        await cpu.load(X)
    except GuestFault as fault:
        cpu.observe(fault.cause, 1)


def test_a_guest_sees_the_kill_as_a_fault():
    program = Program("handler", isa="arm", threads=[handles_faults], init={X: 0})
    report = explored(program, "interrupted:scheme=cas,times=0,kills=1")
    assert {dict(outcome.items).get("0:kill", 0) for outcome in report.outcomes} == {0, 1}


# -- use -------------------------------------------------------------------------------------------------


def test_a_failure_with_an_interrupt_replays(tmp_path):
    report = explored(ALONE, "interrupted:scheme=cas:on_exception=leave")
    path = tmp_path / "failure.json"
    report.failures[0].save(path)
    replayed = simaie.replay(path, program=ALONE)
    assert replayed.trace.digest == report.failures[0].trace.digest
    assert any(event.op.kind is Kind.CHOICE and event.value for event in replayed.trace.events)


def test_paths_of_a_mixture_can_be_interrupted():
    report = explored(ADDS, {"0": "interrupted:scheme=global-lock", "*": "global-lock"})
    assert kinds(report) == {"rmw-atomicity", "final-check"}


@pytest.mark.parametrize("options", ["times=-1", "times=101", "times=true", "kills=2", "scheme=nothing"])
def test_wrong_options_are_refused(options):
    with pytest.raises(UsageError):
        Machine(f"interrupted:{options}").check_options()


@pytest.mark.parametrize("path", ["7", "dma0", "7.0", "-1"])
def test_a_vcpu_that_is_named_must_exist(path):
    """As the one that is interrupted, as a path of a mixture, and within both."""
    named = f"interrupted:vcpus={path}"
    for scheme in (named, {path: "cas", "*": "cas"}, f"interrupted:scheme={named}", {"*": named}):
        with pytest.raises(UsageError, match=f"{path!r}.* 0, 1"):
            explored(ADDS, scheme)


@pytest.mark.parametrize("path", ["0", "1", "1.0", "7*", "[7]", "*"])
def test_a_vcpu_that_exists_a_child_or_a_pattern_may_be_named(path):
    assert explored(ADDS, f"interrupted:vcpus={path}").verdict == "holds"
    assert explored(ADDS, {path: "cas", "*": "cas"}).verdict == "holds"


def test_a_section_is_not_interrupted():
    """The store of pst is one, so nothing comes between the check of the page and the store: one place to arrive."""
    store = Program("store", isa="arm", threads=[[ins("str_", X, 5)]], init={X: 0})
    for options, executions in (("times=1", 2), ("times=0,kills=1", 2)):
        assert explored(store, f"interrupted:scheme=pst,{options}").statistics.executions == executions
