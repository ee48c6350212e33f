"""Hardware transactions over guest instructions: roll-back, conflicts, capacity, and what other vCPUs see."""

from __future__ import annotations

import pytest
from runs import execute

import simaie
from simaie import Limits, Machine, Program, ins
from simaie.check.llsc import LLSC_ARCHITECTURAL
from simaie.errors import NotEmulatedError, NotModelledError, UsageError
from simaie.schemes.htm import Htm
from simaie.schemes.transactions import Buffer

X, Y, FAR = 0x100, 0x200, 0x300
LL, SC = ins("ldrex", X, into="seen"), ins("strex", X, 1, into="failed")


def search(threads, options="", **facts):
    program = Program("transaction", isa="arm", threads=threads, init=dict.fromkeys((X, Y, FAR), 0), watch={X: 4, Y: 4})
    machine = Machine("htm" + f":{options}" * bool(options), address_bits=12, **facts)
    report = simaie.explore(program, machine, scheduler="dpor", failures=None)
    assert report.complete
    assert report.verdict == "holds"
    return report


def ends(threads, names, options=""):
    """Return the values that `names` have together at the ends of all executions."""
    outcomes = [dict(outcome.items) for outcome in search(threads, options).outcomes]
    return {tuple(outcome.get(name) for name in names) for outcome in outcomes}


# -- roll-back -------------------------------------------------------------------------------------------------


def counting(between=()):
    """Count in a register how often the guest runs what is between load-linked and store-conditional."""
    return [ins("mov", 0, into="n"), LL, ins("reg_add", "n", 1, into="n"), *between, SC]


def test_an_abort_takes_the_guest_back_to_the_load_linked_with_its_registers():
    """One foreign store aborts one transaction; the second one commits, and the first has left no trace."""
    names = ("0:seen", "0:failed", "0:n")
    assert ends([counting(), [ins("str_", X, 5)]], names) == {(0, 0, 1), (5, 0, 1)}


def test_after_the_last_restart_the_load_linked_runs_without_a_transaction():
    names = ("0:failed", "0:n")
    assert ends([counting(), [ins("str_", X, 5)]], names, "restarts=0") == {(0, 1), (1, 1)}
    twice = [[ins("str_", X, 5)], [ins("str_", X, 6)]]
    assert ends([counting(), *twice], names) == {(0, 1), (1, 1)}
    assert ends([counting(), *twice], names, "restarts=2") == {(0, 1)}


def test_stores_of_an_aborted_transaction_are_gone_and_happen_without_one():
    """The guest always runs to its end: with the transaction, or at last without it."""
    code = [LL, ins("ldr", Y, into="before"), ins("str_", Y, 3), SC]
    names = ("0:before", "0:failed", f"[{Y:#x}]")
    assert ends([code, [ins("str_", X, 5)]], names) == {(0, 0, 3)}
    assert ends([code, [ins("str_", X, 5)]], names, "restarts=0") == {(0, 0, 3), (0, 1, 3)}


def test_what_was_observed_in_an_aborted_transaction_was_not():
    code = [LL, ins("cbz", "seen", "end"), ins("observe", "seen", into="other"), ins("label", "end"), SC]
    flip = [ins("str_", X, 5), ins("str_", X, 0)]
    found = ends([code, flip], ("0:seen", "0:other", "0:failed"), "restarts=2")
    assert found == {(0, None, 0), (5, 5, 0)}


# -- conflicts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("between", "other", "aborts"),
    [
        ([], ins("str_", X, 5), True),
        ([], ins("ldr", X), True),
        ([ins("ldr", Y)], ins("str_", Y, 1), True),
        ([ins("ldr", Y)], ins("ldr", Y), False),
        ([ins("str_", Y, 1)], ins("ldr", Y), True),
        ([ins("str_", Y, 1)], ins("str_", Y, 2), True),
        ([ins("str_", Y, 1)], ins("str_", Y + 60, 2), True),
        ([ins("str_", Y, 1)], ins("str_", Y + 64, 2), False),
        ([], ins("swp", X, 5), True),
        ([ins("swp", Y, 1)], ins("ldr", Y), True),
    ],
)
def test_a_foreign_access_aborts_a_transaction_if_it_conflicts_with_its_sets(between, other, aborts):
    """The store-conditional writes X before it commits, so that a load of X conflicts with it in between."""
    found = ends([[LL, *between, SC], [other]], ("0:failed",), "restarts=0")
    assert found == ({(0,), (1,)} if aborts else {(0,)})


