"""Explanations: one for each kind of finding, made of what the trace shows; an unknown kind in its own words."""

from __future__ import annotations

import dataclasses

import pytest
from mutants import MUTANTS
from runs import every, execute, small
from scheme_parts import read_modify_write

import simaie
from simaie import Finding, Machine, Program, corpus, ins
from simaie.check import CHECKERS, judge
from simaie.schemes.scheme import Scheme
from simaie.show.explain import EXPLANATIONS, around, explain, explain_failure, guilty
from simaie.show.failure_view import failure_view

X = 0x100


def fail(program, machine, **options):
    return simaie.explore(program, machine, scheduler="random-walk", **options).failures[0]


@pytest.fixture(scope="module", name="window")
def fixture_window():
    program = corpus.program("first-registration-window")
    return fail(program, Machine("aie-rfc", address_bits=12)).shrink().failure


def test_a_lost_update_names_both_instructions_all_three_values_and_the_check_that_came_too_early(window):
    text = explain(window.trace, window.findings[0])
    read, foreign, write = window.findings[0].steps
    assert "vCPU 0's lock inc [0x100]" in text
    assert "vCPU 1's store [0x100] wrote 5" in text
    assert all(f"(step {step})" in text for step in (read, foreign, write))
    assert "load radix/10 = none (step 0)" in text  # what the store had looked at
    assert "cas radix/10" in text  # and who changed it


@pytest.mark.one_in(3)
@pytest.mark.untraced
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.spoiled.__name__)
def test_whatever_a_spoiled_scheme_does_is_explained(mutant):
    for trace in every(mutant.program(), small(mutant.spoiled)):
        for finding in judge(trace, CHECKERS.values()):
            assert explain(trace, finding)


class Leaky(Scheme):
    """Leaks a lock, takes two, touches a structure without its guard."""

    name = "leaky"

    def __init__(self, host, pages, machine):
        super().__init__(host, pages, machine)
        self.lock = host.mutex("the lock")
        self.data = host.cell("the data", 0, self.lock)

    async def atomic_rmw(self, cpu, address, width, function):
        await self.data.update("touch", lambda value: (value + 1, None))
        await self.lock.lock()
        return await read_modify_write(self, address, width, function)


def test_locks_and_structures_are_explained_by_who_held_what():
    program = Program("leaks", isa="x86", threads=[[ins("lock_inc", X)]] * 2, init={X: 0})
    failure = fail(program, Machine(Leaky))
    told = {finding.kind: explain(failure.trace, finding) for finding in failure.findings}
    assert "did not hold" in told["unguarded-update"]
    assert "It was never released. vCPU" in told["lock-leak"]
    assert "waits for the lock" in told["deadlock"]


def test_store_buffers_are_explained_by_what_overtook_what():
    threads = [[ins("store", X, 1), ins("load", X + 64, into="r")], [ins("store", X + 64, 1), ins("load", X, into="r")]]
    program = Program("sb", isa="x86", threads=threads, final=lambda m: any(m.registers.values()))
    failure = fail(program, Machine(host="tso"))
    text = explain(failure.trace, failure.findings[0])
    assert "vCPU 1's store [0x140] went into the store buffer first" in text
    assert "only after its own later load [0x100]" in text


def test_stores_that_overtake_stores_are_told():
    """Message passing: the flag's store leaves its buffer before the data's."""
    reader = [ins("load", X + 64, into="flag"), ins("load", X, into="data")]
    program = Program("mp", isa="x86", threads=[[ins("store", X, 1), ins("store", X + 64, 1)], reader],
                      final=lambda m: (m.registers["1:flag"], m.registers["1:data"]) != (1, 0))
    failure = fail(program, Machine(host="pso")).shrink(kind="final-check").failure
    text = explain(failure.trace, failure.findings[0])
    assert "vCPU 0's store [0x100] went into the store buffer first" in text
    assert "its own later store [0x140]" in text


def test_who_loops_without_end_is_told_by_the_round():
    async def loops(cpu):
        while not await cpu.load(X):
            await cpu.store(X + 64, 0)

    program = Program("loops", isa="x86", threads=[loops], init={X: 0})
    trace = execute(program, Machine(limits=simaie.Limits(steps=4_000)))
    (finding,) = judge(trace, [CHECKERS["starvation"]])
    assert finding.kind == "livelock"
    assert "One round: vCPU 0: load [0x100] = 0 (step " in explain(trace, finding)


