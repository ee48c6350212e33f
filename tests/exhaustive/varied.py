"""Random programs of every kind that a checker judges: each case is a program and the machine that runs it.

All instruction sets, schemes, hosts and host words; all widths, aligned or not; atomic blocks, calls of objects, locks,
threads, waits, a stopped world, devices; and a scheme that breaks every promise a scheme can make.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

from lying_schemes import LIARS, ExchangesHalf, SwapsHalves

from exhaustive.generated import FAMILIES, program
from exhaustive.programs import GuestThread, Hypercalls
from simaie.guest.code import Ins, ins
from simaie.guest.forms import kinds_of, table_of, widths_of
from simaie.guest.program import Program
from simaie.host.host import Host
from simaie.host.pages import PageTable
from simaie.machine import Machine
from simaie.op import Role
from simaie.prng import Random
from simaie.protocols import MachineFacts, Promise
from simaie.schemes.none import NoScheme

Case = tuple[Program, Machine]

ISAS = ("x86", "arm", "aarch64", "riscv", "mips", "ppc")
SCHEMES = ("native", "none", "global-lock", "cas", "aie-rfc", "aie-v2")
HOSTS = ("sc", "tso", "pso")
#: Two words that are neighbours, one that lies across two of their words, and one in another granule.
ADDRESSES = (0x100, 0x104, 0x102, 0x140)
_EXCLUSIVES = {"load-linked", "store-conditional", "clear"}
_NO_EXCLUSIVES = ("global-lock", "aie-v2")


def instructions(seed: int) -> Case:
    """Guest instructions of any kind and width under any scheme, some of them in blocks."""
    random = Random(seed)
    isa, scheme, host = random.choice(ISAS), random.choice(SCHEMES), random.choice(HOSTS)
    kinds = set(kinds_of(isa)) - {"spawn"} - (_EXCLUSIVES if scheme in _NO_EXCLUSIVES else set())
    widths = widths_of(isa) if random.below(2) else (4,)
    table = table_of(isa, sorted(kinds), ADDRESSES[: 1 + random.below(4)], widths)
    blocks = random.below(2) == 1
    threads = [_thread(random, table, blocks) for _ in range(2 + random.below(2))]
    init = {0x100: 0, 0x108: 0, 0x140: 0}
    made = Program(f"instructions {seed}", isa=isa, threads=threads, init=init, final=_no_register_is_one)
    return made, Machine(scheme, host=host, host_word=random.choice((64, 64, 32)), address_bits=12)


def _no_register_is_one(state: Any) -> bool:
    return 1 not in state.registers.values()


def wide(seed: int) -> Case:
    """Accesses of eight bytes, and to parts of these, on a host that splits them or refuses to."""
    random = Random(seed)
    isa, scheme = random.choice(("x86", "aarch64", "riscv")), random.choice(("native", "none", "aie-rfc", "cas"))
    table = table_of(isa, ("load", "store", "atomic"), (0x100, 0x100, 0x104), (8, 8, 4, 2))
    threads = [_thread(random, table, blocks=False) for _ in range(2 + random.below(2))]
    made = Program(f"wide {seed}", isa=isa, threads=threads, init={0x100: 0, 0x104: 0})
    options = {} if scheme == "native" or random.below(4) else {"wide_accesses": "refuse"}
    return made, Machine((scheme, options), host=random.choice(HOSTS), host_word=32, address_bits=12)


def _thread(random: Random, table: Sequence[tuple[Ins, ...]], blocks: bool) -> GuestThread:
    items = [item for _ in range(1 + random.below(4)) for item in random.choice(table)]
    begin = random.below(len(items)) if blocks else len(items)
    end = begin + 1 + random.below(3)

    async def thread(cpu: Any) -> None:
        async with AsyncExitStack() as open_block:
            for number, item in enumerate(items):
                if number == begin:
                    await open_block.enter_async_context(cpu.atomic("block"))
                if number == end:
                    await open_block.aclose()
                result = await getattr(cpu, item.name)(*item.args, **dict(item.options))
                if item.into:
                    cpu.observe(f"r{number}", int(result))

    return thread


def families(seed: int) -> Case:
    """Locks, waits, threads, choices, devices, a stopped world."""
    random = Random(seed)
    family = random.choice(sorted(FAMILIES))
    return program(family, seed, (3, 3, 2)), Machine(Hypercalls, host=random.choice(HOSTS))


#: By object: its calls, each with its arguments and what it returns to a caller that has just read `value`.
_CALLS: dict[str, list[tuple[str, tuple[int, ...], Callable[[int], object]]]] = {
    "register": [("read", (), lambda value: value), ("write", (1,), lambda value: None)],
    "counter": [("add", (1,), lambda value: value), ("read", (), lambda value: value)],
    "stack": [("push", (1,), lambda value: None), ("pop", (), lambda value: 1 if value else None)],
    "queue": [("enqueue", (1,), lambda value: None), ("dequeue", (), lambda value: 1 if value else None)],
    "set": [("add", (1,), lambda value: not value), ("remove", (1,), lambda value: bool(value))],
    "mutex": [("try_lock", (), lambda value: not value), ("unlock", (), lambda value: None)],
}


def calls(seed: int) -> Case:
    """Calls of an object that is implemented without any care, with both ends of each call marked as steps."""
    random = Random(seed)
    what = random.choice(sorted(_CALLS))

    def thread() -> GuestThread:
        chosen = [random.choice(_CALLS[what]) for _ in range(1 + random.below(2))]

        async def run(cpu: Any) -> None:
            for name, args, result in chosen:
                async with cpu.call(name, *args, ordered=True) as call:
                    value = await cpu.load(0x100)
                    if args:
                        await cpu.store(0x100, value + 1)
                    call.returns(result(value))

        return run

    threads = [thread() for _ in range(2 + random.below(2))]
    made = Program(f"{what} {seed}", isa="x86", threads=threads, init={0x100: 0})
    return made, Machine("native", host=random.choice(HOSTS))


def careless(seed: int) -> Case:
    """Whatever a scheme may promise, and keeps no word of."""
    random = Random(seed)
    wrongs = ("lock 0", "lock 1", "unlock 0", "unlock 1", "update", "twin 0", "twin 1", "twin 2", "publish", "stop")

    def thread() -> GuestThread:
        causes = [random.choice(wrongs) for _ in range(3)]

        async def run(cpu: Any) -> None:
            for cause in causes:
                if cause == "publish":
                    await cpu.lock_add(0x100, 1)
                    await cpu.store(0x140, 1)
                await cpu.exception(cause)

        return run

    threads = [thread() for _ in range(3)]
    made = Program(f"careless {seed}", isa="x86", threads=threads, init={0x100: 0, 0x140: 0})
    return made, Machine(Careless, host=random.choice(HOSTS))


class _Entry:
    name = "entry 0x140"
    role, address = Role.ENTRY, 0x140


class Careless(NoScheme):
    """A scheme that promises everything, and does by ``cpu.exception`` what it must not."""

    promises = frozenset(Promise)

    def __init__(self, host: Host, pages: PageTable, machine: MachineFacts, **options: Any) -> None:
        super().__init__(host, pages, machine, **options)
        self._mutexes = [host.mutex(f"lock {number}") for number in range(2)]
        self._twins = [host.mutex("lock 0x100", 0x100) for _ in range(3)]
        self._structure = host.cell("structure", 0, guard=self._mutexes[0])
        self._slot = host.cell("radix/05", role=Role.SLOT, address=5)
        self._entry = _Entry()

    def enter(self, cpu: Any) -> None:
        """It holds no lock."""
        cpu.local = set()

    async def exception(self, cpu: Any, cause: str) -> None:
        """Do what `cause` says."""
        what, _, number = cause.partition(" ")
        if what == "lock":
            await self._mutexes[int(number)].lock()
            cpu.local.add(number)
        elif what == "unlock":
            if number in cpu.local:
                cpu.local.remove(number)
                await self._mutexes[int(number)].unlock()
        elif what == "update":
            await self._structure.update("count", lambda value: (value + 1, value))
        elif what == "twin":
            await self._twins[int(number)].lock()
            await self._twins[int(number)].unlock()
        elif what == "publish":
            await self._slot.store(self._entry)
        else:
            await self.host.begin_exclusive()
            await self.host.end_exclusive()


def lying(seed: int) -> Case:
    """Schemes whose instructions return or leave something else than they should."""
    random = Random(seed)
    liar = random.choice([liar for liar in LIARS if liar.scheme not in (SwapsHalves, ExchangesHalf)])
    kinds = ("load", "store", "atomic") if liar.isa == "x86" else ("load", "store", "load-linked", "store-conditional")
    table = table_of(liar.isa, kinds, ADDRESSES[:2], (4,))
    threads = [_thread(random, table, blocks=False) for _ in range(2)]
    made = Program(f"lying {seed}", isa=liar.isa, threads=threads, init={0x100: 0, 0x104: 0})
    return made, Machine(liar.scheme, host=random.choice(HOSTS), address_bits=12)


def pairs(seed: int) -> Case:
    """Pairs of X registers of AArch64, which are whole only with FEAT_LSE2, and stores to their halves."""
    random = Random(seed)
    steps: list[tuple[Ins, ...]] = [
        (ins("ldxp", 0x100, into="a"),),
        (ins("ldxp", 0x100, into="a"), ins("stxp", 0x100, 3 + (5 << 64), into="b")),
        (ins("str_", 0x100, 1, width=8), ins("str_", 0x108, 2, width=8)),
    ]
    threads = [_thread(random, steps, blocks=False) for _ in range(2 + random.below(2))]
    made = Program(f"pairs {seed}", isa="aarch64", threads=threads, init={0x100: (0, 16)})
    return made, Machine("native", host=random.choice(HOSTS), address_bits=12)


def vectors(seed: int) -> Case:
    """Moves of aligned vectors of x86, which are whole only with AVX, and of pairs of AArch64's registers."""
    random = Random(seed)
    isa, load, store = random.choice((("x86", "movaps_load", "movaps"), ("aarch64", "ldp", "stp")))
    steps: list[tuple[Ins, ...]] = [
        (ins(load, 0x100, into="a"),), (ins(store, 0x100, 3 + (5 << 64)),), (ins("store", 0x108, 2, width=8),)
    ]  # fmt: skip
    threads = [_thread(random, steps, blocks=False) for _ in range(2 + random.below(2))]
    made = Program(f"vectors {seed}", isa=isa, threads=threads, init={0x100: (0, 16)})
    return made, Machine("native", host=random.choice(HOSTS), address_bits=12)


#: By name: what makes a case of a seed.
KINDS: dict[str, Callable[[int], Case]] = {
    "instructions": instructions, "wide": wide, "families": families, "calls": calls, "careless": careless,
    "lying": lying, "pairs": pairs, "vectors": vectors,
}  # fmt: skip
