"""The host port of a memo, which returns the same objects when a part of a vCPU's history is run again.

If a vCPU makes objects of the same constants in two histories, they are one object, too. That is sound because an
execution follows one history of each vCPU, and cells begin with their initial values. It is needed because otherwise
each order of other vCPUs before would make new objects, and thus new results and histories for all vCPUs that find
them. If one history makes several such objects, they differ. Objects of two vCPUs always differ: a racer must not take
the other one's object for its own.
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
_OBJECT = ""  # the name under which `made` keeps objects that it cannot compare; no cell has this name
_CONSTANTS = (int, str, bytes, bool, type(None))


class MemoHost(Host):
    """A host port that identifies what a vCPU makes by the maker, the place in the maker's history, and the name.

    Attributes:
        at: The node to which a vCPU is running, or None.
        unsettled: Why the memo cannot go on, as far as the port has noticed; empty if it can.
    """

    constant_attributes = Host.constant_attributes | {"at", "unsettled", "_counts", "_kept", "_known", "_pool"}

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.at: Node | None = None
        self.unsettled = ""
        self._counts: dict[Any, int] = {}
        self._pool: dict[tuple[Any, ...], Any] = {}  # by vCPU, recipe, and the number of such objects before
        self._known: set[int] = set()  # the identities of what it made
        self._kept: list[Any] = []  # so that these identities stay theirs

    def begin(self, at: Node) -> None:
        """A vCPU runs to the node `at`, and makes the next objects on the way."""
        self.at = at
        if self._counts:
            self._counts = {}

    def end(self) -> None:
        """The vCPU has stopped at the next node.

        If it made several cells of one name between two operations before, and fewer this time, their identities are
        unknown, and the memo cannot go on.
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
        """Return the next object of a name on the way to `at`.

        Args:
            name: The name of a cell, or the recipe of an object.
            make: Makes the object if it was not made yet.
            inside: Whether the cells that `make` makes are parts of the object.
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
        """Return a new object, or the one that the vCPU made by the same recipe in another history."""
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
    """Return the recipe of the object that `make` makes: code of simaie, and constants; None if it is other code."""
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
    """The handle of a thread, which notices when guest code reads `done`: that is no result of an operation."""

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
