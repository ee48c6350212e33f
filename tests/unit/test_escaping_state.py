"""Schemes whose state changes without operations are refused by attribute, class and line; others pass."""

from __future__ import annotations

import itertools
import types
from collections import Counter, deque
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from scheme_parts import read_modify_write

from simaie import Machine, Program, Scheme, explore
from simaie.engine.attributes import difference, read
from simaie.engine.verified import is_verified
from simaie.errors import EscapedStateError, UsageError
from simaie.exploration.engines import MEMO_SWITCH
from simaie.host.pages import Page
from simaie.schemes.aie_rfc import AieRfc
from simaie.schemes.aie_v2 import AieV2
from simaie.schemes.cas import CompareAndSwap
from simaie.schemes.global_lock import GlobalLock
from simaie.schemes.native import Native

X, Y = 0x1000, 0x2000
HERE = Path(__file__)


async def adds(cpu: Any) -> None:
    await cpu.lock_add(X, 1)


async def stores(cpu: Any) -> None:
    await cpu.store(X, 5)


async def loads(cpu: Any) -> None:
    await cpu.load(X)


def program(*threads: Any) -> Program:
    return Program("p", isa="x86", threads=threads or (adds, stores), init={X: 0})


def refused(scheme: Any, *threads: Any, scheduler: str = "dpor", **options: Any) -> EscapedStateError:
    with pytest.raises(EscapedStateError) as info:
        explore(program(*threads), Machine(scheme), scheduler=scheduler, failures=None, executions=200, **options)
    return info.value


def marked(mark: str) -> str:
    """``FILE:LINE`` of the line of this file that ends with the comment `mark`."""
    lines = HERE.read_text().splitlines()
    (number,) = [n for n, line in enumerate(lines, 1) if line.endswith(f"# <- {mark}")]
    return f"{HERE}:{number}"


# -- attributes of the scheme -----------------------------------------------------------------------------


class TableInDict(Scheme):
    """Locks by address, made when first asked for: a plain store asks whether there is one."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.table: dict[int, Any] = {}

    async def atomic_rmw(self, cpu, address, width, function):
        lock = self.table.get(address)
        if lock is None:
            lock = self.host.mutex(f"lock {address:#x}")
            self.table[address] = lock  # <- table
        await lock.lock()
        old = await read_modify_write(self, address, width, function)
        await lock.unlock()
        return old

    async def store(self, cpu, address, width, value):
        lock = self.table.get(address)
        if lock is not None:
            await lock.lock()
        await self.host.store(address, width, value)
        if lock is not None:
            await lock.unlock()


class Plain(Scheme):
    """With a read-modify-write that is not atomic."""

    async def atomic_rmw(self, cpu, address, width, function):
        return await read_modify_write(self, address, width, function)


class List(Plain):
    """Counts in a list."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.stored = [0, 0]

    async def store(self, cpu, address, width, value):
        await self.host.store(address, width, value)
        self.stored[1] += 1  # <- list


class Flag(Plain):
    """A lock that is an attribute: it is as it was at the end of each execution."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.locked = False

    async def atomic_rmw(self, cpu, address, width, function):
        self.locked = True  # <- flag
        old = await read_modify_write(self, address, width, function)
        self.locked = False
        return old


class Entry:
    """What some of them own."""

    def __init__(self) -> None:
        self.owners: set[int] = set()


class Nested(Plain):
    """A set in an object in a tuple in a dictionary."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.entries = {X: (Entry(),)}

    async def store(self, cpu, address, width, value):
        self._join(self.entries[address][0], cpu)
        await self.host.store(address, width, value)

    def _join(self, entry, cpu):
        entry.owners.add(cpu.identity)  # <- nested


class OfTheClass(Plain):
    """Counts in an attribute of the class."""

    count = 0

    async def store(self, cpu, address, width, value):
        await self.host.store(address, width, value)
        OfTheClass.count += 1  # <- class


class Iterator(Plain):
    """Counts by an iterator."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.numbers = itertools.count()

    async def store(self, cpu, address, width, value):
        next(self.numbers)  # <- iterator
        await self.host.store(address, width, value)


class Default(Plain):
    """A default argument that is a dictionary."""

    async def store(self, cpu, address, width, value, seen={}):  # noqa: B006 - what is tested
        seen[address] = len(seen) + 1 + seen.get(address, 0)  # <- default
        await self.host.store(address, width, value)


_TABLE: dict[int, int] = {}


class Global(Plain):
    """A global variable."""

    async def store(self, cpu, address, width, value):
        _TABLE[address] = _TABLE.get(address, 0) + 1  # <- global
        await self.host.store(address, width, value)


def _in_a_closure() -> type[Scheme]:
    seen = 0

    class Enclosed(Plain):
        async def store(self, cpu, address, width, value):
            nonlocal seen
            seen += 1  # <- closure
            await self.host.store(address, width, value)

    return Enclosed


class InPlace(Plain):
    """A table in a cell, read by an operation and changed by none."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.cell = self.host.cell("table", {})

    async def store(self, cpu, address, width, value):
        table = await self.cell.load()
        table[address] = value  # <- in place
        await self.host.store(address, width, value)


