"""The host port of a memo: what a vCPU makes is the same object each time that part of its history is run again.

Objects that the vCPU makes of the same constants in two histories are the same one, too. For an execution follows one
history of each vCPU, and cells begin with their initial values. If one history makes several of them, each is an object
of its own. Otherwise each order in which other vCPUs ran before would make other objects, and these would be other
results and other histories for all that find them. Objects of two vCPUs are always different: a racer must not take
what the other one made for its own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import FunctionType
from typing import Any, TypeVar

from simaie.engine.code_facts import is_own
from simaie.engine.memo.node import Node
from simaie.guest.cpu import Thread
from simaie.host.host import Host, Mutex, SharedCell

__all__ = ["MemoHost", "MemoThread"]

T = TypeVar("T")
_OBJECT = ""  # what `made` files objects under that it cannot compare: no cell has this name
_CONSTANTS = (int, str, bytes, bool, type(None))


class MemoHost(Host):
    """A host port that identifies what a vCPU makes by the maker, the place in the maker's history, and the name.

    Attributes:
        at: The node on whose way a vCPU is running, or None.
        unsettled: Why the memo cannot go on, as far as the port noticed; empty if it can.
    """

    constant_attributes = Host.constant_attributes | {"at", "unsettled", "_counts", "_kept", "_known", "_pool"}

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.at: Node | None = None
        self.unsettled = ""
        self._counts: dict[Any, int] = {}
        self._pool: dict[tuple[Any, ...], Any] = {}  # by vCPU, what it is made of, and how many of these came before
        self._known: set[int] = set()  # the identities of what it made
        self._kept: list[Any] = []  # so that these identities stay theirs

    def begin(self, at: Node) -> None:
        """From now on what is made belongs to the way to `at`."""
        self.at = at
        if self._counts:
            self._counts = {}

    def end(self) -> None:
        """No vCPU runs any more.

        Where a vCPU makes several cells of one name between two operations, and another time fewer, it cannot be told
        which they are.
        """
        at, self.at = self.at, None
        if at is not None and at.made is not None:
            for name, made in at.made.items():
                if len(made) > 1 and len(made) != self._counts.get(name, 0):
                    self.unsettled = self.unsettled or f"several cells are named {name}"

    def is_made(self, value: Any) -> bool:
        """Whether `value` was made by this port."""
        return id(value) in self._known

    def made(self, make: Callable[[], T]) -> T:
        """Return ``make()``, or what it returned when this part of the vCPU's history was first run."""
        if self.at is None:
            return make()
        found: T = self._same(_recipe(self, make) or _OBJECT, make, inside=True)
        self._know(found)
        return found

    def cell(self, name: str, *args: Any, **options: Any) -> SharedCell:
        """Create a cell, or return the one that this part of the vCPU's history created first."""
        make = super().cell
        found: SharedCell = self._cell(name, lambda: make(name, *args, **options))
        return found

    def mutex(self, name: str, address: int | None = None) -> Mutex:
        """Create a free mutex, or return the one that this part of the vCPU's history created first."""
        make = super().mutex
        found: Mutex = self._cell(name, lambda: make(name, address))
        return found

    def _cell(self, name: str, make: Callable[[], Any]) -> Any:
        found = make() if self.at is None else self._same(name, make)
        self._know(found)
        return found

    def _know(self, made: Any) -> None:
        if id(made) not in self._known:
            self._known.add(id(made))
            self._kept.append(made)

    def _same(self, name: Any, make: Callable[[], Any], *, inside: bool = False) -> Any:
        """Return the next object of that name on the way to `at`.

        Args:
            name: The name of a cell, or what an object is made of.
            make: Makes the object if it was not made yet.
            inside: Whether cells that it makes are a part of it.
        """
        at = self.at
        assert at is not None
        if at.made is None:
            at.made = {}
        made = at.made.setdefault(name, [])
        number = self._counts.get(name, 0)
        self._counts[name] = number + 1
        if number == len(made):
            made.append(self._make(at, name, number, make) if inside else make())
        return made[number]

    def _make(self, at: Node, recipe: Any, number: int, make: Callable[[], Any]) -> Any:
        """Return a new object, or the one that the vCPU made of the same in another history."""
        key = at.root.name, recipe, number + _made_before(at, recipe)
        found = self._pool.get(key)
        if found is None:
            self.at = None
            try:
                found = make()
            finally:
                self.at = at
            if recipe is not _OBJECT:
                self._pool[key] = found
        return found


def _made_before(at: Node, recipe: Any) -> int:
    """Return how many objects of a recipe the vCPU has made before the way to `at`."""
    count, node = 0, at.parent
    while node is not None:
        if node.made is not None:
            count += len(node.made.get(recipe, ()))
        node = node.parent
    return count


def _recipe(host: Host, make: Any) -> tuple[Any, ...] | None:
    """Return what `make` makes its object of; None unless it is code of simaie with constants and the host port."""
    parts: list[Any] = []
    while type(make) is partial:
        if make.keywords:
            return None
        parts = [*make.args, *parts]
        make = make.func
    if type(make) is FunctionType and is_own(make.__code__.co_filename):
        parts += [cell.cell_contents for cell in make.__closure__ or ()]
        make = make.__code__
    elif not _is_class_of_simaie(make):
        return None
    if not all(type(part) in _CONSTANTS or part is host or _is_class_of_simaie(part) for part in parts):
        return None
    return (make, *[None if part is host else (type(part), part) for part in parts])


def _is_class_of_simaie(value: Any) -> bool:
    return type(value) is type and value.__module__.startswith("simaie.")


class MemoThread(Thread):
    """A handle that notices when guest code looks at `done`, which is no result of an operation."""

    __slots__ = ("_done", "_host")

    def __init__(self, name: str, host: MemoHost) -> None:
        self._host = host
        super().__init__(name)

    @property
    def done(self) -> bool:
        """Whether the thread has ended."""
        if self._host.at is not None:
            self._host.unsettled = self._host.unsettled or "a guest looks at Thread.done"
        return self._done

    @done.setter
    def done(self, value: bool) -> None:
        self._done = value
