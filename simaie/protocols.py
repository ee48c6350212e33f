"""The seams: what a scheduler, a host memory and a checker are, and what a scheme is told.

What a scheme is says the class that all schemes derive from, `simaie.schemes.scheme.Scheme`.

Everything pluggable is written against this module alone, ours as well as a third party's, and is found through the
entry-point groups of `simaie.plugins`.
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
    "Scheduler",
    "VCpu",
]


# --- scheduling -----------------------------------------------------------------------------------


class Candidate(Protocol):
    """An actor that can take the next step.

    name: structural (``"0"``, ``"1"``; ``"0.0"`` is the first child of ``"0"``, ``"0~"`` its store buffer), the same in
    every execution. rank: its place in the structural order. op: the operation that it will perform if chosen.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - the class says it

    @property
    def rank(self) -> tuple[int, ...]: ...  # noqa: D102 - the class says it

    @property
    def op(self) -> Op: ...  # noqa: D102 - the class says it

    @property
    def yielding(self) -> bool: ...  # noqa: D102 - its pending step only waits: to leave it is no preemption

    @property
    def internal(self) -> bool: ...  # noqa: D102 - it is the memory's own (a store buffer): to choose it is no switch


class Offer:
    """One scheduling point. The object is reused: look at it during the call only.

    candidates: never empty, in structural order; a new tuple only when somebody became enabled or disabled.
    running: which vCPU ran last (None at the first), whether or not it is still a candidate. Store buffers drain
    beside whoever runs.
    """

    __slots__ = ("_events", "candidates", "running")

    def __init__(self, events: Sequence[object] = ()) -> None:
        self.candidates: tuple[Candidate, ...] = ()
        self.running: Any = None
        self._events = events

    @property
    def step(self) -> int:
        """The index that the chosen operation's event will have."""
        return len(self._events)

    @property
    def default(self) -> Candidate:
        """Who goes on when nobody decides: the running actor if it can, else the first candidate."""
        running: Candidate = self.running
        return running if running in self.candidates else self.candidates[0]

    def narrowed(self, candidates: tuple[Candidate, ...]) -> Offer:
        """The same scheduling point with only some of the candidates: what a wrapper hands to its inner scheduler."""
        narrowed = Offer(self._events)
        narrowed.candidates, narrowed.running = candidates, self.running
        return narrowed

    @property
    def can_continue(self) -> bool:
        """Whether the running actor is among the candidates."""
        return self.running in self.candidates


class Beginning(Protocol):
    """What every execution of one program on one machine begins with.

    endian: the byte order of guest RAM. devices: the names of the actors that go on while the world is stopped.
    """

    @property
    def endian(self) -> Literal["little", "big"]: ...  # noqa: D102 - the class says it

    @property
    def devices(self) -> tuple[str, ...]: ...  # noqa: D102 - the class says it

    def read(self, address: int, width: int) -> int:
        """What the `width` bytes of RAM at `address` hold before the first step."""


class ExecutionInfo(msgspec.Struct, frozen=True):
    """What a scheduler is told at the start.

    seed: 64 bits of this execution's own; index: its number, from 0. beginning: filled in by the execution itself; a
    scheduler that wraps another hands it on.
    """

    seed: int
    index: int
    threads: int
    beginning: Beginning | None = None


