"""The command ``simaie list``: schemes, schedulers, hosts, checkers, instruction sets, programs, lock-free guests."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Sequence
from typing import Any

from simaie import plugins
from simaie.cli.listing_view import listing_view
from simaie.cli.options import Listed
from simaie.cli.output import Format, print_json, print_lines
from simaie.cli.status import Status
from simaie.errors import UsageError

__all__ = ["Selection", "run_list"]

_GROUPS = {
    Listed.SCHEMES: plugins.SCHEMES,
    Listed.SCHEDULERS: plugins.SCHEDULERS,
    Listed.HOSTS: plugins.HOSTS,
    Listed.CHECKERS: plugins.CHECKERS,
    Listed.ISAS: plugins.ISAS,
}
#: How the paragraph of a plug-in's documentation begins that says what it is for.
_USE = "Use it "


@dataclasses.dataclass(frozen=True, kw_only=True)
class Selection:
    """The filters of a list; all of them must hold.

    Attributes:
        isas: Instruction sets of programs and guests; none for all.
        rows: Rows of the audit, of programs; none for all.
        name: Text that the name contains.
        everything: Whether to print each entry of a long list even without a filter.
    """

    isas: Sequence[str] = ()
    rows: Sequence[int] = ()
    name: str = ""
    everything: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing is filtered."""
        return not (self.isas or self.rows or self.name)


def run_list(what: Listed, output: Format, selection: Selection | None = None) -> Status:
    """Print the selected entries."""
    selection = selection or Selection()
    entries = _selected(what, _entries(what), selection)
    if output is Format.JSON:
        print_json(entries)
    else:
        print_lines(listing_view(what, entries, brief=selection.is_empty and not selection.everything))
    return Status.HOLDS


def _entries(what: Listed) -> list[dict[str, Any]]:
    if what is Listed.PROGRAMS:
        return _programs()
    if what is Listed.GUESTS:
        return _guests()
    return [_plugin(_GROUPS[what], name) for name in plugins.names(_GROUPS[what])]


def _selected(what: Listed, entries: list[dict[str, Any]], selection: Selection) -> list[dict[str, Any]]:
    """Return the entries that the filters leave; UsageError if one does not fit or leaves nothing."""
    if selection.rows:
        _require("--row", what, (Listed.PROGRAMS,))
        _require_known("row", selection.rows, {entry["row"] for entry in entries if "row" in entry})
        entries = [entry for entry in entries if entry.get("row") in selection.rows]
    if selection.isas:
        _require("--isa", what, (Listed.PROGRAMS, Listed.GUESTS))
        _require_known("instruction set", selection.isas, {entry["isa"] for entry in entries})
        entries = [entry for entry in entries if entry["isa"] in selection.isas]
    named = [entry for entry in entries if selection.name in entry["name"]]
    if selection.name and not named:
        raise UsageError(f"none of these {what} has {selection.name!r} in its name; simaie list {what} shows them")
    return named


def _require(option: str, what: Listed, lists: Sequence[Listed]) -> None:
    if what not in lists:
        raise UsageError(f"{option} selects {' and '.join(lists)}, not {what}; --name selects in every list")


def _require_known(kind: str, given: Sequence[Any], known: set[Any]) -> None:
    for each in given:
        if each not in known:
            shown = ", ".join(map(str, sorted(known)))
            raise UsageError(f"no program of the corpus has the {kind} {each} (there are: {shown})")


# -- plug-ins ----------------------------------------------------------------------------------------


def _plugin(group: str, name: str) -> dict[str, Any]:
    """Return the entry of a plug-in; if it cannot be loaded, with the reason in place of its description."""
    try:
        found = plugins.resolve(group, name)
        # A host memory or an instruction set takes no options that a user could choose.
        known = {} if group in (plugins.HOSTS, plugins.ISAS) else plugins.options_of(found)
        options = {k: v for k, v in known.items() if isinstance(v, bool | int | float | str | None)}
        description, use = _documentation(found)
        return {"name": name, "description": description, "use": use, "options": options}
    except Exception as error:  # a module of another distribution may raise anything when imported
        reason = f"(cannot be loaded: {type(error).__name__}: {error})"
        return {"name": name, "description": reason, "use": "", "options": {}}


def _documentation(found: Any) -> tuple[str, str]:
    """Return the first line of a plug-in's documentation, and the paragraph in it that says what it is for."""
    text = (inspect.getdoc(found) or "").replace("``", "")
    use = next((part for part in text.split("\n\n") if part.startswith(_USE)), "")
    return text.partition("\n")[0], " ".join(use.split())


# -- the corpus --------------------------------------------------------------------------------------


def _programs() -> list[dict[str, Any]]:
    from simaie import corpus

    entries = []
    for name in corpus.names():
        found: Any = corpus.entry(name)
        program = corpus.program(name)
        description = program.description or found.title
        common = {"name": name, "description": description, "isa": program.isa, "threads": found.vcpus(program)}
        if isinstance(found, corpus.Guest):
            entries.append({**common, "expected": _expected(found)})
        else:
            expected = {scheme: str(expect) for scheme, expect in found.expected.items()}
            host = found.needs.host
            needed = {} if host == "sc" else {"host": host}
            entries.append({**common, **_kind(found), **needed, "expected": expected})
    return entries


def _kind(found: Any) -> dict[str, Any]:
    """Return what a program without rows of its own is for: a row of the audit, a bug, an idiom, or a class."""
    from simaie import corpus

    if isinstance(found, corpus.Case):
        return {"row": found.row}
    if isinstance(found, corpus.Idiom):
        return {"idiom": True}
    return {"regression": True} if isinstance(found, corpus.Regression) else {"class": str(found.hole)}


def _guests() -> list[dict[str, Any]]:
    from simaie import corpus

    return [
        {
            "name": guest.name,
            "description": f"{guest.title}: {guest.specification}",
            "isa": guest.program.isa,
            "threads": len(guest.program.threads),
            "larger": guest.larger.name,
            "checkers": list(guest.checkers),
            "expected": _expected(guest),
            "rows": [{**dataclasses.asdict(row), "verdict": str(row.verdict)} for row in guest.rows],
        }
        for guest in corpus.guests()
    ]


def _expected(guest: Any) -> dict[str, str]:
    """Return the expected verdict of a guest by scheme and, unless it is sequentially consistent, host."""
    return {
        row.scheme + f" on {row.host}" * (row.host != "sc"): str(row.verdict)
        + f", but for {', '.join(row.unnoticed)}" * bool(row.unnoticed)
        for row in guest.rows
    }
