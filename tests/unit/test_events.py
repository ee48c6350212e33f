"""WFE, SEV and other sleeps: small programs against a brute-force search, and idioms, right and with a lost wake-up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from exhaustive.canonical import canonical
from exhaustive.searches import explored, search
from simaie_schedulers.dfs import DepthFirst

from simaie import Machine, Program, Verdict, explore, prove_progress, replay
from simaie.errors import NotModelledError, UsageError
from simaie.op import device_name
from simaie.trace import Ending

X, DATA = 0x1000, 0x1040
SLEEPS = "native:events=sleep"
EVERY_FAILURE: dict[str, Any] = {"executions": 5_000, "failures": 5_000}


# -- small programs on one word -------------------------------------------------------------------

#: Each thread is a list of steps: ("store", value), or an instruction without operand.
SMALL = [
    [["wfe"], ["sev"]],
    [["wfe", "wfe"], ["sev", "sev"]],
    [["sevl", "wfe", "wfe"], ["sev"]],
    [["wfe"], ["wfe"], ["sev"]],
    [["ldxr", "wfe", "ldxr"], [("store", 1)]],
    [["ldxr", "wfe", "wfe"], [("store", 1), ("store", 0)]],
    [["ldxr", "clrex", "wfe"], [("store", 1)]],
    [["ldxr", "wfe", "ldxr"], ["ldxr", "wfe", "ldxr"], [("store", 1)]],
    [["ldxr", "wfe", "ldxr"], [("store", 1), "sev"]],
    [["ldxr", ("store", 1), "wfe"], ["ldxr", "wfe", ("store", 2)]],
    [["ldxr", "wfe", "ldxr"], ["sev", ("store", 1)]],
]
Steps = list[list[Any]]


class State(NamedTuple):
    """Where each thread is, its reads, the word, the event registers that are set, who reserves and who lost that."""

    at: tuple[int, ...]
    reads: tuple[tuple[int, ...], ...]
    word: int
    events: frozenset[int]
    reserved: frozenset[int]
    lost: frozenset[int]


def brute_force(threads: Steps) -> set[str]:
    """Return the outcomes where each instruction is one step, as the manual describes it."""
    first = State((0,) * len(threads), ((),) * len(threads), 0, frozenset(), frozenset(), frozenset())
    seen, left, found = {first}, [first], set()
    while left:
        state = left.pop()
        following = [after for number in range(len(threads)) for after in stepped(state, number, threads[number])]
        if not following:
            found.add(outcome(state.reads, state.word, state.at != tuple(map(len, threads))))
        left += [after for after in dict.fromkeys(following) if after not in seen]
        seen.update(following)
    return found


def stepped(state: State, number: int, steps: list[Any]) -> Iterator[State]:
    if state.at[number] == len(steps):
        return
    step, me, everyone = steps[state.at[number]], {number}, range(len(state.at))
    moved = state._replace(at=replaced(state.at, number, state.at[number] + 1))
    if step == "sev":
        yield moved._replace(events=frozenset(everyone))
    elif step == "sevl":
        yield moved._replace(events=state.events | me)
    elif step == "ldxr":
        reads = replaced(state.reads, number, (*state.reads[number], state.word))
        yield moved._replace(reads=reads, reserved=state.reserved | me, lost=state.lost - me)
    elif step == "clrex":
        yield moved._replace(reserved=state.reserved - me, lost=state.lost - me)
    elif step != "wfe":
        yield moved._replace(word=step[1], lost=state.lost | (state.reserved - me))
    elif number in state.events | state.lost:
        gone = me & state.lost
        yield moved._replace(events=state.events - me, reserved=state.reserved - gone, lost=state.lost - gone)


def replaced(whole: tuple[Any, ...], number: int, part: Any) -> tuple[Any, ...]:
    return (*whole[:number], part, *whole[number + 1 :])


def outcome(reads: Any, word: int, stuck: bool) -> str:
    return f"{reads} {word} {stuck}"


def as_program(threads: Steps) -> Program:
    def thread(steps: list[Any]) -> Any:
        async def run(cpu: Any) -> None:
            number = 0
            for step in steps:
                if step == "ldxr":
                    cpu.observe(f"r{number}", await cpu.ldxr(X))
                    number += 1
                elif isinstance(step, str):
                    await getattr(cpu, step)()
                else:
                    await cpu.swp(X, step[1])  # a store that no buffer holds back

        return run

    return Program("small", isa="aarch64", threads=[thread(steps) for steps in threads], init={X: 0})


def searched(threads: Steps, scheduler: str = "dpor", host: str = "sc") -> set[str]:
    """Return the outcomes that an exhaustive search finds, with those of deadlocks."""
    stuck: list[Any] = []
    machine = Machine(SLEEPS, host=host)
    report = explore(as_program(threads), machine, scheduler=scheduler, found=stuck.append, **EVERY_FAILURE)
    assert report.complete
    assert {failure.trace.ending for failure in stuck} <= {Ending.DEADLOCK}
    ended = {shown(each, len(threads), False) for each in report.outcomes}
    return ended | {shown(failure.trace.outcome, len(threads), True) for failure in stuck}


def shown(found: Any, threads: int, stuck: bool) -> str:
    items = dict(found.items)
    reads = tuple(
        tuple(items[name] for name in sorted(items) if name.startswith(f"{number}:")) for number in range(threads)
    )
    return outcome(reads, items["[0x1000]"], stuck)


@pytest.mark.parametrize("threads", SMALL)
def test_searches_find_what_a_brute_force_search_finds(threads, monkeypatch):
    expected = brute_force(threads)
    for host in ("sc", "tso"):
        assert searched(threads, host=host) == expected
    monkeypatch.setenv("SIMAIE_MEMO", "0")
    assert searched(threads) == expected


@pytest.mark.parametrize("threads", SMALL)
def test_one_execution_is_run_of_each_mazurkiewicz_trace(threads):
    program, machine = as_program(threads), Machine(SLEEPS)
    once, _ = explored(program, machine)
    every = search(program, DepthFirst(), machine)
    assert every is not None
    assert len(once) == len({canonical(trace) for trace in every}) == len({canonical(trace) for trace in once})


@pytest.mark.parametrize("threads", SMALL[:6])
def test_a_depth_first_search_agrees(threads):
    assert searched(threads, "dfs") == brute_force(threads)


# -- idioms ---------------------------------------------------------------------------------------


def program(*threads: Any, isa: str = "aarch64", init: Any = None) -> Program:
    return Program("idiom", isa=isa, threads=threads, init=init or {X: 0, DATA: 0})


def found(threads: Any, scheme: str = SLEEPS, host: str = "sc", isa: str = "aarch64") -> Any:
    return explore(program(*threads, isa=isa), Machine(scheme, host=host), scheduler="dpor", **EVERY_FAILURE)


def endings(report: Any) -> set[Ending]:
    assert report.complete
    return {failure.trace.ending for failure in report.failures}


async def spin_lock(cpu: Any) -> None:
    """Take and release the spin lock of Armv8: the STLR ends the reservations of those who wait."""
    while True:
        if await cpu.ldaxr(X):
            await cpu.wfe()
        elif not await cpu.stxr(X, 1):
            break
    await cpu.str_(DATA, await cpu.ldr(DATA) + 1)
    await cpu.stlr(X, 0)


def lock_of_armv7(release: Any) -> Any:
    """A lock whose waiters look by a plain load, so that only SEV wakes them."""

    async def thread(cpu: Any) -> None:
        while await cpu.swp(X, 1):
            while await cpu.ldr(X):
                await cpu.wfe()
        await release(cpu)

    return thread


async def store_then_event(cpu: Any) -> None:
    await cpu.str_(X, 0)
    await cpu.dsb()
    await cpu.sev()


async def store_then_event_without_barrier(cpu: Any) -> None:
    await cpu.str_(X, 0)
    await cpu.sev()


async def event_then_store(cpu: Any) -> None:
    await cpu.sev()
    await cpu.str_(X, 0)


@pytest.mark.parametrize("host", ["sc", "tso", "pso"])
def test_a_spin_lock_whose_waiters_sleep_holds(host):
    assert found([spin_lock] * 2, host=host).verdict is Verdict.HOLDS


def test_every_vcpu_gets_the_spin_lock():
    assert prove_progress(program(spin_lock, spin_lock), Machine(SLEEPS)).verdict is Verdict.HOLDS


def test_an_emulator_that_forgets_the_event_of_a_lost_reservation_hangs_the_spin_lock():
    """Only `native` watches reservations."""
    assert Ending.DEADLOCK in endings(found([spin_lock] * 2, "cas:events=sleep"))
    assert Ending.DEADLOCK not in endings(found([spin_lock] * 2, "cas"))


@pytest.mark.parametrize(
    ("release", "host", "loses"),
    [
        (store_then_event, "sc", False),
        (store_then_event, "tso", False),
        (store_then_event_without_barrier, "sc", False),
        (store_then_event_without_barrier, "tso", True),  # the store is still in the buffer
        (event_then_store, "sc", True),
    ],
)
def test_an_event_before_the_store_is_seen_is_lost(release, host, loses):
    report = found([lock_of_armv7(release)] * 2, host=host)
    assert endings(report) == ({Ending.DEADLOCK} if loses else set())
    assert (report.verdict is Verdict.HOLDS) is not loses


def test_a_lost_event_names_who_sleeps_for_ever():
    report = found([lock_of_armv7(event_then_store)] * 2)
    [finding] = report.failures[0].findings
    assert finding.kind == "deadlock"
    assert len(finding.vcpus) == 1
    assert "asleep in wfe" in finding.message


@pytest.mark.parametrize(
    ("isa", "sleeps", "message"),
    [
        ("riscv", lambda cpu: cpu.wrs_nto(), rf"a store to \[{X:#x}\]/4, asleep in wrs.nto"),
        ("x86", lambda cpu: cpu.umwait(), rf"a store to \[{X & ~63:#x}\]/64, asleep in umwait"),
        ("aarch64", lambda cpu: cpu.wfe(), rf"a wake-up or a store to \[{X:#x}\]/4, asleep in wfe"),
    ],
)
def test_a_sleep_for_ever_names_the_bytes_to_which_nobody_stores(isa, sleeps, message):
    async def waits(cpu: Any) -> None:
        await (cpu.umonitor(X) if isa == "x86" else cpu.lr(X) if isa == "riscv" else cpu.ldxr(X))
        await sleeps(cpu)

    [finding] = found([waits], isa=isa).failures[0].findings
    assert re.fullmatch(f"vCPU 0 waits for {message}", finding.message)


def test_an_event_is_only_a_hint_unless_the_scheme_sleeps():
    assert found([lock_of_armv7(event_then_store)] * 2, "native").verdict is Verdict.HOLDS


def test_a_sleep_may_end_without_an_event():
    async def careless(cpu: Any) -> None:
        await cpu.wfe(spurious=True)
        cpu.observe("seen", await cpu.ldr(X))

    async def sender(cpu: Any) -> None:
        await cpu.str_(X, 1)
        await cpu.sev()

    assert {dict(each.items)["0:seen"] for each in found([careless, sender]).outcomes} == {0, 1}


@pytest.mark.parametrize("host", ["tso", "pso"])
def test_a_store_in_the_own_buffer_ends_no_sleep(host):
    async def sleeps(cpu: Any) -> None:
        await cpu.str_(DATA, 1)
        await cpu.ldxr(X)
        await cpu.wfe()

    report = found([sleeps], host=host)
    assert endings(report) == {Ending.DEADLOCK}
    assert not report.outcomes


async def waits_on_riscv(cpu: Any) -> None:
    while not await cpu.lr(X):
        await cpu.wrs_nto()


async def waits_on_x86(cpu: Any) -> None:
    await cpu.umonitor(X)
    while not await cpu.load(X):
        await cpu.umwait()
        await cpu.umonitor(X)


async def waits_on_arm(cpu: Any) -> None:
    while not await cpu.ldrex(X):
        await cpu.wfe()


async def stores(cpu: Any) -> None:
    await cpu.store(X, 1)


async def stores_nothing(cpu: Any) -> None:
    await cpu.store(DATA + 0x40, 1)


@pytest.mark.parametrize(("isa", "waits"), [("riscv", waits_on_riscv), ("x86", waits_on_x86), ("arm", waits_on_arm)])
def test_a_sleep_ends_when_another_vcpu_stores_to_what_is_watched(isa, waits):
    for host in ("sc", "tso"):
        assert found([waits, stores], isa=isa, host=host).verdict is Verdict.HOLDS
    assert endings(found([waits, stores_nothing], isa=isa)) == {Ending.DEADLOCK}
    # As a hint it waits by looking again and again.
    assert endings(found([waits, stores_nothing], "native", isa=isa)) == {Ending.LIVELOCK}


def test_a_watched_line_is_all_bytes_around_the_address():
    async def waits(cpu: Any) -> None:
        await cpu.umonitor(X)
        await cpu.umwait()

    async def neighbour(cpu: Any) -> None:
        await cpu.store(X + 63, 1, width=1)

    async def beyond(cpu: Any) -> None:
        await cpu.store(X + 64, 1, width=1)

    async def twice(cpu: Any) -> None:
        await waits(cpu)
        await cpu.umwait()  # nothing is watched any more

    assert endings(found([waits, beyond], isa="x86")) == {Ending.DEADLOCK}
    for waiter in (waits, twice):
        # The store may come before UMONITOR: then nothing ends the wait.
        report = found([waiter, neighbour], isa="x86")
        assert endings(report) == {Ending.DEADLOCK}
        assert len(report.outcomes) == 1


@pytest.mark.parametrize("instruction", ["wrs_nto", "umwait"])
def test_without_a_watched_place_nothing_is_waited_for(instruction):
    async def waits(cpu: Any) -> None:
        await getattr(cpu, instruction)()

    isa = "x86" if instruction == "umwait" else "riscv"
    assert found([waits], isa=isa).verdict is Verdict.HOLDS


# -- interrupts -----------------------------------------------------------------------------------


async def waits_for_interrupt(cpu: Any) -> None:
    await cpu.wfi()
    cpu.observe("seen", await cpu.load(X))


async def interrupts(cpu: Any) -> None:
    await cpu.store(X, 1)
    await cpu.send_interrupt("0")


@pytest.mark.parametrize("isa", ["aarch64", "arm", "riscv"])
def test_an_interrupt_ends_the_wait_also_if_it_comes_before(isa):
    report = found([waits_for_interrupt, interrupts], isa=isa)
    assert report.verdict is Verdict.HOLDS
    assert {dict(each.items)["0:seen"] for each in report.outcomes} == {1}
    assert endings(found([waits_for_interrupt], isa=isa)) == {Ending.DEADLOCK}


def test_whether_the_interrupt_of_a_device_arrives_is_a_decision():
    async def waits(cpu: Any) -> None:
        await cpu.wfi(arrives=True)

    report = found([waits])
    assert report.outcomes
    assert endings(report) == {Ending.DEADLOCK}


def test_the_interrupt_that_ends_the_wait_ends_the_reservation():
    async def waits(cpu: Any) -> None:
        await cpu.ldxr(X)
        await cpu.wfi()
        cpu.observe("failed", await cpu.stxr(X, 1))

    async def sends(cpu: Any) -> None:
        await cpu.send_interrupt("0")

    report = found([waits, sends])
    assert {dict(each.items)["0:failed"] for each in report.outcomes} == {1}


@pytest.mark.parametrize("name", ["2", "2.0", "one", ""])
@pytest.mark.parametrize("call", ["unpark", "send_interrupt"])
def test_a_vcpu_that_cannot_exist_is_not_woken(call, name):
    async def wakes(cpu: Any) -> None:
        await getattr(cpu, call)(name)

    with pytest.raises(UsageError, match=f"there is no vCPU '{name}' to .*; the program has 0, 1$"):
        found([wakes, stores_nothing])


def test_children_and_devices_are_woken():
    """A child that is not there yet keeps the token, and a device both wakes others and is woken."""

    async def child(cpu: Any) -> None:
        await cpu.park()

    async def wakes(cpu: Any) -> None:
        await cpu.unpark("0.0")
        await cpu.unpark(device_name(0))
        await cpu.join(await cpu.spawn(child))
        await cpu.wfi()

    async def device(cpu: Any) -> None:
        await cpu.park()
        await cpu.send_interrupt("0")

    made = Program("all", isa="aarch64", threads=[wakes], devices=[device])
    assert explore(made, Machine(SLEEPS), scheduler="dpor").verdict is Verdict.HOLDS


# -- parked threads -------------------------------------------------------------------------------


def parking(park: Any, unpark: Any) -> list[Any]:
    async def waits(cpu: Any) -> None:
        while not await cpu.load(X):
            await park(cpu)

    async def wakes(cpu: Any) -> None:
        await cpu.xchg(X, 1)
        await unpark(cpu)

    return [waits, wakes]


async def park_with_token(cpu: Any) -> None:
    await cpu.park()


async def unpark_with_token(cpu: Any) -> None:
    await cpu.unpark("0")


async def park_without_token(cpu: Any) -> None:
    await cpu.futex_wait(DATA, 0)


async def unpark_without_token(cpu: Any) -> None:
    await cpu.futex_wake(DATA)


@pytest.mark.parametrize("host", ["sc", "tso"])
def test_a_token_keeps_the_wake_up_and_without_it_it_is_lost(host):
    assert found(parking(park_with_token, unpark_with_token), host=host, isa="x86").verdict is Verdict.HOLDS
    report = found(parking(park_without_token, unpark_without_token), host=host, isa="x86")
    assert endings(report) == {Ending.DEADLOCK}


def test_tokens_do_not_add_up_and_a_parked_thread_may_wake_up_without_one():
    async def twice(cpu: Any) -> None:
        await cpu.park()
        await cpu.park()

    async def gives(cpu: Any) -> None:
        await cpu.unpark("0")
        await cpu.unpark("0")

    async def spurious(cpu: Any) -> None:
        await cpu.park(spurious=True)

    both = found([twice, gives], isa="x86")
    assert both.outcomes
    assert endings(both) == {Ending.DEADLOCK}
    alone = found([spurious], isa="x86")
    assert alone.outcomes
    assert endings(alone) == {Ending.DEADLOCK}


# -- what else a sleep meets ----------------------------------------------------------------------


def test_a_sleep_hinders_no_stopped_world():
    async def sleeps(cpu: Any) -> None:
        await cpu.wfe()

    async def stops(cpu: Any) -> None:
        while await cpu.ldxr(X) == 0 and await cpu.stxr(X, 1):
            pass
        await cpu.sev()

    for scheme in ("stop-world-value:events=sleep", "mixed:paths=0=native:events=sleep;*=hst:events=sleep"):
        assert found([sleeps, stops], scheme).verdict is Verdict.HOLDS


def test_a_host_of_graphs_says_that_it_does_not_model_it():
    async def sleeps(cpu: Any) -> None:
        await cpu.wfe()

    async def parks(cpu: Any) -> None:
        await cpu.park()

    for thread, scheme in ((sleeps, SLEEPS), (parks, "native")):
        with pytest.raises(NotModelledError, match="graphs"):
            explore(program(thread), Machine(scheme, host="armv8"), scheduler="dpor")
    assert explore(program(sleeps), Machine("native", host="armv8"), scheduler="dpor").verdict is Verdict.HOLDS


def test_the_trio_driver_agrees():
    machine, one = Machine(SLEEPS), found([spin_lock] * 2)
    trio = explore(program(spin_lock, spin_lock), machine, scheduler="dpor", driver="trio", **EVERY_FAILURE)
    assert (one.outcomes, one.executions) == (trio.outcomes, trio.executions)


def test_a_failure_replays():
    report = found([spin_lock, spin_lock], "cas:events=sleep")
    failure = next(each for each in report.failures if each.trace.ending is Ending.DEADLOCK)
    assert replay(failure).trace.digest == failure.trace.digest
