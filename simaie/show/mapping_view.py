"""The judgement of a mapping as text: what it fails to keep, or what it keeps needlessly, each with its witness."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from simaie.exploration.mapping_report import JudgedPart, MappedProgram, MappingReport
from simaie.exploration.subject import state_text
from simaie.show.comparison_view import note_lines
from simaie.show.format import clean, number_of
from simaie.show.lines import command_line
from simaie.show.report_view import VERDICT_STYLE

__all__ = ["mapping_view"]

#: More programs than this are counted only; the JSON document has them all.
MOST_PROGRAMS = 6


def mapping_view(report: MappingReport) -> list[Text]:
    """Return the lines of `report`."""
    heading = Text().append(report.verdict.value.upper(), VERDICT_STYLE[report.verdict])
    heading.append(f"  {clean(report.scheme)} on {clean(report.host)}: {report.judgement.value}", "bold")
    count = len(report.programs)
    executions = number_of(sum(program.executions for program in report.programs), "execution")
    lines = [heading, Text(f"{number_of(count, 'program')}, {executions}, {report.seconds:.1f} s", "dim")]
    lines += note_lines(report.model_notes)
    for program in report.too_weak[:MOST_PROGRAMS]:
        lines += _forbidden(program)
    lines += _others(report.too_weak)
    if report.stronger:
        names = ", ".join(clean(program.name) for program in report.stronger[:MOST_PROGRAMS])
        more = ", ..." if len(report.stronger) > MOST_PROGRAMS else ""
        lines.append(Text(f"allowed outcomes are excluded of {len(report.stronger):,} of {count:,}: {names}{more}"))
    lines += [Text(f"undecided: {clean(each.name)}: {clean(each.undecided)}", "yellow") for each in report.undecided]
    missed = [part for part in report.parts if part.forbidden is not None]
    if missed:
        lines += [Text(), Text("without                        becomes possible", "bold")]
        lines += [_missed(part) for part in missed]
    if report.never_missed:
        lines.append(Text(f"never missed: {', '.join(part.what for part in report.never_missed)}"))
    unknown = [part for part in report.parts if part.undecided]
    lines += [Text(f"undecided: {part.what}: {clean(part.undecided)}", "yellow") for part in unknown]
    if report.weaker:
        lines.append(Text("a weaker mapping suffices for these programs: ").append(clean(report.weaker), "bold"))
    return lines


def _forbidden(program: MappedProgram) -> Iterator[Text]:
    each = program.forbidden[0]
    yield Text(f"{clean(program.name)} shows ").append(clean(state_text(each.state)), "red")
    yield command_line("    reproduce: ", each.failure.how_to_reproduce)


def _others(programs: Sequence[MappedProgram]) -> Iterator[Text]:
    if len(programs) > MOST_PROGRAMS:
        yield Text(f"... and {len(programs) - MOST_PROGRAMS:,} other programs show what is forbidden", "dim")


def _missed(part: JudgedPart) -> Text:
    assert part.forbidden is not None  # `missed_by` names the program that shows it
    return Text(f"{part.what:30} {clean(part.missed_by)}: ").append(clean(state_text(part.forbidden.state)), "red")
