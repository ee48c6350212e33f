"""The strategies themselves. What cannot be generated is refused when they are asked for, not when they are drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import msgspec
from hypothesis import assume
from hypothesis import strategies as st

from simaie.decision import Schedule, Switch
from simaie.engine.machine import Machine
from simaie.errors import UsageError
from simaie.explore.explorer import explore
from simaie.guest.code import Ins
from simaie.guest.program import Program
from simaie.protocols import require_positive
from simaie.replay.failure import Failure
from simaie.strategies.examples import GeneratedMachine, GeneratedProgram
from simaie.strategies.instructions import forms_of, kinds_of, table_of

__all__ = ["failures", "machines", "programs", "schedules"]

#: Two words of a granule of 64 bytes, one place across its end, and a word of the next.
ADDRESSES = (0x100, 0x104, 0x13E, 0x140)


def programs(
    isa: str = "arm",
    *,
    vcpus: int = 3,
    instructions: int = 4,
    addresses: Sequence[int] = ADDRESSES,
    widths: Sequence[int] = (4, 1, 2, 8),
    kinds: Sequence[str] | None = None,
) -> st.SearchStrategy[Program]:
    """Programs as data: at most so many vCPUs, each with at most so many instructions.

    addresses: guest addresses in bytes, of which a granule's two words and one across its end are the default; an
    instruction that must be aligned gets only those that are. widths: in bytes. kinds: of instructions, such as
    ``["load", "load-linked", "store-conditional"]``; by default all (`simaie.strategies.instructions.kinds_of`).

    Raises UsageError for what no program can have: no vCPUs, a width or a kind that the instruction set lacks.
    """
    require_positive(vcpus=vcpus, instructions=instructions)
    known = kinds_of(isa)
    wanted = known if kinds is None else tuple(kinds)
    has = sorted({width for form in forms_of(isa) for width in form.widths})
    for what, given, there in (("width", widths, has), ("kind of instruction", wanted, known)):
        for item in given:
            if item not in there:
                raise UsageError(f"{isa} has no {what} {item!r}; it has {', '.join(map(str, there))}")
    places = tuple(dict.fromkeys(addresses))
    if not table_of(isa, wanted, places, tuple(widths)):
        raise UsageError(f"no instruction of {isa} fits these kinds, addresses and widths")
    return _programs(isa, vcpus, instructions, places, tuple(widths), wanted)


@st.composite
def _programs(
    draw: st.DrawFn,
    isa: str,
    vcpus: int,
    instructions: int,
    addresses: tuple[int, ...],
    widths: tuple[int, ...],
    kinds: tuple[str, ...],
) -> Program:
    without = draw(st.integers(0, (1 << len(kinds) + len(addresses)) - 1))
    kept = tuple(kind for bit, kind in enumerate(kinds) if not without >> bit & 1)
    places = tuple(a for bit, a in enumerate(addresses, len(kinds)) if not without >> bit & 1)
    only = draw(st.integers(0, len(widths)))
    sizes = widths[only - 1 : only] if only else widths
    # Nothing is left where all kinds are gone, or no address suits those that stay: then all stay.
    table = table_of(isa, kept, places, sizes) or table_of(isa, kinds, addresses, widths)
    code = st.lists(st.sampled_from(table), max_size=instructions)
    threads = [_thread(draw(code), instructions) for _ in range(draw(st.integers(1, vcpus)))]
    init = {address: 0 for address in addresses if not address % 4}
    return GeneratedProgram("generated", isa=isa, threads=threads, init=init)


def _thread(drawn: list[tuple[Ins, ...]], instructions: int) -> list[Ins]:
    items = [item for part in drawn for item in part][:instructions]
    return [_numbered(item, i) for i, item in enumerate(items)]


@lru_cache(maxsize=65536)
def _numbered(item: Ins, index: int) -> Ins:
    """`item` with a register of its own for its result."""
    return item if item.into is None else msgspec.structs.replace(item, into=f"r{index}")


def machines(
    schemes: Sequence[str] = ("native", "aie-rfc", "aie-v2", "cas", "global-lock"),
    *,
    hosts: Sequence[str] = ("sc", "tso", "pso"),
    host_words: Sequence[int] = (64, 32),
) -> st.SearchStrategy[Machine]:
    """Machines over schemes (with their options, as in ``"aie-rfc:granule=16"``), host memories and word sizes."""
    for scheme in schemes:
        Machine(scheme)
    for what, given in (("schemes", schemes), ("hosts", hosts), ("host_words", host_words)):
        if not given:
            raise UsageError(f"machines need at least one of {what}")

    def made(scheme: str, host: str, word: int) -> Machine:
        return GeneratedMachine(scheme, host=host, host_word=word)

    return st.builds(made, st.sampled_from(schemes), st.sampled_from(hosts), st.sampled_from(host_words))


def schedules(program: Program | None = None, *, preemptions: int = 4, steps: int = 60) -> st.SearchStrategy[Schedule]:
    """Sparse schedules: at most so many preemptions, at steps below `steps`, to a vCPU of `program` (None: one of 3).

    For ``explore(program, machine, scheduler=("scripted", {"schedule": schedule.text, "strict": False}))``: a switch to
    a vCPU that cannot step is passed over.
    """
    require_positive(preemptions=preemptions, steps=steps)
    vcpus = 3 if program is None else len(program.threads)
    switch = st.tuples(st.integers(0, steps - 1), st.integers(0, vcpus - 1))
    lists = st.lists(switch, max_size=preemptions, unique_by=lambda pair: pair[0])
    return lists.map(lambda pairs: Schedule(tuple(Switch(step, str(actor)) for step, actor in sorted(pairs)), ()))


def failures(
    programs: st.SearchStrategy[Program],
    machines: st.SearchStrategy[Machine],
    *,
    executions: int = 50,
    scheduler: str = "random-walk",
    accept: Callable[[Failure], bool] = lambda failure: True,
) -> st.SearchStrategy[Failure]:
    """Failures that a short exploration of a drawn program on a drawn machine finds, and `accept` takes."""
    require_positive(executions=executions)

    @st.composite
    def found(draw: st.DrawFn) -> Failure:
        report = explore(draw(programs), draw(machines), scheduler=scheduler, executions=executions)
        assume(report.failures and accept(report.failures[0]))
        return report.failures[0]

    return found()
