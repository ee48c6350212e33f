"""Random guest programs that mix many kinds of instruction, widths and alignments, for comparing searches.

A program is data: of each thread a list of `Step`s. To add a kind of instruction, write how it is performed, list it in
`KINDS`, and name it in a mix of `MIXES`. What a thread stores, expects or skips depends on what it has read, so that a
lost execution shows in the outcome: of everything that is read, and of all bytes of memory at the end.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from exhaustive.programs import GuestThread
from simaie.guest.program import FinalState, Program
from simaie.prng import Random

__all__ = ["BASE", "KINDS", "MIXES", "SIZE", "SIZES", "Mix", "Step", "mixed"]

#: All accesses fall into these bytes.
BASE, SIZE = 0x100, 16


class Step(NamedTuple):
    """One instruction. value, expected: operands. body: of a spawn, the code of the child."""

    kind: str
    address: int = BASE
    width: int = 4
    value: int = 0
    expected: int = 0
    body: tuple[Step, ...] = ()


class Mix(NamedTuple):
    """What programs are made of.

    roles: the kinds of the first thread, of the second, ..., the last for all further ones; a kind that stands there
    twice is drawn twice as often. widths: of accesses, in bytes. unaligned: whether an access in six is moved.
    """

    isa: str
    roles: tuple[str, ...]
    widths: tuple[int, ...] = (4,)
    unaligned: bool = False

    @property
    def may_reserve_more(self) -> bool:
        """Whether a store-conditional may depend on bytes that it does not store, which `conflict` cannot know."""
        return len(self.widths) > 1 and any("sc" in role.split() or "retry" in role for role in self.roles)


#: Numbers of steps of the two to four threads of a program.
SIZES = ((2, 2), (3, 2), (2, 1, 1), (1, 2, 1), (2, 2, 1), (1, 1, 1, 1), (2, 1, 1, 1))

_ATOMIC = "load store cas cas xchg add"
MIXES: dict[str, Mix] = {
    "one stores, x86": Mix("x86", ("store", "cas cas load")),
    "one stores, aarch64": Mix("aarch64", ("store", "cas cas load")),
    "one stores, two places": Mix("x86", ("store", "cas load if-odd"), (2, 4)),
    "locked": Mix("x86", (_ATOMIC,)),
    "locked, of several widths": Mix("x86", (f"{_ATOMIC} fence",), (1, 2, 4, 8), unaligned=True),
    "large system extensions": Mix("aarch64", (f"{_ATOMIC} fence",), (1, 2, 4)),
    "exclusives": Mix("aarch64", ("ll sc ll sc store",)),
    "exclusives of several widths": Mix("aarch64", ("ll sc ll sc", "store cas"), (4, 8)),
    "exclusives and atomics": Mix("aarch64", ("ll sc clear load", "cas add store retry"), (2, 4)),
    "arm exclusives": Mix("arm", ("ll sc ll sc store", "ll sc swap store load"), (4, 8)),
    "threads": Mix("x86", ("spawn join cas load", "store cas")),
    "waits": Mix("x86", ("wait cas load", "store cas add")),
    "waits of several widths": Mix("aarch64", ("wait cas", "store add"), (1, 2, 4)),
    "exceptions": Mix("aarch64", ("ll sc exception", "store cas exception")),
    "choices": Mix("x86", ("choose cas store", "cas load")),
}


def mixed(name: str, seed: int) -> Program:
    """Program number `seed` of a mix."""
    mix, random = MIXES[name], Random(seed)
    threads = []
    for number, size in enumerate(random.choice(SIZES)):
        kinds = mix.roles[min(number, len(mix.roles) - 1)].split()
        threads.append(_thread(mix.isa, [_step(random, mix, random.choice(kinds)) for _ in range(size)]))
    initial = bytes(random.choice([0, 0, 1, 2]) if at % 4 == 0 else 0 for at in range(SIZE))
    return Program(
        f"{name} {seed}", isa=mix.isa, threads=threads, init={BASE: initial}, watch={BASE: SIZE}, final=_is_even
    )


def _is_even(final: FinalState) -> bool:
    return bool(final.read(BASE, width=1) % 2 == 0)


def _step(random: Random, mix: Mix, kind: str) -> Step:
    if kind == "spawn":
        return Step(kind, body=tuple(_step(random, mix, random.choice(["load", "store", "cas"])) for _ in range(2)))
    width = random.choice(mix.widths)
    if kind == "swap":  # of Armv7: words and bytes only
        width = min(width, 4)
    address = BASE + (SIZE // 2 if len(mix.widths) == 1 and random.below(3) == 0 else 0)
    if len(mix.widths) > 1:
        address = BASE + width * random.below(8 // width)
    if mix.unaligned and random.below(6) == 0:
        address += 1 + random.below(3)
    return Step(kind, address, width, random.below(3), random.below(3))


class _Vcpu:
    """A thread in execution. seen: the last value read. children: those spawned and not joined."""

    def __init__(self, isa: str, cpu: Any) -> None:
        self.isa, self.cpu, self.seen, self.children = isa, cpu, 0, list[Any]()


def _thread(isa: str, steps: Sequence[Step]) -> GuestThread:
    async def thread(cpu: Any) -> None:
        vcpu = _Vcpu(isa, cpu)
        for number, step in enumerate(steps):
            read = await KINDS[step.kind](vcpu, step)
            if read is not None:
                vcpu.seen = read
                cpu.observe(f"r{number}", read)

    return thread


# -- kinds of instruction ------------------------------------------------------------------------------

#: By instruction set, what an instruction is called there.
_NAMES = {
    "x86": {"load": "load", "store": "store", "cas": "lock_cmpxchg", "swap": "xchg", "add": "lock_xadd",
            "fence": "mfence"},
    "aarch64": {"load": "ldr", "store": "str_", "cas": "cas", "swap": "swp", "add": "ldadd", "fence": "dmb",
                "ll": "ldxr", "sc": "stxr", "clear": "clrex"},
    "arm": {"load": "ldr", "store": "str_", "swap": "swp", "fence": "dmb", "ll": "ldrex", "sc": "strex",
            "clear": "clrex"},
}  # fmt: skip


def _instruction(vcpu: _Vcpu, step: Step, name: str, *operands: int) -> Awaitable[int | None]:
    perform = getattr(vcpu.cpu, _NAMES[vcpu.isa][name])
    result: Awaitable[int | None] = perform(step.address, *operands, width=step.width)
    return result


async def _load(vcpu: _Vcpu, step: Step) -> int | None:
    if vcpu.isa == "arm" and step.width == 8:
        return await _instruction(vcpu, step, "ll")  # the only single access so wide
    return await _instruction(vcpu, step, "load")


async def _store(vcpu: _Vcpu, step: Step) -> int | None:
    narrow = step._replace(width=4) if vcpu.isa == "arm" else step
    return await _instruction(vcpu, narrow, "store", (step.value + vcpu.seen) & 3)


async def _store_if_odd(vcpu: _Vcpu, step: Step) -> int | None:
    return await _store(vcpu, step) if vcpu.seen & 1 else None


async def _cas(vcpu: _Vcpu, step: Step) -> int | None:
    return await _instruction(vcpu, step, "cas", step.expected, step.value + 1)


async def _swap(vcpu: _Vcpu, step: Step) -> int | None:
    return await _instruction(vcpu, step, "swap", step.value)


async def _add(vcpu: _Vcpu, step: Step) -> int | None:
    return await _instruction(vcpu, step, "add", 1 + step.value)


async def _fence(vcpu: _Vcpu, step: Step) -> int | None:
    await getattr(vcpu.cpu, _NAMES[vcpu.isa]["fence"])()
    return None


async def _load_linked(vcpu: _Vcpu, step: Step) -> int | None:
    return await _instruction(vcpu, step, "ll")


async def _store_conditional(vcpu: _Vcpu, step: Step) -> int | None:
    return await _instruction(vcpu, step, "sc", step.value + 1)


async def _clear(vcpu: _Vcpu, step: Step) -> int | None:
    await vcpu.cpu.clrex()
    return None


async def _retry(vcpu: _Vcpu, step: Step) -> int | None:
    """At most two attempts to add 1 with exclusives."""
    for _ in range(2):
        old = await _instruction(vcpu, step, "ll")
        assert old is not None
        if await _instruction(vcpu, step, "sc", old + 1 & 0xFF) == 0:
            return old
    return 0xFF


async def _spawn(vcpu: _Vcpu, step: Step) -> int | None:
    vcpu.children.append(await vcpu.cpu.spawn(_thread(vcpu.isa, step.body)))
    return None


async def _join(vcpu: _Vcpu, step: Step) -> int | None:
    if vcpu.children:
        await vcpu.cpu.join(vcpu.children.pop())
    return None


async def _wait(vcpu: _Vcpu, step: Step) -> int | None:
    value: int = await vcpu.cpu.wait_until(step.address, lambda now: now & 1 == step.value & 1, width=step.width)
    return value


async def _exception(vcpu: _Vcpu, step: Step) -> int | None:
    await vcpu.cpu.exception()
    return None


async def _choose(vcpu: _Vcpu, step: Step) -> int | None:
    chosen: int = await vcpu.cpu.choose(2)
    return chosen


KINDS: dict[str, Callable[[_Vcpu, Step], Awaitable[int | None]]] = {
    "load": _load,
    "store": _store,
    "if-odd": _store_if_odd,
    "cas": _cas,
    "xchg": _swap,
    "swap": _swap,
    "add": _add,
    "fence": _fence,
    "ll": _load_linked,
    "sc": _store_conditional,
    "clear": _clear,
    "retry": _retry,
    "spawn": _spawn,
    "join": _join,
    "wait": _wait,
    "exception": _exception,
    "choose": _choose,
}
