"""Scripted: one execution along a given schedule, sparse or dense.

A sparse `Schedule` lists only the deviations from the default (continue the running actor, else the first candidate in
structural order; resolve every choice as 0). A dense list names an actor for each scheduling point; after its end the
default applies. In strict mode every entry must be followed exactly; the first that cannot be raises a
`DivergenceError` that names its step. Otherwise an entry that does not fit is skipped, so that any part of a schedule
is a valid schedule (which a shrinker needs).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import msgspec

from simaie.decision import Schedule, Switch
from simaie.errors import DivergenceError, UsageError
from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler
from simaie.trace import Trace

__all__ = ["Scripted"]

_NEVER = 1 << 62  # a step that no execution reaches


class Scripted(Scheduler):
    """Follows a schedule once, and is then exhausted.

    Use it to run a schedule that you wrote or saved; ``simaie replay`` does so.

    Args:
        schedule: A `Schedule`; its text (``1@0/0@4``, see `Schedule.text`) or mapping
            (``{"switches": [[step, actor]], "choices": [[step, value]]}``); or a list of actor names.
        choices: The values of the choices in the order in which they are made; only together with a list.
        strict: Whether an entry that cannot be followed raises a `DivergenceError` (in `choose`, `choose_value` or
            `finish`).

    Raises:
        UsageError: The schedule is of another form.
    """

    independent = False

    def __init__(
        self,
        schedule: Schedule | Mapping[str, Any] | Sequence[str] | str,
        choices: Sequence[int] = (),
        strict: bool = True,
    ) -> None:
        self._dense: list[str] | None = None
        self._dense_choices = list(choices)
        self._schedule = Schedule()
        if isinstance(schedule, str):
            schedule = Schedule.parse(schedule)
        if not isinstance(schedule, Schedule | Mapping | Sequence):
            raise UsageError(f"schedule must be a Schedule or a list of actor names, not {schedule!r}")
        if isinstance(schedule, Schedule | Mapping):
            self._schedule = _as_schedule(schedule)
            self._schedule.require_decisions()
            if self._dense_choices:
                raise UsageError("choices go with a list of actor names; a Schedule has its own")
        else:
            self._dense = _as_names(schedule)
        self._strict = strict
        self._done = False

    @property
    def exhausted(self) -> bool:
        """Whether the one execution is done."""
        return self._done

    def start(self, info: ExecutionInfo) -> None:
        """Return to the first entry."""
        self._position = 0  # in the switches, or in the dense list
        self._choice = 0
        self._await_switch()

    def _await_switch(self) -> None:
        """Look up the step of the next entry. Invariant: entries before `_position` are done."""
        if self._dense is not None:
            self._switch_step = 0 if self._position < len(self._dense) else _NEVER
            return
        switches = self._schedule.switches
        self._switch_step = switches[self._position].step if self._position < len(switches) else _NEVER

    def choose(self, offer: Offer) -> Candidate:
        """Return the scripted actor, or the default."""
        if offer.step >= self._switch_step:
            found = self._scripted(offer)
            if found is not None:
                return found
        return offer.default

    def _scripted(self, offer: Offer) -> Candidate | None:
        while offer.step >= self._switch_step:
            switch = self._entry(offer.step)
            if switch.step < offer.step and self._strict:
                _diverge(switch.step, f"{switch.actor} to be chosen", "no scheduling point there")
            self._position += 1
            self._await_switch()
            if switch.step == offer.step:
                return self._find(switch.actor, offer)
        return None

    def _entry(self, step: int) -> Switch:
        if self._dense is not None:
            return Switch(step, self._dense[self._position])
        return self._schedule.switches[self._position]

    def _find(self, name: str, offer: Offer) -> Candidate | None:
        for candidate in offer.candidates:
            if candidate.name == name:
                return candidate
        if self._strict:
            offered = ", ".join(c.name for c in offer.candidates)
            _diverge(offer.step, f"{name} to be a candidate", f"only {offered}")
        return None

    def choose_value(self, offer: Offer, arity: int) -> int:
        """Return the scripted value, or 0."""
        value = self._scripted_value(offer.step)
        if 0 <= value < arity:
            return value
        if self._strict:
            _diverge(offer.step, f"a choice of at least {value + 1} alternatives", f"one of {arity}")
        return 0

    def _scripted_value(self, step: int) -> int:
        if self._dense is not None:
            self._choice += 1
            return self._dense_choices[self._choice - 1] if self._choice <= len(self._dense_choices) else 0
        choices = self._schedule.choices
        while self._choice < len(choices) and choices[self._choice].step <= step:
            entry = choices[self._choice]
            if entry.step < step and self._strict:
                _diverge(entry.step, f"a choice, resolved as {entry.value}", "no choice there")
            self._choice += 1
            if entry.step == step:
                return entry.value
        return 0

    def finish(self, trace: Trace) -> None:
        """Mark the one execution as done; in strict mode, raise DivergenceError if an entry is left."""
        self._done = True
        if not self._strict:
            return
        end = f"the end of the execution ({trace.ending}) after {len(trace)} events"
        if self._switch_step is not _NEVER:
            entry = self._entry(len(trace))
            _diverge(entry.step, f"{entry.actor} to be chosen", end)
        values = self._dense_choices if self._dense is not None else self._schedule.choices
        if self._choice < len(values):
            step = len(trace) if self._dense is not None else self._schedule.choices[self._choice].step
            _diverge(step, "a choice", end)


def _diverge(step: int, expected: str, got: str) -> NoReturn:
    raise DivergenceError(step, expected, got)


def _as_schedule(given: Schedule | Mapping[str, Any]) -> Schedule:
    """Check a schedule and sort its entries by step."""
    try:
        schedule = given if isinstance(given, Schedule) else msgspec.convert(dict(given), Schedule)
    except msgspec.ValidationError as error:
        raise UsageError(f"not a schedule: {error}") from error
    return Schedule(tuple(sorted(schedule.switches)), tuple(sorted(schedule.choices)))


def _as_names(given: Sequence[Any]) -> list[str]:
    for name in given:
        if not isinstance(name, str):
            raise UsageError(f"a dense schedule is a list of actor names such as '0', not {name!r}")
    return list(given)
