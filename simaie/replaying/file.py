"""The replay file: one execution, written down so that it can be had again.

JSON, with a schema name and a version. It holds a *reference* to the program (its name, a digest of its content and
where it was defined), the machine, the scheduler with seed, index and profile, the decisions as a sparse schedule,
and for every step who did what and a digest of who could have; then the trace's digest, the findings and which
checkers made them. A program that is data and has no other home stands in it as text. It holds no code, and reading
it runs none: `load` gives plain values, or one `ReplayError`.

The definition's file is recorded with a digest of its text. It is imported only if that still matches or the caller
names the program himself, so that opening a stranger's replay file cannot run what the stranger chose.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from simaie.decision import Choice, Schedule, Switch
from simaie.errors import ReplayError
from simaie.finding import Finding
from simaie.guest.cut import Cut
from simaie.op import Kind
from simaie.trace import Trace

__all__ = [
    "VERSION",
    "CheckerRecord",
    "MachineRecord",
    "ProgramRecord",
    "ReplayFile",
    "SchedulerRecord",
    "Step",
    "load",
    "save",
]

#: Version 2 has digests of the form that `simaie.encoding` defines, version 1 had digests of text.
VERSION = 2
_READABLE = (1, VERSION)
#: Far above any execution within the default limits; a larger file is not ours.
MAX_BYTES = 64 << 20


class ProgramRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which program: `corpus` name, or `variable` of the `source` file (a path relative to the replay file), or its
    own `text` (see `simaie.guest.text`), where it is data that no file names.

    cuts: what of it was left out (see `simaie.guest.cut`); name and digest are those of the whole.
    """

    name: str
    digest: str
    corpus: str | None = None
    source: str | None = None
    variable: str | None = None
    source_digest: str | None = None
    cuts: tuple[Cut, ...] = ()
    text: str | None = None


class MachineRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How it ran. `custom_scheme`, `custom_host`: whether that was a class that no name stands for."""

    scheme: str
    options: dict[str, Any]
    custom_scheme: bool
    host: str
    full_system: bool
    host_word: int
    address_bits: int | None
    endian: Literal["little", "big"]
    steps: int
    threads: int
    custom_host: bool = False


class SchedulerRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who chose: enough to run this execution alone, from seed and index."""

    name: str
    options: dict[str, Any]
    seed: int
    index: int
    profile: dict[str, Any]


class CheckerRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A checker that judged: by its name; or custom, the global `name` of the `source` file, if it stands in one."""

    name: str
    custom: bool = False
    source: str | None = None
    source_digest: str | None = None


class Step(msgspec.Struct, frozen=True, array_like=True):
    """One event: who, which operation in words, and a digest of the candidates with their operations.

    The words are for people. A local choice has no actor, and the digest is of its value and alternatives.
    """

    actor: str
    op: str
    offered: str

    def __str__(self) -> str:
        return f"vCPU {self.actor}: {self.op}"


class ReplayFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    schema: Literal["simaie-replay"] = "simaie-replay"
    version: int = VERSION
    program: ProgramRecord
    machine: MachineRecord
    scheduler: SchedulerRecord
    switches: tuple[Switch, ...]
    choices: tuple[Choice, ...]
    steps: tuple[Step, ...]
    digest: str
    verdict: str
    findings: tuple[Finding, ...]
    checkers: tuple[CheckerRecord, ...] = ()  # none: the usual
    driver: Literal["inline", "trio"] = "inline"
    test: str | None = None  # whose failure it is, if a test's

    @property
    def schedule(self) -> Schedule:
        """The decisions."""
        return Schedule(self.switches, self.choices)

    def is_of(self, trace: Trace) -> bool:
        """Whether `trace` is the recorded execution: by its digest, in a file of version 1 by its actors alone."""
        if self.version == VERSION:
            return trace.digest == self.digest
        return [event.actor for event in trace.events if event.op.kind is not Kind.CHOICE] == [
            step.actor for step in self.steps if step.actor
        ]


def save(record: ReplayFile, path: Path) -> None:
    """Write `record` to `path`, whole or not at all."""
    data = msgspec.json.format(msgspec.json.encode(record), indent=1)
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(data)
    temporary.replace(path)


def load(path: Path) -> ReplayFile:
    """Read a replay file; ReplayError if it is gone, empty, truncated, malformed or of another schema."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ReplayError(f"{path}: larger than any replay file ({MAX_BYTES >> 20} MiB)")
        data = path.read_bytes()
    except OSError as error:
        raise ReplayError(f"{path}: cannot be read: {error.strerror}") from None
    if not data.strip():
        raise ReplayError(f"{path}: empty; a replay file is written by `failure.save` or `simaie explore --save`")
    _check_header(path, data)
    try:
        return msgspec.json.decode(data, type=ReplayFile)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ReplayError(f"{path}: not a valid replay file: {error}") from None


class _Header(msgspec.Struct):
    schema: str = ""
    version: int = 0


def _check_header(path: Path, data: bytes) -> None:
    """Tell a foreign or newer file from a damaged one before looking at the rest."""
    try:
        header = msgspec.json.decode(data, type=_Header)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ReplayError(f"{path}: not a replay file, or cut short: {error}") from None
    if header.schema != "simaie-replay":
        raise ReplayError(f"{path}: its schema is {header.schema!r}, not 'simaie-replay'")
    if header.version not in _READABLE:
        raise ReplayError(f"{path}: replay version {header.version}; this simaie reads versions 1 to {VERSION}")
