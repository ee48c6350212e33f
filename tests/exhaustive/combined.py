"""Random guest programs in which several features of guests meet, each with the machine that runs it.

All instruction sets, schemes and hosts; user mode and full system. A program has a device, a second mapping of its
page, spawned threads, joins, waits, spins, retry loops and exceptions, three of these at least, and around them
instructions of any kind and width. It is small enough that all interleavings of most programs can be enumerated.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from exhaustive.programs import GuestThread
from simaie.errors import GuestFault
from simaie.guest.code import Ins, ins
from simaie.guest.forms import kinds_of, table_of, widths_of
from simaie.guest.isa import isa_class
from simaie.guest.program import FinalState, Program
from simaie.host.pages import PAGE_SIZE, Page
from simaie.machine import Limits, Machine
from simaie.prng import Random

__all__ = ["FEATURES", "HOSTS", "ISAS", "LIMIT", "SCHEMES", "Case", "combined"]

ISAS = ("x86", "arm", "aarch64", "riscv", "mips", "ppc")
SCHEMES = ("native", "none", "global-lock", "cas", "aie-rfc", "aie-v2")
HOSTS = ("sc", "tso", "pso")
FEATURES = ("spawn", "join", "wait", "spin", "retry", "exception", "page", "device")
#: An execution of more steps is cut. None of these programs is so long, unless it never ends.
LIMIT = 200

_X = 0x100
#: The virtual page that at first maps to the frame of `_X`, so that the place has a second address.
_PAGE = PAGE_SIZE
#: What an operating system may make of that page.
_PAGES = (Page(0x2000), Page(0), Page(0, writable=False), Page(0x2000, present=False))
_LACK_EXCLUSIVES = ("global-lock", "aie-v2")
_EXCLUSIVES = {"load-linked", "store-conditional", "clear"}
#: The instruction sets whose store-conditional returns 1 for "stored".
_ONE_IS_STORED = ("mips", "ppc")
_PAUSES = {"x86": "pause", "arm": "wfe", "aarch64": "wfe", "riscv": "pause", "mips": "pause"}


class Case(NamedTuple):
    """features: which of `FEATURES` the program has."""

    isa: str
    scheme: str
    host: str
    features: frozenset[str]
    program: Program
    machine: Machine


#: An instruction with its operands: what performs it on a vCPU.
_Call = Callable[[Any], Awaitable[int | None]]


class _Step(NamedTuple):
    """One thing that a thread does.

    code: its instructions. value: whether odd is waited for. pause: the hint of a spin. body: what a child does.
    """

    kind: str
    address: int = _X
    value: int = 0
    code: tuple[_Call, ...] = ()
    page: Page = _PAGES[0]
    pause: _Call | None = None
    body: tuple[_Step, ...] = ()


class _Draw:
    """What the steps of one program are drawn from."""

    def __init__(self, random: Random, isa: str, scheme: str, paged: bool, full_system: bool) -> None:
        self.random, self.isa, self.full_system = random, isa, full_system
        self.addresses = (_X, _X, _X + 4, *((_PAGE + _X, _PAGE - 2) if paged else ()))
        kinds = set(kinds_of(isa)) - {"spawn"} - (_EXCLUSIVES if scheme in _LACK_EXCLUSIVES else set())
        widths = widths_of(isa) if random.below(3) == 0 else (4,)
        self.table = table_of(isa, sorted(kinds), self.addresses, widths)
        self.pairs = [row for row in table_of(isa, sorted(kinds), (_X,), (4,)) if len(row) == 2]
        self._class = isa_class(isa)

    def instructions(self) -> _Step:
        """One, or a load-linked with its store-conditional; sometimes performed only if the last value read is odd."""
        kind = self.random.choice(["always", "always", "if odd"])
        return _Step(kind, code=self._one_of(self.table))

    def _one_of(self, table: Sequence[tuple[Ins, ...]]) -> tuple[_Call, ...]:
        return tuple(self._call(item) for item in self.random.choice(table))

    def _call(self, item: Ins) -> _Call:
        """It names no attribute at run time: where a guest does, all that it might name is compared when it spins."""
        method, operands, options = getattr(self._class, item.name), item.args, dict(item.options)

        def call(cpu: Any) -> Awaitable[int | None]:
            performed: Awaitable[int | None] = method(cpu, *operands, **options)
            return performed

        return call

    def step(self, feature: str) -> _Step:
        """A step that has the feature; in user mode the mapping of a page never changes, and is only used."""
        if feature == "page" and not self.full_system:
            return _Step("always", code=self._one_of(self.table))
        address, value = _X + 4 * self.random.below(2), self.random.below(2)
        if feature in ("spawn", "join"):
            return _Step(feature, body=(self.instructions(),))
        if feature == "retry" and self.pairs:
            return _Step(feature, code=self._one_of(self.pairs))
        pause = self._call(ins(_PAUSES[self.isa])) if self.isa in _PAUSES and self.random.below(2) else None
        return _Step(feature, address, value, page=self.random.choice(_PAGES), pause=pause)


def combined(seed: int) -> Case:
    """Case number `seed`. A feature that the instruction set has not got under that scheme is left out."""
    random = Random(seed)
    isa, scheme, host = random.choice(ISAS), random.choice(SCHEMES), random.choice(HOSTS)
    order = list(FEATURES)
    random.shuffle(order)
    features = {*order[:3], *(["spawn"] if "join" in order[:3] else [])}
    full_system = random.below(2) == 1
    draw = _Draw(random, isa, scheme, "page" in features, full_system)
    if isa != "x86" and not draw.pairs:
        features.discard("retry")
    threads: list[list[_Step]] = [[] for _ in range(1 if "spawn" in features else 2)]
    for feature in [feature for feature in order if feature in features - {"device", "spawn"}]:
        random.choice(threads).append(draw.step(feature))
    if "spawn" in features:
        threads[0].insert(0, draw.step("spawn"))
    for thread in threads:
        thread.insert(random.below(len(thread) + 1), draw.instructions())
    machine = Machine(
        scheme, host=host, full_system=full_system, address_bits=14,
        host_word=random.choice((64, 64, 32)), limits=Limits(steps=LIMIT),
    )  # fmt: skip
    program = _program(random, f"{' '.join(sorted(features))} {seed}", isa, threads, features)
    return Case(isa, scheme, host, frozenset(features), program, machine)


def _program(
    random: Random, name: str, isa: str, threads: Sequence[Sequence[_Step]], features: set[str]
) -> Program:
    catches = random.below(2) == 1
    return Program(
        name,
        isa=isa,
        threads=[_catching(_thread(isa, steps)) if catches else _thread(isa, steps) for steps in threads],
        devices=[random.choice((_storing, _copying))] if "device" in features else [],
        init={_X: random.below(2), _X + 4: 0, 0x2000 + _X: 3},
        watch={_X: 8, 0x2000 + _X: 4},
        pages={_PAGE: Page(0)} if "page" in features else {},
        final=_is_even,
    )


def _is_even(final: FinalState) -> bool:
    return bool(final.read(_X) % 2 == 0)


async def _storing(device: Any) -> None:
    await device.dma_write(_X, 1)


async def _copying(device: Any) -> None:
    await device.dma_write(_X, await device.dma_read(_X + 4) + 1)


# -- the steps, performed ----------------------------------------------------------------------------------


class _Vcpu:
    """A thread in execution. seen: the last value read. children: those spawned and not joined."""

    def __init__(self, isa: str, cpu: Any) -> None:
        self.isa, self.cpu, self.seen, self.children = isa, cpu, 1, list[Any]()


def _thread(isa: str, steps: Sequence[_Step]) -> GuestThread:
    todo = [(_KINDS[step.kind], step) for step in steps]

    async def thread(cpu: Any) -> None:
        vcpu = _Vcpu(isa, cpu)
        for number, (perform, step) in enumerate(todo):
            read = await perform(vcpu, step)
            if read is not None:
                vcpu.seen = read
                cpu.observe(f"r{number}", read)

    return thread


def _catching(thread: GuestThread) -> GuestThread:
    async def catching(cpu: Any) -> None:
        try:
            await thread(cpu)
        except GuestFault as fault:
            cpu.observe("fault", fault.address)

    return catching


async def _always(vcpu: _Vcpu, step: _Step) -> int | None:
    read = None
    for call in step.code:
        result = await call(vcpu.cpu)
        read = result if result is not None else read
    return read


async def _if_odd(vcpu: _Vcpu, step: _Step) -> int | None:
    return await _always(vcpu, step) if vcpu.seen & 1 else None


async def _spawn(vcpu: _Vcpu, step: _Step) -> int | None:
    vcpu.children.append(await vcpu.cpu.spawn(_thread(vcpu.isa, step.body)))
    return None


async def _join(vcpu: _Vcpu, step: _Step) -> int | None:
    if vcpu.children:
        await vcpu.cpu.join(vcpu.children.pop())
    return None


async def _wait(vcpu: _Vcpu, step: _Step) -> int | None:
    value: int = await vcpu.cpu.wait_until(step.address, lambda now: now & 1 == step.value)
    return value


async def _spin(vcpu: _Vcpu, step: _Step) -> int | None:
    """Look until the value is odd, or even; with a hint in the loop if the instruction set has one."""
    while (seen := await vcpu.cpu.load(step.address)) & 1 != step.value:
        if step.pause is not None:
            await step.pause(vcpu.cpu)
    return int(seen)


async def _retry(vcpu: _Vcpu, step: _Step) -> int | None:
    """Try until a store-conditional stores, or a compare-and-swap succeeds."""
    if not step.code:
        while True:
            old: int = await vcpu.cpu.load(step.address)
            if await vcpu.cpu.lock_cmpxchg(step.address, old, old + 1) == old:
                return old
    load, store = step.code
    while True:
        read = await load(vcpu.cpu)
        if await store(vcpu.cpu) == (vcpu.isa in _ONE_IS_STORED):
            return read


async def _exception(vcpu: _Vcpu, step: _Step) -> int | None:
    await vcpu.cpu.exception()
    return None


async def _page(vcpu: _Vcpu, step: _Step) -> int | None:
    await vcpu.cpu.map_page(_PAGE, step.page)
    return None


_KINDS: dict[str, Callable[[_Vcpu, _Step], Awaitable[int | None]]] = {
    "always": _always,
    "if odd": _if_odd,
    "spawn": _spawn,
    "join": _join,
    "wait": _wait,
    "spin": _spin,
    "retry": _retry,
    "exception": _exception,
    "page": _page,
}