class Late(Plain):
    """Made in the midst of an instruction."""

    async def store(self, cpu, address, width, value):
        await self.host.store(address, width, value)
        self.extra = 1  # <- late


@pytest.mark.parametrize("scheduler", ["dpor", "dfs", "random-walk"])
@pytest.mark.parametrize(
    ("scheme", "attribute", "owner", "mark"),
    [
        (TableInDict, f"table[{X}]", "TableInDict", "table"),
        (List, "stored[1]", "List", "list"),
        (Flag, "locked", "Flag", "flag"),
        (Nested, f"entries[{X}][0].owners", "Nested", "nested"),
        (OfTheClass, "count", "OfTheClass", "class"),
        (Iterator, "numbers's state[0][0]", "Iterator", "iterator"),
        (Default, f"seen[{X}]", "Default", "default"),
        (Global, f"_TABLE[{X}]", "Global", "global"),
        (_in_a_closure(), "seen", "Enclosed", "closure"),
        (InPlace, f"table[{X}]", "dict", "in place"),
        (Late, "extra", "Late", "late"),
    ],
)
def test_state_that_is_no_operation_is_refused_with_attribute_class_and_line(
    scheme, attribute, owner, mark, scheduler
):
    error = refused(scheme, scheduler=scheduler)
    assert (error.attribute, error.owner, error.where) == (attribute, owner, marked(mark))
    assert error.report.executions == 0, "it is found in the first execution"


def test_it_is_refused_under_the_trio_driver_too():
    error = refused(TableInDict, driver="trio")
    assert (error.attribute, error.where) == (f"table[{X}]", marked("table"))


def test_without_the_check_the_table_would_have_had_a_complete_proof():
    """That is why: the lock is in the table before anybody steps, so that no search can be too early."""

    class Vouched(TableInDict):
        constant_attributes = frozenset({"table"})

    report = explore(program(), Machine(Vouched), scheduler="dpor")
    assert (report.verdict, report.complete) == ("holds", True)


class Rare(Plain):
    """Changes only in executions in which a load sees the store."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.seen = 0

    async def load(self, cpu, address, width):
        value = await self.host.load(address, width)
        if value == 5:
            self.seen = 1  # <- rare
        return value


def test_a_change_that_only_one_unverified_execution_makes_is_found_at_its_end(monkeypatch):
    error = refused(Rare, loads, stores, scheduler="dfs")
    assert (error.attribute, error.where) == ("seen", marked("rare"))
    index = next(i for i in itertools.count() if not is_verified(i))
    assert index == 17

    class After(Rare):
        """Changes nothing in the executions that are verified."""

        made = itertools.count()
        constant_attributes = frozenset({"made", "number"})

        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self.number = next(self.made)

        async def load(self, cpu, address, width):
            value = await self.host.load(address, width)
            if self.number >= index:
                self.seen = 1  # <- after
            return value

    error = refused(After, loads, loads, loads, loads, scheduler="dfs")
    assert (error.attribute, error.where) == ("seen", marked("after"))
    # A memo makes one scheme for many executions, so that `number` is not the number of an execution.
    monkeypatch.setenv(MEMO_SWITCH, "0")
    After.made = itertools.count()
    error = refused(After, loads, loads, loads, loads, scheduler="dfs")
    assert (error.attribute, error.where) == ("seen", marked("after"))
    assert error.report.executions == index


# -- cpu.local ----------------------------------------------------------------------------------------------


class Meddler(Plain):
    """A store takes away the reservations of all, which are kept in ``cpu.local``."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.others: list[Any] = []

    def enter(self, cpu):
        cpu.local = Entry()
        self.others.append(cpu)

    async def store(self, cpu, address, width, value):
        await self.host.store(address, width, value)
        for other in self.others:
            other.local.owners.add(1)  # <- meddler


class Private(Plain):
    """Each vCPU keeps what it likes for itself."""

    def enter(self, cpu):
        cpu.local = {"stores": 0, "seen": []}

    async def store(self, cpu, address, width, value):
        cpu.local["stores"] += 1
        cpu.local["seen"].append(await self.host.load(address, width))
        await self.host.store(address, width, value)


HIDDEN: Any = types.ModuleType("hidden")  # nobody looks into modules
HIDDEN.cpus = {}


