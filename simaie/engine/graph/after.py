"""What a vCPU has done after an operation, and how its result carries what it depends on."""

from __future__ import annotations

from typing import Any

from simaie.dependence import RESUMES, STOPS
from simaie.engine.graph.attributes import ATOMICS, THREADS
from simaie.engine.graph.label import Label, Write
from simaie.engine.graph.reach import PLAIN
from simaie.engine.graph.world import begin, end
from simaie.host.graph.event import Event, Past
from simaie.host.graph.model import Dependencies
from simaie.host.loaded import Control, Loaded
from simaie.op import Kind

__all__ = ["carry_dependencies", "past_after"]

#: What later events of any place may be ordered behind, as `Past` names it.
_BEFORE_LATER = ("everything", "stores", "full", "before_loads", "before_stores", "consistent", "releases")
_LOAD_LINKED, _STORE_CONDITIONAL = Kind.LOAD_LINKED, Kind.STORE_CONDITIONAL


def past_after(label: Label, value: Any) -> Past:
    """Return what a vCPU has done after an operation, which returned `value`.

    Args:
        label: The label of the operation.
        value: The plain result.
    """
    past, op, kind, model = label.past.copy(), label.op, label.op.kind, label.model
    if kind is Kind.FENCE:
        model.fence(past, op.orders, label.control, op.form)
    elif kind is Kind.CHOICE:
        assert label.fails is not None
        past.decided |= 1 << label.fails.index
    elif kind is Kind.CLEAR_RESERVATION:
        past.linked = ()
    elif kind is Kind.SPAWN:
        past.children += 1
    elif kind in STOPS:
        assert label.fails is not None
        begin(past, label.fails)
    elif kind in RESUMES:
        end(past)
    past.group = label.group
    address = label.address_of(label.reads[0]) if label.reads else None
    for event in label.reads:
        assert address is not None
        _add(label, past, event, address)
    if kind is _LOAD_LINKED:
        past.linked, past.reserved = label.reads, op.reserved
    if kind in ATOMICS or kind is Kind.UPDATE:
        old = None if kind is Kind.LOCK else value
        write = _update_write(label, value) if kind is Kind.UPDATE else label.write(old)
        for event in write.events:
            _add(label, past, event, label.address_of(event))
        if kind is Kind.CAS:
            past.compares |= sum(1 << read.index for read in label.reads)
            if not write.events:
                stores = label.write(op.expected).events
                _note_failure(label, past, stores, sum(1 << event.index for event in stores))
    elif kind is _STORE_CONDITIONAL:
        _conditional_after(label, past, value)
    else:
        for event in label.stores:
            _add(label, past, event, label.address_of(event))
    if label.reads and kind is not Kind.UPDATE and value is not None and type(value) not in PLAIN:
        past.reached = (*past.reached, (value, sum(_read_dependencies(label))))
    return past


def _add(label: Label, past: Past, event: Event, address: Dependencies) -> None:
    label.model.add(past, event, address)
    if label.in_order or label.op.kind in THREADS:
        past.full |= 1 << event.index


def _update_write(label: Label, result: Any) -> Write:
    """Return the write of an UPDATE; which value it stored does not matter for what comes later."""
    return next(each for each in label.written.values() if each.result is result or each.result == result)


def _conditional_after(label: Label, past: Past, value: Any) -> None:
    past.linked = ()
    if not label.stores:
        return
    bits = _result_of(label) if value else 1 << label.stores[0].index
    told = past.stored if value else past.failed
    for event in label.stores:
        if value:
            _add(label, past, event, label.address_of(event))
        told[event.place] = told.get(event.place, 0) | bits
    if not value:
        _note_failure(label, past, label.stores, 1 << label.stores[0].index)
    if not (value and label.model.status_orders):
        past.status |= bits


def _note_failure(label: Label, past: Past, stores: tuple[Event, ...], bits: int) -> None:
    """Order later events behind the stores that were not made.

    A failed store-conditional is an event with nothing before it, and a store of a failed CAS is no event. Hence that
    adds no order. The failure of a store-conditional is just kept where later events are, as a store is: a graph that
    lost it would have the store-conditional try once more. Later events are the same whether a CAS wrote.

    Args:
        label: The label of the operation.
        past: What the vCPU has done; is changed.
        stores: The stores that were not made.
        bits: The indices that stand for them.
    """
    stored = past.copy()
    for event in stores:
        _add(label, stored, event, label.address_of(event))
    for name in _BEFORE_LATER:
        setattr(past, name, getattr(past, name) | getattr(stored, name) & bits)


def _result_of(label: Label) -> int:
    """Return the writes of a store-conditional, of whose success each of them tells."""
    return sum(1 << event.index for event in label.stores)


def _read_dependencies(label: Label) -> tuple[int, int]:
    """Return on what a value that the operation reads depends: by data, and further events by choice."""
    data = choices = 0
    for event in label.reads:
        data |= 1 << event.index
        if label.model.through_memory and event.last_store is not None:
            data |= event.last_store.data
            choices |= event.last_store.choices
    return data, choices & ~data


def carry_dependencies(label: Label, value: Any, control: Control) -> Any:
    """Return the result `value` as the vCPU gets it, and note on what the vCPU depends from now on.

    Args:
        label: The label of the operation.
        value: The plain result.
        control: What it has branched on.
    """
    kind = label.op.kind
    if kind is _STORE_CONDITIONAL:
        return Loaded(value, _result_of(label)) if label.stores else value
    if not label.reads:
        return value
    data, choices = _read_dependencies(label)
    if kind is Kind.LOCK or kind is Kind.AWAIT or kind is Kind.JOIN:
        control.mask |= data | choices  # it waits in a loop, which branches on what it reads
    if type(value) is int:
        return Loaded(value, data, choices)
    if kind is not Kind.UPDATE:
        control.mask |= data | choices
    return value
