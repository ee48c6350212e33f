"""The record of one execution while it runs, from which its trace is made."""

from __future__ import annotations

from collections.abc import Container, Iterable
from itertools import chain

from simaie.decision import Choice, Schedule, Switch
from simaie.engine.actors import ActorTable
from simaie.guest.final import FinalState, judge_final
from simaie.guest.goals import merged_goals
from simaie.guest.program import Program
from simaie.host.ram import Endian
from simaie.protocols import HostMemory
from simaie.trace import Ending, Event, Fault, Instruction, Obligation, Outcome, Trace, watched_name

__all__ = ["Record", "outcome_of", "refusal_of", "unended"]


class Record:
    """The record of one execution.

    Attributes:
        events: The performed operations.
        switches: The steps that deviated from the default; the events have their actors.
        choices: The local choices that were not 0.
        faults: The guest faults and failed assertions that ended vCPUs.
        cycle: Of a lasso, the number of steps before the cycle.
    """

    __slots__ = ("choices", "cycle", "events", "faults", "switches")

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.switches: list[int] = []
        self.choices: list[Choice] = []
        self.faults: list[Fault] = []
        self.cycle: int | None = None

    def trace(
        self,
        program: Program,
        endian: Endian,
        memory: HostMemory,
        cast: ActorTable,
        promises: frozenset[str],
        ending: Ending,
    ) -> Trace:
        """Return the trace of the finished execution."""
        events = self.events
        registers = {f"{a.name}:{r}": v for a in cast.everyone for r, v in a.cpu.observations.items()}
        waiting = {actor.name: actor.op for actor in cast.live if not actor.internal}
        asked = program.final is not None and ending is Ending.FINISHED
        outcome = outcome_of(program, memory, registers)
        refusal = refusal_of(program, memory, registers, outcome) if asked else None
        return Trace(
            program=program.name,
            events=events,
            ending=ending,
            outcome=outcome,
            schedule=Schedule(tuple([Switch(step, events[step].actor) for step in self.switches]), tuple(self.choices)),
            waiting=waiting,
            faults=tuple(self.faults),
            promises=frozenset(promises),
            accepted=refusal is None if asked else None,
            refusal=refusal or "",
            blocks=tuple([block for actor in cast.everyone for block in actor.cpu.blocks]),
            isa=program.isa,
            reservation_ends=tuple([end for actor in cast.everyone for end in actor.cpu.reservation_ends]),
            endian=endian,
            frames=program.frames,
            silent=_silent(cast),
            cycle=self.cycle,
            obligations=unended(program, waiting, [actor.cpu.obligations for actor in cast.everyone]),
            goals=merged_goals([actor.cpu.goals for actor in cast.everyone]),
        )


def unended(
    program: Program, unfinished: Container[str], blocks: Iterable[Iterable[Obligation]]
) -> tuple[Obligation, ...]:
    """Return the blocks that are to end and have not: whole threads, as the program states, and `blocks` inside them.

    Args:
        program: The program.
        unfinished: The names of the vCPUs that have not ended.
        blocks: The open blocks of each vCPU.
    """
    whole = [Obligation(vcpu, name, 0) for vcpu, name in program.eventually.items() if vcpu in unfinished]
    return (*whole, *chain.from_iterable(blocks))


def _silent(cast: ActorTable) -> list[Instruction]:
    """Return the instructions that may have performed no operation, by vCPU and number."""
    found = [instruction for actor in cast.everyone for instruction in actor.cpu.silent]
    return sorted(found, key=lambda instruction: (instruction.vcpu, instruction.number)) if found else found


def outcome_of(program: Program, memory: HostMemory, registers: dict[str, int]) -> Outcome:
    """Return the outcome of an execution that ended with these registers and values in `memory`."""
    items = registers.copy()
    for address, width in program.watch.items():
        items[watched_name(address)] = memory.read(address, width)
    return Outcome(tuple(sorted(items.items())))


def refusal_of(program: Program, memory: HostMemory, registers: dict[str, int], outcome: Outcome) -> str | None:
    """Return why the program's final check refuses a finished execution; None if it accepts."""
    assert program.final is not None
    return judge_final(program.name, program.final, FinalState(memory.read, registers), outcome.as_dict())