class Shared(Plain):
    """Reaches another vCPU's state by no attribute of its own."""

    def enter(self, cpu):
        cpu.local = Entry()
        HIDDEN.cpus[cpu.name] = cpu

    async def store(self, cpu, address, width, value):
        await self.host.store(address, width, value)
        HIDDEN.cpus["0"].local.owners.add(1)  # <- shared


def test_the_local_state_of_another_vcpu_is_not_a_schemes_to_change():
    error = refused(Meddler, stores, loads)
    assert error.where == marked("meddler")
    assert "owners" in error.attribute
    error = refused(Shared, loads, stores)
    assert (error.attribute, error.owner, error.where) == ("cpu.local.owners", "Entry", marked("shared"))
    assert error.vcpu == "1"


def test_a_vcpus_own_local_state_may_change_freely():
    assert explore(program(stores, stores), Machine(Private), scheduler="dpor").verdict == "holds"


# -- safe schemes --------------------------------------------------------------------------------------------


class BigLock(Scheme):
    """The README's."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.lock = self.host.mutex("big lock")

    async def atomic_rmw(self, cpu, address, width, function):
        await self.lock.lock()
        old = await self.host.load(address, width)
        await self.host.store(address, width, function.apply(old))
        await self.lock.unlock()
        return old


class Cached(TableInDict):
    """Always asks the same lock of the same address: a cache."""

    constant_attributes = frozenset({"table"})


def foreign(scheme: type[Scheme]) -> type[Scheme]:
    """`scheme` as if a user had written it: simaie's own are not verified again in each exploration."""
    return type(f"My{scheme.__name__}", (scheme,), {"__module__": __name__})


SCHEMES = [foreign(s) for s in (Native, AieRfc, AieV2, CompareAndSwap, GlobalLock, Scheme)]


async def busy(cpu: Any) -> None:
    await cpu.lock_add(X, 1)
    await cpu.store(Y, 1)
    await cpu.lock_cmpxchg(X, 1, 2, width=8)
    cpu.observe("r", await cpu.load(X))
    await cpu.exception()


async def busy_arm(cpu: Any) -> None:
    await cpu.swp(X, 1)
    old = await cpu.ldrex(X)
    await cpu.str_(Y, 1)
    await cpu.strex(X, old + 1)
    await cpu.clrex()


@pytest.mark.parametrize("full_system", [False, True])
@pytest.mark.parametrize("scheme", [*SCHEMES, BigLock, Cached, Private], ids=lambda s: s.__name__)
def test_schemes_that_keep_to_operations_pass(scheme, full_system):
    guests = {"x86": busy, "arm": busy_arm}
    for isa, guest in guests.items():
        made = Program("p", isa=isa, threads=[guest, guest], init={X: 0, Y: 0}, pages={Y: Page(Y)})
        machine = Machine(scheme, full_system=full_system, address_bits=16, host_word=32)
        with suppress(UsageError):  # LL/SC that a scheme does not have
            explore(made, machine, scheduler="random-walk", failures=None, executions=6)


# -- reading state -------------------------------------------------------------------------------------------


class _Slotted:
    __slots__ = ("__private", "plain")

    def __init__(self) -> None:
        self.__private = 0
        self.plain = [1]

    def change(self) -> None:
        self.__private += 1


def _counting() -> Any:
    kept = [0]

    def call() -> None:
        kept[0] += 1

    return call


def _numbers() -> Any:
    yield from range(9)


@pytest.mark.parametrize(
    ("made", "change"),
    [
        (lambda: [1, 2], lambda v: v.append(3)),
        (lambda: [[1], object()], lambda v: v[0].clear()),
        (lambda: {"a": [1]}, lambda v: v["a"].append(2)),
        (lambda: {1: 2}, lambda v: v.pop(1)),
        (lambda: {(1, 2): object()}, lambda v: v.update({(1, 3): object()})),
        (lambda: {1}, lambda v: v.add(2)),
        (lambda: {(1,)}, lambda v: v.add((2,))),
        (lambda: deque([1]), lambda v: v.append(1)),
        (lambda: bytearray(2), lambda v: v.__setitem__(0, 1)),
        (Counter, lambda v: v.update("a")),
        (itertools.count, next),
        (lambda: iter([1, 2]), next),
        (_numbers, next),
        (_Slotted, lambda v: v.change()),
        (_counting, lambda v: v()),
        (lambda: ([1].append, [2])[1], lambda v: v.append(1)),
    ],
)  # fmt: skip
def test_whatever_changes_inside_of_a_value_shows(made, change):
    value = made()
    holder = {"x": value, "self": None}
    holder["self"] = holder  # a cycle ends
    before = read("root", holder)
    assert difference(before, read("root", holder)) == ""
    change(value)
    assert difference(before, read("root", holder)) != ""
