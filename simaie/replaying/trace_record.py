"""Traces as plain data, so that a failure can be shown without its program.

Events share cells, operations and instructions. These are therefore in tables, and are referred to by number; an
operation refers to earlier ones only. A value is an integer, a text, null or a list. Any other value is recorded by the
name under which traces show it. Code is not recorded: of a function there is its name, and the value that it returned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from simaie.barrier import Barrier
from simaie.block import Block, Call
from simaie.decision import Schedule
from simaie.execution_graph import ExecutionGraph
from simaie.guest.program import Program
from simaie.op import Cell, Form, Function, Kind, Op, Order, Role, show
from simaie.trace import (
    PENDING,
    AccessKind,
    Ending,
    Event,
    Fault,
    Instruction,
    Obligation,
    Outcome,
    ReservationEnd,
    Trace,
)

__all__ = ["Named", "TraceRecord", "trace_of", "trace_record"]

#: The widest access, in bytes, and the longest address, in bits, that a recorded trace may have.
_MOST_WIDTH, _MOST_BITS = 1 << 10, 128


class CellRecord(msgspec.Struct, frozen=True, array_like=True):
    """A cell (see `simaie.op.Cell`). guard: the number of the mutex that guards it."""

    name: str
    guard: int | None = None
    role: Role = Role.OTHER
    address: int | None = None


class OpRecord(msgspec.Struct, frozen=True, array_like=True):
    """An operation (see `simaie.op.Op`).

    Attributes:
        cell: The number of the cell.
        function: The name of the function.
        orders: The bits of the `Barrier`.
    """

    kind: Kind
    cell: int | None = None
    address: int = 0
    width: int = 0
    value: Any = None
    expected: Any = None
    function: str | None = None
    order: Order = Order.RELAXED
    note: str = ""
    orders: int = 0
    buffer: str = ""
    bit: int = -1
    form: int = 0


class InstructionRecord(msgspec.Struct, frozen=True, array_like=True):
    """A guest instruction (see `simaie.trace.Instruction`)."""

    vcpu: str
    number: int
    mnemonic: str
    access: AccessKind
    address: int
    width: int
    result: Any = None
    effect: Any = None
    second: int | None = None


class EventRecord(msgspec.Struct, frozen=True, array_like=True):
    """An event (see `simaie.trace.Event`).

    Attributes:
        op: The number of the operation.
        instruction: The number of the guest instruction.
        made: The value that the operation's function returned.
    """

    actor: str
    op: int
    value: Any = None
    instruction: int | None = None
    made: Any = None


class BlockRecord(msgspec.Struct, frozen=True, array_like=True):
    """A block (see `simaie.block.Block`); a call if it has `args`."""

    vcpu: str
    name: str
    first: int
    after: int | None = None
    args: Any = None
    result: Any = None
    completed: bool = False
    ordered: bool = False


class TraceRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A trace (see `simaie.trace.Trace`).

    Attributes:
        init: The integers in memory before the first step, as (address, width, value).
        cycle: Of a lasso, the number of steps before the cycle.
        places: Of instructions of machine code, their number in `instructions`, their source lines, and their location
            in terms of symbols.
        disassembly: Of instructions of machine code, their number in `instructions` and their text with operands.
        graph: The graph of the execution; absent on other hosts.
        obligations: The blocks that are to end and have not ended; absent if there are none.
    """

    cells: tuple[CellRecord, ...]
    ops: tuple[OpRecord, ...]
    instructions: tuple[InstructionRecord, ...]
    events: tuple[EventRecord, ...]
    ending: Ending
    outcome: Outcome
    isa: str
    waiting: dict[str, int] = {}
    faults: tuple[Fault, ...] = ()
    promises: tuple[str, ...] = ()
    accepted: bool | None = None
    refusal: str = ""
    blocks: tuple[BlockRecord, ...] = ()
    reservation_ends: tuple[ReservationEnd, ...] = ()
    endian: Literal["little", "big"] = "little"
    frames: dict[int, int] = {}
    silent: tuple[int, ...] = ()
    init: tuple[tuple[int, int, int], ...] = ()
    cycle: int | None = None
    places: tuple[tuple[int, str, str], ...] = ()
    disassembly: tuple[tuple[int, str], ...] = ()
    graph: ExecutionGraph | msgspec.UnsetType = msgspec.UNSET
    obligations: tuple[Obligation, ...] | msgspec.UnsetType = msgspec.UNSET


