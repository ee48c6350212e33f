"""Schedules: the decisions of an execution, as a sparse list of deviations from a default.

By default the vCPU that took the last step goes on if it can, or else the first candidate in structural order, and
every choice is 0. A schedule lists only the steps at which an execution deviates from that. It is therefore short, can
be cut down entry by entry, and often still applies after a small change of the program.
"""

from __future__ import annotations

import re

import msgspec

from simaie.arguments import is_integer, require_text, shown
from simaie.errors import UsageError

__all__ = ["Choice", "Schedule", "Switch"]


class Switch(msgspec.Struct, frozen=True, order=True, array_like=True):
    """A decision against the default: `actor` takes step number `step` of the trace."""

    step: int
    actor: str


class Choice(msgspec.Struct, frozen=True, order=True, array_like=True):
    """A decision against the default: the local choice at step number `step` of the trace is `value`, not 0."""

    step: int
    value: int


class Schedule(msgspec.Struct, frozen=True):
    """The decisions of one execution that deviate from the default; both tuples are sorted by step."""

    switches: tuple[Switch, ...] = ()
    choices: tuple[Choice, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.switches, tuple) or not isinstance(self.choices, tuple):
            raise UsageError(
                "a Schedule is made of a tuple of Switch and a tuple of Choice, or of text by Schedule.parse, not of "
                f"{self.switches!r} and {self.choices!r}"
            )

    def require_decisions(self) -> None:
        """Raise UsageError unless each decision has the right types, for a schedule that the user made."""
        for kind, second, decisions in ((Switch, str, self.switches), (Choice, int, self.choices)):
            for each in decisions:
                fits = isinstance(each, kind) and is_integer(each.step) and isinstance(_decided(each), second)
                if not fits:
                    wanted = f"{kind.__name__} of a step and {'an actor' if second is str else 'a value'}"
                    raise UsageError(f"a schedule has {each!r} where it must have a {wanted}")

    def __len__(self) -> int:
        return len(self.switches) + len(self.choices)

    @property
    def text(self) -> str:
        """The schedule on one line, as `parse` reads it; empty if nothing deviates from the default.

        In ``1@0/0@4/=2@7``, vCPU 1 takes step 0, vCPU 0 takes step 4, and the local choice at step 7 is 2.
        """
        entries = [(s.step, f"{s.actor}@{s.step}") for s in self.switches]
        entries += [(c.step, f"={c.value}@{c.step}") for c in self.choices]
        return "/".join(words for _, words in sorted(entries))

    @classmethod
    def parse(cls, text: str) -> Schedule:
        """Return the schedule that `text` spells; UsageError if it spells no schedule."""
        switches, choices = [], []
        require_text("a schedule's text", text)
        for word in filter(None, text.split("/")):
            found = re.fullmatch(r"(=?)([^@=/]+)@([0-9]{1,18})", word)
            if found is None or (found[1] and not re.fullmatch("[0-9]{1,18}", found[2])):
                spelt = "a schedule is spelt like 1@0/0@4/=2@7 (actor@step, =value@step)"
                raise UsageError(f"{spelt}, not {shown(text)}")
            if found[1]:
                choices.append(Choice(int(found[3]), int(found[2])))
            else:
                switches.append(Switch(int(found[3]), found[2]))
        return cls(tuple(sorted(switches)), tuple(sorted(choices)))


def _decided(decision: Switch | Choice) -> str | int:
    return decision.actor if isinstance(decision, Switch) else decision.value
