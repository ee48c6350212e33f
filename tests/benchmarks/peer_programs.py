"""The programs that simaie and its peer both explore: as guest threads, and as functions that frontrun traces.

Every access is spelt out as an attribute of the shared object, for that is what frontrun sees.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from exhaustive import programs

from simaie import Program

__all__ = ["LARGE", "PAIRS", "Pair", "Shared"]

Worker = Callable[[Any], None]


class Shared:
    """The shared words of a program, as attributes."""

    def __init__(self, **words: int) -> None:
        for name, value in words.items():
            setattr(self, name, value)


class Pair(NamedTuple):
    """A program for simaie and the same for frontrun."""

    ours: Program
    words: dict[int, str]  # address -> name of the attribute
    workers: list[Worker]


def increment(shared: Any) -> None:
    r = shared.x
    shared.x = r + 1


def update_x(shared: Any, rounds: int = 2) -> None:
    for _ in range(rounds):
        r = shared.x
        s = shared.y
        shared.x = r + s


def update_y(shared: Any, rounds: int = 2) -> None:
    for _ in range(rounds):
        r = shared.x
        s = shared.y
        shared.y = r + s


def update_x_5(shared: Any) -> None:
    update_x(shared, 5)


def update_y_5(shared: Any) -> None:
    update_y(shared, 5)


def write(shared: Any) -> None:
    shared.x = 42


def read(shared: Any) -> None:
    _ = shared.x


def update_1(shared: Any) -> None:
    r = shared.a0
    shared.a1 = r + 1


def update_2(shared: Any) -> None:
    r = shared.a1
    shared.a2 = r + 1


def update_3(shared: Any) -> None:
    r = shared.a2
    shared.a3 = r + 1


def update_4(shared: Any) -> None:
    r = shared.a3
    shared.a4 = r + 1


def update_5(shared: Any) -> None:
    r = shared.a4
    shared.a5 = r + 1


def update_6(shared: Any) -> None:
    r = shared.a5
    shared.a6 = r + 1


def update_7(shared: Any) -> None:
    r = shared.a6
    shared.a7 = r + 1


def update_8(shared: Any) -> None:
    r = shared.a7
    shared.a8 = r + 1


def update_9(shared: Any) -> None:
    r = shared.a8
    shared.a9 = r + 1


def update_10(shared: Any) -> None:
    r = shared.a9
    shared.a10 = r + 1


def search(shared: Any) -> None:
    if shared.a3 != 0 and shared.a2 != 0 and shared.a1 != 0:
        _ = shared.a0


def search_10(shared: Any) -> None:
    if not (shared.a10 and shared.a9 and shared.a8 and shared.a7 and shared.a6):
        return
    if shared.a5 and shared.a4 and shared.a3 and shared.a2 and shared.a1:
        _ = shared.a0


UPDATES: list[Worker] = [
    update_1, update_2, update_3, update_4, update_5, update_6, update_7, update_8, update_9, update_10,
]  # fmt: skip

X = {programs.X: "x"}
XY = {programs.X: "x", programs.Y: "y"}
CELLS = {0x1000 + 4 * i: f"a{i}" for i in range(11)}



def _cells(last: int) -> dict[int, str]:
    return {address: name for address, name in CELLS.items() if int(name[1:]) <= last}


PAIRS: dict[str, Callable[[], Pair]] = {
    "inc(2)": lambda: Pair(programs.inc(2), X, [increment] * 2),
    "inc(3)": lambda: Pair(programs.inc(3), X, [increment] * 3),
    "inc(4)": lambda: Pair(programs.inc(4), X, [increment] * 4),
    "fib_bench 2 updaters x 2": lambda: Pair(programs.fib_bench(2, checker=False), XY, [update_x, update_y]),
    "readers(4)": lambda: Pair(programs.readers(4), X, [write, *[read] * 4]),
    "readers(6)": lambda: Pair(programs.readers(6), X, [write, *[read] * 6]),
    "lastzero(3)": lambda: Pair(programs.lastzero(3), _cells(3), [*UPDATES[:3], search]),
}

#: What only simaie explores to the end here, in as many executions as there are traces.
LARGE: dict[str, tuple[int, Callable[[], Pair]]] = {
    "inc(5)": (14_400, lambda: Pair(programs.inc(5), X, [increment] * 5)),
    "fib_bench 2 updaters x 5": (
        8_953,
        lambda: Pair(programs.fib_bench(5, checker=False), XY, [update_x_5, update_y_5]),
    ),
    "readers(13)": (8_192, lambda: Pair(programs.readers(13), X, [write, *[read] * 13])),
    "lastzero(10)": (
        3_328,
        lambda: Pair(
            programs.lastzero(10),
            CELLS,
            [*UPDATES, search_10],
        ),
    ),
}
