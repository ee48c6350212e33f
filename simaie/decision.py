"""What was chosen: a schedule as a sparse list of deviations from a default that needs no list.

The default continues the actor that ran the last step, else takes the first candidate in structural order, and
resolves every choice as 0. A schedule names only where an execution differs from that, which
keeps it short, lets it be cut down piece by piece, and survives small changes of the program.
"""

from __future__ import annotations

import re

import msgspec

from simaie.arguments import is_integer, require_text, shown
from simaie.errors import UsageError

__all__ = ["Choice", "Schedule", "Switch"]


class Switch(msgspec.Struct, frozen=True, order=True, array_like=True):
    """At `step` (an index into the trace) `actor` takes the step, against the default."""

    step: int
    actor: str


class Choice(msgspec.Struct, frozen=True, order=True, array_like=True):
    """At `step` (an index into the trace) a local choice is resolved as `value`, which is not 0."""

    step: int
    value: int


class Schedule(msgspec.Struct, frozen=True):
    """The decisions of one execution; both lists are sorted by step."""

    switches: tuple[Switch, ...] = ()
    choices: tuple[Choice, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.switches, tuple) or not isinstance(self.choices, tuple):
            raise UsageError(
                "a Schedule is made of a tuple of Switch and a tuple of Choice, or of text by Schedule.parse, not of "
                f"{self.switches!r} and {self.choices!r}"
            )

    def require_decisions(self) -> None:
        """Raise UsageError unless each of its decisions is one, of the right types: for a schedule from outside."""
        for kind, second, decisions in ((Switch, str, self.switches), (Choice, int, self.choices)):
            for each in decisions:
                fits = isinstance(each, kind) and is_integer(each.step) and isinstance(_decided(each), second)
                if not fits:
                    wanted = f"{kind.__name__} of a step and {'an actor' if second is str else 'a value'}"
                    raise UsageError(f"a schedule has {each!r} in the place of a {wanted}")

    def __len__(self) -> int:
        return len(self.switches) + len(self.choices)

    @property
    def text(self) -> str:
        """On one line, as `parse` reads it: ``1@0/0@4/=2@7`` has vCPU 1 go first, vCPU 0 from step 4 on, and so forth.

        ``=2@7`` resolves the choice at step 7 as 2. Empty if nothing deviates from the default.
        """
        entries = [(s.step, f"{s.actor}@{s.step}") for s in self.switches]
        entries += [(c.step, f"={c.value}@{c.step}") for c in self.choices]
        return "/".join(words for _, words in sorted(entries))

    @classmethod
    def parse(cls, text: str) -> Schedule:
        """The schedule that `text` spells; UsageError if it spells none."""
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
