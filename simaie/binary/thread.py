"""A thread of machine code: the loop that runs block after block, and what the engine reads of it.

**What is a step.** Only accesses to shared memory and ordering instructions are operations of the vCPU. Registers,
constant memory (code, read-only data) and the thread's own stack are no business of any other vCPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from simaie.binary.abi import RETURN
from simaie.binary.cells import mask
from simaie.binary.process import EndOfThread
from simaie.binary.system_calls import number_register, system_call_name
from simaie.binary.thread_hooks import ThreadHooks
from simaie.binary.thread_memory import RED_ZONE
from simaie.binary.traps import SYSTEM_CALL
from simaie.errors import GuestFault, UnmodelledCodeError
from simaie.host.loaded import plain

__all__ = ["BinaryThread"]

#: The most backward jumps without an access; a thread that makes more spins for ever, or might as well. A block that
#: repeats itself in Python counts each fourth of its rounds, so that both take a few seconds.
_MOST_IDLE = 1 << 20
_ENDLESS = f"an endless loop, or one of more than {_MOST_IDLE:,} rounds, without an access to shared memory"
#: The causes of faults that belong to no access; the last block is where they happened.
_OF_BLOCKS = frozenset({"fetch", "endless"})


class BinaryThread(ThreadHooks):
    """One thread; see `simaie.binary.thread_memory.ThreadMemory`."""

    is_one_token: ClassVar[bool] = True

    async def run(self) -> None:
        """Call the functions of `calls`, one after the other."""
        self._calls_left = len(self.calls)
        if self._shared_stack:
            await self.publish()
        for call in self.calls:
            await self._enter(call.entry, call.arguments)
            self._calls_left -= 1
            recorded = self.recorded.get(call.function)
            if recorded is not None:
                await self.begin_call(call, recorded)
            pc = before = earlier = earliest = self._entry = call.entry
            blocks, registers, cpu = self._code.blocks, self.registers, self._cpu
            try:
                while pc != RETURN:
                    block = blocks.get(pc)
                    if block is None:
                        block = self._code.block(pc)
                    to = block(self, registers, cpu)
                    if type(to) is not int:
                        self._before = before, earlier, earliest
                        to = await to
                    if to <= pc:
                        self._back = True
                        self.idle += 1
                        if self.idle > _MOST_IDLE:
                            raise GuestFault("endless", to, _ENDLESS)
                    earliest = earlier
                    earlier = before
                    before = pc
                    pc = to
            except EndOfThread as end:
                await self.abandon(end)
                return
            except AssertionError as failed:
                await self.abandon(failed)
                raise
            except GuestFault as fault:
                await self.abandon(fault)
                place = self._code.lasts.get(before, before) if fault.cause == "fetch" else before
                at = self._describe(place if fault.cause in _OF_BLOCKS else self.position)
                raise GuestFault(fault.cause, fault.address, f"{fault} ({at})") from None
            self.result = registers[self._code.cells.number(self._image.abi.result)]
            if recorded is not None:
                await self.leave(call.function, recorded.result(self.result))

    async def _enter(self, entry: int, arguments: tuple[int, ...]) -> None:
        """Prepare registers and stack for the call of a function, as its ABI has it."""
        abi, registers, number = self._image.abi, self.registers, self._code.cells.number
        stack = self._top & ~15
        for register, symbol in abi.presets:
            if symbol in self._image.symbols:
                registers[number(register)] = self._image.symbols[symbol].address
        for register in abi.entry:
            registers[number(register)] = entry
        if abi.thread is not None:
            registers[number(abi.thread)] = self.thread_pointer
        passed = arguments[: len(abi.arguments)]
        for register, value in zip(abi.arguments, passed, strict=False):
            registers[number(register)] = value & mask(abi.word)
        words = list(arguments[len(passed) :])
        if abi.link is None:
            stack -= -(-abi.word * len(words) // 16) * 16 + abi.word
            words.insert(0, RETURN)
        else:
            registers[number(abi.link)] = RETURN
            stack -= 64 + -(-abi.word * len(words) // 16) * 16
        if abi.isa == "mips":
            words = [0, 0, 0, 0, *words]  # where the callee may save its register arguments
        for index, value in enumerate(words):
            place = stack + abi.word * index
            if value and not self.poke(place, abi.word, value & mask(abi.word)):
                await self._put("call", place, value & mask(abi.word))
        registers[self._stack] = stack

    # -- what the engine reads --------------------------------------------------------------------

    def guest_state(self) -> Any:
        """Return the position, the registers and the live part of the private stack, as plain values."""
        first = self.registers[self._stack] - RED_ZONE - self._bottom
        live = bytes(self._memory[first if 0 <= first <= len(self._memory) else 0 :]) if self.high > self.low else b""
        plainly = not self._cpu._machine.host_takes_orders  # else registers have loads on which they depend
        registers = tuple(self.registers) if plainly else str(self.registers)
        return self.position, self._calls_left, self._back, self.allocated, registers, live

    @property
    def position(self) -> int:
        """The address of the instruction in execution."""
        place = self._cpu.place
        return 0 if place is None else int(place.address)

    @property
    def rounds(self) -> int:  # type: ignore[override]  # counted, not set
        """The backward jumps since the last operation."""
        return self.idle

    @property
    def in_loop(self) -> bool:
        """Whether the thread has ever jumped backwards."""
        return self._back

    def running(self, variables: Mapping[str, Any]) -> str:
        """Return the instruction with which the block begins that runs now."""
        return self._image.describe(variables["pc"], "") if "pc" in variables else self.where

    @property
    def where(self) -> str:
        """The source lines of the instruction in execution."""
        return str(self._cpu.place)

    def _describe(self, pc: int) -> str:
        place = self._cpu.place
        is_call = place is not None and place.is_call and place.address == pc
        return self._image.describe(pc, "" if is_call else self._code.disassembly(pc))

    # -- what ends it -------------------------------------------------------------------------------

    def fault(self, pc: int, cause: str, message: str) -> GuestFault:
        """Return the fault of the instruction at `pc`."""
        self.here(pc)
        return GuestFault(cause, pc, message)

    def system_call(self, pc: int) -> GuestFault:
        """Return the fault of a system call, which is not modelled."""
        abi = self._image.abi
        number = plain(self.registers[self._code.cells.number(number_register(abi))])
        return self.fault(pc, SYSTEM_CALL, f"{system_call_name(abi, number)}, which is not modelled")

    def unmodelled(self, pc: int, what: str) -> UnmodelledCodeError:
        """Return the error for an instruction that is not modelled."""
        flags = self._image.abi.flags
        advice = f"; compile with {flags}" if flags else ""
        where = f"{self._image.name}: {self._describe(pc)}"
        return UnmodelledCodeError(f"{where}: the instruction is not modelled ({what}){advice}")
