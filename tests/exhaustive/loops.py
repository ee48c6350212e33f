"""Random programs of two vCPUs with loops, and all their states, by an interpreter that shares no code with simaie.

A loop may look, exchange, compare and swap, or retry a store-conditional, and may write values that are news, values
that are there, or take back what it wrote. The interpreter has one step for each access of the ideal architecture.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from simaie.guest.code import Ins, ins
from simaie.guest.program import Program
from simaie.prng import Random

ADDRESSES = (0x100, 0x140)
REGISTERS = ("a", "b")
MOST_STATES = 400
#: The mnemonics of a load, a store, an exchange, a compare-and-swap, a load-linked and a store-conditional.
_MNEMONICS = {
    "x86": {"load": "load", "store": "store", "swap": "xchg", "cas": "lock_cmpxchg"},
    "arm": {"load": "ldr", "store": "str_", "swap": "swp", "link": "ldrex", "conditional": "strex"},
}

#: An instruction: its kind, the register that it sets or tests, its address or target, and further operands.
Step = tuple[Any, ...]
Code = list[Step]
#: A state: of each vCPU its position and registers; memory; the address that each vCPU has linked.
State = tuple[tuple[tuple[int, int, int], ...], tuple[int, ...], tuple[int | None, ...]]


class Graph(NamedTuple):
    """All states of a program, and of each state the next one by the vCPU that steps."""

    states: list[State]
    successors: list[dict[int, int]]


def drawn(seed: int, isa: str) -> tuple[list[Code], tuple[int, ...]]:
    """Return the code of two vCPUs, and the initial memory."""
    random = Random(seed)
    return [_thread(random, isa) for _ in range(2)], tuple([random.below(2) for _ in ADDRESSES])


def _thread(random: Random, isa: str) -> Code:
    code = _accesses(random, isa, random.below(2))
    start = len(code)
    code += _accesses(random, isa, 1 + random.below(3))
    code.append((("until-zero", "until-other")[random.below(2)], REGISTERS[random.below(2)], start))
    return code + _accesses(random, isa, random.below(2))


def _accesses(random: Random, isa: str, count: int) -> Code:
    kinds = ("load", "load", "store", "store", "swap", "cas" if isa == "x86" else "link")
    code: Code = []
    for _ in range(count):
        kind, register = kinds[random.below(len(kinds))], REGISTERS[random.below(2)]
        place, value = random.below(len(ADDRESSES)), (0, 0, 1, 1, 2, *REGISTERS)[random.below(7)]
        code.append((kind, register, place, value, random.below(3)))
        if kind == "link":
            code.append(("conditional", REGISTERS[random.below(2)], place, value, 0))
    return code


def program_of(codes: list[Code], memory: tuple[int, ...], isa: str) -> Program:
    """Return the program as lists of instructions, with the registers in its outcomes."""
    init = dict(zip(ADDRESSES, memory, strict=True))
    threads = [list(_instructions(code, _MNEMONICS[isa])) for code in codes]
    return Program("loops", isa=isa, threads=threads, init=init, watch=dict.fromkeys(ADDRESSES, 4))


def _instructions(code: Code, mnemonics: dict[str, str]) -> Iterator[Ins]:
    yield from [ins("mov", 0, into=register) for register in REGISTERS]
    targets = {step[2] for step in code if step[0] not in mnemonics}
    for number, (kind, register, place, *rest) in enumerate(code):
        if number in targets:
            yield ins("label", f"at {number}")
        if kind in ("until-zero", "until-other"):
            yield ins("cbnz" if kind == "until-zero" else "cbz", register, f"at {place}")
            continue
        value, expected = rest
        operands = {"load": [], "link": [], "cas": [expected, value]}.get(kind, [value])
        into = {} if kind == "store" else {"into": register}
        yield ins(mnemonics[kind], ADDRESSES[place], *operands, **into)


def graph_of(codes: list[Code], memory: tuple[int, ...]) -> Graph | None:
    """Return all states; None if there are too many."""
    first: State = (tuple([(0, 0, 0) for code in codes]), memory, (None,) * len(codes))
    graph = Graph([first], [])
    numbers = {first: 0}
    for state in graph.states:  # grows
        following = {}
        for vcpu, (position, *_) in enumerate(state[0]):
            if position < len(codes[vcpu]):
                after = _stepped(codes[vcpu], state, vcpu)
                following[vcpu] = numbers.setdefault(after, len(graph.states))
                if following[vcpu] == len(graph.states):
                    graph.states.append(after)
        graph.successors.append(following)
        if len(graph.states) > MOST_STATES:
            return None
    return graph


def _settled(code: Code, position: int, registers: Sequence[int]) -> int:
    """Return the position of the next access; a branch is no step, and every loop has an access."""
    while position < len(code) and code[position][0] in ("until-zero", "until-other"):
        kind, register, target, *_ = code[position]
        again = bool(registers[REGISTERS.index(register)]) is (kind == "until-zero")
        position = target if again else position + 1
    return position


def _stepped(code: Code, state: State, vcpu: int) -> State:
    threads, memory, linked = list(state[0]), list(state[1]), list(state[2])
    position, *registers = threads[vcpu]
    kind, register, place, given, expected = code[position]
    value = registers[REGISTERS.index(given)] if given in REGISTERS else given
    old, result = memory[place], memory[place]
    writes = kind in ("store", "swap") or (kind == "cas" and old == expected)
    if kind == "conditional":
        writes = linked[vcpu] == place
        result, linked[vcpu] = int(not writes), None
    if kind == "link":
        linked[vcpu] = place
    if writes:
        memory[place] = value
        linked = [each if other == vcpu or each != place else None for other, each in enumerate(linked)]
    if kind != "store":
        registers[REGISTERS.index(register)] = result
    threads[vcpu] = (_settled(code, position + 1, registers), registers[0], registers[1])
    return tuple(threads), tuple(memory), tuple(linked)


def ends(graph: Graph) -> set[tuple[tuple[int, ...], tuple[tuple[int, int], ...]]]:
    """Return memory and the registers of each vCPU at the end of all executions that end."""
    final = [state for state, after in zip(graph.states, graph.successors, strict=True) if not after]
    return {(memory, tuple([(a, b) for _, a, b in threads])) for threads, memory, _ in final}


def can_hang(graph: Graph) -> bool:
    """Whether an execution can come to a state from which none ends, and memory never changes."""
    return any(
        len({graph.states[each][1] for each in together}) == 1
        and all(after in together for each in together for after in graph.successors[each].values())
        for together in _components(graph.successors)
        if any(graph.successors[each] for each in together)
    )


def has_fair_cycle(graph: Graph, without_changes_by: Collection[int] = ()) -> bool:
    """Whether each vCPU that has not ended takes a step on some cycle, on which those vCPUs change no memory.

    With one such vCPU, it must not have ended.
    """
    victim = next(iter(without_changes_by)) if len(without_changes_by) == 1 else None
    counted = [
        {
            vcpu: after
            for vcpu, after in following.items()
            if vcpu not in without_changes_by or graph.states[after][1] == graph.states[number][1]
        }
        for number, following in enumerate(graph.successors)
    ]
    for together in _components(counted):
        moving = {vcpu for each in together for vcpu, after in counted[each].items() if after in together}
        living = graph.successors[min(together)].keys()  # the same everywhere on a cycle, since none begins again
        if moving and moving >= living and (victim is None or victim in living):
            return True
    return False


def _components(successors: list[dict[int, int]]) -> Iterator[set[int]]:
    """Yield the strongly connected components (S. R. Kosaraju)."""
    forward = [list(following.values()) for following in successors]
    backward: list[list[int]] = [[] for _ in successors]
    for number, following in enumerate(forward):
        for after in following:
            backward[after].append(number)
    order: list[int] = []
    seen: set[int] = set()
    for root in range(len(forward)):
        order += _finished(root, forward, seen)
    seen = set()
    for root in reversed(order):
        if found := _finished(root, backward, seen):
            yield set(found)


def _finished(root: int, edges: list[list[int]], seen: set[int]) -> list[int]:
    """Return the nodes that `root` reaches outside `seen`, in the order in which a depth-first search leaves them."""
    if root in seen:
        return []
    seen.add(root)
    ended, path = [], [(root, iter(edges[root]))]
    while path:
        after = next((each for each in path[-1][1] if each not in seen), None)
        if after is None:
            ended.append(path.pop()[0])
        else:
            seen.add(after)
            path.append((after, iter(edges[after])))
    return ended
