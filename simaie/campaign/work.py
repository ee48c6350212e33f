"""Running one shard: a function of a `Piece` alone, which any process on any machine can call.

A process keeps the programs that it has loaded. What goes wrong becomes a part of the result, so that one shard never
ends a campaign.
"""

from __future__ import annotations

import contextlib
import hashlib
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import msgspec

import simaie
from simaie.binary.scenario import Scenario
from simaie.campaign.drawing import drawn_program, strategy_of
from simaie.campaign.guard import guarded
from simaie.campaign.sketch import Sketch
from simaie.campaign.unit import Ending, Known, Piece, Result, Sighting, Unit
from simaie.check import DEFAULT, CheckerChoice
from simaie.errors import NotEmulatedError, NotModelledError, SimaieError
from simaie.exploration.report import Report
from simaie.exploration.resumable import CannotGoOn, Stretch, explore_stretch
from simaie.exploration.signatures import FailureGroup
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.prng import derive
from simaie.replaying.failure import Failure
from simaie.replaying.file import encoded
from simaie.replaying.machines import MachineOptions, load_program, make_machine
from simaie.replaying.signature import Signature

__all__ = ["Gathered", "finding_id", "lost", "machine_of", "run_piece"]

#: The number of loaded programs that a process keeps.
_KEPT = 64
_ID_BYTES = 5
_REFUSED = (NotEmulatedError, NotModelledError)
#: The index of an execution of a generated program is its own index and this times the number of the program.
PER_EXAMPLE = 1_000_000


def run_piece(piece: Piece) -> Result:
    """Run a shard."""
    began = time.perf_counter()
    with contextlib.redirect_stdout(sys.stderr), guarded(piece.most_seconds, piece.most_bytes):
        result = _unfit(piece) or _run(piece)
    return msgspec.structs.replace(result, seconds=time.perf_counter() - began)


def lost(piece: Piece, death: int | None = None) -> Result:
    """Return the result of a shard at which workers died.

    Args:
        piece: The shard.
        death: The exit status of the last of them, negative for a signal; None if it is not known.
    """
    return _ended(piece, Ending.LOST, f"worker processes died at it: {_cause(piece, death)}")


def _cause(piece: Piece, death: int | None) -> str:
    if death is None:
        limits = [f"{piece.most_seconds:g} s"] if piece.most_seconds else []
        limits += [f"{piece.most_bytes >> 20:,} MiB"] if piece.most_bytes else []
        allowed = f" (limits: {', '.join(limits)})" if limits else ""
        return f"it took too long or too much memory{allowed}, or crashed"
    if death >= 0:
        return f"it ended the process with status {death}"
    if piece.most_seconds and -death == getattr(signal, "SIGALRM", 0):
        return f"it took longer than {piece.most_seconds:g} s"
    with contextlib.suppress(ValueError):
        name = signal.Signals(-death).name
        return f"{name}, perhaps because the machine lacks memory" if name == "SIGKILL" else f"it crashed with {name}"
    return f"it crashed with signal {-death}"


def machine_of(unit: Unit) -> Machine:
    """Return the machine of a unit."""
    target = "" if unit.kind == "fuzz" else unit.target
    return make_machine(target, MachineOptions(scheme=unit.scheme, host=unit.host))


def finding_id(scheme: str, signature: Signature) -> str:
    """Return the name of a finding: the same signature under another scheme is another bug."""
    return hashlib.blake2b(f"{scheme}\n{signature.text}".encode(), digest_size=_ID_BYTES).hexdigest()


@lru_cache(maxsize=_KEPT)
def _loaded(target: str, scenario: Scenario | None) -> Program:
    return load_program(target, scenario=scenario)


def _program(unit: Unit) -> Program:
    return _loaded(unit.target, unit.scenario)


def _unfit(piece: Piece) -> Result | None:
    """Return why this process must not run the shard; None if it may."""
    unit, problem = piece.unit, ""
    if piece.version and piece.version != simaie.__version__:
        problem = f"the campaign runs with simaie {piece.version}, and a worker has {simaie.__version__}"
    elif unit.digest:
        try:
            if unit.kind == "fuzz":
                strategy_of(unit.target, unit.digest)
            elif _program(unit).digest != unit.digest:
                problem = f"{unit.target} is another program than when the campaign was planned"
        except SimaieError as error:
            problem = f"a worker cannot load the program: {error}"
    return _ended(piece, Ending.UNFIT, problem) if problem else None


def _run(piece: Piece) -> Result:
    try:
        return _fuzzed(piece) if piece.unit.kind == "fuzz" else _explored(piece)
    except CannotGoOn as error:
        return _ended(piece, Ending.AGAIN, str(error))
    except SimaieError as error:
        if isinstance(error, _REFUSED) and not (isinstance(error.report, Report) and error.report.executions):
            return _ended(piece, Ending.REFUSED, str(error))
        notes = " ".join(getattr(error, "__notes__", ()))
        problem = f"{error} ({notes})" if notes else str(error)
        if isinstance(error.__cause__, MemoryError) and piece.most_bytes:
            problem += f"; the limit is {piece.most_bytes >> 20:,} MiB"
        if isinstance(error.report, Report):
            return _of_report(piece, Ending.ERROR, error.report, problem)
        return _ended(piece, Ending.ERROR, problem)
    except MemoryError:
        return _ended(piece, Ending.ERROR, f"it needs more memory than {piece.most_bytes >> 20:,} MiB")
    except Exception as error:
        return _ended(piece, Ending.ERROR, f"{type(error).__name__}: {error}")


def _ended(piece: Piece, ending: Ending, problem: str) -> Result:
    return Result(number=piece.number, shard=piece.shard, ending=ending, problem=problem)