def test_torn_loads_and_races_are_told_by_their_accesses():
    wide = corpus.program("wide-access-on-narrow-host")
    torn = fail(wide, Machine("aie-rfc", address_bits=12, host_word=32), checkers=["single-copy-atomicity"])
    assert "partly old and partly new" in explain(torn.trace, torn.findings[0])
    race = Program("race", isa="x86", threads=[[ins("store", X, 1)], [ins("load", X)]])
    racing = fail(race, Machine(), checkers=["data-races"])
    assert "the other way round" in explain(racing.trace, racing.findings[0])


@pytest.mark.one_in(3)
@pytest.mark.parametrize("kind", [*EXPLANATIONS, "no such kind"])
@pytest.mark.parametrize("steps", [(), (0,), (0, 1), (3, 2, 1), (99,), (-1, 2, 3)])
def test_a_finding_that_names_other_steps_than_expected_is_explained_somehow(window, kind, steps):
    """Below its own message, which is always shown."""
    odd = dataclasses.replace(window, findings=(Finding(kind, "something is wrong", steps),))
    assert "something is wrong" in odd.explain()
    assert explain(window.trace, odd.findings[0]) in odd.explain()


def test_a_kind_without_explanation_is_told_in_its_own_words_with_its_steps(window):
    text = explain(window.trace, Finding("no such kind", "something is wrong", (4,)))
    assert "load [0x100]/4 = 0 (step 4)" in text


def test_what_a_guest_or_a_file_puts_into_names_cannot_reach_the_terminal(window):
    finding = Finding("no such kind", "\x1b[31mred\nline", (4,))
    assert "\x1b" not in explain(window.trace, finding)


def test_a_failure_explains_itself(window):
    assert window.explain() == explain_failure(window)
    known = around(window)
    assert all(explain(window.trace, finding, known) in window.explain() for finding in window.findings)
    assert all(str(finding) in window.explain() for finding in window.findings)


def test_the_view_has_the_trace_and_the_explanations(window):
    text = "\n".join(line.plain for line in failure_view(window))
    words = " ".join(text.split())
    assert all(" ".join(explain(window.trace, f, around(window)).split()) in words for f in window.findings)


def test_a_final_check_that_fails_for_another_finding_points_to_it(window):
    """The state is the last write of the instruction that was not atomic: it need not be explained a second time."""
    second = next(finding for finding in window.findings if finding.kind == "final-check")
    assert "finding 1" in explain(window.trace, second, around(window))
    assert "finding 1" not in explain(window.trace, second)


def test_a_value_that_others_have_built_upon_is_probably_a_consequence():
    program = Program("built upon", isa="x86", threads=[[ins("inc", X), ins("lock_inc", X)], [ins("lock_inc", X)]],
                      init={X: 0}, final=lambda m: m[X] == 3)
    failure = fail(program, Machine("none"), executions=500)
    (second,) = (finding for finding in failure.findings if finding.kind == "final-check")
    broken = Finding("rmw-atomicity", "an earlier one", steps=(0,), addresses=(X,))
    known = dataclasses.replace(around(failure), findings=(broken, second))
    assert "Probably a consequence of finding 1" in explain(failure.trace, second, known)


def test_a_torn_load_is_told_by_what_was_observed_of_it():
    program = corpus.program("wide-access-on-narrow-host")
    failure = fail(program, Machine("aie-rfc", address_bits=12, host_word=32)).shrink().failure
    told = explain(failure.trace, failure.findings[1], around(failure))
    assert "A consequence of finding 1: 1:r is 1, the result of vCPU 1's load [0x100]" in told


@pytest.mark.parametrize(
    ("program", "scheme", "words"),
    [("first-registration-window", "aie-rfc", "tree of locks"),
     ("treiber-stack-reuse-arm", "cas", "only reservation is the value"),
     ("treiber-stack-reuse-x86", "cas", "the program itself allows this outcome")],
)  # fmt: skip
def test_a_final_check_that_judges_alone_is_explained_by_the_instruction_that_was_not_atomic_if_any(
    program, scheme, words
):
    machine = Machine(scheme, address_bits=12)
    failure = fail(corpus.program(program), machine, checkers=["final-check"], executions=20_000)
    assert words in failure.explain()


