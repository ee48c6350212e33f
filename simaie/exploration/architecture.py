"""The machine that models a guest's architecture: the ideal scheme on the host memory that is the guest's own.

Each instruction set names its memory (`Cpu.memory_model`): x86, SPARC, s390x and RISC-V with Ztso are TSO (Sewell et
al., "x86-TSO", CACM 53(7), 2010), and ``native`` on ``tso`` allows exactly what they allow. AArch64 is ``armv8``,
RISC-V is ``rvwmo``, and a guest that keeps all orders is ``sc``. The other guests may reorder anything, and there is no
model of them: ``pso`` keeps loads in order, so an outcome that it forbids may be allowed by such an architecture.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from simaie.errors import NotModelledError
from simaie.guest.isa import isa_class
from simaie.machine import Machine
from simaie.plugins import Spec
from simaie.schemes.interrupted import Interruptible
from simaie.schemes.parts import spec_of_part, text_of_part

__all__ = ["architecture_machine", "like", "model_note", "on_architecture"]

T = TypeVar("T")

#: The host memory for a guest that has no model of its own; it reorders less than such a guest may.
_NEAREST = "pso"
#: The options of the scheme `interrupted` that say what happens, and to which vCPUs.
_HAPPENINGS = ("times", "signals", "before", "kills", "vcpus")


def architecture_machine(
    isa: str, machine: Machine, *, host: str | None = None, spurious_failures: bool = True, single_copy: str = "isa"
) -> Machine:
    """Return the machine that models the guest's architecture.

    Args:
        isa: The guest's instruction set.
        machine: The machine whose mode, sizes and limits it has.
        host: The host memory to use instead of the one that models the guest's memory.
        spurious_failures: Whether a store-conditional may fail spuriously, as on every real architecture with one.
        single_copy: As for `simaie.schemes.native`.
    """
    guest = isa_class(isa)
    options: dict[str, Any] = {"spurious_failures": True} if spurious_failures and guest.reservation else {}
    if single_copy != "isa":
        options["single_copy"] = single_copy
    ideal = _with_what_happens(machine, Spec("native", options), spurious_failures=spurious_failures)
    return like(machine, ideal, host or guest.memory_model or _NEAREST, host_word=64)


def _with_what_happens(machine: Machine, ideal: Spec, *, spurious_failures: bool) -> Spec:
    """Return the ideal scheme with the signals and kills that may happen to vCPUs of `machine`, and their outcomes.

    Other exceptions make store-conditionals fail only, which adds nothing if they may fail spuriously.
    """
    spec = machine.scheme_spec
    if spec is None or spec.name != Interruptible.name:
        return ideal
    happens = {name: value for name, value in spec.options.items() if name in _HAPPENINGS}
    if spurious_failures:
        happens["times"] = 0
    return Spec(Interruptible.name, {**happens, "scheme": text_of_part(ideal)})


def on_architecture(
    isa: str,
    machine: Machine,
    run: Callable[[Machine], T],
    *,
    host: str | None = None,
    spurious_failures: bool = True,
    single_copy: str = "isa",
) -> T:
    """Return what `run` returns for the machine that models the guest's architecture.

    If the memory of the architecture does not model what the program does, `run` is called for ``pso`` instead;
    `model_note` says how that differs.

    Args:
        isa: The guest's instruction set.
        machine: The machine whose mode, sizes and limits it has.
        run: Called with the machine.
        host: As for `architecture_machine`.
        spurious_failures: As for `architecture_machine`.
        single_copy: As for `architecture_machine`.

    Raises:
        NotModelledError: `host` does not model what the program does.
    """
    model = partial(
        architecture_machine, isa, machine, spurious_failures=spurious_failures, single_copy=single_copy
    )
    try:
        return run(model(host=host))
    except NotModelledError:
        if host is not None or isa_class(isa).memory_model is None:
            raise
        return run(model(host=_NEAREST))


def like(machine: Machine, scheme: Spec, host: str, *, host_word: int | None = None) -> Machine:
    """Return a copy of `machine` with another scheme and host memory."""
    return Machine(
        scheme,
        host=host,
        full_system=machine.full_system,
        host_word=host_word or machine.host_word,
        address_bits=machine.address_bits,
        endian=None if machine.endian_of_guest else machine.endian,
        limits=machine.limits,
    )


def model_note(isa: str, allowed: Machine) -> str:
    """Return how `allowed` differs from the guest's architecture, in words; empty if it does not."""
    parts: list[str] = []
    guest = isa_class(isa)
    own = guest.memory_model
    if own is None:
        parts.append(
            f"{allowed.host} keeps orders that {isa} does not: an outcome that is called forbidden here "
            f"may still be allowed by {isa}"
        )
    elif allowed.host != own:
        parts.append(f"the memory of {isa} is {own}, not {allowed.host}: what is allowed is not what {isa} allows")
    if guest.reservation is not None:
        if _spurious(allowed):
            parts.append(
                "a store-conditional may fail spuriously, which an emulator need not do: "
                "such outcomes may be unreached"
            )
        else:
            parts.append("no store-conditional fails spuriously here, although every real architecture allows it")
    return "; ".join(parts)


def _spurious(machine: Machine) -> bool:
    spec = machine.scheme_spec
    if spec is not None and spec.name == Interruptible.name:
        spec = spec_of_part(spec.options["scheme"])
    return spec is not None and bool(spec.options.get("spurious_failures"))
