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

import msgspec

from simaie.finding import Finding, Verdict
from simaie.op import Kind, owner_of
from simaie.trace import Event, Trace

__all__ = ["Signature", "signature_of"]

#: Where the name of an emulator's place stops to say what it is, and begins to say which: ``lock 0x100``, ``radix/0a``.
_WHICH = re.compile(r"[\s/\[(_-]*(?:0x|\d|/|\[).*")
_DIGEST_BYTES = 5


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


def signature_of(trace: Trace, findings: Iterable[Finding]) -> Signature:
    """Return the signature of an execution with `findings`, which are at their strongest level already."""
    violations = [finding for finding in findings if finding.verdict is Verdict.VIOLATED]
    lines = sorted({_line(trace, finding) for finding in violations})
    return Signature(tuple(sorted({finding.kind for finding in violations})), "; ".join(lines))


def _line(trace: Trace, finding: Finding) -> str:
    """``rmw-atomicity: a lock_inc (atomic, load ram), b store (store, store ram)``; the kind alone without steps."""
    known = [trace.events[step] for step in finding.steps if 0 <= step < len(trace)]
    steps = ", ".join(dict.fromkeys(_words(known)))
    return f"{finding.kind}: {steps}" if steps else finding.kind


def _words(events: Iterable[Event]) -> Iterator[str]:
    letters: dict[str, str] = {}
    for event in events:
        owner = owner_of(event.actor)
        letter = letters.setdefault(owner, _letter(len(letters)))
        drain = " drain" if owner != event.actor else ""
        instruction = event.instruction
        operation = f"{event.op.kind.name.lower().replace('_', '-')} {_place(event)}".rstrip()
        if instruction is None:
            yield f"{letter}{drain} ({operation})"
        else:
            yield f"{letter}{drain} {instruction.mnemonic} ({instruction.access}, {operation})"


def _letter(number: int) -> str:
    """a to z; behind them numbers."""
    return chr(ord("a") + number) if number < 26 else str(number)


def _place(event: Event) -> str:
    """What the operation acted on, without which of them: ``ram``, ``lock``, ``radix``; empty for no place."""
    op = event.op.value if event.op.kind is Kind.BUFFER else event.op
    if not op.location:
        return ""
    return " ".join(sorted({"ram" if p.cell is None else _WHICH.sub("", p.cell.name) for p in op.places}))
