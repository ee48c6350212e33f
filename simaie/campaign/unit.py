"""Units of a campaign, the shards of which they consist, and what a shard returns.

A unit is one program on one machine under one scheduler, or the generated programs of one instruction set. A shard is
about a second of it: one seed of a random scheduler, one stretch of an exhaustive search, or one seed for generated
programs. A pytest test is a unit too, which pytest runs and no campaign does. All of these are plain values, so that
they reach any process and any machine, and their results depend on nothing else.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from pathlib import PurePath
from typing import Literal

import msgspec

from simaie.binary.scenario import Scenario

__all__ = ["Ending", "Known", "Piece", "Result", "Sighting", "Unit", "file_of"]

#: The length of the shortest known witness of a finding in a unit, and the numbers of its shard and its execution.
Known = tuple[int, int, int]
_KEY_BYTES = 8


class Unit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is explored.

    Attributes:
        kind: Whether a program is explored, programs are generated, or pytest runs a test.
        target: The program, as on the command line; the strategy or the instruction set of generated programs; the id
            of a test.
        digest: The digest of the program, or of the file of a strategy; empty for other generated programs, also those
            of a test.
        scenario: What is run of an ELF file.
        scheme: The scheme with its options.
        host: The host memory.
        scheduler: The scheduler with its options.
        exhaustive: Whether the scheduler explores everything.
        seed: The first seed.
        seeds: The number of seeds, which is the number of shards; an exhaustive search has no such number.
        executions: The number of executions of a shard at most; of an exhaustive search, of all shards together.
        steps: The number of steps after which a shard ends.
        examples: The number of programs that a shard generates.
        vcpus: The number of vCPUs of a generated program at most.
        instructions: The number of instructions of a generated vCPU at most.
        checkers: The names of the checkers; empty for the default ones.
    """

    kind: Literal["explore", "fuzz", "test"] = "explore"
    target: str
    digest: str = ""
    scenario: Scenario | None = None
    scheme: str
    host: str = "sc"
    scheduler: str = "random-walk"
    exhaustive: bool = False
    seed: int = 0
    seeds: int = 1
    executions: int
    steps: int
    examples: int = 0
    vcpus: int = 3
    instructions: int = 4
    checkers: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """A name that depends on the content alone."""
        return hashlib.blake2b(msgspec.json.encode(self), digest_size=_KEY_BYTES).hexdigest()

    @property
    def file(self) -> str:
        """The file that the target names; empty if it names none."""
        return self.target.partition("::")[0] if self.kind == "test" else file_of(self.target)

    @property
    def name(self) -> str:
        """The unit in words."""
        what = self.target
        if self.kind == "fuzz":
            what = f"programs drawn from {what}" if self.digest else f"generated {what} programs"
        return f"{what} under {self.scheme} on {self.host}, {self.scheduler}"


def file_of(target: str) -> str:
    """Return the file that a target names, as ``FILE.py:NAME`` or by its path; empty for a name without a suffix."""
    path, colon, _ = target.rpartition(":")
    if colon and path.endswith(".py"):
        return path
    return target if PurePath(target).suffix else ""


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """One shard to run.

    Attributes:
        number: The number of the unit in the campaign.
        unit: The unit.
        shard: The number of the shard in the unit.
        before: The executions of the earlier shards of an exhaustive search.
        left: What they have left of the search.
        whole: Whether the search cannot be continued, and has to run as one shard.
        known: The shortest known witness of each finding of the unit, by its id.
        version: The version of simaie that the campaign runs with.
        folder: The folder of the store, to which the paths in replay files are relative.
        most_seconds: The time after which the worker is killed, in seconds; 0 for no limit.
        most_bytes: The memory that the worker may use, in bytes; 0 for no limit.
    """

    number: int
    unit: Unit
    shard: int
    before: int = 0
    left: bytes | None = None
    whole: bool = False
    known: dict[str, Known] = {}
    version: str = ""
    folder: str = "."
    most_seconds: float = 0.0
    most_bytes: int = 0


class Ending(StrEnum):
    """How a shard ended."""

    DONE = "done"
    ERROR = "error"  # the guest, the scheme or the scheduler raised; what was found before counts
    LOST = "lost"  # the worker died at it more than once: it hung, used too much memory, or crashed
    REFUSED = "refused"  # the scheme or the host cannot run this program; if it is shard 0, the unit has no shards
    AGAIN = "again"  # the search cannot be continued, and begins anew as one shard
    UNFIT = "unfit"  # this worker has another version, or another or no program; the message says what


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """The executions of one shard that show the same finding.

    Attributes:
        finding: The id of the finding.
        signature: The digest of the signature.
        text: The signature.
        kinds: The kinds of violations.
        scheme: The scheme.
        count: The number of executions.
        first: The index of the first.
        length: The number of steps of the shortest.
        index: The index of the shortest.
        summary: What the checkers say about it.
        command: The command or the code that runs it again.
        witness: Its replay file; None if the campaign knows one that is shorter.
    """

    finding: str
    signature: str
    text: str
    kinds: tuple[str, ...]
    scheme: str
    count: int
    first: int
    length: int
    index: int
    summary: str = ""
    command: str = ""
    witness: bytes | None = None


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a shard returns.

    Attributes:
        number: The number of the unit.
        shard: The number of the shard.
        ending: How it ended.
        problem: What went wrong, in words; empty if nothing did.
        executions: The number of executions.
        failing: The number of executions that failed.
        unlisted: The number of those whose signature was not kept.
        steps: The number of steps.
        seconds: The time, in seconds.
        complete: Whether everything was explored and judged, if the earlier shards have no `flaw`.
        flaw: Why the executions of this shard support no proof.
        left: What is left of the search.
        sketch: The traces, see `simaie.campaign.sketch`.
        handoffs: What was covered of the scheme, as a sketch of hand-offs, see `simaie.exploration.handoffs`.
        sightings: What was found.
    """

    number: int
    shard: int
    ending: Ending
    problem: str = ""
    executions: int = 0
    failing: int = 0
    unlisted: int = 0
    steps: int = 0
    seconds: float = 0.0
    complete: bool = False
    flaw: str = ""
    left: bytes | None = None
    sketch: bytes = b""
    handoffs: bytes = b""
    sightings: tuple[Sighting, ...] = ()
