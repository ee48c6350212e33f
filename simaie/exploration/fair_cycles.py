"""Fair cycles in a graph of states: infinite executions in which each actor that can step again and again does so.

A cycle may be repeated for ever under strong fairness if each actor that is enabled in one of its states takes a step
on it. Such cycles are looked for by strongly connected components. If a component has an actor that is enabled in some
of its states, and takes none of its steps, then no fair cycle contains these states: they are left out, and what
remains is decomposed again (E. Emerson, C.-L. Lei, "Modalities for Model Checking", POPL 1985).

Under weak fairness, only an actor that is enabled in all states of the cycle has to take a step on it. If a component
has an actor that is enabled in all its states, and takes none of its steps, then the same holds for each part of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator
from typing import TypeAlias

from simaie.check.conflict_graph import components
from simaie.engine.memo.states import StateGraph

__all__ = ["Counts", "cycle_through", "fair_components"]

#: Whether a step counts: the state, the actor, and the next state.
Counts: TypeAlias = Callable[[int, int, int], bool]


def fair_components(graph: StateGraph, counts: Counts, *, weak: bool) -> Iterator[list[int]]:
    """Yield sets of states in each of which a fair cycle visits all of them by steps that count.

    Args:
        graph: The states.
        counts: Which steps count.
        weak: Whether the cycle need only be weakly fair.
    """
    pending: list[list[int]] = [list(range(len(graph.successors)))]
    while pending:
        for component in _components(graph, pending.pop(), counts):
            moving = {actor for _, actor, _ in steps_within(graph, component, counts)}
            if weak:
                if moving.issuperset(_always_enabled(graph, component)):
                    yield component
                continue
            unfair = [state for state in component if not moving.issuperset(graph.enabled[state])]
            if not unfair:
                yield component
            elif len(unfair) < len(component):
                gone = set(unfair)
                pending.append([state for state in component if state not in gone])


def steps_within(graph: StateGraph, states: Collection[int], counts: Counts) -> Iterator[tuple[int, int, int]]:
    """Yield the steps that count from one of `states` to another, or to itself: state, actor, next state."""
    among = frozenset(states)
    for state in states:
        for actor, following in graph.successors[state].items():
            if following in among and counts(state, actor, following):
                yield state, actor, following


def _always_enabled(graph: StateGraph, component: list[int]) -> set[int]:
    """Return the actors that are enabled in all states of `component`."""
    return set(graph.enabled[component[0]]).intersection(*(graph.enabled[state] for state in component))


def cycle_through(graph: StateGraph, component: list[int], counts: Counts) -> list[int]:
    """Return the actors of the steps of a fair cycle in a fair component, which begins at its first state.

    Each actor that has steps takes one, and the cycle visits a state in which the others cannot, for each of them.
    """
    steps: dict[int, list[tuple[int, int]]] = {}
    chosen: dict[int, tuple[int, int]] = {}  # for each actor, one of its steps
    for state, actor, following in steps_within(graph, component, counts):
        steps.setdefault(state, []).append((actor, following))
        chosen.setdefault(actor, (state, following))
    at, cycle = component[0], list[int]()
    for actor, (state, following) in chosen.items():
        cycle += [*_path(steps, at, state), actor]
        at = following
    resting = {actor for state in component for actor in graph.enabled[state]}.difference(chosen)
    for actor in sorted(resting):
        state = next(state for state in component if actor not in graph.enabled[state])
        cycle += _path(steps, at, state)
        at = state
    return [*cycle, *_path(steps, at, component[0])]


def _components(graph: StateGraph, states: list[int], counts: Counts) -> Iterator[list[int]]:
    """Yield the strongly connected components that have a step."""
    numbers = {state: number for number, state in enumerate(states)}
    following: list[list[int]] = [[] for _ in states]
    loops = set()
    for state, _, after in steps_within(graph, states, counts):
        if after == state:
            loops.add(state)
        else:
            following[numbers[state]].append(numbers[after])
    found = [[states[number] for number in component] for component in components(following)]
    loops.difference_update(*found)
    yield from sorted([*found, *([state] for state in loops)])


def _path(steps: dict[int, list[tuple[int, int]]], start: int, end: int) -> list[int]:
    """Return the actors of the steps of a shortest path."""
    came: dict[int, tuple[int, int]] = {}
    queue = deque([start])
    while queue and end != start and end not in came:
        state = queue.popleft()
        for actor, following in steps.get(state, ()):
            if following != start and following not in came:
                came[following] = (state, actor)
                queue.append(following)
    path: list[int] = []
    at = end
    while at != start:
        at, actor = came[at]
        path.append(actor)
    return path[::-1]
