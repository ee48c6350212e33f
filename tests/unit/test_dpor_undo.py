"""DPOR by undo: parts that are explored apart, paths that are set aside, and steps that stay unsettled."""

from __future__ import annotations

import pytest
from exhaustive.explicit_state import ExplicitState, canonical, every_trace
from exhaustive.small_programs import generated, inc, lastzero, load, readers, store
from simaie_schedulers.undo.divided import DividedSearch
from simaie_schedulers.undo.parts import together

from simaie.errors import UsageError
from simaie.op import Cell, Function, Kind, Op
from simaie.small_steps import Rank

MUTEX = Cell("m")


def thread(*ops):
    def body():
        yield from (op for op in ops)  # a generator: it takes the value that comes back, which a tuple does not

    return body


def locked(*ops):
    return thread(Op(Kind.LOCK, MUTEX), *ops, Op(Kind.UNLOCK, MUTEX))


def await_(predicate, *addresses):
    parts = tuple([load(address) for address in addresses])
    return Op(Kind.AWAIT, value=parts, function=Function("until", predicate))


def visited(search):
    return [canonical(state) for state in search]


def assert_exact(*threads, state=ExplicitState):
    """Every trace is visited once; return the search."""
    search = DividedSearch(state(threads, dict.fromkeys(range(4), 0)))
    traces = visited(search)
    assert sorted(traces, key=repr) == sorted(every_trace(state(threads, dict.fromkeys(range(4), 0)), 10**5), key=repr)
    return search


def test_a_program_without_conflicts_takes_one_execution():
    search = assert_exact(thread(store(0, 1)), thread(store(1, 1)), thread(load(2), load(2)))
    assert search.executions == 1
    assert search.reversals == 0


def test_an_empty_program_has_one_execution():
    assert assert_exact(thread(), thread()).executions == 1


def test_the_state_stands_at_the_end_of_an_execution_and_is_at_its_start_after_the_last():
    state = inc(2)
    finals = [state.memory[0] for _ in DividedSearch(state)]
    assert sorted(finals) == [1, 1, 2, 2]
    assert state.memory == {0: 0}
    assert state.enabled() == [0, 1]


def test_two_searches_visit_the_same_executions_in_the_same_order():
    assert visited(DividedSearch(inc(3))) == visited(DividedSearch(inc(3)))


def test_a_failed_compare_and_swap_is_a_read():
    """Two that fail commute; where the store comes first both succeed in turn."""
    first, second = Op(Kind.CAS, None, 0, 1, 7, 1), Op(Kind.CAS, None, 0, 1, 8, 1)
    assert assert_exact(thread(first), thread(second)).executions == 1
    assert_exact(thread(first), thread(second), thread(store(0, 1)))


def test_a_lock_goes_to_either():
    assert assert_exact(locked(store(0, 1)), locked(store(0, 2))).executions == 2


def test_a_lock_that_is_never_released_blocks_the_second_vcpu():
    search = assert_exact(thread(Op(Kind.LOCK, MUTEX), store(1, 1)), thread(Op(Kind.LOCK, MUTEX), store(1, 2)))
    assert search.executions == 2


def test_a_wait_that_another_write_ends_for_good_is_found_both_ways():
    """The wait may come between the two stores, and may miss its chance."""
    wait = Op(Kind.AWAIT, None, 0, 1, function=Function("until", lambda value: value == 1))
    search = assert_exact(thread(store(0, 1), store(0, 2)), thread(wait))
    assert search.executions == 2


def test_the_world_is_stopped_between_instructions_only():
    instruction = (load(0), store(0, 1, note="inside"))
    stop = (Op(Kind.BEGIN_EXCLUSIVE), Op(Kind.END_EXCLUSIVE))
    assert assert_exact(thread(*instruction), thread(*stop)).executions == 2
    assert_exact(thread(*instruction, store(1, 1)), thread(*stop), thread(load(1), store(0, 2, note="inside")))


@pytest.mark.parametrize("value", [0, 1, 2])
def test_every_value_of_a_choice_is_taken(value):
    state = ExplicitState([thread(Op(Kind.CHOICE, value=3))], {})
    assert [state.events[0][2] for _ in DividedSearch(state)].count(value) == 1


def test_accesses_that_overlap_in_part_are_refused_unless_they_are_announced():
    """The shortest program of which a trace would be missing."""
    narrow, wide = Op(Kind.CAS, None, 1, 1, 1, 0), Op(Kind.CAS, None, 0, 2, 1, 0)
    threads = [thread(narrow), thread(wide), thread(load(0))]
    missing = DividedSearch(ExplicitState(threads, {0: 0, 1: 0}))
    with pytest.raises(UsageError, match="mixed_sizes"):
        visited(missing)
    assert missing.executions == 2
    search = DividedSearch(ExplicitState(threads, {0: 0, 1: 0}, mixed_sizes=True))
    assert len(set(visited(search))) == search.executions == 3


class Eager(ExplicitState):
    """Postpones no wait for several places."""

    def rank(self, actor):
        return Rank.WORLD if super().rank(actor) is Rank.WORLD else Rank.ORDINARY


