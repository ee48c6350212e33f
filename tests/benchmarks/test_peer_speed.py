"""simaie's DPOR beside frontrun's (https://github.com/lucaswiman/frontrun, version 0.7), in one process.

frontrun explores real Python threads: it traces every bytecode instruction of its workers and takes the loads and
stores of a shared object's attributes as events. So each program is written twice: as guest threads that load and
store shared words, and as functions that read and write attributes of the same names. A cell of an array is an
attribute of its own there: frontrun 0.7 takes a whole list as one location (lastzero(3) goes past 3,000 executions),
and sees no conflicts at all between objects in a tuple (it stops after one).

frontrun is asked for everything: no bound on preemptions, no stop at the first failure; but for no watch on input and
output, which these programs have none of and which costs it time. It counts its own executions (``num_explored``). It
does not say whether an exploration of threads was complete, so the final values that it met are compared with simaie's.

Both explore each program to the end, again and again for a while, in turns; a rate is that of the best turn. Seconds
are of the clock: frontrun's threads hand over at every event, and what that costs is part of what a user waits for.
Whatever else runs on the machine holds them up more than simaie's single thread, so that a busy machine flatters the
ratio (up to 56 was seen); an idle one is what the floors are for.

Each execution of simaie stands for a Mazurkiewicz trace of its own. frontrun performs several times as many, so that
to have explored a program costs it more yet than the executions per second say. Of the large programs it is given the
first thousand executions only. Twenty times its rate was the aim; on idle machines 9 to 23 times were measured (last:
inc(2) 13, fib_bench 15, inc(3) 17, lastzero(3) 18, readers(4) and inc(5) 19, inc(4) and readers(6) 20, readers(13) 21,
lastzero(10) 23), and 14 to 102 times as fast to the end; the floors are below that. What an execution of six steps
costs here, some 54 microseconds of CPython 3.11, has no single large part any more: setting up and letting go are a
fifth, the steps two fifths, races and wake-up trees another two.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from peer_programs import LARGE, PAIRS, Pair, Shared

from simaie import Machine
from simaie.engine.inline import run_inline
from simaie.exploration.scheduler_choice import make_scheduler
from simaie.replaying.run import make_execution

frontrun = pytest.importorskip("frontrun", reason="the peer is optional: pip install 'simaie[benchmark]'")

pytestmark = pytest.mark.benchmark

TURNS = 3
TURN = 0.2  # seconds; at least one exploration
RATE = 7  # executions per second against frontrun's, at least
SAMPLE = 1_000  # executions that frontrun gets of a large program: their rate is known by then
WHOLE = 11  # frontrun's time for the whole program against ours, at least


class Side(NamedTuple):
    """What one explorer did in a turn: executions of one exploration, executions a second, the final values it met."""

    executions: int
    rate: float
    finals: frozenset[tuple[int, ...]]


Finals = set[tuple[int, ...]]


def explore_by_simaie(pair: Pair, finals: Finals) -> int:
    """Every execution that DPOR wants; how many they were."""
    machine, dpor = Machine(), make_scheduler("dpor")[0]
    executions = 0
    while not dpor.exhausted:
        execution = make_execution(pair.ours, machine, dpor, index=executions)
        run_inline(execution)
        finals.add(tuple([execution.memory.read(address, 4) for address in pair.words]))
        executions += 1
    return executions


def explore_by_frontrun(pair: Pair, finals: Finals, most: int | None = None) -> int:
    """Every execution that its DPOR wants, or the first `most`. The invariant sees the final values."""
    image = {address: value for address, _, value in pair.ours.image}
    init = {name: image.get(address, 0) for address, name in pair.words.items()}

    def note(shared: Any) -> bool:
        finals.add(tuple([getattr(shared, name) for name in init]))
        return True

    result = frontrun.explore(
        setup=lambda: Shared(**init), workers=pair.workers, invariant=note,
        strategy="dpor", preemption_bound=None, stop_on_first=False, detect_io=False,
        max_executions=most,
    )  # fmt: skip
    result.assert_holds()
    return int(result.num_explored)


def turn(explore: Callable[[Pair, Finals], int], pair: Pair) -> Side:
    """Explore the program to the end, as often as fits."""
    finals: Finals = set()
    executions: list[int] = []
    began = time.perf_counter()
    while (seconds := time.perf_counter() - began) < TURN:
        executions.append(explore(pair, finals))
    assert len(set(executions)) == 1, "an explorer that repeats itself"
    return Side(executions[0], sum(executions) / seconds, frozenset(finals))


@pytest.fixture(autouse=True)
def _frontrun_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it frontrun skips every test that was not started by its own command."""
    monkeypatch.setenv("FRONTRUN_ACTIVE", "1")


@pytest.mark.parametrize("name", PAIRS)
def test_fewer_executions_than_frontrun_and_more_of_them_a_second(name: str) -> None:
    """The same final values out of at most as many executions, at `RATE` times the executions per second or more."""
    pair = PAIRS[name]()
    turns = [(turn(explore_by_simaie, pair), turn(explore_by_frontrun, pair)) for _ in range(TURNS)]
    ours, theirs = (max(sides, key=lambda side: side.rate) for sides in zip(*turns, strict=True))
    ratio = ours.rate / theirs.rate
    whole = ratio * theirs.executions / ours.executions
    print(f"\n{name}: simaie {ours.executions} executions, {ours.rate:,.0f} a second")
    print(f"frontrun {theirs.executions} executions, {theirs.rate:,.0f} a second")
    print(f"{ratio:.1f}x the executions per second (floor {RATE}x)")
    print(f"explored to the end {whole:.1f}x as fast (floor {WHOLE}x)")
    assert ours.finals == theirs.finals
    assert ours.executions <= theirs.executions
    assert ratio >= RATE
    assert whole >= WHOLE


@pytest.mark.parametrize("name", LARGE)
def test_many_more_executions_a_second_of_large_programs(name: str) -> None:
    """All executions by simaie, then the first thousand by frontrun, whose final values are among ours."""
    traces, make = LARGE[name]
    pair, ours, theirs = make(), set[tuple[int, ...]](), set[tuple[int, ...]]()
    began = time.perf_counter()
    executions = explore_by_simaie(pair, ours)
    turned = time.perf_counter()
    sample = explore_by_frontrun(pair, theirs, SAMPLE)
    ended = time.perf_counter()
    rate, peer = executions / (turned - began), sample / (ended - turned)
    print(f"\n{name}: simaie {executions} executions, all there are, {rate:,.0f} a second")
    print(f"frontrun the first {sample}, {peer:,.0f} a second: {rate / peer:.1f}x (floor {RATE}x)")
    assert executions == traces
    assert theirs <= ours
    assert rate / peer >= RATE
