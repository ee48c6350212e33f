"""Running small programs for the tests of the schemes: one execution, a scripted one, or all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from simaie_schedulers.dfs import DepthFirst
from simaie_schedulers.scripted import Scripted

from simaie.engine.execution import Execution
from simaie.engine.inline import run_inline
from simaie.exploration.explorer import explore
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.protocols import ExecutionInfo, Scheduler
from simaie.trace import Trace

X = 0x40  # below 12 address bits, so that a radix tree has one level


def program(isa: str, *threads: Any, final: Callable[[Any], object] | None = None, **options: Any) -> Program:
    """A program named "test" that watches the word at X."""
    options.setdefault("watch", {X: 4})
    return Program("test", isa=isa, threads=list(threads), final=final, **options)


def small(scheme: Any, **options: Any) -> Machine:
    """A machine of 12 address bits."""
    return Machine(scheme, address_bits=12, **options)


def execute(prog: Program, machine: Machine, scheduler: Scheduler | None = None) -> Trace:
    """One execution, thread after thread if no scheduler is given."""
    chosen = scheduler or Scripted([])
    return run_inline(Execution(prog, machine, chosen, ExecutionInfo(0, 0, len(prog.threads))))


def scripted(prog: Program, machine: Machine, actors: Sequence[str]) -> Trace:
    """One execution whose first steps are those of `actors`."""
    return execute(prog, machine, Scripted(list(actors)))


def every(prog: Program, machine: Machine, *, preemptions: int | None = None) -> Iterator[Trace]:
    """All executions, or all with at most so many preemptions."""
    yield from _all_of(DepthFirst(preemptions=preemptions), prog, machine)


def each_class(prog: Program, machine: Machine) -> Iterator[Trace]:
    """One execution of each class whose executions differ in the order of independent steps only."""
    traces: list[Trace] = []
    keep = [lambda trace: traces.append(trace) or ()]
    report = explore(prog, machine, scheduler="dpor", executions=100_000, failures=None, checkers=keep)
    assert report.complete
    return iter(traces)


def _all_of(search: DepthFirst, prog: Program, machine: Machine) -> Iterator[Trace]:
    while not search.exhausted:
        yield execute(prog, machine, search)


def steps(trace: Trace, vcpu: str = "0") -> list[str]:
    """The operations of a vCPU as ``kind place``."""
    return [
        f"{event.op.kind.name.lower()} {event.op.location}".strip() for event in trace.events if event.actor == vcpu
    ]


async def strex(cpu: Any, address: int, value: int, *, width: int = 4) -> int:
    """STREX, with what it returned noted for `failures`: one that takes no step leaves nothing in the trace."""
    number = sum(name.startswith("sc") for name in cpu.observations)
    failed: int = await cpu.strex(address, value, width=width)
    cpu.observe(f"sc{number}", failed)
    return failed


def failures(trace: Trace, vcpu: str = "0") -> list[int]:
    """What the calls of `strex` on a vCPU returned, in order (at most ten)."""
    return [value for name, value in trace.outcome.items if name.startswith(f"{vcpu}:sc")]


__all__ = ["X", "every", "execute", "failures", "program", "scripted", "small", "steps", "strex"]