class RecordedPlace:
    """The place of an instruction in machine code, as it was recorded.

    Args:
        text: Its source lines.
        address: The address of the location that it accesses.
        symbol: The same in terms of symbols.

    Attributes:
        disassembly: The instruction with its operands; empty if it was not recorded.
    """

    def __init__(self, text: str, address: int, symbol: str) -> None:
        self._text, self._address, self._symbol = text, address, symbol
        self.disassembly = ""

    def __str__(self) -> str:
        return self._text

    def location(self, address: int) -> str:
        """Return the recorded location; empty for any other address."""
        return self._symbol if address == self._address else ""


class Named:
    """A value of which only the name was recorded."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


# -- writing ---------------------------------------------------------------------------------------


def trace_record(trace: Trace, program: Program) -> TraceRecord:
    """Return `trace`, an execution of `program`, as data."""
    return _Writer().record(trace, program)


class _Writer:
    def __init__(self) -> None:
        self._cells: dict[Cell, int] = {}
        self._ops: dict[int, int] = {}
        self._instructions: dict[int, int] = {}
        self._cell_table: list[CellRecord] = []
        self._op_table: list[OpRecord] = []
        self._instruction_table: list[InstructionRecord] = []
        self._places: list[tuple[int, str, str]] = []
        self._disassembly: list[tuple[int, str]] = []
        self._held: dict[Cell, Any] = {}

    def record(self, trace: Trace, program: Program) -> TraceRecord:
        events = tuple(map(self._event, trace.events))
        waiting = {actor: self._op(op) for actor, op in trace.waiting.items()}
        silent = tuple(map(self._instruction, trace.silent))
        return TraceRecord(
            cells=tuple(self._cell_table),
            ops=tuple(self._op_table),
            instructions=tuple(self._instruction_table),
            places=tuple(self._places),
            disassembly=tuple(self._disassembly),
            events=events,
            ending=trace.ending,
            outcome=trace.outcome,
            isa=trace.isa or program.isa,
            waiting=waiting,
            faults=trace.faults,
            promises=tuple(sorted(trace.promises)),
            accepted=trace.accepted,
            refusal=trace.refusal,
            blocks=tuple(map(self._block, trace.blocks)),
            reservation_ends=trace.reservation_ends,
            endian=trace.endian,
            frames=trace.frames,
            silent=silent,
            cycle=trace.cycle,
            graph=msgspec.UNSET if trace.graph is None else trace.graph,
            obligations=trace.obligations or msgspec.UNSET,
            init=tuple((a, width, value) for a, width, value in program.image if isinstance(value, int)),
        )

    def _event(self, event: Event) -> EventRecord:
        instruction = None if event.instruction is None else self._instruction(event.instruction)
        made = self._value(self._made(event))
        return EventRecord(event.actor, self._op(event.op), self._value(event.value), instruction, made)

    def _made(self, event: Event) -> Any:
        """Return the new value that an operation's function computed, for an UPDATE the structure; None without one."""
        op, cell = event.op, event.op.cell
        if op.function is None:
            if cell is not None and event.wrote and op.kind not in (Kind.LOCK, Kind.UNLOCK):
                self._held[cell] = op.value
            return None
        if op.kind not in (Kind.FETCH, Kind.UPDATE):
            return None
        try:
            if op.kind is Kind.FETCH or cell is None:
                made = op.function.apply(event.value)
            else:
                made = op.function.apply(self._held.get(cell, cell.initial))[0]
        except Exception:  # a function of the scheme may need more than the values in the trace
            return None
        if cell is not None:
            self._held[cell] = made
        return made

    def _cell(self, cell: Cell | None) -> int | None:
        if cell is None:
            return None
        if cell not in self._cells:
            guard = self._cell(cell.guard)
            self._cells[cell] = len(self._cell_table)
            self._cell_table.append(CellRecord(cell.name, guard, cell.role, cell.address))
        return self._cells[cell]

    def _op(self, op: Op) -> int:
        number = self._ops.get(id(op))
        if number is None:
            value = None if op.kind is Kind.SPAWN else self._value(op.value)
            if op.kind is Kind.SPAWN:
                value = {"name": show(op.value)}
            function = None if op.function is None else op.function.name
            made = OpRecord(op.kind, self._cell(op.cell), op.address, op.width, value, self._value(op.expected),
                            function, op.order, op.note, int(op.orders), op.buffer, op.bit, int(op.form))  # fmt: skip
            number = self._ops[id(op)] = len(self._op_table)
            self._op_table.append(made)
        return number

    def _instruction(self, instruction: Instruction) -> int:
        number = self._instructions.get(id(instruction))
        if number is None:
            number = self._instructions[id(instruction)] = len(self._instruction_table)
            self._instruction_table.append(InstructionRecord(
                instruction.vcpu, instruction.number, instruction.mnemonic, instruction.access, instruction.address,
                instruction.width, self._value(instruction.result), self._value(instruction.effect),
                instruction.second,
            ))  # fmt: skip
            if instruction.place is not None:
                symbol = instruction.place.location(instruction.address) if instruction.width else ""
                self._places.append((number, str(instruction.place), symbol))
                if text := instruction.place.disassembly:
                    self._disassembly.append((number, text))
        return number

    def _block(self, block: Block) -> BlockRecord:
        plain = (block.vcpu, block.name, block.first, block.after)
        if not isinstance(block, Call):
            return BlockRecord(*plain)
        args, result = self._value(block.args), self._value(block.result)
        return BlockRecord(*plain, args, result, block.completed, block.ordered)

    def _value(self, value: Any) -> Any:
        if value is None or type(value) in (bool, int, str):
            return value
        if isinstance(value, int):
            return int(value)
        if isinstance(value, str):
            return str.__str__(value)
        if value is PENDING:
            return {"pending": True}
        if isinstance(value, tuple):
            return [self._value(part) for part in value]
        if isinstance(value, Op):
            return {"op": self._op(value)}
        if isinstance(value, Function):
            return {"function": value.name}
        return {"name": show(value)}


