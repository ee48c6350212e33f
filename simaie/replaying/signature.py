"""The signature of a failure: what two executions that fail for the same reason have in common.

It names the kinds of the violations with their level, and of each guilty step the guest instruction, what the scheme
was asked to do for it, and the host operation. Names of vCPUs become letters in the order of their appearance, and
names of the emulator's own places lose their numbers. So a signature depends neither on the seed nor on where in the
trace or in memory the violation happened, and it is the same in every process.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

import msgspec

from simaie.finding import Finding, Verdict
from simaie.op import Kind, owner_of
from simaie.trace import Event, Trace

__all__ = ["Signature", "signature_of"]

#: Where the name of an emulator's place stops to say what it is, and begins to say which: ``lock 0x100``, ``radix/0a``.
_WHICH = re.compile(r"[\s/\[(_-]*(?:0x|\d|/|\[).*")
_RAM = "ram"
_DIGEST_BYTES = 5
#: Most failures of an exploration are like one before.
_CACHED = 1024


class Signature(msgspec.Struct, frozen=True, order=True):
    """How an execution failed. kinds: of its violations, with level, sorted. text: all of it, for people."""

    kinds: tuple[str, ...]
    text: str

    @property
    def digest(self) -> str:
        """A short name for it: BLAKE2b of the text, in hexadecimal."""
        return hashlib.blake2b(self.text.encode(), digest_size=_DIGEST_BYTES).hexdigest()

    def __str__(self) -> str:
        return self.text


class _Step(NamedTuple):
    """What counts of a guilty step. places: the names of what it touched; all of RAM has one name."""

    actor: str
    mnemonic: str
    access: str
    kind: Kind
    places: tuple[str, ...]


def signature_of(trace: Trace, findings: Iterable[Finding]) -> Signature:
    """Return the signature of an execution with `findings`, which are at their strongest level already."""
    violations = [finding for finding in findings if finding.verdict is Verdict.VIOLATED]
    return _joined(frozenset((finding.kind, _line(finding.kind, _steps(trace, finding))) for finding in violations))


@lru_cache(maxsize=_CACHED)
def _joined(lines: frozenset[tuple[str, str]]) -> Signature:
    kinds = tuple(sorted({kind for kind, _ in lines}))
    return Signature(kinds, "; ".join(sorted(line for _, line in lines)))


def _steps(trace: Trace, finding: Finding) -> tuple[_Step, ...]:
    events = trace.events
    return tuple([_step(events[step]) for step in finding.steps if 0 <= step < len(events)])


def _step(event: Event) -> _Step:
    op, instruction = event.op, event.instruction
    parts = (op.value if op.kind is Kind.BUFFER else op).places
    places = tuple([_RAM if part.cell is None else part.cell.name for part in parts if part.width or part.cell])
    if instruction is None:
        return _Step(event.actor, "", "", op.kind, places)
    return _Step(event.actor, instruction.mnemonic, instruction.access, op.kind, places)


@lru_cache(maxsize=_CACHED)
def _line(kind: str, steps: tuple[_Step, ...]) -> str:
    """``rmw-atomicity: a lock_inc (atomic, load ram), b store (store, store ram)``; the kind alone without steps."""
    words = ", ".join(dict.fromkeys(_words(steps)))
    return f"{kind}: {words}" if words else kind


def _words(steps: Iterable[_Step]) -> Iterator[str]:
    letters: dict[str, str] = {}
    for step in steps:
        owner = owner_of(step.actor)
        letter = letters.setdefault(owner, _letter(len(letters)))
        what = f"{step.mnemonic} ({step.access}, " if step.mnemonic else "("
        drain = "drain, " if owner != step.actor else ""
        places = " ".join(sorted({_WHICH.sub("", name) for name in step.places}))
        operation = f"{step.kind.name.lower().replace('_', '-')} {places}".rstrip()
        yield f"{letter} {what}{drain}{operation})"


def _letter(number: int) -> str:
    """a to z; behind them numbers."""
    return chr(ord("a") + number) if number < 26 else str(number)
