"""What follows from the executions of an exploration: whether they are all there are, the verdict, and the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simaie.finding import Verdict

if TYPE_CHECKING:
    from simaie.exploration.in_progress import Exploration

__all__ = ["conclude", "is_complete", "why_incomplete"]


def is_complete(exploration: Exploration) -> bool:
    """Whether everything was explored and judged."""
    scheduler = exploration.scheduler
    everything = scheduler.exhausted and scheduler.complete and not exploration.statistics.truncated
    ended_early = exploration.interrupted or exploration.met_error
    return everything and not ended_early and not exploration.checkers.why_not_proof


def conclude(exploration: Exploration, *, complete: bool) -> tuple[Verdict, str]:
    """Return the verdict and the reason for it."""
    count = exploration.statistics.executions
    if exploration.failing:
        return Verdict.VIOLATED, f"{exploration.failing:,} of {count:,} executions failed"
    if complete:
        all_of = "the only execution was" if count == 1 else f"all {count:,} executions were"
        return Verdict.HOLDS, f"{all_of} explored and {'did not fail' if count == 1 else 'none failed'}"
    none = "the one execution did not fail" if count == 1 else f"none of {count:,} executions failed"
    return Verdict.INCONCLUSIVE, f"{none}, but {exploration.why_incomplete()}"


def why_incomplete(exploration: Exploration) -> str:
    """Return why there may be other executions, or why those that were run support no proof."""
    if exploration.interrupted:
        return "the exploration was interrupted"
    if exploration.met_error:
        return "an error ended the exploration"
    checkers, scheduler, statistics = exploration.checkers, exploration.scheduler, exploration.statistics
    if statistics.truncated:
        why = f" ({checkers.undecided_because})" if checkers.undecided_because else ""
        cut = statistics.truncated
        return f"{cut:,} {'was' if cut == 1 else 'were'} cut by a limit on steps or threads{why}"
    exhausted = scheduler.exhausted
    if checkers.undecided or (exhausted and checkers.why_not_proof):
        return checkers.why_not_proof
    if exhausted:
        return scheduler.bound_note or "the scheduler does not explore everything"
    if statistics.executions and statistics.pruned == statistics.executions:
        return "the scheduler gave up each of them (its choose returned None)"
    bound = f"; {scheduler.bound_note}" if scheduler.bound_note else ""
    if exploration.is_out_of_time():
        return f"the time limit of {exploration.seconds:g} s was reached{'' if scheduler.exhaustive else bound}"
    if scheduler.exhaustive:
        return f"the limit of {exploration.execution_limit:,} executions was reached before the end"
    return f"{'it is' if statistics.executions == 1 else 'they are'} a sample, not all there are{bound}"