def test_a_wait_for_several_places_that_stays_open_is_settled_at_the_end():
    """Two independent stores disable it, in two orders that are one trace; the second order is only counted."""
    wait = await_(lambda values: values == (0, 0), 0, 1)
    threads = (thread(wait), thread(store(0, 1)), thread(store(1, 1)))
    assert assert_exact(*threads, state=Eager).redundant == 1
    assert assert_exact(*threads).redundant == 0


@pytest.mark.parametrize("keep", [0, 1, 5])
def test_what_is_kept_and_what_is_set_aside_stays_small(keep):
    search = DividedSearch(inc(4), keep=keep)
    assert len(set(visited(search))) == 576
    assert search.peak_kept <= keep
    assert 1 <= search.peak_set_aside <= len(inc(4).nodes) ** 2 * 4


def test_steps_that_are_repeated_are_those_of_paths_set_aside():
    kept, at_once = DividedSearch(lastzero(5)), DividedSearch(lastzero(5), keep=0)
    assert sorted(visited(kept), key=repr) == sorted(visited(at_once), key=repr)
    assert kept.path.steps < at_once.path.steps <= 3 * kept.path.steps


@pytest.mark.parametrize(
    "make",
    [lambda: inc(3), lambda: readers(6), lambda: generated("waits", 4), lambda: generated("world and waits", 7)],
)
@pytest.mark.parametrize(("every", "budget"), [(1, 1), (3, 2), (2, 1000)])
def test_parts_given_away_keep_the_order(make, every, budget):
    """The executions, and the counts, are those of one search; parts are explored before their turn, in pieces."""
    whole = DividedSearch(make())
    order = visited(whole)
    search, given, found, parts = DividedSearch(make()), {}, [], 0
    while True:
        if search.advance():
            found.append(canonical(search.state))
            if len(found) % every == 0:
                part = search.give_away(parts)
                if part is not None:
                    given[parts] = explored(make, part, budget)
                    parts += 1
        elif search.due is None:
            break
        else:
            executions, result = given.pop(search.due.number)
            assert search.can_take_in(result)
            search.take_in(result)
            found += executions
    assert found == order
    assert parts > (every == 1)
    for name in ("executions", "redundant", "reversals", "infeasible", "peak_length"):
        assert getattr(search, name) == getattr(whole, name), name
    assert search.peak_kept <= whole.peak_kept + 1


def explored(make, part, budget):
    """Explore a part in pieces, each by a search on a state of its own; the last piece may leave a rest."""
    executions, results = [], []
    for _ in range(3):
        search = DividedSearch(make())
        search.begin(part)
        before = len(executions)
        while search.advance() and len(executions) < before + budget:
            executions.append(canonical(search.state))
        results.append(search.found())
        if not results[-1].rest:
            break
        part = results[-1].following(part)
    return executions, together(results)


def test_the_largest_part_whose_size_is_known_is_given_away():
    """The readers decide one after the other whether they come before the writer: each doubles the executions."""
    search = DividedSearch(readers(6))
    search.advance()
    assert search.give_away(0, least=1) is None  # nothing is explored
    while search.executions < 25:
        search.advance()
    assert search.give_away(0, least=9) is None  # the last one at the start had 8 executions
    largest, smaller = search.give_away(0, least=1), search.give_away(1, least=1)
    assert [len(explored(lambda: readers(6), part, 1000)[0]) for part in (largest, smaller)] == [32, 1]
    assert search.give_away(2, least=1, most=1) is None  # the others wait where the last one had 2 executions
    assert search.give_away(2, least=1) is not None


@pytest.mark.parametrize(
    ("make", "uncertain"), [(lambda: inc(3), False), (lambda: generated("waits", 4), True)], ids=["plain", "waits"]
)
def test_a_part_knows_whether_operations_are_uncertain(make, uncertain):
    """If none are, neither the search of the part nor the one that takes it in looks for their schedules."""
    search, part = DividedSearch(make()), None
    while part is None and search.advance():
        part = search.give_away(0)
    assert part.uncertain is uncertain
    assert explored(make, part, 2)[1].uncertain is uncertain


def test_a_search_takes_in_that_operations_are_uncertain():
    search = DividedSearch(inc(3))
    search.advance()
    result = explored(lambda: inc(3), search.give_away(0), 2)[1]
    while search.due is None:
        search.advance()
    search.take_in(result._replace(uncertain=True))
    part = None
    while part is None and search.advance():
        part = search.give_away(1)
    assert part.uncertain


def test_a_part_can_be_taken_back():
    whole = visited(DividedSearch(inc(3)))
    search, found, taken = DividedSearch(inc(3)), [], 0
    while search.advance() or search.due is not None:
        if search.due is not None:
            search.take_back()
            taken += 1
            continue
        found.append(canonical(search.state))
        search.give_away(len(found))
    assert found == whole
    assert taken


def test_a_part_that_keeps_too_much_is_refused():
    search = DividedSearch(inc(3), keep=3)
    while search.advance():
        part = search.give_away(0)
        if part is not None:
            break
    other = DividedSearch(inc(3), keep=0)

    def everything():
        other.begin(part)
        return list(other)

    with pytest.raises(UsageError, match="too many"):
        everything()


def test_nothing_is_given_away_where_nothing_waits():
    search = DividedSearch(inc(1))
    assert search.advance()
    assert search.give_away(0) is None
