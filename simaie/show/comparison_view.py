"""A comparison with the architecture as text: the verdict, the two sets of outcomes, and their differences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rich.text import Text

from simaie.exploration.compare import Comparison, Forbidden
from simaie.exploration.outcomes import OutcomeSet
from simaie.exploration.subject import FinalValues, state_text
from simaie.finding import Verdict
from simaie.show.explain import OUTCOMES_ONLY
from simaie.show.format import clean
from simaie.show.lines import command_line, prose
from simaie.show.report_view import VERDICT_STYLE

__all__ = ["comparison_lines", "comparison_view", "limit_line", "note_lines"]

#: Of more outcomes, the rest is only counted; the JSON document has them all.
MOST_OUTCOMES = 20


def comparison_view(
    comparison: Comparison, saved: Sequence[Path | None] = (), *, width: int | None = None
) -> list[Text]:
    """Return the lines of `comparison`.

    Args:
        comparison: What to show.
        saved: Replay file of each witness, in their order; None for a witness without one.
        width: Characters that a line of prose may have, at most 80; None for no limit. Commands are never broken.
    """
    lines = prose(_heading(comparison), width, indent=2)
    for note in note_lines(filter(None, [comparison.model_note])):
        lines += prose(note, width, indent=6)
    for figures in (_figures("allowed:", comparison.allowed), _figures("possible:", comparison.possible)):
        lines += prose(figures, width, indent=10)
    if comparison.forbidden:
        sure = "" if comparison.allowed.complete else ", as far as the search went"
        lines += [Text(), Text(f"forbidden: possible, but not allowed{sure}", "bold red")]
        lines += _forbidden(comparison, saved)
    if comparison.unreached:
        sure = "" if comparison.possible.complete else ", as far as the search went"
        lines += [Text(), Text(f"unreached: allowed, but not possible{sure}", "bold")]
        lines += _states(comparison.unreached)
    if comparison.unexplored:
        lines += prose(limit_line(f"what is {' and what is '.join(comparison.unexplored)}"), width)
    if comparison.verdict is Verdict.HOLDS:
        lines += prose(Text(OUTCOMES_ONLY, "dim"), width)
    return lines


def comparison_lines(comparison: Comparison) -> list[Text]:
    """Return the heading and the first forbidden outcome only, for one program among many."""
    return [_heading(comparison), *_forbidden_outcome(comparison.forbidden[:1])]


def limit_line(what: str) -> Text:
    """Return the line that says that a limit ended the search of `what`, and which options set the limits."""
    return Text(f"not all of {what} was explored: --executions N and --seconds T set the limits of a search", "yellow")


def note_lines(notes: Iterable[str]) -> list[Text]:
    """Return the notes on the models of the guests' architectures, a line each."""
    return [Text(f"note: {clean(note)}", "yellow") for note in notes]


def _heading(comparison: Comparison) -> Text:
    machine = comparison.possible.machine
    heading = Text().append(comparison.verdict.value.upper(), VERDICT_STYLE[comparison.verdict])
    heading.append(f"  {clean(comparison.name)}", "bold")
    return heading.append(f" under {clean(machine.scheme)} on {clean(machine.host)}: {clean(comparison.reason)}")


def _figures(what: str, found: OutcomeSet) -> Text:
    where = f"{clean(found.machine.scheme)} on {clean(found.machine.host)}"
    states, runs = len(found.states), found.executions
    outcomes = f"{states:,} outcome{'' if states == 1 else 's'}"
    count = f"{outcomes} in {runs:,} execution{'' if runs == 1 else 's'} of {where}"
    return Text(f"{what:<9} {count}, {'complete' if found.complete else f'not complete: {clean(found.reason)}'}", "dim")


def _forbidden(comparison: Comparison, saved: Sequence[Path | None]) -> Iterator[Text]:
    for number, each in enumerate(comparison.forbidden[:MOST_OUTCOMES]):
        yield from _forbidden_outcome([each])
        path = saved[number] if number < len(saved) else None
        if path is not None:
            yield command_line("    saved: ", each.failure.replay_command(path))
    yield from _others(len(comparison.forbidden))


def _forbidden_outcome(found: Sequence[Forbidden]) -> Iterator[Text]:
    for each in found:
        yield Text("  ").append(clean(state_text(each.state)), "red")
        yield command_line("    reproduce: ", each.failure.how_to_reproduce)


def _states(states: Sequence[FinalValues]) -> Iterator[Text]:
    for state in states[:MOST_OUTCOMES]:
        yield Text(f"  {clean(state_text(state))}")
    yield from _others(len(states))


def _others(count: int) -> Iterator[Text]:
    if count > MOST_OUTCOMES:
        yield Text(f"  ... and {count - MOST_OUTCOMES:,} others", "dim")
