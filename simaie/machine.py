"""Machines, on which programs run: scheme, host memory, mode, word size and limits."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, TypeAlias, get_args

import msgspec

from simaie import plugins
from simaie.arguments import require_bool, require_instance
from simaie.barrier import Barrier
from simaie.errors import UsageError
from simaie.guest.isa import isa_class
from simaie.guest.program import Program
from simaie.host.host import Host
from simaie.host.memory import HostFactory, fill, order_of, require_factory
from simaie.host.pages import PageTable
from simaie.host.ram import Endian
from simaie.host.sc import ScMemory
from simaie.op import device_name
from simaie.plugins import Spec
from simaie.protocols import (
    HostMemory,
    has_graphs,
    require_at_most,
    require_count,
    require_one_of,
    require_positive,
    takes_orders,
)
from simaie.schemes.mixed import mixture
from simaie.schemes.scheme import Scheme

__all__ = ["Facts", "Fairness", "Limits", "Machine"]

SchemeChoice: TypeAlias = (
    str | tuple[str, Mapping[str, Any]] | Spec | Callable[..., Scheme] | Mapping[str, "SchemeChoice"]
)

#: The largest limits that are accepted, because every step and every vCPU of an execution is kept in memory.
MOST_STEPS, MOST_THREADS = 10_000_000, 65_536
MOST_ADDRESS_BITS = 64

#: What a schedule owes each vCPU; see `Limits`.
Fairness: TypeAlias = Literal["strong", "weak"]


class Limits(msgspec.Struct, frozen=True):
    """The limits of one execution.

    Attributes:
        steps: The number of operations at most.
        threads: The number of vCPUs at most, including those that have exited.
        spin_seconds: The time in seconds that a guest may run without an operation; see `simaie.engine.watchdog`.
        tries: The number of times in a row that a vCPU runs a round of a loop that changes nothing, before it has to
            wait until one of the places that it reads has another value; see `simaie.engine.spin`. None if no vCPU
            waits for that: instead, an execution ends where its last steps can be repeated for ever; see
            `simaie.engine.lasso`.
        fairness: What a schedule owes each vCPU if steps are repeated for ever: a step if it can take one again and
            again (``"strong"``), or only if it can take one all the time (``"weak"``). A vCPU that waits for a host
            mutex that others take again and again gets it only under strong fairness.
    """

    steps: int = 20_000
    threads: int = 4_096
    spin_seconds: float = 5.0
    tries: int | None = 1
    fairness: Fairness = "strong"

    def __post_init__(self) -> None:
        require_count(steps=self.steps, threads=self.threads, tries=self.tries)  # None passes
        require_at_most(MOST_STEPS, steps=self.steps)
        require_at_most(MOST_THREADS, threads=self.threads)
        require_positive(spin_seconds=self.spin_seconds)
        require_one_of("fairness", self.fairness, get_args(Fairness))

    def require_threads(self, program: Program) -> None:
        """Raise UsageError if `program` begins with more vCPUs than the limit allows."""
        if len(program.threads) > self.threads:
            raise UsageError(
                f"program {program.name!r} begins with {len(program.threads)} threads, more than "
                f"Limits(threads={self.threads}) allows; raise the limit"
            )


class Facts(msgspec.Struct, frozen=True):
    """The facts about the machine that a scheme receives; see `simaie.protocols.MachineFacts`."""

    isa: str
    full_system: bool
    host_word: int
    address_bits: int
    guest_order: Barrier = Barrier.NONE
    host_order: Barrier = Barrier.FULL
    host_takes_orders: bool = False
    #: The names of the vCPUs and devices with which the program begins; empty if no program is known.
    names: tuple[str, ...] = ()


class Machine:
    """The emulator and its host.

    Args:
        scheme: How the emulator performs guest accesses: a name, ``"name:option=value"``, ``(name, options)``,
            ``"FILE.py:Class"``, or a class that derives from `Scheme`. A map from names of vCPUs to schemes mixes
            several: ``{"0": "monitor-spin", "*": "cas"}``, see `simaie.schemes.mixed`.
        host: The memory model of the host: ``"sc"``, ``"tso"``, ``"pso"``, ``"FILE.py:Class"``, or a class that makes a
            `HostMemory` for a byte order (``"little"`` or ``"big"``); a function may take the place of the class.
        full_system: Whether each access walks the guest's page table, step by step; otherwise user mode.
        host_word: The widest single host access, in bits: 64 or 32.
        address_bits: The width of a guest address, in bits; None for the narrowest that holds every address of the
            program if these are known (see `Program.address_bits`), and otherwise the usual width of the instruction
            set.
        endian: The byte order of guest RAM, ``"little"`` or ``"big"``; None for that of the guest's instruction set.
        limits: The limits of each execution; None for the defaults of `Limits`.

    Raises:
        UsageError: An argument is wrong; the message says what would be right.
        UnknownNameError: No plug-in has the name of the scheme or of the host memory.
    """

    def __init__(
        self,
        scheme: SchemeChoice = "native",
        *,
        host: str | HostFactory = "sc",
        full_system: bool = False,
        host_word: int = 64,
        address_bits: int | None = None,
        endian: Endian | None = None,
        limits: Limits | None = None,
    ) -> None:
        require_one_of("host_word", host_word, (32, 64))
        require_one_of("endian", endian, (None, "little", "big"))
        require_count(address_bits=address_bits)
        require_at_most(MOST_ADDRESS_BITS, address_bits=address_bits)
        require_bool(full_system=full_system)
        if limits is not None:
            require_instance("limits", limits, Limits, "a simaie.Limits")
        if not isinstance(host, str | tuple | Spec):
            require_factory(host)
        if isinstance(scheme, Mapping):
            scheme = mixture(scheme)
        self.scheme_spec = None if callable(scheme) else Spec.of(scheme, "scheme", "a class of simaie.Scheme")
        self.custom_host = callable(host)
        self.host_spec = None if callable(host) else Spec.of(host, "host", "a class of simaie.HostMemory")
        self.host = getattr(host, "__name__", repr(host)) if self.host_spec is None else str(self.host_spec)
        self.full_system = full_system
        self.host_word = host_word
        self.address_bits = address_bits
        #: Whether the byte order is that of the guest's instruction set; `endian` is then known by `for_program`.
        self.endian_of_guest = endian is None
        self.endian: Endian = endian or "little"
        self.limits = limits or Limits()
        self._scheme_class = self._find_scheme(scheme)
        custom = getattr(self._scheme_class, "__name__", self.scheme)
        self._whose_options = f"scheme {custom if self.scheme_spec is None else self.scheme}"
        self._facts: dict[tuple[str, int, tuple[str, ...]], Facts] = {}
        self._memory_class: Any = host if self.host_spec is None else require_factory(self._find_host(self.host_spec))
        if self.limits.tries is None:
            self.require_lassos()

    def _find_scheme(self, scheme: SchemeChoice) -> Callable[..., Scheme]:
        if self.scheme_spec is None:
            return scheme  # type: ignore[return-value]  # callable, or there would be a spec
        found: Callable[..., Scheme] = plugins.resolve(plugins.SCHEMES, self.scheme_spec.name)
        return found

    @staticmethod
    def _find_host(spec: Spec) -> Callable[..., HostMemory]:
        found: Callable[..., HostMemory] = plugins.resolve(plugins.HOSTS, spec.name)
        if not spec.options:
            return found
        plugins.construct(f"host {spec}", found, "little", **spec.options)  # raises if it does not know an option
        made = partial(found, **spec.options)
        made.order = found.order  # type: ignore[attr-defined]  # a partial has room for this attribute of its class
        made.takes_orders = takes_orders(found)  # type: ignore[attr-defined]  # as above
        made.has_graphs = has_graphs(found)  # type: ignore[attr-defined]  # as above
        return made

    @property
    def named_scheme(self) -> Spec | None:
        """The name and options of the scheme on a command line; None if its class is the global of no file."""
        return self.scheme_spec or plugins.spec_for(plugins.SCHEMES, self._scheme_class)

    @property
    def named_host(self) -> Spec | None:
        """The name and options of the host memory on a command line; None if no command line can name it."""
        return self.host_spec or plugins.spec_for(plugins.HOSTS, self._memory_class)

    @property
    def scheme_class(self) -> type[Scheme] | None:
        """The class of the scheme; None if a function makes it."""
        return self._scheme_class if isinstance(self._scheme_class, type) else None

    @property
    def scheme_classes(self) -> tuple[type[Scheme], ...]:
        """The class of the scheme, and those of the schemes that it mixes; empty if a function makes one of them."""
        made: list[Any] = [self._scheme_class]
        if self.scheme_class is not None and issubclass(self.scheme_class, Scheme) and self.scheme_spec is not None:
            made += self.scheme_class.part_classes(self.scheme_spec.options)
        return tuple(made) if all(isinstance(each, type) for each in made) else ()

    @property
    def scheme(self) -> str:
        """The scheme as text, with its options."""
        if self.scheme_spec is not None:
            return str(self.scheme_spec)
        return getattr(self._scheme_class, "name", None) or repr(self._scheme_class)

    def __repr__(self) -> str:
        mode = "full system" if self.full_system else "user mode"
        return f"<Machine {self.scheme} on {self.host}, {mode}, {self.host_word}-bit host>"

    def _repr_html_(self) -> str:
        drawn: str = plugins.resolve(plugins.RENDERERS, "machine")(self)
        return drawn

    @property
    def is_named(self) -> bool:
        """Whether `arguments` describe this machine fully: scheme and host memory have names, their options texts."""
        return all(spec is not None and spec.word is not None for spec in (self.named_scheme, self.named_host))

    @property
    def arguments(self) -> list[str]:
        """The machine as arguments of the command line, without those that have their default."""
        scheme, host = self.named_scheme, self.named_host
        parts = ["--scheme", self.scheme if scheme is None else str(scheme)]
        if self.host != "sc":
            parts += ["--host", self.host if host is None else str(host)]
        if self.full_system:
            parts.append("--full-system")
        if self.host_word != 64:
            parts += ["--host-word", str(self.host_word)]
        if self.address_bits is not None:
            parts += ["--address-bits", str(self.address_bits)]
        if not self.endian_of_guest:
            parts += ["--endian", self.endian]
        if self.limits.steps != Limits().steps:
            parts += ["--steps", str(self.limits.steps)]
        if self.limits.tries is None:
            parts.append("--lassos")
        elif self.limits.tries != Limits().tries:
            parts += ["--tries", str(self.limits.tries)]
        if self.limits.fairness != Limits().fairness:
            parts += ["--fairness", self.limits.fairness]
        return parts

    @property
    def host_order(self) -> Barrier:
        """The orders of a vCPU's accesses that the host memory keeps without fences."""
        return order_of(self._memory_class, self.endian)

    @property
    def has_graphs(self) -> bool:
        """Whether the executions on the host memory are graphs."""
        return has_graphs(self._memory_class)

    def facts(self, isa: str) -> Facts:
        """Return the facts that a scheme receives, for a guest of the instruction set `isa` with unknown addresses."""
        return self._facts_for(isa, self.address_bits or self._usual_bits(isa))

    def require_lassos(self) -> None:
        """Raise UsageError if no execution on this machine can end at a lasso, because its states cannot be read."""
        if self._memory_class is not ScMemory:
            raise UsageError(
                f"executions can end at lassos on the host 'sc' only, not on {self.host!r}: use the host 'sc', or "
                "limit the tries, as in Limits(tries=1) or --tries 1"
            )

    def require_fits(self, program: Program) -> None:
        """Raise UsageError if `program` cannot run on this machine."""
        self.limits.require_threads(program)
        if program.byte_order not in (None, self.endian):
            raise UsageError(
                f"program {program.name!r} is {program.byte_order}-endian: use Machine(endian={program.byte_order!r})"
            )

    def require_named(self, program: Program) -> None:
        """Raise UsageError if an option of the scheme names a vCPU that `program` does not have."""
        scheme = self.scheme_class
        if scheme is not None and issubclass(scheme, Scheme) and scheme.require_named is Scheme.require_named:
            return
        host = Host()
        facts = self.facts_of(program)
        self.make_scheme(host, PageTable(host, {}), facts).require_named(facts.names)

    def facts_of(self, program: Program) -> Facts:
        """Return the facts that a scheme receives when `program` runs."""
        vcpus, devices = range(len(program.threads)), range(len(program.devices))
        names = (*map(str, vcpus), *map(device_name, devices))
        return self._facts_for(program.isa, self.address_bits or self._bits_of(program), names)

    def recorded_bits(self, program: Program) -> int | None:
        """Return the address width that a replay file of `program` records; None for the usual width."""
        return self.address_bits if program.address_bits is None else self.facts_of(program).address_bits

    def usual_for(self, program: Program) -> Machine:
        """Return this machine, but with the usual address width also for a program whose addresses are known."""
        if self.address_bits is not None or program.address_bits is None:
            return self
        made = copy.copy(self)
        made.address_bits = self._usual_bits(program.isa)
        return made

    def for_program(self, program: Program) -> Machine:
        """Return this machine with the byte order of the program, unless it has another one.

        That is the byte order of its machine code, else of its instruction set.
        """
        order = program.byte_order or program.cpu_class.byte_order
        if (order == self.endian) == self.endian_of_guest:
            return self
        made = copy.copy(self)
        made.endian, made.endian_of_guest = order, True
        return made

    def for_search(self, program: Program) -> Machine:
        """Return this machine with the `Scheme.search_options` that an exhaustive search of `program` adds."""
        spec, scheme = self.named_scheme, self.scheme_class
        if spec is None or scheme is None or "search_options" not in vars(scheme):
            return self
        added = scheme.search_options(self.facts_of(program), spec.options)
        options = {**added, **spec.options}
        if options == spec.options:
            return self
        made = copy.copy(self)
        made.scheme_spec = Spec(spec.name, options)
        return made

    def _usual_bits(self, isa: str) -> int:
        return isa_class(isa).address_bits[self.full_system]

    def _bits_of(self, program: Program) -> int:
        """Return the usual width, or that of the program if it is known and narrower."""
        usual, own = self._usual_bits(program.isa), program.address_bits
        return usual if own is None else min(usual, own)

    def _facts_for(self, isa: str, bits: int, names: tuple[str, ...] = ()) -> Facts:
        found = self._facts.get((isa, bits, names))
        if found is None:
            order = isa_class(isa).memory_order
            ordered = takes_orders(self._memory_class)
            found = Facts(isa, self.full_system, self.host_word, bits, order, self.host_order, ordered, names)
            self._facts[isa, bits, names] = found
        return found

    def make_memory(self, program: Program) -> HostMemory:
        """Return a new host memory that holds the initial values of `program`."""
        memory: HostMemory = self._memory_class(self.endian)
        fill(memory, program.image, self.endian)
        return memory

    def check_options(self) -> None:
        """Raise UsageError if the scheme does not know its options, before any program runs."""
        host = Host()
        self.make_scheme(host, PageTable(host, {}), self.facts("x86"))

    def make_scheme(self, host: Host, pages: PageTable, facts: Facts) -> Scheme:
        """Return a new scheme with its options; UsageError if it does not know one of them."""
        options = self.scheme_spec.options if self.scheme_spec else {}
        if isinstance(self._scheme_class, type) and not issubclass(self._scheme_class, Scheme):
            raise UsageError(f"{self._whose_options}: {self._scheme_class.__name__} does not derive from simaie.Scheme")
        made = plugins.construct(self._whose_options, self._scheme_class, host, pages, facts, **options)
        if not isinstance(made, Scheme):
            raise UsageError(f"a scheme must derive from simaie.Scheme; {self._scheme_class!r} returned {made!r}")
        made.map_accesses()
        return made
