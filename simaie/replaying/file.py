"""The replay file: one execution, recorded so that it can be run again.

It is JSON, with a schema name and a version. It holds a *reference* to the program (its name, a digest of its content
and where it was defined), the machine, and the scheduler with seed, index and profile. It holds the decisions as a
sparse schedule, and for every step the actor, the operation and a digest of the offer. Then follow the trace with its
digest, the findings, and the checkers that found them. A program that is data and was defined in no file is included as
text. The file holds no code, and reading it runs no code: `read_replay_file` returns plain values or raises
`ReplayError`.

The Python file that defined a program is recorded with a digest of its text. It is imported only if the caller names
the program, or trusts the replay file and the digest still matches. A replay file from a stranger therefore cannot
choose the code that runs. Without the program, the trace can still be shown.
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
from simaie.machine import Fairness
from simaie.op import Kind
from simaie.replaying.binary_record import BinaryRecord
from simaie.replaying.helper_record import HelperRecord
from simaie.replaying.trace_record import TraceRecord
from simaie.saving import save_file
from simaie.trace import Trace

__all__ = [
    "VERSION", "CheckerRecord", "MachineRecord", "ProgramRecord", "ReplayFile", "SchedulerRecord", "Step", "encoded",
    "read_replay_file", "write_replay_file",
]  # fmt: skip

VERSION = 3
#: The versions that can be read. Version 1 had no `trace`; the digests of versions 1 and 2 were of text.
_READABLE = (1, 2, 3)
#: The first version whose digests are of the form that `simaie.encoding` defines.
_CANONICAL = 3
#: The largest file that is read, in bytes: far larger than that of any execution within the default limits.
MAX_BYTES = 32 << 20
#: The largest number of lists and objects, and of quotation marks, because a value takes far more memory than its text.
_MOST_LISTS, _MOST_QUOTES = 1_500_000, 6_000_000


class ProgramRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The program, by reference or as text.

    Attributes:
        name: The name of the program, before anything was cut.
        digest: The digest of its content, before anything was cut.
        corpus: Its name in the corpus, if it is of the corpus.
        source: The file that defines it, relative to the replay file; with a `text`, the ``.guest`` file.
        variable: The global of `source` that is the program.
        source_digest: The digest of the text of `source`.
        cuts: The parts that were left out (see `simaie.guest.cut`).
        text: The program as text, if it is data (see `simaie.guest.text`).
        binary: The ELF file, if it is a compiled program.
    """

    name: str
    digest: str
    corpus: str | None = None
    source: str | None = None
    variable: str | None = None
    source_digest: str | None = None
    cuts: tuple[Cut, ...] = ()
    text: str | None = None
    binary: BinaryRecord | None = None


class MachineRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The machine; most fields are the arguments of `simaie.Machine`.

    Attributes:
        options: The options of the scheme.
        address_bits: The width of a guest address, in bits; None for the usual width of the instruction set.
        custom_scheme: Whether the scheme was a class that is no plug-in.
        custom_host: Whether the host memory was a class that is no plug-in.
        scheme_source: The Python file that defines the scheme, relative to the replay file.
        scheme_digest: The digest of the text of this file.
        host_source: The Python file that defines the host memory, relative to the replay file.
        host_digest: The digest of the text of this file.
        host_options: The options of the host memory.
        helpers: The ELF file with the helpers of the scheme, if it has one.
        tries: The limit on fruitless rounds of a loop in a row; None if the execution ends at a lasso instead.
        fairness: What a schedule owes each vCPU on the cycle of a lasso.
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
    tries: int | None = 1
    fairness: Fairness = "strong"
    helpers: HelperRecord | None = None


class SchedulerRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The scheduler, with all that it needs to choose this execution again.

    Attributes:
        source: The Python file that defines the scheduler, relative to the replay file; None for a plug-in.
        source_digest: The digest of the text of this file.
    """

    name: str
    options: dict[str, Any]
    seed: int
    index: int
    profile: dict[str, Any]
    source: str | None = None
    source_digest: str | None = None


class CheckerRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A checker that judged the execution.

    Attributes:
        name: The name of a registered checker, or of the global of `source`, with options.
        custom: Whether the checker is no registered one.
        source: The Python file that defines it, relative to the replay file; None if it was the global of no file.
        source_digest: The digest of the text of this file.
    """

    name: str
    custom: bool = False
    source: str | None = None
    source_digest: str | None = None


class Step(msgspec.Struct, frozen=True, array_like=True):
    """One step: its actor, its operation as text, and a digest of the offer.

    The text is for readers. A local choice has no actor, and its digest is that of its value and its alternatives.
    """

    actor: str
    op: str
    offered: str

    def __str__(self) -> str:
        return f"vCPU {self.actor}: {self.op}"


class ReplayFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The content of a replay file.

    Attributes:
        steps: Every step of the execution.
        digest: The digest of the trace.
        checkers: The checkers that judged; empty for the default ones.
        test: The id of the test that failed, if a test did.
        trace: The trace, so that it can be shown without the program.
    """

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
    checkers: tuple[CheckerRecord, ...] = ()
    driver: Literal["inline", "trio"] = "inline"
    test: str | None = None
    trace: TraceRecord | None = None

    @property
    def schedule(self) -> Schedule:
        """The decisions of the scheduler."""
        return Schedule(self.switches, self.choices)

    @property
    def exact(self) -> bool:
        """Whether the digests can be compared with those of an execution; older files have digests of text."""
        return self.version >= _CANONICAL

    def is_of(self, trace: Trace) -> bool:
        """Whether `trace` is the recorded execution: by the digest, or by the actors if the file is not `exact`."""
        if self.exact:
            return trace.digest == self.digest
        return [event.actor for event in trace.events if event.op.kind is not Kind.CHOICE] == [
            step.actor for step in self.steps if step.actor
        ]


def encoded(record: ReplayFile) -> bytes:
    """Return the bytes of the replay file with the content `record`.

    Text that UTF-8 cannot encode, such as lone surrogates in a guest's name, is written with escapes.
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


def write_replay_file(record: ReplayFile, path: Path) -> None:
    """Write `record` to `path`, completely or not at all; InputError if it cannot be written."""
    save_file(path, encoded(record))


def read_replay_file(path: Path) -> ReplayFile:
    """Return the content of a replay file; ReplayError if it is missing, empty, truncated or of another schema."""
    try:
        data = read_bounded(path, MAX_BYTES)
    except OSError as error:
        if path.is_dir():
            example = min(map(str, path.glob("*.json")), default="")
            raise ReplayError(
                f"{path}: it is a folder; name one of its .json files" + f", such as {example}" * bool(example)
            ) from None
        raise ReplayError(f"{path}: cannot be read: {error.strerror}") from None
    if not data.strip():
        raise ReplayError(f"{path}: empty; `failure.save` and `simaie explore --save` write replay files")
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
    """Raise ReplayError for a file of another schema or version, before the rest of it is read."""
    try:
        header = msgspec.json.decode(data, type=_Header)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ReplayError(f"{path}: not a replay file, or cut short: {error}") from None
    if not header.schema:
        raise ReplayError(f"{path}: it has no schema, so it is no replay file: simaie did not write it")
    if header.schema != "simaie-replay":
        raise ReplayError(f"{path}: not a replay file: its schema is {header.schema!r}, not 'simaie-replay'")
    if header.version not in _READABLE:
        raise ReplayError(f"{path}: replay version {header.version}; this simaie reads {_READABLE[0]} to {VERSION}")
