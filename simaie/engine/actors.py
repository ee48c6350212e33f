"""The table of the actors of one execution, in structural order, with those that can take the next step.

Threads and devices are in the table from the start; spawned threads and store buffers are added later. The order is by
rank, which is the same in every execution, and never by arrival. The offer therefore does not depend on which vCPU
spawned a thread first.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Coroutine
from functools import partial
from itertools import count
from operator import attrgetter
from types import CoroutineType
from typing import Any

from simaie.callbacks import where_defined
from simaie.engine.actor import Actor, StoreBuffer
from simaie.engine.passing import PASSING
from simaie.errors import GuestError, SimaieError, raised
from simaie.guest.cpu import Thread
from simaie.guest.device import Device
from simaie.guest.program import GuestFunction, Program
from simaie.machine import Facts
from simaie.op import Kind, Op, device_name
from simaie.schemes.scheme import Scheme

__all__ = ["ELSEWHERE", "ActorTable", "begun", "epilogue_of"]

_RANK = attrgetter("rank")
#: The operation of a vCPU while it waits for something that is no operation, and at its end.
ELSEWHERE = Op(Kind.PAUSE, note="waits for something that is no operation")


class ActorTable:
    """The actors of one execution.

    Attributes:
        everyone: All threads and devices in the order of arrival, with those that have ended.
        live: The actors that have not ended, and the store buffers, in structural order.
        to_advance: The actors that must announce an operation before the next decision.
        changed: Whether an actor was added, was removed, or became enabled or disabled since the last offer.
    """

    __slots__ = (
        "_cleans_up",
        "_cpu_class",
        "_devices",
        "_facts",
        "_free_identities",
        "_handler",
        "_identities",
        "_scheme",
        "changed",
        "everyone",
        "live",
        "to_advance",
    )

    def __init__(self, program: Program, scheme: Scheme, facts: Facts) -> None:
        self._cpu_class = program.cpu_class
        self._handler = program.runnable_handler()
        self._scheme = scheme
        self._facts = facts
        self._cleans_up = scheme.has_thread_exit
        self._identities = count()
        self._free_identities: list[int] = []  # sorted: the lowest is reused first
        self.everyone: list[Actor] = []
        self.live: list[Any] = []
        self.to_advance: deque[Actor] = deque()
        self.changed = True
        for number, thread in enumerate(program.threads):
            code = thread if callable(thread) else partial(program.start, thread)
            self.live.append(self._make(str(number), (number,), self._cpu_class, code))
        for number, code in enumerate(program.devices):
            actor = self._make(device_name(number), (len(program.threads) + number,), Device, code)
            actor.is_device = True
            self.live.append(actor)
        self._devices = len(program.devices)

    def _make(self, name: str, rank: tuple[int, ...], cpu_class: type[Any], code: GuestFunction) -> Actor:
        scheme = self._scheme.of(name)
        cpu = cpu_class(name, self._next_identity(), scheme, self._facts)
        cpu.handler = self._handler
        scheme.enter(cpu)
        self._scheme.share(cpu)
        return self._enter(Actor(name, rank, cpu, begun(name, code, cpu)))

    def _next_identity(self) -> int:
        return self._free_identities.pop(0) if self._free_identities else next(self._identities)

    def _enter(self, actor: Actor) -> Actor:
        self.everyone.append(actor)
        self.to_advance.append(actor)
        return actor

    # -- coming and going ---------------------------------------------------------------------

    def spawn(self, parent: Actor, thread: Thread, code: GuestFunction) -> None:
        """Add a child of `parent`, which must announce an operation before the next decision."""
        child = self._make(thread.name, (*parent.rank, parent.children - 1), self._cpu_class, code)
        child.thread = thread
        self.add(child)

    def add(self, actor: Actor | StoreBuffer) -> None:
        """Add `actor` to the live actors, in structural order."""
        insort(self.live, actor, key=_RANK)

    def exit(self, actor: Actor) -> Thread:
        """Mark the spawned thread of `actor` as done and return it; the identity of `actor` can be reused."""
        assert actor.thread is not None
        actor.thread.done = True
        insort(self._free_identities, actor.cpu.identity)
        return actor.thread

    def remove(self, actor: Actor) -> None:
        """Remove `actor`, which has ended, from the live actors."""
        self.live.remove(actor)
        actor.op, actor.enabled = ELSEWHERE, False
        self.changed = True

    def epilogue(self, actor: Actor) -> Coroutine[Any, Any, None] | None:
        """Return the coroutine that cleans up after the code of `actor`; None if it needs none or has had it."""
        return epilogue_of(actor, cleans_up=self._cleans_up)

    @property
    def threads(self) -> int:
        """The number of vCPUs so far, with those that have ended, without devices."""
        return len(self.everyone) - self._devices

    # -- enabled actors -----------------------------------------------------------------------

    def set_enabled(self, actor: Actor | StoreBuffer, enabled: bool) -> None:
        """Make `actor` a candidate, or no candidate."""
        if actor.enabled is not enabled:
            actor.enabled = enabled
            self.changed = True

    @property
    def vcpus(self) -> list[Actor]:
        """The live actors without store buffers."""
        return [actor for actor in self.live if not actor.internal]


def epilogue_of(actor: Actor, *, cleans_up: bool) -> Coroutine[Any, Any, None] | None:
    """Return the coroutine that cleans up after the code of `actor`; None if it needs none or has had it.

    cleans_up: whether the scheme runs code of its own at the end of a thread.
    """
    if actor.epilogue:
        return None
    actor.epilogue = True
    cpu = actor.cpu
    if cleans_up or actor.thread is not None or actor.is_device or cpu.open_blocks or cpu.signals:
        return _epilogue(actor)
    return None


def begun(name: str, code: GuestFunction, cpu: Any) -> Coroutine[Any, Any, Any]:
    """Return the coroutine of a thread or device; GuestError if its function does not return one."""
    try:
        coroutine = code(cpu)
    except (*PASSING, SimaieError):
        raise
    except BaseException as error:
        what, where = raised(error)
        message = f"vCPU {name} cannot begin: calling its function with the vCPU raised {what}"
        raise GuestError(message, vcpu=name, where=where or where_defined(code)) from error
    if type(coroutine) is not CoroutineType and not isinstance(coroutine, Coroutine):
        raise GuestError(
            f"vCPU {name} cannot begin: its function returned {coroutine!r}, not a coroutine; write it as `async def`",
            vcpu=name,
            where=where_defined(code),
        )
    return coroutine


async def _epilogue(actor: Actor) -> None:
    """Run the end of a thread; only a spawned thread has an exit that other vCPUs can see."""
    if not actor.is_device:
        await actor.cpu.leave()
    if actor.thread is not None:
        await Op(Kind.EXIT)
