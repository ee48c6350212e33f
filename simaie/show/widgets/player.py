"""The player: an execution to step through by slider and keys, with the state after each step."""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets

from simaie.errors import UsageError
from simaie.show.picture.document import page_document
from simaie.show.picture.subject import Subject
from simaie.show.widgets.base import module, shown

__all__ = ["Player"]


class Player(anywidget.AnyWidget):
    """A widget that shows an execution, at first the first step of a violation.

    Attributes:
        document: Data of the page.
        step: The step that is shown, -1 before the first; it can be set.
    """

    _esm = module("player")
    document = traitlets.Dict().tag(sync=True)
    step = traitlets.Int(-1).tag(sync=True)

    def __init__(self, subject: Subject, html: str) -> None:
        self._html, self._title, self._last = html, subject.title, len(subject.trace) - 1
        guilty = sorted(step for finding, _ in subject.explained for step in finding.steps if 0 <= step <= self._last)
        super().__init__(document=page_document(subject), step=guilty[0] if guilty else -1)

    @traitlets.validate("step")
    def _in_range(self, proposal: Any) -> int:
        step: int = proposal["value"]
        if not -1 <= step <= self._last:
            raise UsageError(f"step must be from -1 (before the first) to {self._last}, not {step}")
        return step

    def __repr__(self) -> str:
        return f"<player: {self._title}, {self._last + 1} steps; failure.to_html() is the same as a page>"

    def _repr_mimebundle_(self, **asked: Any) -> Any:
        return shown(super()._repr_mimebundle_(**asked), self._html, repr(self), "step through it")
