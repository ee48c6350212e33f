"""What the guest itself reports becomes a finding: a fault, a failed assertion, a refused final state."""

from handmade import Tape, X, kinds, run

from simaie.check import CHECKERS, DEFAULT, judge
from simaie.check.guest import final_check, guest_fault
from simaie.finding import Finding
from simaie.trace import Ending, Fault


def test_an_unhandled_fault_points_at_the_vcpus_last_step_before_it():
    tape = Tape().plain_store("0").plain_store("1").plain_store("0")
    (finding,) = guest_fault(tape.trace(faults=(Fault("1", 3, "no page at 0x5000"),)))
    assert (finding.kind, finding.steps, finding.vcpus) == ("guest-fault", (1,), ("1",))


def test_a_fault_before_the_first_step_has_no_step():
    (finding,) = guest_fault(Tape().plain_store("0").trace(faults=(Fault("1", 0, "not aligned"),)))
    assert finding.steps == ()


def test_a_failed_assertion_is_told_apart_from_a_fault():
    faults = (Fault("0", 0, "r1 == 0", "assertion"), Fault("1", 0, "no page"))
    assert kinds(guest_fault(Tape().trace(faults=faults))) == ["assertion", "guest-fault"]


def test_only_a_final_check_that_refuses_is_a_finding():
    assert kinds(final_check(Tape().trace(accepted=False))) == ["final-check"]
    assert not list(final_check(Tape().trace(accepted=True)))
    assert not list(final_check(Tape().trace(Ending.STEP_LIMIT, accepted=None)))


async def misaligned(cpu):
    await cpu.str_(X, 1)
    await cpu.ldrex(X + 1)


async def asserting(cpu):
    assert await cpu.ldr(X) == 5


async def storer(cpu):
    await cpu.str_(X, 1)


def test_real_guests_that_misbehave_are_found():
    assert kinds(judge(run([misaligned], "native"))) == ["guest-fault"]
    assert kinds(judge(run([asserting], "native"))) == ["assertion"]
    assert kinds(judge(run([storer], "native", final=lambda s: s[X] == 2))) == ["final-check"]


def test_a_guest_that_behaves_is_clean():
    assert judge(run([storer, storer], "native", final=lambda s: s[X] == 1)) == ()


# -- judging --------------------------------------------------------------------------------------


def test_findings_come_by_first_step_then_kind_and_those_without_a_step_last():
    def says(*findings):
        return lambda trace: findings

    late, early = Finding("a", "", (7,)), Finding("b", "", (2, 9))
    same, nowhere = Finding("a", "", (2,)), Finding("0", "")
    tape = Tape()
    for _ in range(10):
        tape.plain_store("0")
    assert judge(tape.trace(), [says(nowhere, late), says(early), says(same)]) == (same, early, late, nowhere)


def test_nothing_is_left_out_even_if_it_is_said_twice():
    twice = Finding("a", "", (0,))
    assert judge(Tape().plain_store("0").trace(), [lambda t: [twice, twice]]) == (twice, twice)


def test_an_empty_trace_is_clean():
    assert judge(Tape().trace()) == ()


def test_every_default_checker_has_a_name():
    assert set(DEFAULT) <= set(CHECKERS.values())