class Scheduler(ABC):
    """Chooses every step of every execution of one exploration.

    Call order: `start`, then `choose` for each step and `choose_value` for each local choice, then `finish`; again
    from `start` until `exhausted` is true or the explorer stops. Chance comes from `ExecutionInfo.seed`
    through `simaie.prng` only, so that any execution replays alone from its seed, its index and the `profile` that the
    scheduler had when it started.
    """

    #: Whether visiting everything until `exhausted` proves a program clean.
    exhaustive: bool = False
    #: Whether an execution's choices depend on its seed alone, but for lengths and counts, and on no earlier findings:
    #: else the shares of a sample say nothing about what is not in it.
    independent: bool = True
    #: Whether of executions that differ only in the order of operations that do not conflict it runs just one.
    up_to_commutation: bool = False

    @property
    def exhausted(self) -> bool:
        """Whether there is nothing left to explore; asked before each `start`."""
        return False

    @property
    def complete(self) -> bool:
        """Whether, once exhausted, everything was visited: false for a bounded search that cut something."""
        return self.exhaustive

    @property
    def bound_note(self) -> str:
        """What a bounded search left out, as words for a report; empty if nothing."""
        return ""

    def start(self, info: ExecutionInfo) -> None:  # noqa: B027 - optional, does nothing by default
        """An execution begins."""

    @abstractmethod
    def choose(self, offer: Offer) -> Candidate | None:
        """Pick one of `offer.candidates`, or return None to give the execution up: it proves and finds nothing then."""

    def choose_value(self, offer: Offer, arity: int) -> int:
        """Resolve a local choice of the vCPU that is running: an integer in [0, arity)."""
        return 0

    def finish(self, trace: Trace) -> None:  # noqa: B027 - optional, does nothing by default
        """The execution ended; `trace` is complete and may be kept."""

    def profile(self) -> Mapping[str, Any]:
        """What an instance made anew needs, besides seed and index, to repeat the next execution (JSON values)."""
        return {}

    def restore(self, profile: Mapping[str, Any]) -> None:  # noqa: B027 - optional, does nothing by default
        """Take over what `profile` returned."""


# --- the host -------------------------------------------------------------------------------------


class HostMemory(Protocol):
    """A memory model: a pure state machine over operations. It never awaits.

    Fresh for every execution; `actor` is any hashable identity of who performs. One that `buffers_stores` turns each
    STORE that it delays into a BUFFER, and names what may drain next; draining is a step like any other. `order`: what
    it keeps in order without a fence. `simaie.testing.check_host_memory` is the conformance suite.
    """

    buffers_stores: bool
    order: Barrier

    def admit(self, op: Op) -> Op:
        """What an announced operation is on this memory."""

    def drains(self, actor: Any) -> Iterable[tuple[str, Op]]:
        """The buffered stores of `actor` that may take effect next, each with the name of its buffer."""

    def drain(self, actor: Any, key: str) -> None:
        """The oldest store in that buffer of `actor` takes effect."""

    def enabled(self, actor: Any, op: Op) -> bool:
        """Whether `op` can be performed now."""

    def perform(self, actor: Any, op: Op) -> Any:
        """Perform `op`, which is enabled, and return its value."""

    def read(self, address: int, width: int) -> int:
        """What RAM holds, for final checks and watched locations; `width` in bytes."""


class MachineFacts(Protocol):
    """What a scheme may know of the machine."""

    @property
    def full_system(self) -> bool:
        """Whether addresses are translated by a page table (else user mode)."""

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
        """Which orders of plain accesses the guest's architecture promises without fences."""

    @property
    def host_order(self) -> Barrier:
        """Which of them the host memory keeps without fences."""


class VCpu(Protocol):
    """What a scheme sees of a vCPU. local: the scheme's own state for it. identity: an opaque token, reusable."""

    name: str
    identity: int
    local: Any


class Promise(StrEnum):
    """What a scheme says of itself; checkers hold it to this, and to nothing that it never promised."""

    MUTEXES_ONLY = "mutexes-only"  # no host atomic on guest RAM: mutexes and pointer-size atomics only
    ONE_LOCK = "one-lock"  # at most one mutex per vCPU at a time, none between instructions
    REGISTERED_BY_ATOMICS = "registered-by-atomics"  # entries appear only for granules used atomically


# --- judging --------------------------------------------------------------------------------------


class Checker(Protocol):
    """A pure function of a trace, which returns its findings; most are plain functions.

    It runs as well on a trace that was replayed from a file. Its findings must be the same for all traces that differ
    only in the order of operations that do not conflict, of which an exhaustive search runs one. A checker that judges
    that order too has an attribute `order_sensitive`: True, or a function of a trace that returns a bool. A scheduler
    that runs one order only (`Scheduler.up_to_commutation`) then never proves its property. One with an attribute
    `judges_calls` that is True has nothing to judge in programs that record no calls (`Cpu.call`). Reports call it by
    its ``__name__``, or else by the name of its class.
    """

    def __call__(self, trace: Trace, /) -> Iterable[Finding]:
        """What is wrong in `trace`; nothing if nothing is."""
