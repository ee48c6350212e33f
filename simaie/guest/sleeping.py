"""The calls of a vCPU that sleep or end the sleeps of others, on every instruction set."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from simaie.arguments import require_text
from simaie.guest.events import park, send_interrupt, unpark
from simaie.guest.futexes import futex_wait, futex_wake

__all__ = ["SLEEPING", "Sleeping"]


class Sleeping:
    """A base of `simaie.Cpu`."""

    def futex_wait(self, address: int, expected: int, *, spurious: bool = False) -> Coroutine[Any, Any, bool]:
        """Sleep until a `futex_wake` if the word of 4 bytes at `address` holds `expected`: FUTEX_WAIT of Linux.

        The comparison and the beginning of the sleep are one step for all other calls on the same futex.

        Args:
            address: Guest-virtual address of the word, a multiple of 4.
            expected: The value with which to sleep.
            spurious: Whether the sleep may also end without a wake-up, at any time, which then is a decision. Linux
                allows that, so that a caller has to look again. Allow it for a bounded number of calls.

        Returns:
            Whether it slept; if not, the word held another value (EAGAIN).
        """
        return futex_wait(self, address, expected, spurious=spurious)

    def futex_wake(self, address: int, count: int = 1) -> Coroutine[Any, Any, int]:
        """End the sleep of `count` vCPUs at most on the word at `address`, and return of how many: FUTEX_WAKE of Linux.

        Which ones wake up is a decision.

        Args:
            address: Guest-virtual address of the word, a multiple of 4.
            count: The largest number of vCPUs that it wakes, at least 1.
        """
        return futex_wake(self, address, count)

    def park(self, *, spurious: bool = False) -> Coroutine[Any, Any, None]:
        """Sleep until this vCPU has a token, which `unpark` hands over, and consume the token.

        A token that came before counts, and several ones count as one, as those of `LockSupport` of Java and of
        `std::thread::park` of Rust.

        Args:
            spurious: Whether the sleep may also end without a token, at any time, which then is a decision.
        """
        return park(self, spurious=spurious)

    def unpark(self, vcpu: str) -> Coroutine[Any, Any, None]:
        """Hand a token to a vCPU, which ends its present or next `park`.

        Args:
            vcpu: The name of the vCPU, as in `Thread.name`.
        """
        return unpark(self, require_text("the vCPU to unpark", vcpu))

    def send_interrupt(self, vcpu: str) -> Coroutine[Any, Any, None]:
        """Make an interrupt pending on a vCPU, which ends its present or next WFI.

        Args:
            vcpu: The name of the vCPU, as in `Thread.name`.
        """
        return send_interrupt(self, require_text("the vCPU to interrupt", vcpu))


#: The names of these calls, which are no instructions.
SLEEPING = ("futex_wait", "futex_wake", "park", "unpark", "send_interrupt")
