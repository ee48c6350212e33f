"""Guards, which check that the state of a scheme changes only by operations.

The attributes of a scheme must not change after its constructor and `enter`. The value of a cell may change when an
operation on the cell is performed. The `local` of a vCPU may change while that vCPU runs. Any other change has escaped
the scheduler.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from simaie.engine.actor import Actor
from simaie.engine.attributes import Leaves, difference, read, roots
from simaie.op import Cell
from simaie.trace import Event

__all__ = ["Escaped", "Guard", "attributes_of", "changed_attribute"]

#: The number of leaves that are read before only every second step is checked, then every fourth, and so on.
_WORK = 400_000
#: The attributes that the base class of all schemes sets.
_OF_BASE = ("host", "pages", "machine", "_full_system", "flat", "barriers", "emitted")


class Escaped(NamedTuple):
    """A change of state that no operation made.

    Attributes:
        kind: ``attribute``, ``local`` or ``cell``.
        root: The name of the attribute, the actor, or the cell.
        path: The path to what changed.
        owner: The name of the class that has it.
    """

    kind: str
    root: Any
    path: str
    owner: str


def attributes_of(scheme: Any, cells: list[Cell] | None = None, *, of_base: bool = True) -> dict[str, Leaves]:
    """Return the leaves of each root of `scheme`; `of_base`: with those of simaie's base class."""
    found = roots(scheme)
    if not of_base:
        for name in _OF_BASE:
            found.pop(name, None)
    return {name: read(name, value, cells) for name, value in found.items()}


def changed_attribute(scheme: Any, before: dict[str, Leaves], after: dict[str, Leaves]) -> Escaped | None:
    """Return the first attribute that differs between two readings of `scheme`; None if all are equal."""
    for name in {**after, **before}:
        path = difference(before.get(name, {}), after.get(name, {}))
        if path:
            return Escaped("attribute", name, path, _owner(scheme, name))
    return None


def _owner(scheme: Any, name: str) -> str:
    """Return the name of the class that has an attribute: a base class for a class attribute, else the scheme's own."""
    if name not in vars(scheme):
        for cls in type(scheme).__mro__:
            if name in vars(cls):
                return cls.__name__
    return type(scheme).__name__


class Guard:
    """The state that the scheme of one execution must still have."""

    def __init__(self, scheme: Any, actors: Sequence[Actor]) -> None:
        self._scheme, self._actors = scheme, actors
        cells: list[Cell] = []
        self._attributes = attributes_of(scheme, cells)
        self._locals: dict[Actor, Leaves] = {}
        self._held: dict[Cell, Leaves] = {}
        self._work, self._due, self._stride = 0, 0, 1
        for actor in actors:
            self._locals[actor] = self._local(actor, cells)
        self._add(cells)

    def is_due(self) -> bool:
        """Count a step, and return whether to check it: every step, or fewer if the state is large."""
        self._due += 1
        if self._work > _WORK:
            self._work = 0
            self._stride *= 2
        return self._due % self._stride == 0

    def look(self, actor: Actor) -> Escaped | None:
        """Return a change of state that `actor` made without an operation. Without one, accept its allowed changes."""
        cells: list[Cell] = []
        now = attributes_of(self._scheme, cells)
        escaped = changed_attribute(self._scheme, self._attributes, now)
        if escaped is not None:
            return escaped
        for other in self._actors:
            local = self._local(other, cells)
            self._work += len(local)
            if other is not actor and other in self._locals:
                path = difference(self._locals[other], local)
                if path:
                    return Escaped("local", other, path, type(other.cpu.local).__name__)
            self._locals[other] = local
        for cell in list(self._held):
            path = difference(self._held[cell], _held_by(cell, cells))
            if path:
                return Escaped("cell", cell, path, type(cell.value).__name__)
        self._add(cells)
        self._work += sum(map(len, now.values())) + sum(map(len, self._held.values()))
        return None

    def still(self, escaped: Escaped) -> bool:
        """Whether the state that `escaped` in an equal execution is still unchanged in this one."""
        if escaped.kind == "attribute":
            before, name = self._attributes.get(escaped.root, {}), escaped.root
            held = roots(self._scheme)
            return not difference(before, read(name, held[name]) if name in held else {})
        if escaped.kind == "local":
            return not any(
                difference(leaves, self._local(actor, [])) for actor, leaves in self._locals.items()
                if actor.name == escaped.root.name
            )  # fmt: skip
        return not any(
            difference(leaves, _held_by(cell, [])) for cell, leaves in self._held.items()
            if cell.name == escaped.root.name
        )  # fmt: skip

    def performed(self, events: Iterable[Event]) -> None:
        """Accept the new values of the cells of these operations."""
        for event in events:
            cell = event.op.cell
            if cell is not None and cell in self._held:
                cells: list[Cell] = []
                self._held[cell] = _held_by(cell, cells)
                self._add(cells)

    def _add(self, cells: list[Cell]) -> None:
        """Watch these cells and the cells in their values too."""
        while cells:
            cell = cells.pop()
            if cell not in self._held:
                self._held[cell] = _held_by(cell, cells)

    def _local(self, actor: Actor, cells: list[Cell]) -> Leaves:
        return read("local", actor.cpu.local, cells)


def _held_by(cell: Cell, cells: list[Cell]) -> Leaves:
    return read(cell.name, cell.value, cells)