def test_calls_that_fit_no_order_come_of_an_instruction_that_was_not_atomic_where_no_other_finding_says_so():
    program = corpus.program("treiber-stack-arm")
    alone = fail(program, Machine("none", address_bits=12), checkers=["linearizable-stack"]).explain()
    assert "The cause (llsc-atomicity)" in alone
    assert "Nothing ties a load-linked" in alone


def test_a_wait_without_a_name_is_for_another_value():
    async def waits(cpu):
        await cpu.wait_until(X, bool)

    failure = fail(Program("waits", isa="x86", threads=[waits], init={X: 0}), Machine())
    assert failure.findings[0].message == "vCPU 0 waits for [0x100]/4 (another value)"


@pytest.mark.untraced
def test_a_store_that_several_accesses_have_overtaken_is_told_once():
    program = corpus.program("spsc-ring-arm")
    failure = fail(program, Machine("aie-rfc", host="pso", address_bits=12)).shrink().failure
    told = failure.explain()
    assert told.count("vCPU 0's store [0x200] went into the store buffer first") <= 1


def test_what_one_instruction_did_in_the_middle_of_another_is_told_at_once():
    program = corpus.program("wide-access-on-narrow-host-arm")
    failure = fail(program, Machine("aie-rfc", address_bits=12, host_word=32)).shrink().failure
    assert "in the middle, vCPU 1's ldrd [0x100] read the same bytes (steps 2 and 3)." in failure.explain()


def test_what_an_outcome_comes_of_is_marked_in_the_table():
    """The store, what overtook it, who did not see it, and when it took effect."""
    failure = simaie.compare(corpus.program("sb-x86-fenced-tso-none"), "aie-rfc", host="tso").forbidden[0].failure
    assert guilty(failure.trace, failure.findings)[0].steps == (1, 2, 5, 6)
    window = fail(corpus.program("first-registration-window"), Machine("aie-rfc"), checkers=["final-check"],
                  executions=20_000)  # fmt: skip
    assert len(guilty(window.trace, window.findings)[0].steps) == 3
    assert guilty(window.trace, judge(window.trace)) == judge(window.trace)


def test_a_forbidden_outcome_is_explained_like_a_refused_one():
    sb = corpus.program("sb-x86-fenced-tso-none")
    failure = simaie.compare(sb, "aie-rfc", host="tso").forbidden[0].failure
    assert "read 0 (step 5), and did not see it" in failure.explain()
    assert "went into the store buffer first" in failure.explain()


def test_of_overtaken_stores_those_are_told_that_misled_somebody():
    """Both stores of store buffering wait, but one of them nobody looked for meanwhile."""
    threads = [[ins("store", X, 1), ins("load", X + 64, into="r")], [ins("store", X + 64, 1), ins("load", X, into="r")]]
    program = Program("sb", isa="x86", threads=threads, final=lambda m: any(m.registers.values()))
    text = fail(program, Machine(host="tso")).shrink().failure.explain()
    assert text.count("went into the store buffer first") == 1
    assert "vCPU 1's load [0x100] read 0" in text


def test_a_late_store_goes_over_one_that_should_have_come_after_it():
    program = corpus.program("2+2w-x86-fenced-pso-none")
    text = fail(program, Machine("aie-rfc", host="pso", address_bits=12), executions=5_000).explain()
    assert "which the late store overwrote" in text


