"""AIE for Arm guests: LL/SC by tiny sets, SWP and its one-way switch, and the options that the RFC leaves open."""

from __future__ import annotations

import pytest
from runs import X, each_class, every, execute, failures, program, scripted, small, steps, strex

from simaie.errors import UsageError
from simaie.op import Kind

SAME_GRANULE, Y = X + 4, 0x80
LDREX = ["load radix/04", "lock lock 0x40", "load [0x40]/4", "update set 0x40", "unlock lock 0x40"]
STORED = ["load radix/04", "lock lock 0x40", "update set 0x40", "store [0x40]/4", "update set 0x40", "unlock lock 0x40"]
REFUSED = ["load radix/04", "lock lock 0x40", "update set 0x40", "unlock lock 0x40"]
ABANDONED = ["lock lock 0x40", "update set 0x40", "unlock lock 0x40"]


def after(trace, *instructions):
    """The operations of vCPU 0 from its instruction number `instructions` on."""
    return [steps_of(trace, number) for number in instructions]


def steps_of(trace, number):
    events = [e for e in trace.events if e.actor == "0" and e.instruction.number == number]
    return [f"{e.op.kind.name.lower()} {e.op.location}" for e in events]


def members(trace):
    """The functions applied to sets, in order."""
    return [e.op.function.name for e in trace.events if e.op.kind is Kind.UPDATE]


async def attempt(cpu):
    await cpu.ldrex(X)
    await strex(cpu, X, 7)


def test_the_steps_of_ldrex_strex_and_clrex():
    async def thread(cpu):
        await attempt(cpu)
        await attempt(cpu)
        await strex(cpu, X, 7)
        await cpu.ldrex(X)
        await cpu.clrex()
        await cpu.clrex()

    trace = execute(program("arm", thread), small("aie-rfc"))
    assert steps_of(trace, 0) == [LDREX[0], "cas radix/04", *LDREX[1:]]
    assert after(trace, 1, 2, 3, 4) == [STORED, LDREX, STORED, REFUSED]
    assert after(trace, 5, 6, 7) == [LDREX, ABANDONED, []]
    one_attempt = ["insert 0", "test 0", "empty"]
    assert members(trace) == [*one_attempt, *one_attempt, "test 0", "insert 0", "remove 0"]
    assert failures(trace) == [0, 0, 1]


def test_a_conditional_on_a_granule_without_entry_fails_and_makes_none():
    async def thread(cpu):
        await strex(cpu, X, 7)
        await strex(cpu, 0, 7)

    trace = execute(program("arm", thread), small("aie-rfc"))
    assert steps(trace) == ["load radix/04", "load radix/00"]
    assert failures(trace) == [1, 1]


def test_a_conditional_elsewhere_ends_the_reservation():
    async def thread(cpu):
        await cpu.ldrex(X)
        await strex(cpu, Y, 7)
        await strex(cpu, X, 7)

    trace = execute(program("arm", thread), small("aie-rfc"))
    assert steps_of(trace, 1) == ["load radix/08", *ABANDONED]
    assert failures(trace) == [1, 1]


@pytest.mark.parametrize(("drop", "failed"), [(True, 1), (False, 0)])
def test_a_second_link_drops_the_first_or_does_not(drop, failed):
    async def thread(cpu):
        await cpu.ldrex(X)
        await cpu.ldrex(Y)
        await strex(cpu, X, 7)

    machine = small(("aie-rfc", {"drop_first_reservation": drop}))
    assert failures(execute(program("arm", thread), machine)) == [failed]


def test_a_second_link_on_the_same_granule_keeps_the_membership():
    async def thread(cpu):
        await cpu.ldrex(X)
        await cpu.ldrex(SAME_GRANULE)
        await strex(cpu, SAME_GRANULE, 7)

    trace = execute(program("arm", thread), small("aie-rfc"))
    assert members(trace) == ["insert 0", "insert 0", "test 0", "empty"]
    assert failures(trace) == [0]


@pytest.mark.parametrize(("match", "failed"), [("granule", 0), ("address", 1)])
def test_a_conditional_matches_by_granule_or_by_address(match, failed):
    async def thread(cpu):
        await cpu.ldrex(X)
        await strex(cpu, SAME_GRANULE, 7)
        await strex(cpu, X, 7)

    trace = execute(program("arm", thread), small(("aie-rfc", {"match": match})))
    assert failures(trace) == [failed, 1]


@pytest.mark.parametrize(("values", "failed"), [([], 0), ([5], 1), ([5, 0], 0)], ids=["same", "changed", "A-B-A"])
def test_a_compared_value_notices_plain_stores_that_change_it(values, failed):
    async def storer(cpu):
        for value in values:
            await cpu.str_(X, value)

    prog = program("arm", attempt, storer)
    order = ["0"] * 6 + ["1"] * 2 * len(values)
    assert failures(scripted(prog, small("aie-rfc"), order)) == [0]
    assert failures(scripted(prog, small("aie-rfc:compare_value=true"), order)) == [failed]


def test_a_compared_value_needs_the_same_width():
    async def thread(cpu):
        await cpu.ldrex(X)
        await strex(cpu, X, 7, width=2)

    assert failures(execute(program("arm", thread), small("aie-rfc:compare_value=true"))) == [1]
    assert failures(execute(program("arm", thread), small("aie-rfc"))) == [0]


@pytest.mark.parametrize(("option", "failed"), [("leave", 0), ("clear", 1)])
def test_an_exception_leaves_or_clears_the_reservation(option, failed):
    async def thread(cpu):
        await cpu.ldrex(X)
        await cpu.exception("interrupt")
        await strex(cpu, X, 7)

    machine = small(("aie-rfc", {"on_exception": option}))
    assert failures(execute(program("arm", thread), machine)) == [failed]


