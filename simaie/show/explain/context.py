"""What is known around a trace, where more is known than the trace: the other findings, and what it ran on."""

from __future__ import annotations

from dataclasses import dataclass

from simaie import plugins
from simaie.barrier import Barrier
from simaie.finding import Finding
from simaie.machine import Machine
from simaie.replaying.failure import Failure
from simaie.schemes.scheme import Scheme

__all__ = ["NOTHING", "Context", "around"]


@dataclass(frozen=True)
class Context:
    """findings: all, in the order in which they are shown. barriers: the scheme's option; empty if it is not known.

    isa, order: of the guest, and which orders it promises without fences. host: the memory model. scheme: its class.
    """

    findings: tuple[Finding, ...] = ()
    barriers: str = ""
    host: str = ""
    isa: str = ""
    order: Barrier = Barrier.NONE
    scheme: type[Scheme] | None = None


NOTHING = Context()


def around(failure: Failure) -> Context:
    """What is known around the trace of `failure`."""
    cpu, machine = failure.program.cpu_class, failure.machine
    return Context(
        failure.findings, _barriers(machine), machine.host, cpu.isa, cpu.memory_order, machine.scheme_class
    )


def _barriers(machine: Machine) -> str:
    spec = machine.scheme_spec
    if spec is None:
        return ""
    asked = spec.options.get("barriers", "usual")
    if asked != "usual":
        return "none" if asked is None else str(asked)  # as text, "none" is read as None
    return str(getattr(plugins.resolve(plugins.SCHEMES, spec.name), "usual_barriers", ""))
