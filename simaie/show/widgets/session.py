"""Buttons for a session: a thin view without state of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import anywidget
import traitlets

from simaie import plugins
from simaie.errors import SimaieError
from simaie.exploration.interactive import Session
from simaie.op import owner_of
from simaie.show.format import clean, format_op
from simaie.show.picture.document import page_document
from simaie.show.picture.subject import subject_of
from simaie.show.trace_table import structural_order, title
from simaie.show.widgets.base import module, session_html, shown

__all__ = ["SessionView"]

#: Schedulers that cannot continue from a chosen step: `scripted` replays from the start only.
_NOT_OFFERED = ("scripted",)


class SessionView(anywidget.AnyWidget):
    """A widget that shows a session with a button for each vCPU.

    Attributes:
        document: Data of the page, and in `session` the vCPUs that can go on and the status.
        said: Reason why the last request failed, or the result of saving.
    """

    _esm = module("session")
    document = traitlets.Dict().tag(sync=True)
    said = traitlets.Unicode().tag(sync=True)

    def __init__(self, session: Session) -> None:
        self._session = session
        super().__init__(document=session_document(session))
        session.watch(self._changed)
        self.on_msg(self._asked)

    def _changed(self) -> None:
        self.said = ""
        self.document = session_document(self._session)

    def _asked(self, _: object, asked: dict[str, Any], __: object) -> None:
        """Carry out the request of a button."""
        try:
            self.said = self._do(**asked) or ""
        except SimaieError as error:
            self.said = str(error)

    def _do(self, do: str, **values: Any) -> str | None:
        session = self._session
        if do == "save":
            path = session.save(values["path"])
            return f"saved {path}, to be run again by {session.how_to_reproduce(path)}"
        actions: dict[str, Callable[..., object]] = {
            "step": session.step,
            "choose": session.choose,
            "undo": session.undo,
            "restart": session.restart,
            "run": session.run,
        }
        actions[do](*values.pop("args", ()), **values)
        return None

    def __repr__(self) -> str:
        return repr(self._session)

    def _repr_mimebundle_(self, **asked: Any) -> Any:
        return shown(super()._repr_mimebundle_(**asked), session_html(self._session), repr(self), "choose by clicking")


def session_document(session: Session) -> dict[str, Any]:
    """Return the data of the view as JSON values."""
    document = page_document(subject_of(session.failure))
    if not session.ended:
        document |= {"ending": [], "command": ""}
    return document | {
        "session": {
            "moves": list(_moves(session, document["columns"])),
            "choices": [
                {"step": c.step, "value": c.value, "arity": c.arity, "what": format_op(session.trace.events[c.step].op)}
                for c in session.open_choices
            ],
            "status": clean(session.status),
            "ended": session.ended,
            "violated": bool(session.findings),
            "schedulers": [name for name in plugins.names(plugins.SCHEDULERS) if name not in _NOT_OFFERED],
        }
    }


def _moves(session: Session, columns: list[str]) -> Iterator[dict[str, Any]]:
    """Yield each actor with its next operation and whether it can perform it."""
    if session.ended:
        return
    ops = {**session.trace.waiting, **session.enabled}
    for actor in sorted(ops, key=lambda name: (structural_order(owner_of(name)), name)):
        owner = title(owner_of(actor))
        yield {
            "actor": actor,
            "title": owner if owner_of(actor) == actor else f"{owner}'s store buffer",
            "column": columns.index(owner),
            "words": format_op(ops[actor]) if owner_of(actor) == actor else f"drain {format_op(ops[actor])}",
            "enabled": actor in session.enabled,
        }
