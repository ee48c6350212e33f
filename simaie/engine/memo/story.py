"""The finished history of a vCPU: its events with the results of their instructions, made once for each last node."""

from __future__ import annotations

from simaie.engine.memo.node import Node
from simaie.trace import Event, Instruction

__all__ = ["Story", "registers_of", "story_of"]


class Story:
    """The steps of a vCPU from its start to a last node, as a trace shows them.

    Attributes:
        events: One for each edge from the first operation on, in order: that of a node is at `Node.depth` - 2. The
            events of one guest instruction share one `Instruction`.
    """

    __slots__ = ("_finals", "events")

    def __init__(self, last: Node) -> None:
        self.events: list[Event] = []
        self._finals: dict[int, Instruction] = {}
        self._collect(last)

    def _collect(self, last: Node) -> None:
        """Walk back from the end: where an instruction comes to its end, its result is known."""
        name, finals = last.root.name, self._finals
        node = last
        while node.parent is not None:
            before = node.parent
            if before.op is not None:
                instruction = before.instruction
                if instruction is not None:
                    if node.final is not None:
                        finals[id(instruction)] = node.final
                    instruction = finals.setdefault(id(instruction), instruction)
                self.events.append(Event(name, before.op, node.came, instruction))
            node = before
        self.events.reverse()

    def final(self, instruction: Instruction | None) -> Instruction | None:
        """Return an instruction, which a node has as pending, with its result if it has come to its end."""
        return None if instruction is None else self._finals.get(id(instruction), instruction)


def story_of(node: Node) -> Story:
    """Return the story that ends at `node`."""
    if node.story is None:
        node.story = Story(node)
    return node.story


def registers_of(node: Node) -> tuple[tuple[str, int], ...]:
    """Return what the vCPU at `node` has observed, as items of an outcome."""
    if node.registers is None:
        name = node.root.name
        node.registers = tuple([(f"{name}:{register}", value) for register, value in node.observations.items()])
    return node.registers