@pytest.mark.parametrize(
    ("scheme", "host", "threads", "words"),
    [
        # Message passing: x86 keeps stores in order, and PSO does not.
        ("aie-rfc:barriers=none", "pso", [[ins("store", X, 1), ins("store", X + 64, 1)],
                                          [ins("load", X + 64, into="r"), ins("load", X, into="s")]],
         "x86 promises this order (st-st)"),
        ("aie-rfc:barriers=guest", "pso", [[ins("store", X, 1), ins("store", X + 64, 1)],
                                           [ins("load", X + 64, into="r"), ins("load", X, into="s")]],
         "fences only"),
        # Store buffering: which x86 forbids only between fences.
        ("aie-rfc:barriers=none", "tso", [[ins("store", X, 1), ins("mfence"), ins("load", X + 64, into="r")],
                                          [ins("store", X + 64, 1), ins("mfence"), ins("load", X, into="s")]],
         "not even for a fence"),
        ("aie-rfc:barriers=guest", "tso", [[ins("store", X, 1), ins("load", X + 64, into="r")],
                            [ins("store", X + 64, 1), ins("load", X, into="s")]],
         "the guest has no fence there that keeps a store before a later load (st-ld)"),
    ],
)  # fmt: skip
def test_a_barrier_that_is_missing_is_told_with_who_should_have_emitted_it(scheme, host, threads, words):
    def final(memory):
        values = {name[2:]: value for name, value in memory.registers.items()}
        return (values["r"], values["s"]) != ((1, 0) if host == "pso" else (0, 0))

    program = Program("order", isa="x86", threads=threads, final=final)
    failure = fail(program, Machine(scheme, host=host, address_bits=12))
    assert words in failure.explain()


def test_what_an_exchange_stores_does_not_come_from_what_it_loaded():
    program = corpus.program("xchg-locks-by-itself")
    failure = fail(program, Machine("none", address_bits=12)).shrink().failure
    assert "computed" not in failure.explain()


@pytest.mark.untraced
def test_an_alias_is_named_as_the_guest_names_it():
    program = corpus.program("aliases-user-mode")
    failure = fail(program, Machine("aie-rfc", address_bits=13)).shrink().failure
    assert "vCPU 1's lock inc [0x1100] (physical 0x100)" in failure.findings[0].message


def test_a_bit_of_a_bitmap_is_told_with_its_word():
    program = corpus.program("first-registration-window")
    failure = fail(program, Machine("aie-v2", address_bits=12)).shrink().failure
    assert "load bitmap 0x0 (bit 4) = 0x0, clear" in failure.explain()
    assert "fetch-or 0x10 on bitmap 0x0 (bit 4) = 0x0, clear" in failure.explain()


def test_calls_that_fit_no_order_are_explained_by_their_conflicting_operations():
    top, link = 0x100, 0x200

    async def push(cpu):
        async with cpu.call("push", int(cpu.name)) as call:
            await cpu.store(link + 4 * int(cpu.name), await cpu.load(top))
            await cpu.store(top, int(cpu.name))
            call.returns()

    async def pop_all(cpu):
        for _ in range(2):
            async with cpu.call("pop") as call:
                node = await cpu.load(top)
                if node:
                    await cpu.store(top, await cpu.load(link + 4 * node))
                call.returns(node or None)

    program = Program("lossy", isa="x86", threads=[pop_all, push, push], init={top: 0})
    failure = simaie.explore(program, checkers=["linearizable-stack"], scheduler="random-walk").failures[0]
    text = failure.shrink().failure.explain()
    assert "a lost update" in text
    assert " in push(" in text


def test_a_compare_and_swap_that_was_fooled_is_called_by_its_name():
    async def replace(cpu):
        async with cpu.atomic("replace"):
            seen = await cpu.load(X)
            await cpu.load(X + 4)
            await cpu.lock_cmpxchg(X, seen, 9)

    async def there_and_back(cpu):
        await cpu.store(X, 1)
        await cpu.store(X, 0)

    program = Program("fooled", isa="x86", threads=[replace, there_and_back], init={X: 0})
    assert "A-B-A" in fail(program, Machine("cas"), executions=500).explain()


@pytest.mark.parametrize(
    ("local", "remote", "words"),
    [
        ([ins("load", X), ins("store", X, 5)], [ins("store", X, 1)], "a lost update"),
        ([ins("load", X), ins("load", X)], [ins("store", X, 1)], "the state from before"),
        ([ins("store", X, 7), ins("load", X)], [ins("store", X, 1)], "did not read back"),
        ([ins("store", X, 7), ins("store", X, 8)], [ins("load", X)], "in the middle"),
    ],
)
def test_what_is_not_serializable_is_told_by_what_it_means(local, remote, words):
    async def block(cpu):
        async with cpu.atomic("both"):
            for item in local:
                await getattr(cpu, item.name)(*item.args)

    program = Program("blocks", isa="x86", threads=[block, remote], init={X: 0})
    assert words in fail(program, Machine(), executions=500).explain()


