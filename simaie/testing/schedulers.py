"""The conformance suite for schedulers.

Passing proves that a scheduler kept the contract of `simaie.protocols` on a few small programs with waits, choices,
spawned threads, yields and store buffers. It does not prove that the scheduler is good at finding bugs. It cannot
reveal a dependence on something that is the same throughout one process, such as the order of a set of strings.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import msgspec

from simaie import plugins
from simaie.engine.inline import run_inline
from simaie.guest.program import Program
from simaie.machine import Limits, Machine
from simaie.protocols import Scheduler, require_count, require_positive
from simaie.replaying.run import make_execution
from simaie.testing.patience import Patience
from simaie.testing.scheduler_programs import ON_TSO, X, conformance_programs, last_store_wins
from simaie.testing.watched import Watched
from simaie.trace import Ending, Outcome, Trace

__all__ = ["check_scheduler"]

SchedulerFactory = Callable[[], Scheduler]

_SEEDS = (0, 1)


def check_scheduler(factory: SchedulerFactory, *, executions: int = 40, seconds: float = 10.0) -> None:
    """Check that schedulers keep the contract of `Scheduler`.

    A scheduler chooses only offered candidates, changes neither offer nor trace, and resolves local choices within
    their range. Each call returns in time. An exhausted scheduler stays exhausted, has run an execution, and says that
    it was complete only if it was. An exhaustive scheduler ends. Two new schedulers do the same. Each execution repeats
    alone, in a new instance, from seed, index and profile. A bug of depth one, an order of two steps, is found.

    Args:
        factory: Makes a new scheduler at each call.
        executions: The number of executions of each program at most.
        seconds: The time that one call may take, in seconds.

    Raises:
        AssertionError: The scheduler breaks the contract; the message says what was promised and what happened.
        UsageError: A limit is not positive.
    """
    require_count(executions=executions)
    require_positive(seconds=seconds)
    patience = Patience(seconds)
    try:
        _Check(factory, executions, patience).run()
    finally:
        patience.end()


class _Check:
    """The check of one kind of scheduler."""

    def __init__(self, factory: SchedulerFactory, executions: int, patience: Patience) -> None:
        self._factory, self._executions, self._patience = factory, executions, patience
        self._name = ""

    def run(self) -> None:
        made = self._factory()
        assert isinstance(made, Scheduler), f"the factory made {made!r}, which is no simaie.protocols.Scheduler"
        assert self._factory() is not made, "the factory must make a new scheduler at each call"
        self._name = type(made).__name__
        for program in conformance_programs():
            for seed in _SEEDS:
                originals = self._explore(program, seed)
                self._same(originals, self._explore(program, seed), program)
                for index, (profile, original) in enumerate(originals):
                    self._alone(program, seed, index, profile, original)
        self._finds_an_order(last_store_wins())

    def _new(self) -> Watched:
        return Watched(self._factory(), self._patience)

    # -- one scheduler, from its beginning ------------------------------------------------------------

    def _explore(self, program: Program, seed: int) -> list[tuple[bytes, Trace]]:
        """Run executions in one instance, and return for each the profile before it, as JSON, and its trace."""
        scheduler = self._new()
        assert not scheduler.exhausted, f"{self._name} is exhausted before the first execution"
        done: list[tuple[bytes, Trace]] = []
        for index in range(self._executions):
            if scheduler.exhausted:
                break
            profile = scheduler.profile()
            encoded = self._as_json(profile)
            trace = _run(scheduler, program, seed, index)
            done.append((encoded, trace))
            assert self._as_json(profile) == encoded, (
                f"the value that {self._name}.profile returned before execution {index} of {program.name!r} has "
                "changed since; return a copy, because it is kept to repeat that execution"
            )
        self._check_end(scheduler, program, [trace for _, trace in done])
        return done

    def _check_end(self, scheduler: Watched, program: Program, traces: list[Trace]) -> None:
        if scheduler.exhausted:
            assert scheduler.exhausted, f"{self._name}.exhausted went back to false by itself"
            if scheduler.complete:
                missed = _all_outcomes(program.name) - {(trace.ending, trace.outcome) for trace in traces}
                assert not missed, (
                    f"{self._name} says that it is complete after {len(traces)} executions of {program.name!r}, but "
                    f"never reached {len(missed)} of its outcomes, such as {min(map(_shown, missed))}"
                )
        assert isinstance(scheduler.bound_note, str), f"{self._name}.bound_note is {scheduler.bound_note!r}, not text"
        pruned = all(trace.ending is Ending.PRUNED for trace in traces)
        assert not pruned, f"{self._name} gave up every execution of program {program.name!r} (choose returned None)"

    def _as_json(self, profile: Any) -> bytes:
        try:
            encoded = msgspec.json.encode(dict(profile), order="sorted")
            same = msgspec.json.decode(encoded) == dict(profile)
        except (TypeError, ValueError) as error:
            raise AssertionError(f"{self._name}.profile returned {profile!r}, not JSON values: {error}") from error
        assert same, f"{self._name}.profile returned {profile!r}, which JSON changes"
        return encoded

    # -- compared with another ------------------------------------------------------------------------

    def _same(self, first: list[tuple[bytes, Trace]], second: list[tuple[bytes, Trace]], program: Program) -> None:
        numbers = f"{len(first)} and {len(second)} executions"
        same = len(first) == len(second)
        assert same, f"two new {self._name} schedulers ran {numbers} of {program.name!r} from one seed"
        for index, ((_, one), (_, other)) in enumerate(zip(first, second, strict=True)):
            assert one.digest == other.digest, (
                f"two new {self._name} schedulers differ in execution {index} of {program.name!r}, given the same "
                "seed: draw from ExecutionInfo.seed through simaie.prng only"
            )

    def _alone(self, program: Program, seed: int, index: int, profile: bytes, original: Trace) -> None:
        scheduler = self._new()
        scheduler.restore(msgspec.json.decode(profile))
        repeated = _run(scheduler, program, seed, index)
        assert repeated.digest == original.digest, (
            f"{self._name} does not repeat execution {index} of {program.name!r} alone from its seed, index and "
            f"profile {profile.decode()}: what it learns from earlier executions belongs to the profile"
        )

    def _finds_an_order(self, program: Program) -> None:
        """Check that both orders of two stores are found, unless the scheduler runs only one execution."""
        done = self._explore(program, 0)
        missed = {1, 2} - {trace.outcome[f"[{X:#x}]"] for _, trace in done}
        assert not missed or len(done) == 1, (
            f"{self._name} never found a bug of depth one in {len(done)} executions: "
            f"vCPU {missed.pop() - 1} was never the last of two to store"
        )
        unending = self._factory().exhaustive and len(done) == self._executions > 2
        assert not unending, (
            f"{self._name} is exhaustive, but not exhausted after {len(done)} executions of a program of two "
            "interleavings: a search must end"
        )


def _run(scheduler: Scheduler, program: Program, seed: int, index: int) -> Trace:
    """Run one execution; turn any exception into an AssertionError that says in which execution."""
    host = "tso" if program.name == ON_TSO else "sc"
    machine = Machine("native", host=host, limits=Limits(steps=1_000))
    try:
        return run_inline(make_execution(program, machine, scheduler, seed=seed, index=index))
    except AssertionError as error:
        error.add_note(f"in execution {index} of program {program.name!r}")
        raise
    except Exception as error:
        raise AssertionError(f"execution {index} of program {program.name!r} failed: {error}") from error


@functools.cache
def _all_outcomes(name: str) -> frozenset[tuple[Ending, Outcome]]:
    """Return all endings and outcomes of a program, found by a plain search of all interleavings."""
    program = next(each for each in (*conformance_programs(), last_store_wins()) if each.name == name)
    search: Scheduler = plugins.resolve(plugins.SCHEDULERS, "dfs")()
    found = set()
    while not search.exhausted:
        trace = _run(search, program, 0, 0)
        found.add((trace.ending, trace.outcome))
    return frozenset(found)


def _shown(end: tuple[Ending, Outcome]) -> str:
    return f"{end[0]} with {end[1]}"
