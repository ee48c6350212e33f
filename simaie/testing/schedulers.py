"""The conformance suite for schedulers.

To pass proves that the contract of `simaie.protocols` was kept on a few small programs that have waiting, choices,
spawned threads, yields and store buffers; it proves nothing about how good a scheduler is at finding bugs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from simaie.engine.inline import run_inline
from simaie.engine.machine import Limits, Machine
from simaie.guest.program import Program
from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler
from simaie.replay.run import make_execution
from simaie.trace import Ending, Trace

__all__ = ["check_scheduler"]

SchedulerFactory = Callable[[], Scheduler]

_X, _Y = 0x1000, 0x2000
_SEEDS = (0, 1)
#: The program that is run on a host whose store buffers are candidates too.
_ON_TSO = "conformance: store buffers"


def check_scheduler(factory: SchedulerFactory, *, executions: int = 40) -> None:
    """Check that the schedulers that `factory` makes, a new one at each call, keep the contract of `Scheduler`.

    It picks only what it was offered, changes no offer, and resolves choices within their range; an exhausted one
    stays so, and has executed something; two of them do the same; each execution repeats alone, in a new
    instance, from seed, index and profile; and a bug of depth one, an order of two steps, is found within `executions`.

    Raises AssertionError on the first breach.
    """
    made = factory()
    assert isinstance(made, Scheduler), f"the factory made {made!r}, which is no simaie.protocols.Scheduler"
    assert factory() is not made, "the factory must make a new scheduler at each call"
    for program in _programs():
        for seed in _SEEDS:
            originals = _explore(factory, program, seed, executions)
            again = _explore(factory, program, seed, executions)
            _check_same(originals, again, program, type(made).__name__)
            for index, (profile, original) in enumerate(originals):
                _check_alone(factory, program, seed, index, profile, original)
    _check_finds_an_order(factory, executions)


class _Watched(Scheduler):
    """Hands everything on to `inner`, and looks at what comes back."""

    def __init__(self, inner: Scheduler) -> None:
        self.inner = inner
        self._name = type(inner).__name__

    def start(self, info: ExecutionInfo) -> None:
        self.inner.start(info)

    def choose(self, offer: Offer) -> Candidate:
        candidates, running, step = offer.candidates, offer.running, offer.step
        chosen: Any = self.inner.choose(offer)
        untouched = offer.candidates is candidates and offer.running is running
        assert untouched, f"{self._name}.choose changed the offer at step {step}; an offer is for looking only"
        names = ", ".join(c.name for c in candidates)
        offered = chosen is None or any(chosen is c for c in candidates)
        assert offered, f"{self._name}.choose picked {chosen!r} at step {step}, but was offered {names}"
        return chosen  # type: ignore[no-any-return]  # one of the candidates, or None: checked just above

    def choose_value(self, offer: Offer, arity: int) -> int:
        value = self.inner.choose_value(offer, arity)
        fits = type(value) is int and 0 <= value < arity
        assert fits, f"{self._name}.choose_value gave {value!r}; it was asked for an integer from 0 to {arity - 1}"
        return value

    def finish(self, trace: Trace) -> None:
        self.inner.finish(trace)


def _run(scheduler: Scheduler, program: Program, seed: int, index: int) -> Trace:
    """One execution; whatever the scheduler raises becomes an AssertionError that says where."""
    host = "tso" if program.name == _ON_TSO else "sc"
    machine = Machine("native", host=host, limits=Limits(steps=1_000))
    try:
        return run_inline(make_execution(program, machine, _Watched(scheduler), seed=seed, index=index))
    except AssertionError:
        raise
    except Exception as error:
        name = type(scheduler).__name__
        message = f"{name} raised {type(error).__name__} in execution {index} of program {program.name!r}: {error}"
        raise AssertionError(message) from error


def _explore(factory: SchedulerFactory, program: Program, seed: int, executions: int) -> list[tuple[bytes, Trace]]:
    """What one instance executes: for each execution the profile before it, as JSON, and its trace."""
    scheduler = factory()
    name = type(scheduler).__name__
    assert not scheduler.exhausted, f"{name} is exhausted before the first execution"
    done: list[tuple[bytes, Trace]] = []
    for index in range(executions):
        if scheduler.exhausted:
            break
        profile = _as_json(scheduler)
        done.append((profile, _run(scheduler, program, seed, index)))
    if scheduler.exhausted:
        assert scheduler.exhausted, f"{name}.exhausted went back to false by itself"
        assert type(scheduler.complete) is bool, f"{name}.complete is {scheduler.complete!r}, not a bool"
    assert isinstance(scheduler.bound_note, str), f"{name}.bound_note is {scheduler.bound_note!r}, not text"
    pruned = all(trace.ending is Ending.PRUNED for _, trace in done)
    assert not pruned, f"{name} gave up every execution of program {program.name!r} (choose returned None)"
    return done


def _as_json(scheduler: Scheduler) -> bytes:
    profile = scheduler.profile()
    try:
        encoded = msgspec.json.encode(dict(profile), order="sorted")
        same = msgspec.json.decode(encoded) == dict(profile)
    except (TypeError, ValueError) as error:
        raise AssertionError(
            f"{type(scheduler).__name__}.profile gave {profile!r}, not JSON values: {error}"
        ) from error
    assert same, f"{type(scheduler).__name__}.profile gave {profile!r}, which JSON does not hold unchanged"
    return encoded


def _check_same(
    first: list[tuple[bytes, Trace]], second: list[tuple[bytes, Trace]], program: Program, name: str
) -> None:
    numbers = f"{len(first)} and {len(second)} executions"
    assert len(first) == len(second), f"two new {name} schedulers made {numbers} of {program.name!r} from one seed"
    for index, ((_, one), (_, other)) in enumerate(zip(first, second, strict=True)):
        same = one.digest == other.digest
        assert same, (
            f"two new {name} schedulers differ in execution {index} of {program.name!r}, given the same seed: "
            "draw from ExecutionInfo.seed through simaie.prng only"
        )


def _check_alone(
    factory: SchedulerFactory, program: Program, seed: int, index: int, profile: bytes, original: Trace
) -> None:
    scheduler = factory()
    scheduler.restore(msgspec.json.decode(profile))
    repeated = _run(scheduler, program, seed, index)
    assert repeated.digest == original.digest, (
        f"{type(scheduler).__name__} does not repeat execution {index} of {program.name!r} alone from its seed, "
        f"index and profile {profile.decode()}: what it learns from earlier executions belongs to the profile"
    )


def _check_finds_an_order(factory: SchedulerFactory, executions: int) -> None:
    """Both orders of two stores, one of them a bug; a scheduler of one execution only cannot be asked for both."""
    program = _last_store_wins()
    outcomes = [trace.outcome[f"[{_X:#x}]"] for _, trace in _explore(factory, program, 0, executions)]
    missed = {1, 2} - set(outcomes)
    assert not missed or len(outcomes) == 1, (
        f"{type(factory()).__name__} never found a bug of depth one in {len(outcomes)} executions: "
        f"vCPU {missed.pop() - 1} was never the last of two to store"
    )


# --- the programs -----------------------------------------------------------------------------------


def _programs() -> Iterator[Program]:
    """Small, finite, and between them everything that a scheduler can meet."""
    yield Program("conformance: increments", isa="arm", threads=[_increment] * 3, init={_X: 0})
    yield Program("conformance: threads", isa="arm", threads=[_parent, _chooser], init={_X: 0, _Y: 0})
    yield Program("conformance: waiting", isa="arm", threads=[_waiter, _yielder, _increment], init={_X: 0, _Y: 0})
    yield Program(_ON_TSO, isa="arm", threads=[_increment, _fenced], init={_X: 0, _Y: 0})
    yield Program("conformance: alone", isa="arm", threads=[_increment], init={_X: 0})


def _last_store_wins() -> Program:
    async def first(cpu: Any) -> None:
        await cpu.str_(_X, 1)

    async def second(cpu: Any) -> None:
        await cpu.str_(_X, 2)

    return Program("conformance: the last store wins", isa="arm", threads=[first, second], init={_X: 0})


async def _increment(cpu: Any) -> None:
    value = await cpu.ldr(_X)
    cpu.observe("read", value)
    await cpu.str_(_X, value + 1)


async def _fenced(cpu: Any) -> None:
    await cpu.str_(_Y, 1)
    await cpu.str_(_X, 1)
    await cpu.dmb()
    cpu.observe("read", await cpu.ldr(_X))


async def _parent(cpu: Any) -> None:
    child = await cpu.spawn(_increment)
    await _increment(cpu)
    await cpu.join(child)
    await cpu.ldr(_X)


async def _chooser(cpu: Any) -> None:
    cpu.observe("first", await cpu.choose(3))
    await cpu.str_(_Y, 1)
    cpu.observe("second", await cpu.choose(2))
    await cpu.ldr(_X)


async def _waiter(cpu: Any) -> None:
    await cpu.wait_until(_Y, lambda value: value == 1)
    await cpu.str_(_X, 5)


async def _yielder(cpu: Any) -> None:
    await cpu.yield_()
    await cpu.str_(_Y, 1)
    await cpu.yield_()
    await cpu.ldr(_X)
