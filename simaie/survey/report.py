"""The matrix as a result: its cells, whether they are as expected, and the counterexamples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from simaie import plugins
from simaie.corpus.violations import violations
from simaie.errors import UsageError
from simaie.exploration.single import explore_index
from simaie.replaying.failure import Shrunk
from simaie.survey.cell import SEARCH, Cell, CellResult, Item, machine_of

__all__ = ["Matrix"]


@dataclass(frozen=True, repr=False)
class Matrix:
    """The result of `simaie.matrix`.

    Attributes:
        cells: The cells, by host, then by scheme, then by class.
        items: What was planned: the cells and, after an interrupt, those that were not reached.
        seconds: Wall-clock time, in seconds.
        interrupted: Whether Ctrl-C ended it.
    """

    cells: tuple[Cell, ...]
    items: tuple[Item, ...] = field(repr=False)
    seconds: float = field(compare=False)
    interrupted: bool = False

    def __repr__(self) -> str:
        return f"<{self}>"

    def __str__(self) -> str:
        how = "interrupted" if self.interrupted else "as expected" if self.ok else "not as expected"
        done = f"{len(self.cells)} of {len(self.items)} cells"
        return f"matrix: {how}, {done}, {len(self.unexpected)} differ, {len(self.open)} are open"

    @property
    def ok(self) -> bool:
        """Whether every cell was decided, and none differs from what is expected."""
        return len(self.cells) == len(self.items) and not self.unexpected and not self.open

    @property
    def compared(self) -> tuple[Cell, ...]:
        """The cells for which the author of the scheme says what to expect."""
        return tuple(cell for cell in self.cells if cell.expected is not None)

    @property
    def unexpected(self) -> tuple[Cell, ...]:
        """The cells that differ from what is expected."""
        return tuple(cell for cell in self.cells if cell.differs)

    @property
    def open(self) -> tuple[Cell, ...]:
        """The cells that were not decided."""
        return tuple(cell for cell in self.cells if cell.result is CellResult.OPEN)

    @property
    def cost(self) -> float:
        """The processor time of all searches, in seconds."""
        return sum(cell.seconds for cell in self.cells)

    def cell(self, scheme: str, hole: str, host: str = "sc") -> Cell:
        """Return the cell of a scheme, as the matrix writes it, a class and a host; UsageError if there is none."""
        for each in self.cells:
            if (each.scheme, each.hole, each.host) == (scheme, hole, host):
                return each
        raise UsageError(f"the matrix has no cell for {scheme} and {hole} on {host}")

    def counterexample(self, cell: Cell) -> Shrunk:
        """Return the shortest counterexample of a cell in which a violation was found.

        Args:
            cell: A cell of this matrix.

        Raises:
            UsageError: No violation was found in it, or it is a cell of another matrix.
        """
        if cell.result is not CellResult.FOUND or cell.index is None or cell not in self.cells:
            raise UsageError("only a cell of this matrix in which a violation was found has a counterexample")
        item = self.items[self.cells.index(cell)]
        program = next(each for each in violations(cell.hole) if each.program.name == cell.program)
        again = explore_index(program.program, machine_of(item, program), SEARCH, index=cell.index)
        failure = again.failures[0]
        return failure.shrink(kind=next(each.kind for each in failure.findings if each.kind in program.kinds))

    def counterexamples(self) -> Iterator[tuple[Cell, Shrunk]]:
        """Yield each cell in which a violation was found, with its shortest counterexample."""
        return ((cell, self.counterexample(cell)) for cell in self.cells if cell.result is CellResult.FOUND)

    def as_dict(self) -> dict[str, Any]:
        """Return the matrix as JSON values."""
        return {
            "ok": self.ok,
            "interrupted": self.interrupted,
            "planned": len(self.items),
            "seconds": self.seconds,
            "cost": self.cost,
            "cells": [msgspec.to_builtins(cell) | {"differs": cell.differs} for cell in self.cells],
        }

    def to_svg(self) -> str:
        """Return a drawing as SVG: a row for each scheme, a column for each class, a table for each host."""
        return self._drawn("matrix-svg")

    def to_html(self) -> str:
        """Return a page with the drawing and a line for each cell; it needs no network and no other file."""
        return self._drawn("matrix-html")

    def _repr_html_(self) -> str:
        return self.to_svg()

    def _drawn(self, renderer: str) -> str:
        drawn: str = plugins.resolve(plugins.RENDERERS, renderer)(self)
        return drawn
