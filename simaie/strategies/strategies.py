"""The strategies; invalid arguments are refused when a strategy is created, not when an example is drawn."""

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

#: Two words of a 64-byte granule, one place across its end, and a word of the next granule.
ADDRESSES = (0x100, 0x104, 0x13E, 0x140)
#: The largest programs that are drawn.
MOST_VCPUS, MOST_INSTRUCTIONS = 64, 1_000
_TRIES = 20
#: The schemes from which machines are drawn by default.
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
    """Return a strategy of programs as data.

    Args:
        isa: Name of the instruction set.
        vcpus: Maximum number of vCPUs, including spawned ones.
        instructions: Maximum number of instructions of a vCPU.
        addresses: Guest addresses in bytes. The default is two words of a granule, one place across its end and a word
            after it; an instruction that must be aligned uses only the aligned ones.
        widths: Widths in bytes; None for all of the instruction set.
        kinds: Kinds of instructions, such as ``["load", "load-linked", "store-conditional"]``; None for all
            (`simaie.strategies.kinds_of`). The kind ``spawn`` means that some threads are spawned by others.

    Raises:
        UsageError: No program can have these: no vCPUs, or a width or kind that the instruction set lacks.
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
    """Return the shape of programs with these parameters; see `programs`.

    Raises:
        UsageError: No program can have these parameters.
    """
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
    """Return a strategy of machines over schemes, host memories, granules and word sizes.

    Args:
        schemes: Schemes with their options, as in ``"aie-rfc:barriers=full"``. The default is the schemes that promise
            atomicity and, if `isa` is set, have what its programs need: usually load-linked.
        isa: Name of the instruction set of the programs, or None.
        hosts: Names of host memories.
        granules: Bytes per lock, for the schemes that have this option and do not set it themselves.
        host_words: Host words in bits.

    Raises:
        UsageError: No machine can have these.
        UnknownNameError: A scheme or host memory is unknown.
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
    """Return a strategy of sparse schedules.

    Use them as ``explore(program, machine, scheduler=("scripted", {"schedule": schedule.text, "strict": False}))``. A
    switch to a vCPU that cannot step is skipped.

    Args:
        program: The program whose vCPUs are switched to; None for vCPUs 0 to 2.
        preemptions: Maximum number of preemptions.
        steps: Every preemption is at a step below this.
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
    """Return a strategy of failures that a short exploration of a drawn program on a drawn machine finds.

    Several programs are drawn until one fails, so that Hypothesis seldom has to discard an example. The example is the
    first accepted failure of the strongest signature.

    Args:
        programs: Strategy of programs.
        machines: Strategy of machines.
        executions: Executions of each exploration.
        scheduler: Name of the scheduler.
        accept: Whether a failure is acceptable as an example.
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
    """Return the given items, each once, or all known ones; raise UsageError for an unknown item."""
    wanted = tuple(dict.fromkeys(known if given is None else given))
    for item in wanted:
        if item not in known:
            raise UsageError(f"{what} {item!r}; it has {', '.join(map(str, known))}")
    return wanted


def _runs(scheme: str, isa: str) -> bool:
    """Whether the scheme emulates everything that is generated for the instruction set."""
    found: type[Scheme] = plugins.resolve(plugins.SCHEMES, scheme)
    return "load-linked" not in kinds_of(isa) or found.load_linked is not Scheme.load_linked


def _with_granules(spec: Spec, granules: Sequence[int]) -> list[Spec]:
    known = plugins.options_of(plugins.resolve(plugins.SCHEMES, spec.name))
    if "granule" not in known or "granule" in spec.options:
        return [spec]
    return [Spec(spec.name, {**spec.options, "granule": granule}) for granule in granules]


def _vcpus_of(program: Program) -> tuple[str, ...]:
    """Return the names of the program's vCPUs, including those that lists of instructions spawn outside loops."""
    names: list[str] = []
    for number, thread in enumerate(program.threads):
        names += [str(number)] if callable(thread) else _run_by(thread, str(number), 0, frozenset())
    return tuple(names)


def _run_by(code: Code, name: str, start: int, known: frozenset[int]) -> list[str]:
    """Return the name of the vCPU that begins at `start`, and the names of those that it spawns."""
    names, children = [name], 0
    for item in code.instructions[start:]:
        if item.name == "exit":
            break
        if item.name == "spawn" and (begin := code.labels[str(item.args[0])]) not in known:
            names += _run_by(code, f"{name}.{children}", begin, known | {begin})
            children += 1
    return names
