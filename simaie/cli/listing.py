"""What ``simaie list`` does: schemes, schedulers, hosts, checkers, programs and lock-free guests."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterable
from typing import Any

from rich.text import Text

from simaie import plugins
from simaie.cli.options import Listed
from simaie.cli.output import Format, print_json, print_lines
from simaie.cli.status import Status
from simaie.show.format import clean

__all__ = ["run_list"]

_GROUPS = {
    Listed.SCHEMES: plugins.SCHEMES,
    Listed.SCHEDULERS: plugins.SCHEDULERS,
    Listed.HOSTS: plugins.HOSTS,
    Listed.CHECKERS: plugins.CHECKERS,
}


def run_list(what: Listed, output: Format) -> Status:
    """List them all."""
    if what is Listed.PROGRAMS:
        entries = _programs()
    elif what is Listed.GUESTS:
        entries = _guests()
    else:
        entries = [_plugin(_GROUPS[what], name) for name in plugins.names(_GROUPS[what])]
    if output is Format.JSON:
        print_json(entries)
    else:
        print_lines(_lines(entries))
    return Status.HOLDS


def _plugin(group: str, name: str) -> dict[str, Any]:
    """A plug-in; one that cannot be loaded is listed with the reason, and spoils nothing else."""
    try:
        found = plugins.resolve(group, name)
        # A host memory is given nothing that a user could choose.
        known = {} if group == plugins.HOSTS else plugins.options_of(found)
        options = {k: v for k, v in known.items() if isinstance(v, bool | int | float | str | None)}
        return {"name": name, "description": _first_line(found), "options": options}
    except Exception as error:  # a stranger's module may raise anything when imported
        return {"name": name, "description": f"(cannot be loaded: {type(error).__name__}: {error})", "options": {}}


def _first_line(found: Any) -> str:
    return (inspect.getdoc(found) or "").partition("\n")[0].replace("``", "")


def _programs() -> list[dict[str, Any]]:
    from simaie import corpus

    entries = []
    for name in corpus.names():
        found: Any = corpus.entry(name)
        program = corpus.program(name)
        description = program.description or found.title
        common = {"name": name, "description": description, "isa": program.isa, "threads": len(program.threads)}
        if isinstance(found, corpus.Guest):
            entries.append({**common, "expected": _rows(found)})
        else:
            expected = {scheme: str(expect) for scheme, expect in found.expected.items()}
            entries.append({**common, "row": found.row, "expected": expected})
    return entries


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
            "expected": _rows(guest),
            "rows": [{**dataclasses.asdict(row), "verdict": str(row.verdict)} for row in guest.rows],
        }
        for guest in corpus.guests()
    ]


def _rows(guest: Any) -> dict[str, str]:
    """What comes of a guest, by scheme and, unless it is sequentially consistent, host."""
    return {
        row.scheme + f" on {row.host}" * (row.host != "sc"): str(row.verdict)
        + f", but for {', '.join(row.unnoticed)}" * bool(row.unnoticed)
        for row in guest.rows
    }


def _lines(entries: Iterable[dict[str, Any]]) -> list[Text]:
    rows = list(entries)
    width = max((len(entry["name"]) for entry in rows), default=0) + 2
    lines = []
    for entry in rows:
        line = Text().append(entry["name"].ljust(width), "bold cyan").append(clean(entry["description"]))
        lines.append(line)
        for name, words in (("options", _assignments(entry.get("options", {}))), ("expected", _expected(entry))):
            if words:
                lines.append(Text(" " * width).append(f"{name}: {clean(words)}", "dim"))
    return lines or [Text("(none)", "dim")]


def _assignments(options: dict[str, Any]) -> str:
    return ", ".join(f"{name}={str(value).lower()}" for name, value in options.items())


def _expected(entry: dict[str, Any]) -> str:
    words = "; ".join(f"{scheme} {expect}" for scheme, expect in entry.get("expected", {}).items())
    row = f"row {entry['row']}, " if "row" in entry else ""
    return f"{words} ({row}{entry['isa']}, {entry['threads']} vCPUs)" if words else ""