# -- reading ---------------------------------------------------------------------------------------


def trace_of(record: TraceRecord, program: str, schedule: Schedule) -> Trace:
    """Return the trace that `record` describes.

    Args:
        record: The trace as data.
        program: The name of the program.
        schedule: The decisions of the scheduler.

    Raises:
        ValueError: The record contradicts itself; the message says where.
    """
    try:
        return _Reader(record).trace(program, schedule)
    except (IndexError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"the recorded trace refers to something that it does not contain ({error})") from None


class _Reader:
    def __init__(self, record: TraceRecord) -> None:
        self._record = record
        self._cells: list[Cell] = []
        for each in record.cells:
            guard = None if each.guard is None else _at(self._cells, each.guard)
            self._cells.append(Cell(each.name, None, guard, each.role, each.address))
        self._ops: list[Op] = []
        for op in record.ops:
            self._ops.append(self._op(op))
        self._instructions = [self._instruction(each) for each in record.instructions]
        for number, text, symbol in record.places:
            instruction = _at(self._instructions, number)
            instruction.place = RecordedPlace(text, instruction.address, symbol)
        for number, text in record.disassembly:
            place = _at(self._instructions, number).place
            if isinstance(place, RecordedPlace):
                place.disassembly = text

    def trace(self, program: str, schedule: Schedule) -> Trace:
        record = self._record
        if record.cycle is not None and not 0 <= record.cycle < len(record.events):
            raise ValueError(f"the recorded cycle begins at step {record.cycle} of {len(record.events)}")
        if (record.cycle is None) is (record.ending is Ending.LASSO):
            what = "no cycle" if record.cycle is None else "a cycle"
            raise ValueError(f"the recorded execution has {what}, but its ending is {record.ending}")
        return Trace(
            program=program,
            events=[self._event(each) for each in record.events],
            ending=record.ending,
            outcome=record.outcome,
            schedule=schedule,
            waiting={actor: _at(self._ops, number) for actor, number in record.waiting.items()},
            faults=record.faults,
            promises=frozenset(record.promises),
            accepted=record.accepted,
            refusal=record.refusal,
            blocks=tuple(map(self._block, record.blocks)),
            isa=record.isa,
            reservation_ends=record.reservation_ends,
            endian=record.endian,
            frames=record.frames,
            silent=[_at(self._instructions, number) for number in record.silent],
            cycle=record.cycle,
            graph=self._graph(),
            obligations=record.obligations if isinstance(record.obligations, tuple) else (),
        )

    def _graph(self) -> ExecutionGraph | None:
        graph = self._record.graph
        if not isinstance(graph, ExecutionGraph):
            return None
        graph.require_sound(len(self._record.events))
        return graph

    def _op(self, op: OpRecord) -> Op:
        _require_place(op.address, op.width)
        if op.orders not in range(Barrier.FULL + 1):
            raise ValueError(f"the recorded trace has a fence of orders {op.orders}")
        if op.form not in range(sum(Form) + 1):
            raise ValueError(f"the recorded trace has an operation of form {op.form}")
        cell = None if op.cell is None else _at(self._cells, op.cell)
        function = None if op.function is None else Function(op.function, _unknown)
        made = Op(op.kind, cell, op.address, op.width, self._value(op.value), self._value(op.expected), function,
                  op.order, op.note, Barrier(op.orders), op.buffer, op.bit, Form(op.form))  # fmt: skip
        _require_shape(made)
        return made

    def _instruction(self, each: InstructionRecord) -> Instruction:
        _require_place(each.address, each.width)
        result, effect = self._value(each.result), self._value(each.effect)
        if each.second is not None:
            _require_place(each.second, each.width)
        return Instruction(
            each.vcpu, each.number, each.mnemonic, each.access, each.address, each.width, result, effect,
            second=each.second,
        )  # fmt: skip

    def _event(self, each: EventRecord) -> Event:
        op, made = _at(self._ops, each.op), self._value(each.made)
        if op.function is not None and made is not None:
            op = msgspec.structs.replace(op, function=Function(op.function.name, _constant(op, made)))
        instruction = None if each.instruction is None else _at(self._instructions, each.instruction)
        return Event(each.actor, op, self._value(each.value), instruction)

    def _block(self, each: BlockRecord) -> Block:
        plain = (each.vcpu, each.name, each.first, each.after)
        if each.args is None:
            return Block(*plain)
        args = self._value(each.args)
        if type(args) is not tuple:
            raise TypeError(f"{args!r} are no arguments")
        return Call(*plain, args, self._value(each.result), each.completed, each.ordered)

    def _value(self, value: Any) -> Any:
        if isinstance(value, list):
            return tuple([self._value(part) for part in value])
        if not isinstance(value, dict):
            return value
        ((kind, inner),) = value.items()
        if kind == "op":
            return _at(self._ops, inner)
        makers: Mapping[str, Callable[[str], Any]] = {
            "function": lambda name: Function(name, _unknown), "name": Named, "pending": lambda _: PENDING,
        }  # fmt: skip
        return makers[kind](str(inner))


def _at(table: list[Any], number: int) -> Any:
    if type(number) is not int or number < 0:
        raise IndexError(f"number {number!r}")
    return table[number]


def _require_place(address: int, width: int) -> None:
    if not 0 <= width <= _MOST_WIDTH or address < 0 or address.bit_length() > _MOST_BITS:
        raise ValueError(f"the recorded trace has an access of {width} bytes at {address:#x}")


def _require_shape(op: Op) -> None:
    """Raise TypeError if no operation of this kind has such operands."""
    if op.kind is Kind.BUFFER and not isinstance(op.value, Op):
        raise TypeError("a buffer without its store")
    if op.kind is Kind.AWAIT and op.value is not None:
        parts = op.value if isinstance(op.value, tuple) else (op.value,)
        if not all(isinstance(part, Op) and part.value is None for part in parts):
            raise TypeError("an await of no loads")


def _unknown(_: Any) -> Any:
    raise LookupError("the value that the function returned is not recorded")


def _constant(op: Op, made: Any) -> Callable[[Any], Any]:
    return (lambda _: (made, None)) if op.kind is Kind.UPDATE else (lambda _: made)