def test_two_transactions_may_abort_each_other():
    """The store of one aborts the other, which goes back to its load, and this aborts the first."""
    found = ends([[LL, SC], [LL, ins("strex", X, 2, into="failed")]], ("0:failed", "1:failed"), "restarts=0")
    assert found == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_the_stores_of_a_transaction_become_visible_together():
    """Under the cheaper model, whose transaction is one line, the store in between is seen before the last one."""
    writer, reader = [LL, ins("str_", Y, 1), SC], [ins("ldr", Y, into="y"), ins("ldr", X, into="x")]
    assert (1, 0) not in ends([writer, reader], ("1:y", "1:x"))
    program = Program("visible", isa="arm", threads=[writer, reader], init={X: 0, Y: 0})
    report = simaie.explore(program, Machine("pico-htm", address_bits=12), scheduler="dpor")
    assert (1, 0) in {(dict(o.items)["1:y"], dict(o.items)["1:x"]) for o in report.outcomes}


@pytest.mark.parametrize(("capacity", "failed"), [(1, 1), (2, 1), (3, 0)])
def test_a_transaction_with_more_lines_than_the_cache_never_commits(capacity, failed):
    """Lines: that of X, of Y and of FAR. The stores are made after all, without a transaction."""
    code = [LL, ins("ldr", FAR), ins("str_", Y, 4), SC]
    assert ends([code], ("0:failed", f"[{Y:#x}]"), f"capacity={capacity}") == {(failed, 4)}


def test_a_loop_whose_transactions_always_abort_never_ends():
    loop = [ins("label", "again"), LL, ins("str_", Y, 4), SC, ins("cbnz", "failed", "again")]
    program = Program("loop", isa="arm", threads=[loop], init={X: 0, Y: 0})
    for capacity, ended in ((2, True), (1, False)):
        machine = Machine(f"htm:capacity={capacity}", address_bits=12, limits=Limits(steps=300))
        assert (simaie.explore(program, machine, scheduler="dpor").verdict == "holds") is ended


# -- what else ends a transaction ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("between", "options", "failed", "attempts"),
    [
        ([], "", 0, 1),
        ([ins("exception")], "", 1, 3),
        ([ins("exception")], "restarts=0", 1, 2),
        ([ins("dmb")], "", 0, 1),
        ([ins("dmb")], "barriers_abort=true", 1, 3),
        ([ins("clrex")], "", 1, 1),
    ],
)
def test_an_exception_ends_a_transaction_and_a_barrier_does_if_asked(between, options, failed, attempts):
    machine = Machine("htm" + f":{options}" * bool(options), address_bits=12)
    trace = execute(Program("ended", isa="arm", threads=[[LL, *between, SC]], init={X: 0}), machine)
    assert dict(trace.outcome.items)["0:failed"] == failed
    assert [each.mnemonic for each, _ in trace.instructions].count("ldrex") == attempts


@pytest.mark.parametrize("last", [ins("clrex"), ins("strex", FAR, 1, into="failed"), ins("ldrex", FAR), None])
def test_stores_count_however_a_transaction_ends(last):
    code = [LL, ins("str_", Y, 3), *([] if last is None else [last])]
    assert ends([code], (f"[{Y:#x}]",)) == {(3,)}


def test_a_fault_in_a_transaction_reaches_the_guest_after_the_last_restart():
    pages = {0: simaie.Page(0), 0x1000: simaie.Page(0x1000, present=False)}
    code = [LL, ins("str_", 0x1000, 3), SC]
    program = Program("fault", isa="arm", threads=[code], init={X: 0}, pages=pages)
    trace = execute(program, Machine("htm", full_system=True, address_bits=14))
    assert [each.mnemonic for each, _ in trace.instructions].count("ldrex") == 3
    assert [fault.kind for fault in trace.faults] == ["fault"]


# -- whose stores a commit performs ----------------------------------------------------------------------------------


def linked(between, to):
    """A pair on RISC-V, where a store-conditional to another word must fail."""
    return [ins("lr", X, into="seen"), *between, ins("sc", to, 1, into="failed")]


class Stores(Htm):
    """A failed store-conditional that stores nevertheless."""

    async def store_conditional(self, cpu, address, width, value):
        done = await super().store_conditional(cpu, address, width, value)
        if not done:
            await self.host.store_ranges(await self.ranges(address, width, write=True), value)
        return done


class Ignores(Htm):
    """A store-conditional that ignores its address."""

    async def store_conditional(self, cpu, address, width, value):
        await self.store(cpu, address, width, value)
        await self.commit(cpu)
        return True


