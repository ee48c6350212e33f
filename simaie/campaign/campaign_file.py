"""The campaign file: what to explore, as TOML.

    seconds = 3600

    [[explore]]
    targets = ["corpus", "tests/X86", "spinlock.py:program"]
    schemes = ["aie-rfc", "cas"]
    schedulers = ["portfolio", "dpor"]
    seeds = 16

    [[fuzz]]
    isas = ["arm"]
    schemes = ["cas"]
    seeds = 100

    [[accepted]]
    finding = "3f9c0a12de"
    reason = "the scheme is known to miss foreign stores"
    until = 2027-06-30
"""

from __future__ import annotations

import datetime
import tomllib
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec

from simaie.binary.layout import STACK_BYTES
from simaie.errors import InputError
from simaie.input_file import read_bounded

__all__ = ["Accepted", "CampaignFile", "Explore", "Fuzz", "read_campaign_file"]

T = TypeVar("T")

#: The largest campaign file that is read, in bytes.
_MOST_BYTES = 1 << 20

_Positive = Annotated[int, msgspec.Meta(ge=1)]
_Some = Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]


class Explore(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Programs to explore: each target under each scheme, on each host, by each scheduler.

    Attributes:
        targets: Programs as on the command line, folders of litmus tests, lists (``@FILE``), files of pytest tests or
            single ones (``FILE.py::NAME``), Hypothesis strategies that make programs (``FILE.py:NAME``), or
            ``"corpus"`` for all programs of the corpus.
        schemes: The schemes; empty for those of a test's mark, or the first that the corpus names for a program, else
            ``native``.
        hosts: The host memories; empty for that of a test's mark, else ``sc``.
        schedulers: The schedulers.
        seeds: The number of seeds of a random scheduler, each of which is a shard.
        first_seed: The first of them.
        executions: The number of executions of one seed at most.
        all_executions: The number of executions of an exhaustive search at most.
        steps: The number of steps after which a shard ends: about a second.
        checkers: The checkers; empty for the default ones.
        threads: Of ELF files: what each thread calls.
        main: Of ELF files: the arguments of the whole program.
        init: Of ELF files: the call that prepares memory.
        final: Of ELF files: the call that judges the final state.
        watch: Of ELF files: the variables to show.
        stack: Of ELF files: the size of each stack in bytes.
        shared_stacks: Of ELF files: whether stacks are shared memory from the beginning.
    """

    targets: _Some
    schemes: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    schedulers: _Some = ("portfolio",)
    seeds: _Positive = 16
    first_seed: int = 0
    executions: _Positive = 4_000
    all_executions: _Positive = 1_000_000
    steps: _Positive = 200_000
    checkers: tuple[str, ...] = ()
    threads: tuple[str, ...] = ()
    main: tuple[str, ...] | None = None
    init: str | None = None
    final: str | None = None
    watch: tuple[str, ...] = ()
    stack: _Positive = STACK_BYTES
    shared_stacks: bool = False


class Fuzz(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Programs to generate, for each instruction set, scheme and host.

    Attributes:
        isas: The instruction sets.
        schemes: The schemes.
        hosts: The host memories.
        scheduler: The scheduler of each program.
        seeds: The number of seeds, each of which is a shard.
        first_seed: The first of them.
        examples: The number of programs of one seed.
        executions: The number of executions of one program at most.
        vcpus: The number of vCPUs of a program at most.
        instructions: The number of instructions of a vCPU at most.
        checkers: The checkers; empty for the default ones.
    """

    isas: _Some
    schemes: _Some
    hosts: _Some = ("sc",)
    scheduler: str = "random-walk"
    seeds: _Positive = 16
    first_seed: int = 0
    examples: _Positive = 50
    executions: _Positive = 20
    vcpus: _Positive = 3
    instructions: _Positive = 4
    checkers: tuple[str, ...] = ()


class Accepted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A finding that is known, and does not make a run fail.

    Attributes:
        finding: Its id, as the report shows it.
        reason: Why it is accepted.
        until: The last day on which it is.
    """

    finding: str
    reason: Annotated[str, msgspec.Meta(min_length=1)]
    until: datetime.date


class CampaignFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A campaign.

    Attributes:
        explore: The programs to explore.
        fuzz: The programs to generate.
        accepted: The findings that are known.
        seconds: The time of one run, in seconds; None for no limit.
        shard_seconds: The time after which a worker that works on one shard is killed, in seconds.
        shard_megabytes: The memory that a worker may use, in MiB; 0 for no limit.
    """

    explore: tuple[Explore, ...] = ()
    fuzz: tuple[Fuzz, ...] = ()
    accepted: tuple[Accepted, ...] = ()
    seconds: Annotated[float, msgspec.Meta(gt=0)] | None = None
    shard_seconds: Annotated[float, msgspec.Meta(gt=0)] = 600.0
    shard_megabytes: Annotated[int, msgspec.Meta(ge=0)] = 4096


def read_campaign_file(path: Path) -> CampaignFile:
    """Return the campaign that a file describes.

    Raises:
        InputError: The file cannot be read, or a key or a value is wrong; the message says which.
    """
    try:
        text = read_bounded(path, _MOST_BYTES).decode("utf-8")
        found = msgspec.convert(tomllib.loads(text), CampaignFile)
    except OSError as error:
        raise InputError(f"{path}: the campaign file cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: the campaign file is not text in UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: the campaign file is not TOML: {error}") from error
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$.")
        place = f"{where.removesuffix('`')}: " if where else ""
        raise InputError(f"{path}: {place}{what}; the reference on campaigns lists all keys") from error
    if not (found.explore or found.fuzz):
        raise InputError(f"{path}: nothing to do; add a table [[explore]] with targets, or [[fuzz]] with isas")
    return found
