"""The lists of ``simaie list`` as text of at most 80 columns; a long list without a filter is an overview."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from rich.text import Text

from simaie.audit import expectation_text
from simaie.cli.options import Listed
from simaie.cli.output import width
from simaie.corpus import Expect
from simaie.show.format import clean
from simaie.show.lines import wrapped

__all__ = ["listing_view"]

#: A list stays as narrow as this on a wider terminal and in a pipe, since long lines are hard to read.
WIDEST = 80
#: The names of a list take at most this column; a longer one has a line of its own.
_NAMES = 30
#: A list of more plug-ins is printed without their options, unless all is asked for.
_MOST_IN_FULL = 20


def listing_view(what: Listed, entries: Sequence[dict[str, Any]], *, brief: bool) -> list[Text]:
    """Return the lines of a list.

    Args:
        what: The list.
        entries: Its entries, as the JSON document has them.
        brief: Whether to print an overview of a long list.
    """
    if not entries:
        return [Text("(none)", "dim")]
    if what is Listed.PROGRAMS:
        lines = _overview(entries) if brief else _each_program(entries)
    elif what is Listed.GUESTS:
        lines = _titles(entries) if brief else _each_guest(entries)
    else:
        lines = _plugins(entries, brief=brief and len(entries) > _MOST_IN_FULL)
    room = min(width(), WIDEST)
    return [part for line in lines for part in wrapped(line, room)]


# -- plug-ins ----------------------------------------------------------------------------------------


def _plugins(entries: Sequence[dict[str, Any]], *, brief: bool) -> Iterator[Text]:
    column = min(max(len(entry["name"]) for entry in entries), _NAMES) + 2
    brief = brief and any(entry["options"] for entry in entries)
    for entry in entries:
        yield from _named(entry["name"], Text(clean(entry["description"])), column)
        if brief:
            continue
        options = ", ".join(f"{name}={str(value).lower()}" for name, value in entry["options"].items())
        for text in (Text(clean(entry["use"])), Text(f"options: {clean(options)}" if options else "", "dim")):
            if text:
                yield from _indented(text, column)
    if brief:
        yield Text()
        yield Text("For the options: --name TEXT, or --all.", "dim")


def _named(name: str, text: Text, column: int) -> Iterator[Text]:
    """Yield a name in its column with a text next to it, wrapped below itself."""
    first, *rest = _indented(text, column)
    head = Text(clean(name).ljust(column), "bold cyan")
    if len(name) >= column:
        yield from (head, first)
    else:
        yield head.append_text(first[column:])
    yield from rest


def _indented(text: Text, column: int) -> list[Text]:
    """Return a text as lines that begin in `column`."""
    return wrapped(Text(" " * column).append_text(text), min(width(), WIDEST), indent=column)


# -- programs ----------------------------------------------------------------------------------------


def _overview(entries: Sequence[dict[str, Any]]) -> Iterator[Text]:
    """Yield a line for each row of the audit, with its shortest program name, and how to list its other programs."""
    of_rows = sorted((entry for entry in entries if "row" in entry), key=lambda entry: (entry["row"], entry["name"]))
    rows = [list(found) for _, found in groupby(of_rows, key=lambda entry: entry["row"])]
    examples = [min(found, key=lambda entry: (len(entry["name"]), entry["name"])) for found in rows]
    column = max((len(entry["name"]) for entry in examples), default=0)
    yield Text(f"row    n  {'such as':<{column}}  case", "bold")
    for found, example in zip(rows, examples, strict=True):
        more = len({entry["description"] for entry in found}) - 1
        title = clean(example["description"]) + (f" (+{more})" if more else "")
        head = f"{example['row']:>3}  {len(found):>3}  {clean(example['name']):<{column}}  "
        line = Text(head, "bold cyan").append(title, "not bold default")
        line.truncate(min(width(), WIDEST), overflow="ellipsis")
        yield line
    bugs = sum(entry.get("regression", False) for entry in entries)
    classes = sum("class" in entry for entry in entries)
    idioms = sum(entry.get("idiom", False) for entry in entries)
    guests = len(entries) - len(of_rows) - bugs - classes - idioms
    yield from _indented_after(f"  -  {bugs:>3}  {'':<{column}}  ", "bugs that emulators have had: --name bug-")
    yield from _indented_after(f"  -  {classes:>3}  {'':<{column}}  ", "classes of violations of schemes: --name hole-")
    yield from _indented_after(f"  -  {idioms:>3}  {'':<{column}}  ", "idioms that rely on an Arm host: --name idiom-")
    yield from _indented_after(f"  -  {guests:>3}  {'':<{column}}  ", "lock-free objects, locks: simaie list guests")
    yield Text()
    how = "To list them: --row N, --isa ISA, --name TEXT, or --all."
    yield Text(f"n: the number of programs, {len(entries)} in all. {how} ISA: {_isas(entries)}.", "dim")
    yield Text("The corpus has no programs for other instruction sets; simaie list isas has all.", "dim")


def _indented_after(head: str, text: str) -> Iterator[Text]:
    first, *rest = _indented(Text(text), len(head))
    yield Text(head, "bold cyan").append_text(first[len(head) :])
    yield from rest


def _isas(entries: Iterable[dict[str, Any]]) -> str:
    return ", ".join(sorted({entry["isa"] for entry in entries}))


def _each_program(entries: Sequence[dict[str, Any]]) -> Iterator[Text]:
    """Yield the programs below the case to which they belong."""
    ordered = sorted(entries, key=lambda entry: (entry.get("row", 0), entry["description"], entry["name"]))
    for (row, description), programs in groupby(ordered, key=lambda e: (e.get("row", 0), e["description"])):
        yield Text(f"row {row}: {clean(description)}" if row else clean(description), "bold")
        for entry in programs:
            yield Text(f"  {clean(entry['name'])}", "bold cyan").append(f"  ({_size(entry)})", "not bold default")
            expectations = _expectations(entry["expected"], entry.get("host", ""))
            yield from _indented(Text(expectations, "dim"), 6) if expectations else ()


def _size(entry: Mapping[str, Any]) -> str:
    return f"{entry['isa']}, {entry['threads']} vCPU{'' if entry['threads'] == 1 else 's'}"


def _expectations(expected: Mapping[str, str], host: str = "") -> str:
    """Return the expected verdicts, each once, with the schemes and the `host` under which they are expected."""
    schemes: dict[str, list[str]] = {}
    for scheme, verdict in expected.items():
        text = expectation_text(Expect(verdict)) if verdict in list(Expect) else verdict
        schemes.setdefault(text, []).append(scheme)
    found = "; ".join(f"{text} under {', '.join(map(clean, under))}" for text, under in schemes.items())
    return f"{found} (with --host {clean(host)})" if found and host else found


# -- guests ------------------------------------------------------------------------------------------


def _titles(entries: Sequence[dict[str, Any]]) -> Iterator[Text]:
    """Yield the name and the title of each guest, and how to list the rest."""
    column = min(max(len(entry["name"]) for entry in entries), _NAMES) + 2
    for entry in entries:
        yield from _named(entry["name"], Text(clean(entry["description"].partition(":")[0])), column)
    yield Text()
    how = "For the details: --isa ISA, --name TEXT, or --all."
    yield Text(f"{len(entries)} guests. {how} ISA: {_isas(entries)}.", "dim")


def _each_guest(entries: Sequence[dict[str, Any]]) -> Iterator[Text]:
    for entry in entries:
        yield Text(clean(entry["name"]), "bold cyan").append(f"  ({_size(entry)})", "not bold default")
        larger, checkers = clean(entry["larger"]), ", ".join(map(clean, entry["checkers"]))
        for text in (clean(entry["description"]), _expectations(entry["expected"])):
            yield from _indented(Text(text), 2)
        yield from _indented(Text(f"larger: {larger}; checkers: {checkers or 'the default ones'}", "dim"), 2)
