"""Shared parts of programs whose accesses fault: page tables, and threads that go on after the fault.

All need a machine in full-system mode with 13 address bits, for two pages.
"""

from __future__ import annotations

from typing import Any

from simaie.errors import GuestFault
from simaie.guest.program import GuestFunction
from simaie.host.pages import PAGE_SIZE, Page

__all__ = ["ABSENT", "ALIAS", "READ_ONLY", "faults_in_rmw", "faults_then_stores"]

#: What the second name of a place adds to its address.
ALIAS = PAGE_SIZE
#: The first page is read-only: a locked instruction loads, and faults at its store. Its second name is writable.
READ_ONLY = {0: Page(0, writable=False), ALIAS: Page(0)}
#: The second page is absent until a thread maps it.
ABSENT = {PAGE_SIZE: Page(PAGE_SIZE, present=False)}


def faults_in_rmw(mnemonic: str, *operands: int, times: int = 1) -> GuestFunction:
    """Return a thread whose locked instruction faults and that then goes on, `times` times; it observes ``faulted``.

    Args:
        mnemonic: The instruction.
        *operands: Its operands.
        times: How often it does so.
    """

    async def thread(cpu: Any) -> None:
        for _ in range(times):
            try:
                await getattr(cpu, mnemonic)(*operands)
            except GuestFault:
                cpu.observe("faulted", 1)

    return thread


async def faults_then_stores(cpu: Any) -> None:
    """A load-reserved of the absent page faults; the handler maps the page, and a store-conditional follows."""
    try:
        await cpu.lr(PAGE_SIZE)
    except GuestFault:
        await cpu.map_page(PAGE_SIZE, Page(PAGE_SIZE))
    cpu.observe("failed", await cpu.sc(PAGE_SIZE, 1))
