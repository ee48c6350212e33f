"""Signatures of failures: what executions that fail for the same reason have in common.

A signature names the kinds of the violations with their level. For each guilty step it names the guest instruction, the
kind of its access, and the host operation. vCPUs become letters in the order of their appearance, and the emulator's
own places lose their numbers. A signature therefore depends neither on the seed nor on the place of the violation in
the trace or in memory, and it is the same in every process.
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

#: The part of a cell's name that numbers it, as in ``lock 0x100`` or ``radix/0a``; the part before says what it is.
_WHICH = re.compile(r"[\s/\[(_-]*(?:0x|\d|/|\[).*")
_RAM = "ram"
_DIGEST_BYTES = 5
#: The size of the caches; most failures of an exploration are like an earlier one.
_CACHED = 1024


class Signature(msgspec.Struct, frozen=True, order=True):
    """The signature of a failing execution.

    Attributes:
        kinds: The kinds of its violations, with level, sorted.
        text: The complete signature as text.
    """

    kinds: tuple[str, ...]
    text: str

    @property
    def digest(self) -> str:
        """A short name of the signature: BLAKE2b of the text, in hexadecimal."""
        return hashlib.blake2b(self.text.encode(), digest_size=_DIGEST_BYTES).hexdigest()

    def __str__(self) -> str:
        return self.text


class _Step(NamedTuple):
    """The parts of a guilty step that belong to a signature.

    Attributes:
        actor: The name of the actor.
        mnemonic: The guest instruction; empty if the step belongs to no instruction.
        access: The instruction's kind of access.
        kind: The kind of operation.
        places: The names of the cells that it accessed; all of RAM has one name.
    """

    actor: str
    mnemonic: str
    access: str
    kind: Kind
    places: tuple[str, ...]


def signature_of(trace: Trace, findings: Iterable[Finding]) -> Signature:
    """Return the signature of an execution with `findings`, which must be at their strongest level."""
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
    """Return a line such as ``rmw-atomicity: a lock_inc (atomic, load ram), b store (store, store ram)``."""
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
    """Return a letter from a to z, or the number itself after z."""
    return chr(ord("a") + number) if number < 26 else str(number)
