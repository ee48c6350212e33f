"""Buttons for a session: a thin view, which holds nothing but what the session says."""

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

#: What runs on from a choice of one's own: `scripted` knows the way from the start only.
_NOT_OFFERED = ("scripted",)


class SessionView(anywidget.AnyWidget):
    """document: as the page has it, with `session`: who can go on, and how it stands. said: why something failed."""

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
        """A button was pressed."""
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
    """What the view shows, as JSON values."""
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
    """Everybody who is there, with what he is about to do, and whether he can."""
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
