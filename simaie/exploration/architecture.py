"""The machine that models a guest's architecture: the ideal scheme on the host memory most like the guest's.

x86 is TSO (Sewell et al., "x86-TSO", CACM 53(7), 2010); ``native`` on ``tso`` allows exactly what x86 allows. So are
SPARC, s390x and RISC-V with Ztso. A guest that keeps all orders runs on ``sc``. The other guests may reorder anything.
The weakest memory of simaie is ``pso``, which keeps loads in order. An outcome that it forbids may therefore be allowed
by such a guest's architecture.
"""

from __future__ import annotations

from typing import Any

from simaie.barrier import Barrier
from simaie.guest.isa import isa_class
from simaie.machine import Machine
from simaie.plugins import Spec

__all__ = ["architecture_machine", "like", "model_note"]

#: The host memory that models the orders of a guest exactly.
_EXACT = {Barrier.FULL: "sc", Barrier.FULL & ~Barrier.ST_LD: "tso"}


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
    return like(machine, Spec("native", options), host or _EXACT.get(guest.memory_order, "pso"), host_word=64)


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
    exact = _EXACT.get(guest.memory_order)
    if exact is None:
        parts.append(
            f"{allowed.host} keeps orders that {isa} does not: an outcome that is called forbidden here "
            f"may still be allowed by {isa}"
        )
    elif allowed.host != exact:
        parts.append(f"the memory of {isa} is {exact}, not {allowed.host}: what is allowed is not what {isa} allows")
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
    return machine.scheme_spec is not None and bool(machine.scheme_spec.options.get("spurious_failures"))
