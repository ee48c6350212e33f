"""The context of a trace in an explanation: the other findings, and the machine that it ran on."""

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
    """The facts about an execution that its trace does not contain.

    Attributes:
        findings: All findings, in the order in which they are shown.
        barriers: The scheme's option of that name; empty if it is unknown.
        host: Name of the host's memory model.
        isa: Name of the guest's instruction set.
        order: Orders of accesses that the guest's architecture promises without fences.
        scheme: Class of the scheme; None if it is unknown.
    """

    findings: tuple[Finding, ...] = ()
    barriers: str = ""
    host: str = ""
    isa: str = ""
    order: Barrier = Barrier.NONE
    scheme: type[Scheme] | None = None


NOTHING = Context()


def around(failure: Failure) -> Context:
    """Return the context of the trace of `failure`."""
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