class Survives(Htm):
    """Transactions that nothing aborts."""

    async def commit(self, cpu):
        if cpu.local.transaction is not None:
            await self.transactions.begin(cpu)
        await super().commit(cpu)

    async def _access(self, cpu, ranges, make, *, write, first=False):
        await self.transactions.begin(cpu)
        return await super()._access(cpu, ranges, make, write=write, first=first)


@pytest.mark.parametrize("between", [[ins("store", Y, 3)], [ins("store", FAR, 3)], [ins("amoadd", FAR, 3)]])
def test_the_stores_that_a_failed_store_conditional_commits_are_not_its_own(between):
    """Of other words, and of its own word."""
    program = Program("foreign", isa="riscv", threads=[linked(between, FAR)], init=dict.fromkeys((X, Y, FAR), 0))
    report = simaie.explore(program, Machine("htm", address_bits=12), scheduler="dpor")
    assert (report.complete, report.verdict) == (True, "holds")


@pytest.mark.parametrize(
    ("scheme", "threads"),
    [
        (Stores, [linked([], FAR)]),
        (Stores, [linked([ins("store", Y, 3), ins("lw", FAR)], FAR)]),
        (Stores, [[ins("store", FAR, 2), *linked([], FAR)]]),
        (Stores, [[*linked([ins("store", FAR, 3)], X), *linked([], FAR)]]),
        (Stores, [[ins("lr", X), ins("sc", FAR, 1), ins("sc", FAR, 1)]]),
        (Ignores, [linked([ins("store", Y, 3)], FAR)]),
        (Survives, [linked([ins("store", Y, 3)], X), [ins("store", X, 5)]]),
    ],
)
def test_what_a_store_conditional_stores_itself_counts_whatever_it_reports(scheme, threads):
    program = Program("own", isa="riscv", threads=threads, init=dict.fromkeys((X, Y, FAR), 0))
    report = simaie.explore(program, Machine(scheme, address_bits=12), scheduler="dpor", failures=None)
    assert "llsc-atomicity" in {finding.kind for failure in report.kept for finding in failure.findings}


def test_a_store_at_the_same_offset_of_another_page_is_not_that_of_the_store_conditional():
    code = [ins("lr", X, into="seen"), ins("store", 0x1000 + FAR, 3), ins("sc", FAR, 1, into="failed")]
    program = Program("page", isa="riscv", threads=[code], init=dict.fromkeys((X, FAR, 0x1000 + FAR), 0))
    trace = execute(program, Machine("htm", address_bits=14))
    assert list(LLSC_ARCHITECTURAL(trace)) == []
    assert trace.outcome.as_dict()["0:failed"] == 1


# -- what a vCPU sees ----------------------------------------------------------------------------------------------


def test_a_vcpu_sees_its_own_stores_byte_by_byte():
    code = [LL, ins("str_", Y, 0x0102), ins("str_", Y + 1, 0x55, width=1), ins("ldr", Y, into="own"), SC]
    assert ends([code], ("0:own", f"[{Y:#x}]")) == {(0x5502, 0x5502)}


@pytest.mark.parametrize(("endian", "seen"), [("little", 0x04330201), ("big", 0x01023304)])
def test_a_buffer_holds_bytes_in_the_byte_order_of_the_guest(endian, seen):
    buffer = Buffer(endian)
    buffer.add(((X, 2), (FAR, 2)), 0x04030201 if endian == "little" else 0x01020304)
    buffer.add(((FAR, 1),), 0x33)
    assert buffer.seen(((X, 2), (FAR, 2)), 0) == seen
    assert buffer.seen(((FAR + 2, 2),), 0x1234) == 0x1234
    assert len(buffer.stores) == 2


# -- refusals ------------------------------------------------------------------------------------------------------


async def function(cpu):
    await cpu.ldrex(X)


def test_a_guest_that_cannot_go_back_is_refused_and_so_is_a_host_that_reorders():
    program = Program("function", isa="arm", threads=[function], init={X: 0})
    with pytest.raises(NotEmulatedError, match="list of instructions"):
        execute(program, Machine("htm", address_bits=12))
    program = Program("list", isa="arm", threads=[[LL, SC]], init={X: 0})
    with pytest.raises(NotModelledError, match="reorders"):
        execute(program, Machine("htm", host="tso", address_bits=12))


@pytest.mark.parametrize("options", ["line=3", "capacity=0", "restarts=-1", "restarts=101"])
def test_a_wrong_option_is_refused(options):
    with pytest.raises(UsageError):
        Machine(f"htm:{options}").check_options()
