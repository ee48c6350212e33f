"""Signals: exceptions that arrive between two instructions of a vCPU, and for which the guest's handler runs.

An emulator in user mode queues a signal of the host. The vCPU leaves its translated code at the next safe point, which
is never inside a guest instruction. The emulator then saves the guest's registers, runs the guest's handler on the same
vCPU, and goes on where it was when the handler returns. The guest's kernel would enter and leave an exception for each
of the two, which is what the scheme is told: it decides whether the reservation is still there afterwards. QEMU clears
it for AArch64 guests whenever a vCPU comes back from its translated code, because the exception return of the
architecture does.

Here a local choice before each instruction determines whether a signal arrives there, and another one before the end of
the thread, which is called ``thread-exit``. Instructions named ``signal`` and ``sigreturn`` are around the handler.

Deviations: all signals are of one kind, and none arrives while the handler runs. A signal does not end a sleep early.
The instructions of the handler belong to the blocks (`simaie.Cpu.atomic`) that were open when the signal arrived. A
fault in the handler is raised in the code that the signal interrupted, and no further signal arrives.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from fnmatch import fnmatchcase
from typing import Any

from simaie.errors import NotModelledError, UsageError
from simaie.guest.running import RolledBack
from simaie.op import Kind, Op

__all__ = ["ENTRY", "RETURN", "Signalled", "expect_signals", "take_signals"]

#: The causes of the exceptions for which a handler begins and ends, and the names of these instructions.
ENTRY, RETURN = "signal", "sigreturn"


class Signalled:
    """A base of `simaie.Cpu`: what a vCPU knows of signals.

    Attributes:
        handler: What it runs when a signal arrives; None if the program has no handler.
        signals: How many signals may still arrive.
        signalled_before: A pattern of the names of the instructions before which they may arrive.
    """

    name: str
    handler: Callable[[Any], Coroutine[Any, Any, Any]] | None = None
    signals = 0
    signalled_before = "*"

    def signal(self) -> Coroutine[Any, Any, None]:
        """Take a signal here: run the handler of the program, as `raise` of C does."""
        _require_handler(self)
        return _handle(self)


def expect_signals(cpu: Any, most: int, before: str) -> None:
    """Let signals arrive at a vCPU.

    Args:
        cpu: The vCPU.
        most: How many may arrive.
        before: A pattern of the names of the instructions before which they may arrive.

    Raises:
        UsageError: The program has no handler.
    """
    _require_handler(cpu)
    cpu.signals, cpu.signalled_before = most, before


def _require_handler(cpu: Signalled) -> None:
    if cpu.handler is None:
        raise UsageError(
            f"a signal may arrive at vCPU {cpu.name}, but the program does not say what runs then; give it a handler, "
            "as in Program(handler=...)"
        )


async def take_signals(cpu: Any, before: str) -> None:
    """Decide for each signal that may still arrive whether it arrives now, and run the handler if it does.

    Args:
        cpu: The vCPU.
        before: The name of its next instruction.
    """
    if not fnmatchcase(before, cpu.signalled_before):
        return
    what = f"a signal arrives before {before}"
    while cpu.signals and await Op(Kind.CHOICE, value=2, note=what):
        cpu.signals -= 1
        await _handle(cpu)


async def _handle(cpu: Any) -> None:
    """Run the handler, and tell the scheme of the exceptions before and after it."""
    runner, cpu.runner = cpu.runner, None
    left, cpu.signals = cpu.signals, 0
    await _without_roll_back(cpu, cpu.exception(ENTRY))
    await cpu.handler(cpu)
    await _without_roll_back(cpu, cpu.exception(RETURN))
    cpu.runner, cpu.signals = runner, left


async def _without_roll_back(cpu: Any, exception: Awaitable[None]) -> None:
    try:
        await exception
    except RolledBack:
        raise NotModelledError(
            f"a signal at vCPU {cpu.name} aborts a transaction, which takes the guest back to its load-linked; signals "
            "are not modelled under such a scheme"
        ) from None
