"""The interfaces of plug-ins: schedulers, host memories and checkers, and what a scheme sees of machine and vCPU.

Schemes derive from the class `simaie.schemes.scheme.Scheme`, which documents their interface.

simaie's own schedulers, host memories and checkers use this module alone, as those of a third party do. All are found
through the entry-point groups of `simaie.plugins`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Literal, Protocol

import msgspec

from simaie.arguments import require_at_most as require_at_most
from simaie.arguments import require_count as require_count  # plug-ins check their options by these
from simaie.arguments import require_one_of as require_one_of
from simaie.arguments import require_positive as require_positive
from simaie.barrier import Barrier
from simaie.finding import Finding
from simaie.op import Op
from simaie.small_steps import SearchByUndo, SearchOfGraphs, SmallSteps
from simaie.trace import Trace

__all__ = [
    "Beginning",
    "Candidate",
    "Checker",
    "ExecutionInfo",
    "HostMemory",
    "MachineFacts",
    "Offer",
    "Promise",
    "Question",
    "Scheduler",
    "SearchByUndo",
    "SearchOfGraphs",
    "SmallSteps",
    "VCpu",
    "has_graphs",
    "takes_orders",
]


# --- scheduling -----------------------------------------------------------------------------------


class Candidate(Protocol):
    """An actor that can take the next step.

    Attributes:
        name: Structural, so that it is the same in every execution. ``"0"`` and ``"1"`` are vCPUs of the program;
            ``"0.0"`` is the first child of ``"0"``, and ``"0~"`` the store buffer of ``"0"``.
        rank: Its place in the structural order.
        op: The operation that it performs if it is chosen.
        yielding: Whether its pending step only waits, so that a switch away from it is no preemption.
        internal: Whether it belongs to the host memory (a store buffer), so that choosing it is no switch.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - the class says it

    @property
    def rank(self) -> tuple[int, ...]: ...  # noqa: D102 - the class says it

    @property
    def op(self) -> Op: ...  # noqa: D102 - the class says it

    @property
    def yielding(self) -> bool: ...  # noqa: D102 - the class says it

    @property
    def internal(self) -> bool: ...  # noqa: D102 - the class says it


class Question(StrEnum):
    """What `Scheduler.choose_value` decides. All but local choices occur on hosts of execution graphs only."""

    LOCAL = "local"  # a local choice of the vCPU
    READ = "read"  # the store that a read reads, the newest first
    #: The place of a write among the stores of its location, the newest first, and then the earlier loads that it may
    #: feed; or whether a store-conditional stores, which comes first.
    WRITE = "write"


class Offer:
    """One scheduling point: the actors that can take the next step.

    The object is reused, so that it is valid only during the call to `Scheduler.choose`.

    Attributes:
        candidates: The enabled actors in structural order, at least one. It is a new tuple only if an actor became
            enabled or disabled.
        running: The vCPU that took the last step, whether or not it is still a candidate; None at the first step. A
            store buffer that drains leaves it unchanged.
        question: During a call to `Scheduler.choose_value`, what the value decides.
        chooser: During such a call for a local choice, the name of the vCPU that makes it.
        numbers: On a host of execution graphs, the number of each candidate's operation on its vCPU, by the names of
            the candidates; operations are done again if a store feeds an earlier load. Empty on other hosts.
    """

    __slots__ = ("_events", "candidates", "chooser", "numbers", "question", "running")

    def __init__(self, events: Sequence[object] = ()) -> None:
        self.candidates: tuple[Candidate, ...] = ()
        self.running: Candidate | None = None
        self.question = Question.LOCAL
        self.chooser = ""
        self.numbers: Mapping[str, int] = {}
        self._events = events

    @property
    def step(self) -> int:
        """The index in the trace that the event of the chosen operation will have."""
        return len(self._events)

    @property
    def default(self) -> Candidate:
        """The candidate that a schedule need not name: the running vCPU if it is enabled, else the first candidate."""
        running = self.running
        return running if running is not None and running in self.candidates else self.candidates[0]

    def narrowed(self, candidates: tuple[Candidate, ...]) -> Offer:
        """Return the same scheduling point with only these candidates, as a wrapper hands it to its inner scheduler."""
        narrowed = Offer(self._events)
        narrowed.candidates, narrowed.running = candidates, self.running
        narrowed.question, narrowed.numbers, narrowed.chooser = self.question, self.numbers, self.chooser
        return narrowed

    @property
    def can_continue(self) -> bool:
        """Whether the running vCPU is among the candidates."""
        return self.running in self.candidates


