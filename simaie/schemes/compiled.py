"""A scheme whose helpers are compiled code: what an emulator really executes, under the host's memory model.

The functions of the file, compiled for the host, run in place of methods of a scheme (``simaie_scheme.h``). Their code
is translated as that of compiled guests is (`simaie.binary`). Each access to the emulator's memory or to the guest's is
an operation of the host with the order that the instruction asks for. Nothing is executed natively.

The read-modify-write of a guest is a load and a store between the helpers `lock` and `unlock`, as the proposal of AIE
has it: "Helper-based Atomic Instruction Emulation" (QEMU mailing list, May 2015).
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, ClassVar

from simaie.binary.helper import MOST_VCPUS, helpers_of
from simaie.errors import NotEmulatedError, UsageError
from simaie.guest.isa import isa_class
from simaie.host.host import Host
from simaie.host.loaded import truth
from simaie.host.pages import PageTable
from simaie.op import Function
from simaie.protocols import MachineFacts, VCpu
from simaie.schemes.emulator_memory import EmulatorMemory
from simaie.schemes.scheme import Scheme

__all__ = ["CompiledScheme"]

_WIDEST = 8  # of an access that a helper sees, in bytes
_INT = 0xFFFF_FFFF
_STARTED, _PARENTS = 32, 4  # the number of the first vCPU that a guest starts, and how many vCPUs may start some


class CompiledScheme(Scheme):
    """The helpers of an ELF file; an access without a helper is one plain access of the host.

    Args:
        host: Host port.
        pages: Page table of the guest.
        machine: Facts about the machine.
        file: The path of the ELF file.
        **usual: Options of `Scheme`.
    """

    name: ClassVar[str] = "compiled"
    elf_option: ClassVar[str] = "file"  # the option whose ELF file a replay file carries
    usual_barriers: ClassVar[str] = "none"  # its helpers have their own

    def __init__(self, host: Host, pages: PageTable, machine: MachineFacts, *, file: str = "", **usual: Any) -> None:
        super().__init__(host, pages, machine, **usual)
        self._helpers = helpers_of(file)
        self._memory = EmulatorMemory(host, pages, machine, self._helpers.image)

    def enter(self, cpu: VCpu) -> None:
        """Begin without a block that the helpers of the vCPU have allocated."""
        cpu.local = {}

    async def _call(self, cpu: VCpu, helper: str, *arguments: int) -> int:
        """Run a helper on a vCPU; return its result."""
        number = _number(cpu)
        facts = self._memory.machine
        inner = isa_class(facts.isa)(cpu.name, number, self._memory, facts)
        thread = self._helpers.thread(
            helper, number, inner, arguments, blocks=cpu.local, mutex=self._memory.mutex
        )
        result = await thread.finish()
        cpu.local = thread.blocks
        return result

    def _has(self, helper: str) -> bool:
        return helper in self._helpers.names

    def load(self, cpu: VCpu, address: int, width: int) -> Awaitable[int]:
        """Load by the helper ``load``, or plainly."""
        if self._has("load"):
            return self._called(cpu, "load", address, width)
        return super().load(cpu, address, width)

    async def _called(
        self, cpu: VCpu, helper: str, address: int, width: int, *values: int, write: bool = False
    ) -> int:
        """Run a helper that accesses a location of the guest; it receives the physical address."""
        self._require(helper)
        at = await self._place(address, _narrow(width), write=write)
        return await self._call(cpu, helper, at, width, *values)

    async def _place(self, address: int, width: int, *, write: bool) -> int:
        """Return a physical address, which in user mode takes no step."""
        if self.crosses(address, width):
            raise NotEmulatedError("the helpers of a compiled scheme access one page, and not two at once")
        return await self.physical(address, write=write)

    def store(self, cpu: VCpu, address: int, width: int, value: int) -> Awaitable[None]:
        """Store by the helper ``store``, or plainly between ``pre_store`` and ``post_store``."""
        if self._has("store") or self._has("pre_store") or self._has("post_store"):
            return self._stored(cpu, address, width, value)
        return super().store(cpu, address, width, value)

    async def _stored(self, cpu: VCpu, address: int, width: int, value: int) -> None:
        if self._has("store"):
            await self._called(cpu, "store", address, width, value, write=True)
            return
        at = await self._place(address, width, write=True)
        await self._maybe(cpu, "pre_store", at, width)
        await self.host.store(at, width, value)
        await self._maybe(cpu, "post_store", at, width)

    async def _maybe(self, cpu: VCpu, helper: str, *arguments: int) -> None:
        if self._has(helper):
            await self._call(cpu, helper, *arguments)

    async def load_linked(self, cpu: VCpu, address: int, width: int) -> int:
        """Load by the helper ``load_linked``."""
        return await self._called(cpu, "load_linked", address, width) & (1 << 8 * width) - 1

    async def store_conditional(self, cpu: VCpu, address: int, width: int, value: int) -> bool:
        """Store by the helper ``store_conditional``."""
        stored = await self._called(cpu, "store_conditional", address, width, value, write=True)
        return truth(stored & _INT)  # type: ignore[no-any-return]  # a bool, or one with dependencies

    async def clear_exclusive(self, cpu: VCpu) -> None:
        """Drop the reservation by the helper ``clear_exclusive``, if there is one."""
        await self._maybe(cpu, "clear_exclusive")

    async def atomic_rmw(self, cpu: VCpu, address: int, width: int, function: Function) -> int:
        """Load and store plainly between the helpers ``lock`` and ``unlock``."""
        self._require("lock", "unlock")
        at = await self._place(address, width, write=True)
        await self._call(cpu, "lock", at, width)
        old = await self.host.load(at, width)
        await self.host.store(at, width, function.apply(old))
        await self._call(cpu, "unlock", at, width)
        return old

    def cmpxchg(self, cpu: VCpu, address: int, width: int, expected: int, new: int) -> Awaitable[int]:
        """Compare and exchange by the helper ``compare_and_swap``, or as another read-modify-write."""
        if self._has("compare_and_swap"):
            return self._called(cpu, "compare_and_swap", address, width, expected, new, write=True)
        return super().cmpxchg(cpu, address, width, expected, new)

    async def exception(self, cpu: VCpu, cause: str) -> None:
        """Run the helper ``exception``, if there is one."""
        await self._maybe(cpu, "exception")

    async def thread_exit(self, cpu: VCpu) -> None:
        """Run the helper ``thread_exit``, if there is one."""
        await self._maybe(cpu, "thread_exit")

    def _require(self, *helpers: str) -> None:
        for name in helpers:
            if not self._has(name):
                raise NotEmulatedError(f"{self._helpers.image.name} has no scheme_{name}, which the program needs")


def _number(cpu: VCpu) -> int:
    """Return the number by which helpers know a vCPU: its own, or for one that a guest starts one from 32 on.

    It follows from the name alone, so that it does not depend on the order of independent steps.
    """
    parts = [int(part) if part.isdecimal() else MOST_VCPUS for part in cpu.name.split(".")]
    first, rest = parts[0], parts[1:]
    if not rest and first < _STARTED:
        return first
    if len(rest) == 1 and first < _PARENTS and rest[0] < (MOST_VCPUS - _STARTED) // _PARENTS:
        return _STARTED + _PARENTS * rest[0] + first
    raise UsageError(
        f"vCPU {cpu.name}: a compiled scheme has stacks for the vCPUs 0 to {_STARTED - 1}, and for eight that each of "
        f"the vCPUs 0 to {_PARENTS - 1} starts"
    )


def _narrow(width: int) -> int:
    if width > _WIDEST:
        raise NotEmulatedError(f"the helpers of a compiled scheme access {_WIDEST} bytes at most, not {width}")
    return width
