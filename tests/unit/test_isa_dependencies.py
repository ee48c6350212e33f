"""Instructions carry the dependencies of what they load, and branch on nothing that their guest does not branch on.

A host that reorders loads keeps order along dependencies. An instruction set whose method asks what a loaded number is,
by ``int()`` or ``if``, would add a control dependency and cut the one by data.
"""

from __future__ import annotations

from typing import Any

import pytest
from instruction_cases import CASES, Case, X

from simaie import Machine, Program
from simaie.guest.isa import ISAS
from simaie.host.host import Host
from simaie.host.loaded import LOADED, Control, Loaded, plain, stepping
from simaie.host.pages import PageTable
from simaie.op import Kind, Op

#: A compare-and-swap of two locations, for which the scheme stops the world: everything is ordered there.
_STOPS_THE_WORLD = ("m68k", "cas2")
_READS = frozenset({Kind.LOAD, Kind.LOAD_LINKED, Kind.CAS, Kind.EXCHANGE, Kind.FETCH})


class Ram:
    """Performs operations on bytes; each number that it returns depends on operation 1."""

    def __init__(self, before: int, width: int, order: Any) -> None:
        self._order = order
        self._bytes = dict(enumerate(before.to_bytes(width, order), X))

    def perform(self, op: Op) -> Any:
        if op.kind is Kind.STORE_CONDITIONAL:
            return Loaded(1, 2)
        if op.kind is Kind.CHOICE:
            return 0
        if op.kind in _READS and op.cell is None:
            return Loaded(self._replaced(op), 2)
        if op.kind is Kind.STORE:
            self._write(op, plain(op.value))
        return None

    def _replaced(self, op: Op) -> int:
        data = bytes(self._bytes.get(plain(op.address) + i, 0) for i in range(op.width))
        old = int.from_bytes(data, self._order)
        if op.kind is Kind.EXCHANGE or (op.kind is Kind.CAS and old == plain(op.expected)):
            self._write(op, plain(op.value))
        elif op.kind is Kind.FETCH:
            self._write(op, op.function.apply(old))
        return old

    def _write(self, op: Op, value: int) -> None:
        value &= (1 << 8 * op.width) - 1
        self._bytes.update(enumerate(value.to_bytes(op.width, self._order), plain(op.address)))


def run(isa: str, name: str, case: Case) -> tuple[Any, int]:
    """Return the result of an instruction, and what it branched on."""
    order = ISAS[isa].byte_order
    program = Program(name, isa=isa, threads=[[]])
    machine = Machine("native", address_bits=16, host="rvwmo")
    facts = machine.facts_of(program)
    host = Host(endian=order)
    scheme = machine.make_scheme(host, PageTable(host, program.pages), facts)
    cpu = ISAS[isa]("0", 0, scheme, facts)
    scheme.enter(cpu)
    ram, control = Ram(case.before, case.width, order), Control()
    if case.first is not None:
        before, args, options = case.first
        finished(getattr(cpu, before)(*args, **options), ram)
    with stepping(control):
        return finished(getattr(cpu, name)(*case.args, **case.options), ram), control.mask


def finished(coroutine: Any, ram: Ram) -> Any:
    steps, result = coroutine.__await__(), None
    while True:
        try:
            op = steps.send(result)
        except StopIteration as done:
            return done.value
        result = ram.perform(op)


@pytest.mark.parametrize("isa", sorted(CASES))
def test_an_instruction_adds_no_control_dependency_and_keeps_those_by_data(isa):
    """A result that differs from that of the memory of other tests is one without an access: it depends on none."""
    wrong = []
    for name, cases in CASES[isa].items():
        for case in cases:
            result, branched = run(isa, name, case)
            is_plain = case.result is not None and type(result) is not LOADED and result == case.result
            if (branched or is_plain) and (isa, name) != _STOPS_THE_WORLD:
                wrong.append((name, case.options, branched, result))
    assert wrong == []
