"""The strategies themselves. What cannot be generated is refused when they are asked for, not when they are drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from hypothesis import reject
from hypothesis import strategies as st

from simaie import plugins
from simaie.callbacks import decision, require_plain
from simaie.decision import Schedule, Switch
from simaie.errors import UsageError
from simaie.exploration.explorer import explore
from simaie.guest.code import Code
from simaie.guest.forms import kinds_of, table_of, widths_of
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.plugins import Spec
from simaie.protocols import require_at_most, require_positive
from simaie.replaying.failure import Failure
from simaie.schemes.scheme import Scheme
from simaie.strategies.drawing import Shape, draw_program
from simaie.strategies.examples import GeneratedFailure, GeneratedMachine

__all__ = ["ADDRESSES", "failures", "machines", "programs", "schedules"]

T = TypeVar("T")

#: Two words of a granule of 64 bytes, one place across its end, and a word of the next.
ADDRESSES = (0x100, 0x104, 0x13E, 0x140)
#: The largest programs that are drawn.
MOST_VCPUS, MOST_INSTRUCTIONS = 64, 1_000
_TRIES = 20
#: What machines are drawn from by default.
SCHEMES = ("native", "aie-rfc", "aie-v2", "cas", "global-lock")


def programs(
    isa: str = "arm",
    *,
    vcpus: int = 3,
    instructions: int = 4,
    addresses: Sequence[int] = ADDRESSES,
    widths: Sequence[int] | None = None,
    kinds: Sequence[str] | None = None,
) -> st.SearchStrategy[Program]:
    """Programs as data: at most so many vCPUs, also counting those that others spawn, each of so many instructions.

    addresses: guest addresses in bytes, of which two words of a granule, one place across its end and a word behind it
    are the default; an instruction that must be aligned gets only those that are. widths: in bytes; by default all that
    the instruction set has. kinds: of instructions, such as ``["load", "load-linked", "store-conditional"]``; by
    default all (`simaie.strategies.kinds_of`). ``spawn`` is one of them: that some threads are started by others.

    Raises UsageError for what no program can have: no vCPUs, a width or a kind that the instruction set lacks.
    """
    return draw_program(shape_of(isa, vcpus, instructions, addresses, widths, kinds))


def shape_of(
    isa: str,
    vcpus: int,
    instructions: int,
    addresses: Sequence[int],
    widths: Sequence[int] | None,
    kinds: Sequence[str] | None,
) -> Shape:
    """What `programs` of these are drawn from; UsageError for what no program can have."""
    require_positive(vcpus=vcpus, instructions=instructions)
    require_at_most(MOST_VCPUS, vcpus=vcpus)
    require_at_most(MOST_INSTRUCTIONS, instructions=instructions)
    _require_some("programs", addresses=addresses, widths=widths, kinds=kinds)
    shape = Shape(
        isa,
        vcpus,
        instructions,
        tuple(dict.fromkeys(addresses)),
        _known(f"{isa} has no width", widths, widths_of(isa)),
        _known(f"{isa} has no kind of instruction", kinds, kinds_of(isa)),
    )
    for address in shape.addresses:
        if isinstance(address, bool) or not isinstance(address, int) or address < 0:
            raise UsageError(f"an address is a number of bytes from 0 on, not {address!r}")
    if not table_of(isa, shape.kinds, shape.addresses, shape.widths):
        raise UsageError(f"no instruction of {isa} fits these kinds, addresses and widths")
    return shape


def machines(
    schemes: Sequence[str] | None = None,
    *,
    isa: str | None = None,
    hosts: Sequence[str] = ("sc", "tso", "pso"),
    granules: Sequence[int] = (16, 64),
    host_words: Sequence[int] = (64, 32),
) -> st.SearchStrategy[Machine]:
    """Machines over schemes, host memories, granules and word sizes.

    schemes: with their options, as in ``"aie-rfc:barriers=full"``; by default those that promise atomicity and, if
    `isa` is given, have what its programs need: load-linked, for most. granules: bytes for each lock, of the schemes
    that have that option and do not name it themselves. host_words: in bits.

    Raises UsageError or UnknownNameError for what no machine can have.
    """
    if schemes is None:
        schemes = [name for name in SCHEMES if isa is None or _runs(name, isa)]
    _require_some("machines", schemes=schemes, hosts=hosts, granules=granules, host_words=host_words)
    for granule in granules:
        if not isinstance(granule, int) or granule < 1 or granule & granule - 1:
            raise UsageError(f"a granule is a power of two, in bytes, not {granule!r}")
    specs = [spec for scheme in schemes for spec in _with_granules(Spec.of(scheme), granules)]
    for host in hosts:
        Machine(host=host)
    for word in host_words:
        Machine(host_word=word)

    def made(spec: Spec, host: str, word: int) -> Machine:
        return GeneratedMachine(spec, host=host, host_word=word)

    return st.builds(made, st.sampled_from(specs), st.sampled_from(hosts), st.sampled_from(host_words))


def schedules(program: Program | None = None, *, preemptions: int = 4, steps: int = 60) -> st.SearchStrategy[Schedule]:
    """Sparse schedules: at most so many preemptions, at steps below `steps`, to a vCPU of `program` (None: one of 3).

    For ``explore(program, machine, scheduler=("scripted", {"schedule": schedule.text, "strict": False}))``: a switch to
    a vCPU that cannot step is passed over.
    """
    require_positive(preemptions=preemptions, steps=steps)
    names = ("0", "1", "2") if program is None else _vcpus_of(program)
    switch = st.tuples(st.integers(0, steps - 1), st.sampled_from(names))
    lists = st.lists(switch, max_size=preemptions, unique_by=lambda pair: pair[0])
    return lists.map(lambda pairs: Schedule(tuple(Switch(step, actor) for step, actor in sorted(pairs)), ()))


def failures(
    programs: st.SearchStrategy[Program],
    machines: st.SearchStrategy[Machine],
    *,
    executions: int = 50,
    scheduler: str = "random-walk",
    accept: Callable[[Failure], bool] = lambda failure: True,
) -> st.SearchStrategy[Failure]:
    """Failures that a short exploration of a drawn program on a drawn machine finds, and `accept` takes.

    Several programs are drawn until one fails, so that Hypothesis seldom has to be told that an example is none. Of the
    failures of that program that `accept` takes, the first of the strongest signature is the example.
    """
    require_positive(executions=executions)
    require_plain("accept", accept)

    @st.composite
    def found(draw: st.DrawFn) -> Failure:
        machine = draw(machines)
        for _ in range(_TRIES):
            report = explore(draw(programs), machine, scheduler=scheduler, executions=executions, failures=None)
            firsts = (group.first for group in report.signatures)
            accepted = next((first for first in firsts if decision("accept", accept, accept(first))), None)
            if accepted is not None:
                return GeneratedFailure(**vars(accepted))
        return reject()

    return found()


def _require_some(what: str, **given: Sequence[object] | None) -> None:
    for name, values in given.items():
        if values is not None and not values:
            raise UsageError(f"{what} need at least one of {name}")


def _known(what: str, given: Iterable[T] | None, known: Sequence[T]) -> tuple[T, ...]:
    """What is given, each once, or all that is known; UsageError for what is not."""
    wanted = tuple(dict.fromkeys(known if given is None else given))
    for item in wanted:
        if item not in known:
            raise UsageError(f"{what} {item!r}; it has {', '.join(map(str, known))}")
    return wanted


def _runs(scheme: str, isa: str) -> bool:
    """Whether the scheme emulates all that is generated for the instruction set."""
    found: type[Scheme] = plugins.resolve(plugins.SCHEMES, scheme)
    return "load-linked" not in kinds_of(isa) or found.load_linked is not Scheme.load_linked


def _with_granules(spec: Spec, granules: Sequence[int]) -> list[Spec]:
    known = plugins.options_of(plugins.resolve(plugins.SCHEMES, spec.name))
    if "granule" not in known or "granule" in spec.options:
        return [spec]
    return [Spec(spec.name, {**spec.options, "granule": granule}) for granule in granules]


def _vcpus_of(program: Program) -> tuple[str, ...]:
    """The names of its vCPUs, those that lists of instructions spawn among them, as far as no loop spawns them."""
    names: list[str] = []
    for number, thread in enumerate(program.threads):
        names += [str(number)] if callable(thread) else _run_by(thread, str(number), 0, frozenset())
    return tuple(names)


def _run_by(code: Code, name: str, start: int, known: frozenset[int]) -> list[str]:
    """The vCPU called `name`, which begins at `start`, and those that it spawns."""
    names, children = [name], 0
    for item in code.instructions[start:]:
        if item.name == "exit":
            break
        if item.name == "spawn" and (begin := code.labels[str(item.args[0])]) not in known:
            names += _run_by(code, f"{name}.{children}", begin, known | {begin})
            children += 1
    return names