@pytest.mark.parametrize(("option", "failed"), [("leave", 0), ("clear", 1)])
def test_a_thread_with_the_identity_of_a_dead_one_inherits_what_it_left(option, failed):
    async def dies(cpu):
        await cpu.ldrex(X)

    async def newcomer(cpu):
        await strex(cpu, X, 7)

    async def parent(cpu):
        await cpu.join(await cpu.spawn(dies))
        await cpu.join(await cpu.spawn(newcomer))

    trace = execute(program("arm", parent), small(("aie-rfc", {"on_exit": option})))
    assert failures(trace, "0.1") == [failed]


@pytest.mark.untraced
def test_increments_lose_nothing_and_no_generation_is_taken_twice_in_any_interleaving():
    async def one(cpu):
        value = await cpu.ldrex(X)
        cpu.observe("got", value + 1 if await strex(cpu, X, value + 1) == 0 else 0)

    for trace in each_class(program("arm", one, one), small("aie-rfc")):
        got = [value for name, value in trace.outcome.items if name.endswith(":got") and value]
        assert len(set(got)) == len(got)
        assert trace.outcome[f"[{X:#x}]"] == len(got)


@pytest.mark.untraced
def test_conditionals_there_and_back_do_not_fool_a_third():
    """A-B-A through store-conditionals only: the victim's reservation is gone."""

    async def there_and_back(cpu):
        for value in (5, 0):
            await cpu.ldrex(X)
            await strex(cpu, X, value)

    for trace in each_class(program("arm", attempt, there_and_back), small("aie-rfc")):
        events = [e for e in trace.events if e.op.width]
        if failures(trace) == [0]:
            linked, stored = (i for i, e in enumerate(events) if e.actor == "0")
            assert not any(e.writes_ram for e in events[linked + 1 : stored])


# -- SWP ---------------------------------------------------------------------------------------------


def test_the_first_swap_flips_the_switch_and_plain_stores_check_from_then_on():
    async def thread(cpu):
        await cpu.str_(X, 1)
        await cpu.swp(X, 2)
        await cpu.swpb(X, 3)
        await cpu.str_(X, 4)
        await cpu.str_(Y, 5)

    trace = execute(program("arm", thread), small("aie-rfc"))
    assert steps_of(trace, 0) == ["load swp-switch", "store [0x40]/4"]
    assert steps_of(trace, 1)[:3] == ["load swp-switch", "store swp-switch", "load radix/04"]
    assert steps_of(trace, 2) == [
        "load swp-switch", "load radix/04", "lock lock 0x40", "load [0x40]/1", "store [0x40]/1", "unlock lock 0x40",
    ]  # fmt: skip
    assert steps_of(trace, 3) == [
        "load swp-switch", "load radix/04", "lock lock 0x40", "store [0x40]/4", "unlock lock 0x40",
    ]  # fmt: skip
    assert steps_of(trace, 4) == ["load swp-switch", "load radix/08", "store [0x80]/4"]


@pytest.mark.untraced
def test_swaps_are_atomic_against_each_other_in_every_interleaving():
    async def swap(cpu):
        cpu.observe("old", await cpu.swp(X, 1 + int(cpu.name)))

    for trace in every(program("arm", swap, swap), small("aie-rfc")):
        seen = sorted([trace.outcome["0:old"], trace.outcome["1:old"], trace.outcome[f"[{X:#x}]"]])
        assert seen == [0, 1, 2]


async def swap_nine(cpu):
    cpu.observe("old", await cpu.swp(X, 9))


def lost(trace):
    """Whether the store of 5 was neither seen by the last swap of vCPU 0 nor is it there at the end."""
    return trace.outcome["0:old"] != 5 and trace.outcome[f"[{X:#x}]"] != 5


def test_a_store_before_the_switch_may_be_lost():
    async def store(cpu):
        await cpu.str_(X, 5)

    assert any(lost(trace) for trace in every(program("arm", swap_nine, store), small("aie-rfc")))


def test_a_store_after_the_switch_to_a_registered_granule_is_never_lost():
    async def two_swaps(cpu):
        await cpu.swp(X, 1)
        await swap_nine(cpu)

    async def store(cpu):
        await cpu.wait_until(X, lambda value: value > 0)
        await cpu.str_(X, 5)

    assert not any(lost(trace) for trace in every(program("arm", two_swaps, store), small("aie-rfc")))


@pytest.mark.parametrize(("revokes", "failed"), [(True, 1), (False, 0)])
@pytest.mark.parametrize("store", ["str_", "swp"])
def test_a_checked_store_revokes_reservations_if_asked_to(revokes, failed, store):
    async def thread(cpu):
        await cpu.swp(Y, 1)
        await attempt(cpu)

    async def storer(cpu):
        await getattr(cpu, store)(X, 5)

    machine = small(("aie-rfc", {"checked_store_revokes": revokes}))
    linked = len(steps(execute(program("arm", thread), machine))) - len(STORED)
    stores = 6 if store == "swp" else 5
    trace = scripted(program("arm", thread, storer), machine, ["0"] * linked + ["1"] * (stores + revokes))
    assert failures(trace) == [failed]


@pytest.mark.parametrize(
    "options",
    [
        {"granule": 12},
        {"match": "word"},
        {"on_exception": "drop"},
        {"on_exit": None},
        {"compare_value": 1},
        {"drop_first_reservation": "no"},
        {"checked_store_revokes": None},
        {"granul": 16},
    ],
    ids=str,
)
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(UsageError):
        execute(program("arm", attempt), small(("aie-rfc", options)))
