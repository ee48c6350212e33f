"""The names of the system calls of Linux that programs make most, for messages: simaie runs none."""

from __future__ import annotations

from collections.abc import Mapping

from simaie.binary.abi import Abi

__all__ = ["number_register", "system_call_name"]

_GENERIC = {
    29: "ioctl", 56: "openat", 57: "close", 63: "read", 64: "write", 66: "writev", 93: "exit", 94: "exit_group",
    98: "futex", 101: "nanosleep", 113: "clock_gettime", 124: "sched_yield", 131: "tgkill", 172: "getpid",
    178: "gettid", 214: "brk", 215: "munmap", 220: "clone", 222: "mmap", 226: "mprotect", 283: "membarrier",
}  # fmt: skip
_CLASSIC = {
    1: "exit", 3: "read", 4: "write", 5: "open", 6: "close", 20: "getpid", 45: "brk", 54: "ioctl", 90: "mmap",
    91: "munmap", 120: "clone", 125: "mprotect", 146: "writev",
}  # fmt: skip
_LATER = {158: "sched_yield", 162: "nanosleep", 192: "mmap2", 240: "futex"}
_X86_64 = {
    0: "read", 1: "write", 2: "open", 3: "close", 9: "mmap", 10: "mprotect", 11: "munmap", 12: "brk", 16: "ioctl",
    20: "writev", 24: "sched_yield", 35: "nanosleep", 39: "getpid", 56: "clone", 60: "exit", 186: "gettid",
    202: "futex", 228: "clock_gettime", 231: "exit_group", 234: "tgkill", 257: "openat", 324: "membarrier",
}  # fmt: skip
_MIPS = {
    **{4000 + number: name for number, name in _CLASSIC.items()},
    4162: "sched_yield", 4166: "nanosleep", 4210: "mmap2", 4222: "gettid", 4238: "futex", 4246: "exit_group",
}  # fmt: skip
_PPC = {
    **_CLASSIC, 158: "sched_yield", 162: "nanosleep", 207: "gettid", 221: "futex", 234: "exit_group", 365: "membarrier",
}  # fmt: skip
#: Name of an ABI -> the register with the number of the call, and the names (asm/unistd.h of Linux for each).
_CALLS: Mapping[str, tuple[str, Mapping[int, str]]] = {
    "arm": ("r7", {**_CLASSIC, **_LATER, 224: "gettid", 248: "exit_group", 389: "membarrier"}),
    "aarch64": ("x8", _GENERIC),
    "x86-64": ("RAX", _X86_64),
    "i386": ("EAX", {**_CLASSIC, **_LATER, 224: "gettid", 252: "exit_group", 375: "membarrier"}),
    "riscv64": ("a7", _GENERIC),
    "mips": ("v0", _MIPS),
    "mipsel": ("v0", _MIPS),
    "mipsr6": ("v0", _MIPS),
    "mipsr6el": ("v0", _MIPS),
    "ppc64le": ("r0", _PPC),
}


def number_register(abi: Abi) -> str:
    """Return the register with the number of a system call."""
    return _CALLS[abi.name][0]


def system_call_name(abi: Abi, number: int) -> str:
    """Return a system call as messages show it, with its name if it is known."""
    name = _CALLS[abi.name][1].get(number)
    return f"system call {number}" if name is None else f"system call {number} ({name})"