class Beginning(Protocol):
    """The initial state, which all executions of one program on one machine share.

    Attributes:
        endian: The byte order of guest RAM.
        devices: The names of the actors that still step while the world is stopped.
    """

    @property
    def endian(self) -> Literal["little", "big"]: ...  # noqa: D102 - the class says it

    @property
    def devices(self) -> tuple[str, ...]: ...  # noqa: D102 - the class says it

    def read(self, address: int, width: int) -> int:
        """Return the value of the `width` bytes of RAM at `address` before the first step."""


class ExecutionInfo(msgspec.Struct, frozen=True):
    """The facts about an execution that a scheduler receives at its start.

    Attributes:
        seed: 64 random bits for this execution alone.
        index: The number of the execution, from 0.
        threads: The number of vCPUs that the program begins with.
        beginning: The initial state, which the execution fills in. A scheduler that wraps another passes it on.
        has_graphs: Whether the host memory is one of execution graphs, on which `Scheduler.choose_value` also decides
            what is read and what becomes of a write (see `Question`).
    """

    seed: int
    index: int
    threads: int
    beginning: Beginning | None = None
    has_graphs: bool = False


class Scheduler(ABC):
    """The strategy that chooses every step of every execution of one exploration.

    The explorer calls `start`, then `choose` for each step and `choose_value` for each local choice, then `finish`. It
    begins again with `start` until `exhausted` is true or a limit stops it. All randomness comes from
    `ExecutionInfo.seed` through `simaie.prng`. Any execution therefore replays alone, from its seed, its index and the
    `profile` that the scheduler had when the execution started.
    """

    #: Whether a search that runs until `exhausted` proves a program clean.
    exhaustive: bool = False
    #: Whether the choices of an execution depend on its seed, lengths and counts alone, and not on earlier findings.
    #: If they do not, the sample says nothing about the executions outside it.
    independent: bool = True
    #: Whether it runs only one of the executions that differ only in the order of operations that do not conflict.
    up_to_commutation: bool = False
    #: Whether each choice of a step is ``offer.candidates[word() * len(offer.candidates) >> 32]``, where `word` is an
    #: attribute that `start` sets to the `word` of ``simaie.prng.Random(info.seed)``, and nothing but the choices
    #: depends on `start` and `finish`. An engine may then draw without calling them. A class says so for itself: it is
    #: not inherited.
    draws_uniformly: bool = False
    #: Whether the choices of an execution depend on its seed, its index and the profile alone, and `restore` sets, at
    #: any time, all that is kept from one execution to the next. An exploration in several processes may then split
    #: the executions. A class says so for itself: it is not inherited.
    by_profile: bool = False

    @property
    def exhausted(self) -> bool:
        """Whether no execution is left to explore; the explorer reads it before each `start`."""
        return False

    @property
    def complete(self) -> bool:
        """Whether an exhausted search visited everything: false for a bounded search that cut something."""
        return self.exhaustive

    @property
    def bound_note(self) -> str:
        """What a bounded search left out, or a sample has no guarantee for, as words for a report; may be empty."""
        return ""

    def start(self, info: ExecutionInfo) -> None:  # noqa: B027 - optional, does nothing by default
        """Prepare for an execution that begins."""

    @abstractmethod
    def choose(self, offer: Offer) -> Candidate | None:
        """Return the candidate that takes the next step, or None to give up the execution.

        An execution that is given up has no findings and counts for no proof.

        Args:
            offer: The scheduling point; the choice must be one of its candidates.
        """

    def choose_value(self, offer: Offer, arity: int) -> int:
        """Return the value of a local choice of the vCPU `Offer.chooser`, or what another `Question` asks for.

        Args:
            offer: The scheduling point, with the question.
            arity: The number of alternatives; the value is an integer in [0, arity).
        """
        return 0

    def finish(self, trace: Trace) -> None:  # noqa: B027 - optional, does nothing by default
        """Learn from an execution that ended; `trace` is complete and may be kept."""

    def by_undo(self, state: SmallSteps) -> SearchByUndo | None:
        """Return a search over `state` that visits the executions that this scheduler would choose.

        It visits them in any order if `up_to_commutation`, else in the order of the scheduler. It goes back by undo,
        so that it is faster than executions from the start. While it goes on, `exhausted`, `complete` and `bound_note`
        are about it, and none of the other methods is called but `profile`, whose result is not used. None if there is
        no such search, as for most schedulers. If `up_to_commutation`, it is a
        `simaie.small_steps.DividedSearchByUndo`.

        Args:
            state: The program at its start.
        """
        return None

    def by_graphs(self, search: SearchOfGraphs) -> bool:
        """Return whether `search` visits the executions that this scheduler would choose, on a host of graphs.

        It visits each execution graph once. While it goes on, `exhausted` and `complete` are about it, and none of the
        other methods is called.

        Args:
            search: The search, which has not begun.
        """
        return False

    def profile(self) -> Mapping[str, Any]:
        """Return the JSON values that a new instance needs, with seed and index, to repeat the next execution."""
        return {}

    def restore(self, profile: Mapping[str, Any]) -> None:  # noqa: B027 - optional, does nothing by default
        """Restore what `profile` returned, in a new instance."""


