"""The barriers that programs need, as text: the minimal sets, a table of kinds, and a witness for each."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from simaie.exploration.barriers import BarriersReport, Need
from simaie.exploration.minimal_sets import Kinds, single_orders
from simaie.exploration.placement import Placement
from simaie.exploration.subject import state_text
from simaie.show.comparison_view import limit_line, note_lines
from simaie.show.format import clean, number_of
from simaie.show.lines import command_line
from simaie.show.report_view import VERDICT_STYLE

__all__ = ["barriers_view"]

#: More programs than this are counted only; the JSON document has them all.
MOST_PROGRAMS = 6


def barriers_view(report: BarriersReport) -> list[Text]:
    """Return the lines of `report`."""
    decided = [program for program in report.programs if program.minimal]
    heading = Text().append(report.verdict.value.upper(), VERDICT_STYLE[report.verdict])
    count = number_of(len(report.programs), "program")
    heading.append(f"  {clean(report.scheme)} on {clean(report.host)}, {count}", "bold")
    lines = [heading]
    executions = sum(program.executions for program in report.programs)
    lines.append(Text(f"{executions:,} executions, {report.seconds:.1f} s", "dim"))
    lines += note_lines(report.model_notes)
    if decided:
        lines += [*_minimal(report, len(decided)), Text(), *_table(report)]
    for program in report.remaining:
        assert program.remaining is not None  # or it would not be in `remaining`
        lines.append(Text(f"no barriers are enough for {clean(program.name)}: with all of them it still shows", "red"))
        lines.append(Text(f"  {clean(state_text(program.remaining.state))}", "red"))
        lines.append(command_line("    reproduce: ", program.remaining.failure.how_to_reproduce))
    lines += [Text(f"undecided: {clean(each.name)}: {clean(each.undecided)}", "yellow") for each in report.undecided]
    limited = [each.name for each in report.undecided if each.unexplored]
    if limited:
        lines.append(limit_line(f"what {number_of(len(limited), 'program')} can do"))
    return lines


def _minimal(report: BarriersReport, decided: int) -> Iterator[Text]:
    """Yield the minimal sets: on one line if they are few, else each on its own."""
    what, sets = f"minimal barriers of {number_of(decided, 'program')}", [_words(each) for each in report.minimal]
    if not isinstance(report.none, Placement) or len(sets) == 1:
        yield Text(f"{what}: ").append(" or ".join(sets), "bold")
        return
    yield Text(f"{what}, any of these:")
    yield from (Text("  ").append(each, "bold") for each in sets)


def _table(report: BarriersReport) -> Iterator[Text]:
    kinds = single_orders(type(report.none).FULL)
    width = max(len(_words(kind)) for kind in kinds)
    yield Text(f"{'kind':{width}}  needed by", "bold")
    for kind in kinds:
        names = report.needed_by(kind)
        shown = ", ".join(names[:MOST_PROGRAMS]) + (", ..." if len(names) > MOST_PROGRAMS else "")
        found = sorted((need for need in report.needs if need.kind == kind), key=lambda need: not need.always)
        if isinstance(kind, Placement):
            unneeded = "- (one of several)" if found else "-"
        else:
            unneeded = f"- (the host {clean(report.host)} keeps this order)" if kind & report.kept else "-"
        name = f"{_words(kind):{width}}  "
        yield Text(f"{name}{number_of(len(names), 'program')}: {clean(shown)}" if names else f"{name}{unneeded}")
        if found:
            yield from _witness(found[0], 4 if isinstance(kind, Placement) else width + 3)


def _witness(need: Need, indent: int) -> Iterator[Text]:
    only = "" if need.always else f", where {_words(need.minimal)} is chosen"
    without = _words(need.without)
    what = f"with {without}, {clean(need.program)} shows {clean(state_text(need.forbidden.state))}{only}"
    yield Text(" " * indent).append(what, "red")
    yield command_line(f"{' ' * indent}reproduce: ", need.forbidden.failure.how_to_reproduce)


def _words(kinds: Kinds) -> str:
    return kinds.words if isinstance(kinds, Placement) else kinds.text