def test_a_fault_names_its_instruction_and_an_assertion_the_one_before():
    async def faulty(cpu):
        await cpu.ldrex(X + 2)

    async def sure(cpu):
        assert await cpu.ldr(X), "nothing there"

    program = Program("faulty", isa="arm", threads=[faulty, sure], init={X: 0})
    text = fail(program, Machine()).explain()
    assert "in vCPU 0's ldrex [0x102]" in text
    assert "in vCPU 1's ldr [0x100]" in text


def test_a_store_conditional_elsewhere_loses_nothing_and_is_explained_all_the_same():
    flag = X + 64  # by which vCPU 0 knows that the store came before
    threads = [
        [ins("ldrex", X), ins("ldr", flag), ins("strex", X + 4, 1)],
        [ins("str_", X, 5), ins("str_", flag, 1)],
    ]
    program = Program("elsewhere", isa="arm", threads=threads, init={X: 0, X + 4: 0, flag: 0})
    failure = fail(program, Machine("aie-rfc", address_bits=12), checkers=["llsc-atomicity-strict"])
    assert "is still there" in failure.explain()


def test_a_store_of_the_value_that_was_there_is_not_called_lost():
    def explained(value):
        threads = [[ins("ldrex", X), ins("strex", X, 1)], [ins("str_", X, value)]]
        program = Program("stored between", isa="arm", threads=threads, init={X: 5})
        return fail(program, Machine("aie-rfc", address_bits=12)).explain()

    assert "value-preserving" in explained(5)
    assert "is lost" not in explained(5)
    assert "value-preserving" not in explained(6)
    assert "is lost" in explained(6)


def test_the_helpers_of_the_scheme_are_named():
    class Careless(simaie.Scheme):
        name = "careless"

        async def atomic_rmw(self, cpu, address, width, function):
            old = await self.host.load(address, width)
            await self.host.store(address, width, function.apply(old))
            return old

    program = Program("two", isa="x86", threads=[[ins("lock_inc", X)]] * 2, init={X: 0})
    text = fail(program, Machine(Careless)).explain()
    assert "In the scheme's code: Careless.atomic_rmw (vCPU 0 and vCPU 1)." in text
    window = corpus.program("failing-cmpxchg-window")
    told = fail(window, Machine("aie-rfc", address_bits=12)).explain()
    assert "In the scheme's code: AieRfc.atomic_rmw (vCPU 0), AieScheme.store (vCPU 1)." in told


def test_a_device_has_no_helper():
    program = corpus.program("dma-against-locked-rmw")
    told = fail(program, Machine("aie-rfc", address_bits=12)).explain()
    assert "In the scheme's code: AieRfc.atomic_rmw (vCPU 0)." in told


def test_a_compare_and_exchange_of_its_own_is_named():
    class Own(simaie.Scheme):
        name = "own"

        async def cmpxchg(self, cpu, address, width, expected, new):
            old = await self.host.load(address, width)
            await self.host.store(address, width, new if old == expected else old)
            return old

    program = Program("two", isa="x86", threads=[[ins("lock_cmpxchg", X, 0, 1)]] * 2, init={X: 0})
    assert "Own.cmpxchg (vCPU 0 and vCPU 1)" in fail(program, Machine(Own)).explain()


def test_a_sleep_without_an_end_is_explained_by_its_beginning():
    async def sleeps(cpu):
        await cpu.load(X)
        await cpu.park()

    async def ends(cpu):
        await cpu.load(X)

    failure = fail(Program("asleep", isa="x86", threads=[sleeps, ends], init={X: 0}), Machine("native"), executions=1)
    [step] = [number for number, event in enumerate(failure.trace.events) if event.actor == "0"]
    said = explain(failure.trace, failure.findings[0])
    assert f"vCPU 0 fell asleep after step {step}, and nothing has woken it up since." in said
    assert "vCPU 0 can never take a step again." in said
