"""A machine driven rule by rule: guest instructions one at a time, left in the middle or not, judged at the end."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import invariant, run_state_machine_as_test

from simaie import Machine, Program, explore, ins
from simaie.errors import UnknownNameError, UsageError
from simaie.op import Kind
from simaie.strategies import guest_machine

SOME = settings(max_examples=150, stateful_step_count=10, deadline=None, database=None, derandomize=True,
                phases=[Phase.generate], suppress_health_check=list(HealthCheck))  # fmt: skip
X = 0x100
LLSC = {"kinds": ["load-linked", "store-conditional"], "addresses": [X], "widths": [4]}


def failure_of(rules, chosen=SOME):
    """The failure that driving finds, run into again by the Python that it prints."""
    with pytest.raises(AssertionError) as caught:
        run_state_machine_as_test(rules, settings=chosen)
    (code,) = re.findall(r"^explore\(.*$", str(caught.value), flags=re.MULTILINE)
    return eval(code, {"explore": explore, "Program": Program, "ins": ins, "Machine": Machine})


def test_a_change_that_cas_does_not_see_is_driven_into():
    """LL; another vCPU's LL and SC; SC: rules that carry out whole instructions are enough."""
    failure = failure_of(guest_machine(Machine("cas"), **LLSC), settings(SOME, max_examples=2000))
    assert failure.findings[0].kind == "llsc-atomicity"


@pytest.mark.soak
def test_rules_shrink_to_few_instructions():
    chosen = settings(SOME, phases=[Phase.generate, Phase.shrink], max_examples=400)
    failure = failure_of(guest_machine(Machine("cas"), **LLSC), chosen)
    assert sum(len(thread) for thread in failure.program.threads) <= 6


def test_an_instruction_that_is_left_in_the_middle_shows_the_first_registration_window():
    """The store looks; the other registers, locks and loads; the store lands; the other stores over it."""
    rules = guest_machine(Machine("aie-rfc", address_bits=12), isa="x86")()
    rules.execute(0, ins("store", X, 1), 1)
    rules.execute(1, ins("lock_xadd", X, 1, into="r"), 4)
    rules.resume(0)
    with pytest.raises(AssertionError, match="rmw-atomicity"):
        rules.teardown()


@pytest.mark.untraced
@pytest.mark.parametrize(("isa", "scheme"), [("arm", "native"), ("arm", "aie-rfc"), ("x86", "native")])
def test_a_sound_scheme_is_driven_in_vain(isa, scheme):
    machine = Machine(scheme, address_bits=12)
    kinds = {"kinds": ["load", "load-linked", "store-conditional"]} if isa == "arm" else {}
    run_state_machine_as_test(guest_machine(machine, isa=isa, **kinds), settings=settings(SOME, max_examples=50))


def test_an_instruction_that_begins_with_a_choice_may_come_behind_any_other():
    """The store-conditional to other bytes asks at once whether it stores, before steps that were taken already."""
    rules = guest_machine(Machine("native", address_bits=12), **LLSC)()
    rules.execute(1, ins("ldrex", X, into="r"))
    rules.execute(0, ins("ldrex", X + 8, into="r"))
    rules.execute(0, ins("strex", X + 12, 1, into="r"))
    rules.execute(1, ins("strex", X + 4, 1, into="r"))
    steps = [event for event in rules.trace.events if event.op.kind is not Kind.CHOICE]
    done = [(event.actor, event.instruction.mnemonic) for event in steps]
    assert done == [("1", "ldrex"), ("0", "ldrex"), ("0", "strex"), ("1", "strex")]
    assert not rules.ended().findings


def test_what_is_driven_is_one_execution_which_grows():
    """Instruction by instruction: what was done stays done, a vCPU exits at the end only, and left ones go on."""
    rules = guest_machine(Machine("aie-rfc:on_exit=clear", address_bits=12), **LLSC)()
    seen = [len(rules.trace)]
    for vcpu, name, steps in ((0, "ldrex", 2), (1, "ldrex", 0), (1, "strex", 0), (0, "ldrex", 0)):
        before = [str(event) for event in rules.trace.events]
        rules.execute(vcpu, ins(name, X, *([1] if name == "strex" else []), into="r"), steps)
        after = [str(event) for event in rules.trace.events]
        assert after[: len(before)] == before
        assert {event.split(":")[0] for event in after[len(before) :]} == {str(vcpu)}
        assert not steps or len(after) == len(before) + steps
        seen.append(len(after))
    assert seen == sorted(set(seen))
    assert all(event.instruction.mnemonic != "thread-exit" for event in rules.trace.events)
    failure = rules.ended()
    assert failure.trace.ending == "finished"
    assert len(failure.trace) > seen[-1], "with the exits"
    assert [len(thread) for thread in failure.program.threads] == [2, 2]
    rules.teardown()  # nothing is violated


def test_stores_leave_store_buffers_by_a_rule_of_its_own():
    rules = guest_machine(Machine("native", host="tso"), isa="x86", addresses=[X])()
    rules.execute(0, ins("store", X, 1))
    assert rules.trace.events[-1].actor == "0"
    rules.drain(0)
    assert rules.trace.events[-1].actor == "0~"


def test_a_subclass_sees_the_execution_in_its_invariants():
    lengths = []

    class Watched(guest_machine(Machine("native"), **LLSC)):
        @invariant()
        def grows(self):
            lengths.append(len(self.trace))

    run_state_machine_as_test(Watched, settings=settings(SOME, max_examples=5))
    assert max(lengths) > 3


@pytest.mark.parametrize("asked", [{"vcpus": 0}, {"widths": [16]}, {"steps": 0}, {"kinds": ["lock"]}])
def test_what_cannot_be_driven_is_refused(asked):
    with pytest.raises(UsageError):
        guest_machine(Machine("cas"), **asked)
    with pytest.raises(UnknownNameError):
        guest_machine(Machine("cas"), isa="z80")
