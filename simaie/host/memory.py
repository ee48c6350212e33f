"""Host memories of one's own: what makes one, whether it is one, and how the initial values get into it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from simaie.barrier import Barrier
from simaie.errors import HostError, SimaieError, UsageError, raised
from simaie.host.ram import Endian, Ram
from simaie.op import Kind, Op, Order
from simaie.protocols import HostMemory

__all__ = ["HostFactory", "fill", "order_of", "require_factory"]

#: A class of host memories, or a function that makes a new one at each call, for RAM of the byte order it is given.
HostFactory = Callable[[Endian], HostMemory]

_METHODS = ("admit", "drains", "drain", "enabled", "perform", "read")
#: The actor that writes the initial values; it takes part in no execution.
_LOADER = "loader"


def require_factory(host: object) -> HostFactory:
    """Return `host` if it makes host memories, as is tried once; UsageError or HostError if it does not."""
    if not callable(host):
        what = type(host).__name__
        hint = f": write host={what}" if all(hasattr(host, name) for name in _METHODS) else ""
        raise UsageError(
            "host must be the name of a memory model, or a class or function that makes a new HostMemory for each "
            f"execution, not {host!r}{hint}"
        )
    factory: HostFactory = host
    order_of(factory, "little")
    return factory


def order_of(factory: HostFactory, endian: Endian) -> Barrier:
    """Return which orders the memories that `factory` makes keep without a fence: of the class, or of an object.

    Raises:
        HostError: `factory` raises, or makes no host memory.
    """
    order = getattr(factory, "order", None)
    if isinstance(order, Barrier) and all(callable(getattr(factory, name, None)) for name in _METHODS):
        return order
    name = getattr(factory, "__name__", repr(factory))
    try:
        memory: Any = factory(endian)
    except (SimaieError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise HostError(f"the host memory {name}({endian!r}) raised {raised(error)[0]}; fix the host memory") from error
    lacking = [each for each in _METHODS if not callable(getattr(memory, each, None))]
    lacking += [each for each in ("buffers_stores", "order") if not hasattr(memory, each)]
    if lacking:
        raise HostError(
            f"{name}({endian!r}) returned {memory!r}, which is no HostMemory: it lacks {', '.join(lacking)}"
        )
    if not isinstance(memory.order, Barrier):
        raise HostError(f"the order of the host memory {name} must be a simaie.Barrier, not {memory.order!r}")
    found: Barrier = memory.order
    return found


def fill(memory: Any, image: Iterable[tuple[int, int, int | bytes]], endian: Endian) -> None:
    """Put the initial values `image` (address, width in bytes, value) into a new memory.

    A memory that keeps a `Ram` has it written directly; any other is asked to perform stores, one byte each, which
    have drained before the first step.
    """
    ram = getattr(memory, "ram", None)
    for address, width, value in image:
        if not isinstance(ram, Ram):
            data = value if isinstance(value, bytes) else _bytes(value, width, endian)
            _store(memory, address, data)
        elif isinstance(value, bytes):
            ram.write_bytes(address, value)
        else:
            ram.write(address, width, value)


def _bytes(value: int, width: int, endian: Endian) -> bytes:
    return (value & (1 << 8 * width) - 1).to_bytes(width, endian)


def _store(memory: Any, address: int, data: bytes) -> None:
    for offset, byte in enumerate(data):
        store = Op(Kind.STORE, None, address + offset, 1, byte, order=Order.SEQ_CST)
        memory.perform(_LOADER, memory.admit(store))
        while ready := list(memory.drains(_LOADER)):
            memory.drain(_LOADER, ready[0][0])
