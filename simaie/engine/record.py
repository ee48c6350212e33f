"""What is written down of one execution while it runs, and the trace that comes of it."""

from __future__ import annotations

from simaie.decision import Choice, Schedule, Switch
from simaie.engine.actors import ActorTable
from simaie.guest.final import FinalState, judge_final
from simaie.guest.program import Program
from simaie.host.ram import Endian
from simaie.protocols import HostMemory
from simaie.trace import Ending, Event, Fault, Instruction, Outcome, Trace, watched_name

__all__ = ["Record"]


class Record:
    """events: what was performed. switches: at which steps it was not the default who went on; the events tell who did.

    choices: those resolved as anything but 0. faults: what ended a vCPU early.
    """

    __slots__ = ("choices", "events", "faults", "switches")

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.switches: list[int] = []
        self.choices: list[Choice] = []
        self.faults: list[Fault] = []

    def trace(
        self,
        program: Program,
        endian: Endian,
        memory: HostMemory,
        cast: ActorTable,
        promises: frozenset[str],
        ending: Ending,
    ) -> Trace:
        """The finished trace."""
        events = self.events
        registers = {f"{a.name}:{r}": v for a in cast.everyone for r, v in a.cpu.observations.items()}
        asked = program.final is not None and ending is Ending.FINISHED
        outcome = _outcome(program, memory, registers)
        refusal = _refusal(program, memory, registers, outcome) if asked else None
        return Trace(
            program=program.name,
            events=events,
            ending=ending,
            outcome=outcome,
            schedule=Schedule(tuple([Switch(step, events[step].actor) for step in self.switches]), tuple(self.choices)),
            waiting={actor.name: actor.op for actor in cast.live if not actor.internal},
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
        )


def _silent(cast: ActorTable) -> list[Instruction]:
    """What the vCPUs hold to have taken no step, in an order that is not that of the steps."""
    found = [instruction for actor in cast.everyone for instruction in actor.cpu.silent]
    return sorted(found, key=lambda instruction: (instruction.vcpu, instruction.number)) if found else found


def _outcome(program: Program, memory: HostMemory, registers: dict[str, int]) -> Outcome:
    items = registers.copy()
    for address, width in program.watch.items():
        items[watched_name(address)] = memory.read(address, width)
    return Outcome(tuple(sorted(items.items())))


def _refusal(program: Program, memory: HostMemory, registers: dict[str, int], outcome: Outcome) -> str | None:
    """Why the program's final check refuses an execution that ran to its end; None if it accepts."""
    assert program.final is not None
    return judge_final(program.name, program.final, FinalState(memory.read, registers), outcome.as_dict())