# --- the host -------------------------------------------------------------------------------------


class HostMemory(Protocol):
    """A memory model: a state machine over operations that never awaits.

    Each execution makes a new one. `actor` is any hashable identity of the actor that performs an operation. A memory
    that buffers stores turns each STORE that it delays into a BUFFER, and lists the stores that may drain next; a drain
    is a step like any other. `simaie.testing.check_host_memory` is the conformance suite.

    Attributes:
        buffers_stores: Whether stores may be delayed.
        order: The orders that the memory keeps without a fence.
    """

    buffers_stores: bool
    order: Barrier

    def admit(self, op: Op) -> Op:
        """Return the operation that an announced operation becomes on this memory: a BUFFER for a delayed STORE."""

    def drains(self, actor: Any) -> Iterable[tuple[str, Op]]:
        """Return the buffered stores of `actor` that may take effect next, each with the name of its buffer."""

    def drain(self, actor: Any, key: str) -> None:
        """Let the oldest store in the buffer `key` of `actor` take effect."""

    def enabled(self, actor: Any, op: Op) -> bool:
        """Return whether `actor` can perform `op` now."""

    def perform(self, actor: Any, op: Op) -> Any:
        """Perform `op`, which is enabled, and return its value."""

    def read(self, address: int, width: int) -> int:
        """Return the value in RAM, for final checks and watched locations; `width` is in bytes."""


def takes_orders(memory: object) -> bool:
    """Whether a host memory, or a class of it, keeps the orders that single accesses ask for (`simaie.op.Op.order`).

    It says so by an attribute ``takes_orders``; without it, a scheme has to put fences around accesses instead.
    """
    return bool(getattr(memory, "takes_orders", False))


def has_graphs(memory: object) -> bool:
    """Whether the executions on a host memory, or a class of it, are graphs: it says so by an attribute ``has_graphs``.

    Such a memory derives from `simaie.host.graph.memory.GraphMemory`.
    """
    return bool(getattr(memory, "has_graphs", False))


class MachineFacts(Protocol):
    """The facts about the machine that a scheme may use."""

    @property
    def full_system(self) -> bool:
        """Whether a page table translates addresses; in user mode none does."""

    @property
    def host_word(self) -> int:
        """The widest single host access, in bits: 64 or 32."""

    @property
    def address_bits(self) -> int:
        """Width of a guest address, in bits."""

    @property
    def isa(self) -> str:
        """The guest's instruction set."""

    @property
    def guest_order(self) -> Barrier:
        """The orders of plain accesses that the guest's architecture promises without fences."""

    @property
    def host_order(self) -> Barrier:
        """The orders of plain accesses that the host memory keeps without fences."""

    @property
    def host_takes_orders(self) -> bool:
        """Whether the host keeps the orders that single accesses ask for; see `takes_orders`."""


class VCpu(Protocol):
    """The view of a vCPU that a scheme has.

    Attributes:
        name: The structural name, as in `Candidate`.
        identity: An opaque number; a later vCPU may reuse it after this one has exited.
        local: The scheme's own state for this vCPU.
    """

    name: str
    identity: int
    local: Any


class Promise(StrEnum):
    """A property that a scheme promises to keep; checkers demand only what a scheme promises."""

    MUTEXES_ONLY = "mutexes-only"  # no host atomic on guest RAM: mutexes, pointer-size atomics; CAS2 may stop the world
    ONE_LOCK = "one-lock"  # at most one mutex per vCPU at a time, and no mutex between instructions
    REGISTERED_BY_ATOMICS = "registered-by-atomics"  # entries appear only for granules used atomically


# --- judging --------------------------------------------------------------------------------------


class Checker(Protocol):
    """A pure function of a trace that returns findings; most checkers are plain functions.

    A checker may also judge a trace that was replayed from a file. Its findings must be equal for all traces that
    differ only in the order of operations that do not conflict, because a scheduler with `Scheduler.up_to_commutation`
    runs only one of them. Reports name a checker by its ``__name__``, or else by the name of its class.

    Two optional attributes tell more about a checker:

    - `order_sensitive`: its findings do depend on that order. It is True, or a function of a trace that returns a bool.
      A scheduler with `Scheduler.up_to_commutation` then never proves the checker's property.
    - `judges_calls`: if True, it has nothing to judge in a program that records no calls (`Cpu.call`).
    """

    def __call__(self, trace: Trace, /) -> Iterable[Finding]:
        """Return the findings in `trace`; empty if nothing is wrong."""
