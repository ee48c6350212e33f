"""The host port of a memo: what a vCPU makes is the same object each time that part of its history is run again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from simaie.engine.memo.node import Node
from simaie.guest.cpu import Thread
from simaie.host.host import Host, Mutex, SharedCell

__all__ = ["MemoHost", "MemoThread"]

T = TypeVar("T")
_OBJECT = ""  # what `made` files its objects under: no cell has this name


class MemoHost(Host):
    """A host port that identifies what a vCPU makes by the maker, the place in the maker's history, and the name.

    Attributes:
        at: The node on whose way a vCPU is running, or None.
        unsettled: Why the memo cannot go on, as far as the port noticed; empty if it can.
    """

    constant_attributes = Host.constant_attributes | {"at", "unsettled", "_counts", "_kept", "_known"}

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.at: Node | None = None
        self.unsettled = ""
        self._counts: dict[str, int] = {}
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
        found: T = self._same(_OBJECT, make, inside=True)
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

    def _same(self, name: str, make: Callable[[], Any], *, inside: bool = False) -> Any:
        """Return the next object of that name on the way to `at`. inside: whether what it makes is a part of it."""
        at = self.at
        assert at is not None
        if at.made is None:
            at.made = {}
        made = at.made.setdefault(name, [])
        number = self._counts.get(name, 0)
        self._counts[name] = number + 1
        if number == len(made):
            if inside:
                self.at = None
            try:
                made.append(make())
            finally:
                self.at = at
        return made[number]


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
