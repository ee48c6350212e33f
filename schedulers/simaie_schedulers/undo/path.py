"""The path of the search: the state, the order of its events, and what the search decided at each of them.

A *default* step is an actor's turn of its own; the other steps belong to a schedule, which a reversed race put before
a default step. The last step of a schedule is its *head*. A local choice with a value other than 0 is a schedule of
one step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from simaie.dependence import WRITES_IF_IT_SUCCEEDS
from simaie.small_steps import SmallSteps
from simaie_schedulers.undo.order import Order

__all__ = ["Decision", "Path", "Schedule", "Unsettled"]


class Schedule(NamedTuple):
    """Steps to take at a node instead of the default step of `actor`, which follows them.

    at: Length of the path at the node. actor: Whose default step is put off; -1 if the head is the other value of a
    local choice. moves: Actor and value of its choice, by step; the head is the last. chain: The heads that are already
    before the default step, earliest first. may_flip: Whether the heads may change what the default step does from a
    write to a read, see `simaie_schedulers.undo.flips`. before_read: Whether the default step is a read, so that the
    head has to write.
    """

    at: int
    actor: int
    moves: tuple[tuple[int, int], ...]
    chain: tuple[int, ...]
    may_flip: bool
    before_read: bool


class Unsettled(NamedTuple):
    """A default step that was disabled by the schedule before it: its actor and place, and the heads before it."""

    actor: int
    place: int
    chain: tuple[int, ...]


class Decision(NamedTuple):
    """One step of the path, with all that the search has to know of it to go on from there.

    waiting: The schedules that are still to be explored in place of this step, also those that were given away.
    unsettled: Of a head, the default step that its schedule has disabled.
    """

    actor: int
    choice: int
    scheduled: bool
    head: bool
    chain: tuple[int, ...]
    waiting: list[Any]
    unsettled: Unsettled | None


class Path:
    """A state, and how the search came to it; lists are indexed by event, and never become shorter, as in `Order`.

    Args:
        state: The program, at its start.

    Attributes:
        state: The program, where the path ends.
        order: The order of the events.
        scheduled: The mask of the events of schedules.
        heads: The mask of the heads.
        chains: By event, the heads before it that were put there for its sake.
        choices: By event, the value of its local choice, or 0.
        waiting: By event, the schedules that are still to be explored in place of it; None if there are none.
        unsettled: By head, the default step that its schedule has disabled.
        steps: How many steps were performed in all.
    """

    def __init__(self, state: SmallSteps) -> None:
        self.state = state
        self.order = Order(state.overlaps)
        self.scheduled = 0
        self.heads = 0
        self.chains: list[tuple[int, ...]] = []
        self.choices: list[int] = []
        self.waiting: list[list[Any] | None] = []  # of `Schedule` and `simaie_schedulers.undo.parts.Given`
        self.unsettled: dict[int, Unsettled] = {}
        self.steps = 0

    def __len__(self) -> int:
        return self.order.length

    def step(self, actor: int, choice: int, chain: tuple[int, ...]) -> int:
        """Perform the next operation of `actor`; return its immediate predecessors as `Order.append` does."""
        state, order = self.state, self.order
        index = order.length
        if state.has_buffers:
            preceding, siblings = state.buffered(actor)
            immediate = order.append(actor, state.step(actor, choice), preceding, siblings)
        else:
            immediate = order.append(actor, state.step(actor, choice))
        if index == len(self.chains):
            self.chains.append(chain)
            self.choices.append(choice)
            self.waiting.append(None)
        else:
            self.chains[index] = chain
            self.choices[index] = choice
            self.waiting[index] = None
        self.steps += 1
        return immediate

    def keep(self, schedule: Schedule) -> None:
        """Let a schedule wait at its node."""
        waiting = self.waiting[schedule.at]
        if waiting is None:
            self.waiting[schedule.at] = [schedule]
        else:
            waiting.append(schedule)

    def schedule(self, at: int, between: int, actor: int) -> Schedule:
        """Return the schedule that puts an operation before the default step `at`.

        Args:
            at: Index of the default step.
            between: Mask of the events after `at` that happen before the operation.
            actor: The actor that performs the operation.
        """
        actors, choices, chain = self.order.actors, self.choices, self.chains[at]
        step = self.order.steps[at]
        may_flip = self.state.mixed_sizes and bool(chain) and step.kind in WRITES_IF_IT_SUCCEEDS
        moves = []
        while between:
            index = (between & -between).bit_length() - 1
            between &= between - 1
            moves.append((actors[index], choices[index]))
        moves.append((actor, 0))
        return Schedule(at, actors[at], tuple(moves), chain, may_flip, not step.wrote)

    def leave_unsettled(self, actor: int, chain: tuple[int, ...]) -> None:
        """Note that the schedule at the end of the path has disabled the step of `actor`.

        Args:
            actor: The actor.
            chain: The heads that were put before its step.
        """
        self.unsettled[len(self) - 1] = Unsettled(actor, self.state.uncertain_place(actor), chain)

    def perform(self, schedule: Schedule) -> int | None:
        """Perform the steps of a schedule.

        Returns:
            The immediate predecessors of its head; None if the head is disabled, and the path is then as before.
        """
        start, moves, immediate = self.order.length, schedule.moves, 0
        if len(moves) > 1:
            for actor, choice in moves[:-1]:
                self.step(actor, choice, ())
        actor, choice = moves[-1]
        if not self.state.is_enabled(actor):
            self.rewind(start)
            return None
        immediate = self.step(actor, choice, ())
        end = self.order.length
        self.scheduled |= (1 << end) - (1 << start)
        self.heads |= 1 << end - 1
        return immediate

    def back(self, floor: int) -> list[Schedule] | None:
        """Go back to the last node where schedules wait, and return them; else to the length `floor`."""
        waiting, length = self.waiting, self.order.length - 1
        while length > floor and not waiting[length]:
            length -= 1
        self.rewind(length)
        return waiting[length]

    def rewind(self, length: int) -> None:
        """Take back steps until the path has this length."""
        undo = self.state.undo
        for _ in range(self.order.length - length):
            undo()
        self.order.cut(length)
        stay = (1 << length) - 1
        self.scheduled &= stay
        self.heads &= stay
        while self.unsettled and next(reversed(self.unsettled)) >= length:
            self.unsettled.popitem()

    def cut(self, length: int) -> list[Decision]:
        """Take back steps until the path has this length, and return them."""
        found = [self.decision(index) for index in range(length, len(self))]
        self.rewind(length)
        return found

    def decision(self, index: int) -> Decision:
        """Return the decision that led to event `index`."""
        return Decision(
            self.order.actors[index],
            self.choices[index],
            bool(self.scheduled >> index & 1),
            bool(self.heads >> index & 1),
            self.chains[index],
            self.waiting[index] or [],
            self.unsettled.get(index),
        )

    def repeat(self, decisions: Sequence[Decision]) -> None:
        """Perform steps that were taken back by `cut`."""
        for actor, choice, scheduled, head, chain, waiting, unsettled in decisions:
            self.step(actor, choice, chain)
            bit = 1 << len(self) - 1
            self.scheduled |= bit if scheduled else 0
            self.heads |= bit if head else 0
            self.waiting[len(self) - 1] = waiting
            if unsettled is not None:  # its place may have another number in this state
                self.leave_unsettled(unsettled.actor, unsettled.chain)