# -- programs ------------------------------------------------------------------------------------------


def _explored(piece: Piece) -> Result:
    unit = piece.unit
    stretch = explore_stretch(
        _program(unit),
        machine_of(unit),
        unit.scheduler,
        seed=unit.seed if unit.exhaustive else unit.seed + piece.shard,
        executions=unit.executions - piece.before if unit.exhaustive else unit.executions,
        steps=None if piece.whole else unit.steps,
        checkers=_checkers(unit),
        first_index=piece.before,
        left=piece.left,
    )
    return _of_report(piece, Ending.DONE, stretch.report, stretch=stretch)


def _checkers(unit: Unit) -> Sequence[CheckerChoice]:
    return unit.checkers or DEFAULT


def _of_report(
    piece: Piece, ending: Ending, report: Report, problem: str = "", stretch: Stretch | None = None
) -> Result:
    flaw = problem if stretch is None else stretch.flaw
    if stretch is not None and not flaw and not report.complete and stretch.left is None and piece.unit.exhaustive:
        flaw = report.reason
    return Result(
        number=piece.number,
        shard=piece.shard,
        ending=ending,
        problem=problem,
        executions=report.executions,
        failing=report.failing,
        unlisted=report.unlisted,
        steps=report.statistics.steps,
        complete=report.complete,
        flaw=flaw,
        left=None if stretch is None else stretch.left,
        sketch=b"" if stretch is None else Sketch(stretch.digests).encoded(),
        handoffs=b"" if stretch is None else Sketch(sorted(stretch.handoffs)).encoded(),
        sightings=tuple(_sightings(piece, report.signatures, piece.known)),
    )


def _sightings(
    piece: Piece, groups: Sequence[FailureGroup], known: dict[str, Known], base: int = 0
) -> Iterator[Sighting]:
    """Yield what a report has found; `base` is added to the indices of executions."""
    for group in groups:
        name = finding_id(piece.unit.scheme, group.signature)
        shortest = group.shortest
        here: Known = len(shortest.trace), piece.shard, base + shortest.index
        yield Sighting(
            finding=name,
            signature=group.signature.digest,
            text=group.signature.text,
            kinds=group.signature.kinds,
            scheme=piece.unit.scheme,
            count=group.count,
            first=base + group.first.index,
            length=here[0],
            index=here[2],
            summary=shortest.summary,
            command=shortest.how_to_reproduce,
            witness=_witness(shortest, piece.folder) if name not in known or here < known[name] else None,
        )


def _witness(failure: Failure, folder: str) -> bytes:
    """Return the replay file of a failure, with paths that are relative to the folder of the store."""
    return encoded(failure.record(Path(folder)))


# -- generated programs --------------------------------------------------------------------------------


def _fuzzed(piece: Piece) -> Result:
    """Explore the generated programs of one seed."""
    from simaie.strategies import programs  # an optional extra
    from simaie.strategies.generate import generate

    unit, machine = piece.unit, machine_of(piece.unit)
    drawn: dict[str, Program] = {}
    strategy = (
        strategy_of(unit.target, unit.digest) if unit.digest
        else programs(unit.target, vcpus=unit.vcpus, instructions=unit.instructions)
    )  # fmt: skip

    def take(value: object) -> None:
        program = drawn_program(value, unit.target)
        drawn.setdefault(program.digest, program)

    generate(strategy, unit.examples, unit.seed + piece.shard, take)
    gathered = Gathered(piece)
    for program in drawn.values():
        gathered.add(
            explore_stretch(
                program, machine, unit.scheduler, seed=unit.seed + piece.shard, executions=unit.executions,
                steps=unit.steps, checkers=_checkers(unit),
            )
        )  # fmt: skip
    return gathered.result()


class Gathered:
    """One result of the explorations of many programs.

    Args:
        piece: The shard.
    """

    def __init__(self, piece: Piece) -> None:
        self._piece = piece
        self._known = dict(piece.known)
        self._total, self._traces = _ended(piece, Ending.DONE, ""), Sketch()
        self._handoffs: set[int] = set()
        self._found: dict[str, Sighting] = {}
        self._programs = 0

    def add(self, stretch: Stretch) -> None:
        """Add the exploration of one more program."""
        report, piece, total = stretch.report, self._piece, self._total
        salt = int(report.program.digest[:16], 16)
        self._traces.merge(Sketch(derive(salt, digest) for digest in stretch.digests))
        self._handoffs |= stretch.handoffs
        for sighting in _sightings(piece, report.signatures, self._known, self._programs * PER_EXAMPLE):
            here: Known = sighting.length, piece.shard, sighting.index
            self._known[sighting.finding] = min(here, self._known.get(sighting.finding, here))
            self._found[sighting.finding] = _joined(self._found.get(sighting.finding), sighting)
        self._programs += 1
        self._total = msgspec.structs.replace(
            total,
            executions=total.executions + report.executions,
            failing=total.failing + report.failing,
            unlisted=total.unlisted + report.unlisted,
            steps=total.steps + report.statistics.steps,
        )

    def result(self) -> Result:
        """Return the result of all explorations so far."""
        return msgspec.structs.replace(
            self._total,
            sketch=self._traces.encoded(),
            handoffs=Sketch(sorted(self._handoffs)).encoded(),
            sightings=tuple(self._found.values()),
        )


def _joined(known: Sighting | None, other: Sighting) -> Sighting:
    """Return one sighting of two of the same finding, of which `other` came later."""
    if known is None:
        return other
    shorter = min(known, other, key=lambda each: (each.length, each.index))
    return msgspec.structs.replace(shorter, count=known.count + other.count, first=known.first)
