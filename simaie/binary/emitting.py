"""One lifted instruction as Python statements.

The statements run in a function with three variables: `T` is the thread (`simaie.binary.thread`), `R` the list of its
registers, `cpu` its vCPU. Values are unsigned numbers of the width of their varnode.

Sleigh reads a memory operand of x86 several times in one instruction, for the flags; the processor reads it once. So a
later LOAD of the same address in one instruction is the value that was read, or stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from simaie.binary.cells import Cells, mask
from simaie.binary.expressions import Expression, expression_of
from simaie.binary.operations import Lifted, Operation, Varnode
from simaie.binary.statements import Statement
from simaie.binary.traps import SYSTEM_CALL, Trap, trap_of
from simaie.binary.vectors import is_vector

__all__ = ["IGNORED", "Emitter", "Sink"]

#: User-defined operations without an effect here.
IGNORED = ("LOCK", "UNLOCK", "setISAMode", "Hint", "SendEvent", "DataMemoryBarrier", "endbr")
_VECTOR = 16  # the size of a vector register of A64, in bytes
_WIDENED = ("NEON", "a64")  # the vector operations of A64
_LEAVES = frozenset({"BRANCH", "BRANCHIND", "CALL", "CALLIND", "RETURN"})


class Sink:
    """What becomes of the accesses to memory of an instruction.

    Args:
        load: Takes the expression of an address, the width, and a fresh name; returns statements that assign the name.
        store: Takes the expression of an address, the width and the expression of a value; returns statements.
    """

    def __init__(
        self,
        load: Callable[[Expression, int, str], list[Statement]],
        store: Callable[[Expression, int, Expression], list[Statement]],
    ) -> None:
        self.load, self.store = load, store


class Emitter:
    """Writes the statements of one instruction.

    Args:
        cells: The registers.
        address: The address of the instruction.
        lifted: The instruction.
        sink: What becomes of its accesses to memory.
        mode: The bit of an address by which Arm tells Thumb from A32: 1 for Thumb, else 0.
        mode_register: The register with this bit after a branch; None if there is only one mode.
    """

    def __init__(
        self, cells: Cells, address: int, lifted: Lifted, sink: Sink, mode: int = 0,
        mode_register: Varnode | None = None,
    ) -> None:  # fmt: skip
        self._cells, self._address, self._lifted, self._sink = cells, address, lifted, sink
        self._mode, self._mode_register = mode, mode_register
        self._following = (address + lifted.size) | mode
        self._statements: list[Statement] = []
        self._depth, self._kept = 0, False
        self._known: dict[tuple[str, int], str] = {}
        self._defined: set[str] = set()
        self._temporaries = _merged(lifted.operations)
        self._changes_mode = any(op.output == mode_register for op in lifted.operations if mode_register)
        self.leaves = False  # whether it branches to another instruction

    def run(self) -> list[Statement]:
        """Return the statements; the last one returns if the instruction may leave."""
        operations = self._lifted.operations
        targets = [op.inputs[0].offset for op in operations if op.inputs and op.inputs[0].space == "inside"]
        if all(target == len(operations) for target in targets) and self._only_skips(operations):
            for index, operation in enumerate(operations):
                self._operation(index, operation)
        else:
            self._dispatched(operations, targets)
        if self.leaves:
            self._depth = 0
            self._return(Expression(str(self._following), ()))
        return self._statements

    @staticmethod
    def _only_skips(operations: Sequence[Operation]) -> bool:
        """Whether an unconditional branch inside the instruction is its last operation."""
        return not any(op.opcode == "BRANCH" and op.inputs[0].space == "inside" for op in operations[:-1])

    def _dispatched(self, operations: Sequence[Operation], targets: Sequence[int]) -> None:
        """Write operations between which branches go forth and back, as a loop over numbered parts."""
        after = {index + 1 for index, op in enumerate(operations) if op.inputs and op.inputs[0].space == "inside"}
        starts = sorted({0, *targets, *after} - {len(operations)})
        self._kept = True
        self._say("n = 0")
        self._say("while True:")
        self._depth = 1
        for index, operation in enumerate(operations):
            if index in starts:
                self._depth = 1
                self._say(f"if n == {index}:")
                self._depth, self._known = 2, {}
            stopped = self._operation(index, operation)
            if index + 1 in starts and not stopped:
                self._say(f"n = {index + 1}")
        self._depth = 1
        self._say("break")
        self._depth, self._kept = 0, False

    # -- statements -----------------------------------------------------------------------------

    def _say(self, text: str, *reads: Expression, target: str = "", ends: bool = False) -> None:
        names = tuple(name for expression in reads for name in expression.reads)
        self._statements.append(Statement(text, target, names, self._depth, ends, self._kept))

    def _take(self, made: list[Statement]) -> None:
        self._statements += [each._replace(depth=each.depth + self._depth) for each in made]

    def _return(self, target: Expression) -> None:
        self._say(f"return {target.text}", target, ends=True)

    def _operation(self, index: int, op: Operation) -> bool:
        """Write an operation; return whether nothing in its part follows it."""
        if op.opcode == "LOAD":
            self._load(index, op)
        elif op.opcode == "STORE":
            self._store(op)
        elif op.opcode == "CBRANCH":
            self._branch(op)
        elif op.opcode in _LEAVES:
            return self._leave(op)
        elif op.opcode == "CALLOTHER":
            return self._userop(op)
        else:
            made = expression_of(op, self._read)
            if made is None:
                return self._unmodelled(op.opcode)
            assert op.output is not None
            self._write(op.output, made)
        return False

    def _load(self, index: int, op: Operation) -> None:
        place = op.inputs[1]
        assert op.output is not None
        name = self._known.get((place.space, place.offset))
        if name is None:
            name = f"m{index}"
            address = self._read(place)
            self._take(self._sink.load(address, op.output.size, name))
            self._known[place.space, place.offset] = name
        self._write(op.output, Expression(name, (name,)), loaded=True)

    def _store(self, op: Operation) -> None:
        place, value = op.inputs[1], op.inputs[2]
        name = f"s{len(self._statements)}"
        what = self._read(value)
        self._say(f"{name} = {what.text}", what)
        self._take(self._sink.store(self._read(place), value.size, Expression(name, (name,))))
        self._known = {(place.space, place.offset): name}

    def _branch(self, op: Operation) -> None:
        condition = self._read(op.inputs[1])
        target = op.inputs[0]
        if target.space != "inside":
            self.leaves = True
            self._say(f"if {condition.text}:", condition, ends=True)
            self._depth += 1
            self._return(self._to(target))
            self._depth -= 1
        elif self._kept:
            self._say(f"if {condition.text}: n = {target.offset}; continue", condition)
        else:
            self._say(f"if not ({condition.text}):", condition)
            self._depth += 1

    def _leave(self, op: Operation) -> bool:
        target = op.inputs[0]
        if target.space == "inside":
            if self._kept:
                self._say(f"n = {target.offset}; continue")
            return True
        self.leaves = True
        self._return(self._to(target))
        return True

    def _to(self, target: Varnode) -> Expression:
        """Return the address to which a branch goes, with the mode in its lowest bit."""
        place = Expression(str(target.offset), ()) if target.space == "ram" else self._read(target)
        if self._changes_mode:
            assert self._mode_register is not None
            mode = self._read(self._mode_register)
            return Expression(f"{place.text}|{mode.text}", (*place.reads, *mode.reads))
        return Expression(f"{place.text}|1", place.reads) if self._mode else place

    def _userop(self, op: Operation) -> bool:
        if op.name.startswith(IGNORED) and op.output is None:
            return False
        if op.output is not None and is_vector(op.name):
            self._vector(op, op.output)
            return False
        trap = trap_of(op)
        return self._unmodelled(op.name) if trap is None else self._trap(op, trap)

    def _trap(self, op: Operation, trap: Trap) -> bool:
        what = f"system_call({self._address})"
        if trap.cause != SYSTEM_CALL:
            what = f"fault({self._address}, {trap.cause!r}, {trap.message!r})"
        if not trap.width:
            return self._raise(what)
        one, other = (self._signed(node) for node in op.inputs[2:])
        test = f"if compares({trap.condition}, {one.text}, {other.text}, {trap.width}):"
        self._say(test, one, other, ends=True)
        self._depth += 1
        self._say(f"raise T.{what}", ends=True)
        self._depth -= 1
        return False

    def _vector(self, op: Operation, output: Varnode) -> None:
        operands = op.inputs[1:]  # the first one numbers the operation
        made = [self._read(node) for node in operands]
        sizes = f"{output.size}, {operands[0].size}"
        text = f"vector({op.name!r}, {sizes}, {', '.join(each.text for each in made)})"
        if op.name.startswith(_WIDENED):
            output = output._replace(size=_VECTOR)  # A64: the rest of the register becomes 0
        self._write(output, Expression(text, tuple(name for each in made for name in each.reads)))

    def _unmodelled(self, what: str) -> bool:
        return self._raise(f"unmodelled({self._address}, {what!r})")

    def _raise(self, what: str) -> bool:
        self.leaves = True
        self._say(f"raise T.{what}", ends=True)
        return True

    # -- varnodes -------------------------------------------------------------------------------

    def _read(self, node: Varnode) -> Expression:
        if node.space == "const":
            return Expression(str(node.offset & mask(node.size)), ())
        name, shift, whole = self._place(node)
        if whole:
            return Expression(name, (name,))
        shifted = f"{name}>>{shift}" if shift else name
        return Expression(f"({shifted}&{mask(node.size)})", (name,))

    def _signed(self, node: Varnode) -> Expression:
        """Return an operand; a constant as a signed number, for an operation that extends it."""
        if node.space != "const":
            return self._read(node)
        half = 1 << 8 * node.size - 1
        return Expression(str((node.offset & mask(node.size) ^ half) - half), ())

    def _write(self, node: Varnode, value: Expression, *, loaded: bool = False) -> None:
        if node.space == "const":
            return  # the register that is always zero, in a hint such as C.SLLI of RISC-V
        if not loaded:
            self._known.pop((node.space, node.offset), None)
        name, shift, whole = self._place(node)
        if whole:
            self._say(f"{name} = {value.text}", value, target=name)
        else:
            part = f"({value.text})<<{shift}" if shift else f"({value.text})"
            if node.space == "unique" and name not in self._defined:
                self._say(f"{name} = {part}", value, target=name)
            else:
                keep = Expression(name, (name,))
                self._say(f"{name} = {name}&{~(mask(node.size) << shift)}|{part}", value, keep, target=name)
        self._defined.add(name)

    def _place(self, node: Varnode) -> tuple[str, int, bool]:
        """Return the variable that contains a varnode, the shift in it, and whether it is all of it."""
        if node.space == "register":
            number, shift, whole = self._cells.place(node)
            return f"R[{number}]", shift, whole
        first, last = next(each for each in self._temporaries if each[0] <= node.offset < each[1])
        below = last - node.offset - node.size if self._cells.big_endian else node.offset - first
        return f"u{first:x}", 8 * below, last - first == node.size


def _merged(operations: Sequence[Operation]) -> list[tuple[int, int]]:
    """Return the extents of the temporaries of an instruction; those that overlap are one."""
    nodes = [node for op in operations for node in (*op.inputs, op.output) if node and node.space == "unique"]
    merged: list[tuple[int, int]] = []
    for first, last in sorted({(node.offset, node.offset + node.size) for node in nodes}):
        if merged and first < merged[-1][1]:
            merged[-1] = merged[-1][0], max(last, merged[-1][1])
        else:
            merged.append((first, last))
    return merged
