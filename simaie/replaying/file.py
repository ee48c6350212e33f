"""The replay file: one execution, written down so that it can be had again.

JSON, with a schema name and a version. It holds a *reference* to the program (its name, a digest of its content and
where it was defined), the machine, the scheduler with seed, index and profile, the decisions as a sparse schedule,
and for every step who did what and a digest of who could have; then the trace with its digest, the findings and which
checkers made them. A program that is data and has no other home stands in it as text. It holds no code, and reading
it runs none: `load` gives plain values, or one `ReplayError`.

The definition's file is recorded with a digest of its text. It is imported only if the caller names the program, or
trusts the file and the digest still matches, so that opening a stranger's replay file cannot run what the stranger
chose. For all else there is the trace, which can be shown without the program.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from simaie.decision import Choice, Schedule, Switch
from simaie.errors import ReplayError
from simaie.finding import Finding
from simaie.guest.cut import Cut
from simaie.input_file import read_bounded
from simaie.op import Kind
from simaie.replaying.trace_record import TraceRecord
from simaie.saving import save_file
from simaie.trace import Trace

__all__ = [
    "VERSION", "CheckerRecord", "MachineRecord", "ProgramRecord", "ReplayFile", "SchedulerRecord", "Step", "encoded",
    "load", "save",
]  # fmt: skip

VERSION = 3
#: Those that can be read. Version 1 had no `trace`; the digests of versions 1 and 2 were of text.
_READABLE = (1, 2, 3)
#: The first version whose digests are of the form that `simaie.encoding` defines.
_CANONICAL = 3
#: Far above any execution within the default limits; a larger file is not ours.
MAX_BYTES = 32 << 20
#: Likewise: lists and objects, and quotation marks. A value takes far more memory than the bytes that spell it.
_MOST_LISTS, _MOST_QUOTES = 1_500_000, 6_000_000


class ProgramRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which program: `corpus` name, or `variable` of the `source` file (a path relative to the replay file), or its
    own `text` (see `simaie.guest.text`), where it is data. Beside a text `source` is that of a ``.guest`` file.

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
    """How it ran.

    custom_scheme, custom_host: whether that was a class that no plug-in's name stands for. scheme_source, host_source:
    the Python file, relative to this one, of which it was the global of that name, and a digest of its text.
    address_bits: the width of a guest address; None for the ISA's usual.
    """

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
    scheme_source: str | None = None
    scheme_digest: str | None = None
    host_source: str | None = None
    host_digest: str | None = None
    host_options: dict[str, Any] = {}


class SchedulerRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What chose: enough to run this execution alone, from seed and index. source: as for a machine's scheme."""

    name: str
    options: dict[str, Any]
    seed: int
    index: int
    profile: dict[str, Any]
    source: str | None = None
    source_digest: str | None = None


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
    trace: TraceRecord | None = None  # to be shown where the program is not at hand

    @property
    def schedule(self) -> Schedule:
        """The decisions."""
        return Schedule(self.switches, self.choices)

    @property
    def exact(self) -> bool:
        """Whether its digests can be compared with those of an execution; older files have digests of text."""
        return self.version >= _CANONICAL

    def is_of(self, trace: Trace) -> bool:
        """Whether `trace` is the recorded execution: by its digest, or by its actors if the file is not `exact`."""
        if self.exact:
            return trace.digest == self.digest
        return [event.actor for event in trace.events if event.op.kind is not Kind.CHOICE] == [
            step.actor for step in self.steps if step.actor
        ]


def encoded(record: ReplayFile) -> bytes:
    """Return the content of the file that holds `record`.

    Text that UTF-8 cannot say (lone surrogates in a guest's name, say) is written with escapes.
    """
    try:
        data = msgspec.json.encode(record)
    except UnicodeEncodeError:
        data = msgspec.json.encode(_escaped(msgspec.to_builtins(record)))
    return msgspec.json.format(data, indent=1)


def _escaped(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case dict():
            return {_escaped(key): _escaped(held) for key, held in value.items()}
        case list() | tuple():
            return [_escaped(each) for each in value]
        case _:
            return value


def save(record: ReplayFile, path: Path) -> None:
    """Write `record` to `path`, whole or not at all; InputError if it cannot be written."""
    save_file(path, encoded(record))


def load(path: Path) -> ReplayFile:
    """Read a replay file; ReplayError if it is gone, empty, truncated, malformed or of another schema."""
    try:
        data = read_bounded(path, MAX_BYTES)
    except OSError as error:
        raise ReplayError(f"{path}: cannot be read: {error.strerror}") from None
    if not data.strip():
        raise ReplayError(f"{path}: empty; a replay file is written by `failure.save` or `simaie explore --save`")
    if data.count(b"[") + data.count(b"{") > _MOST_LISTS or data.count(b'"') > _MOST_QUOTES:
        raise ReplayError(f"{path}: it holds more values than any replay file")
    _check_header(path, data)
    try:
        return msgspec.json.decode(data, type=ReplayFile)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
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
        raise ReplayError(f"{path}: replay version {header.version}; this simaie reads {_READABLE[0]} to {VERSION}")
