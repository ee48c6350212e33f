"""simaie: a deterministic simulator that finds atomicity violations in the way emulators run guest atomics.

    report = simaie.explore(program, simaie.Machine(scheme="aie-rfc"), seed=7)

A `Program` is guest code, a `Machine` is the emulator and its host, and a scheduler chooses the interleaving. The three
are independent of each other. The README is the place to start.

The names here also suffice to write plug-ins: schemes (`Scheme` with `Host`, `VCpu` and the cells), schedulers
(`Scheduler` with `Offer` and `Candidate`), host memories (`HostMemory` with `Op` and `Kind`) and checkers (`Checker`
with `Trace` and `Finding`). The vCPU classes of the instruction sets serve as annotations in guest code. A name is
imported when it is first used, so that `import simaie` costs next to nothing.
"""

from typing import TYPE_CHECKING

from simaie.compiled import obey_switch
from simaie.lazy import lazy_names

if TYPE_CHECKING:
    from simaie.barrier import Barrier
    from simaie.binary.program import binary_program
    from simaie.decision import Choice, Schedule, Switch
    from simaie.errors import GuestFault, Interrupted, SimaieError, UsageError
    from simaie.exploration.compare import Comparison, compare
    from simaie.exploration.endless import ProgressProof, prove_progress
    from simaie.exploration.explorer import explore
    from simaie.exploration.interactive import interactive
    from simaie.exploration.report import Report
    from simaie.finding import Finding, Verdict
    from simaie.guest.code import Ins, ins
    from simaie.guest.cpu import Cpu, Thread
    from simaie.guest.device import Device
    from simaie.guest.isa.aarch64 import AArch64Cpu
    from simaie.guest.isa.arm import ArmCpu
    from simaie.guest.isa.mips import MipsCpu
    from simaie.guest.isa.ppc import PpcCpu
    from simaie.guest.isa.riscv import RiscvCpu
    from simaie.guest.isa.x86 import X86Cpu
    from simaie.guest.program import FinalState, Program
    from simaie.host.host import Host, Mutex, SharedCell
    from simaie.host.pages import Page, PageTable
    from simaie.machine import Limits, Machine
    from simaie.op import Cell, Function, Kind, Op, Order
    from simaie.protocols import (
        Candidate,
        Checker,
        ExecutionInfo,
        HostMemory,
        MachineFacts,
        Offer,
        Promise,
        Scheduler,
        VCpu,
    )
    from simaie.replaying.failure import Failure
    from simaie.replaying.player import replay
    from simaie.schemes.scheme import Scheme
    from simaie.survey.report import Matrix
    from simaie.survey.survey import matrix
    from simaie.trace import AccessKind, Event, Instruction, Outcome, Trace

#: A literal, so that a build can read it without importing anything.
__version__ = "0.1.0"

__all__ = [
    "AArch64Cpu",
    "AccessKind",
    "ArmCpu",
    "Barrier",
    "Candidate",
    "Cell",
    "Checker",
    "Choice",
    "Comparison",
    "Cpu",
    "Device",
    "Event",
    "ExecutionInfo",
    "Failure",
    "FinalState",
    "Finding",
    "Function",
    "GuestFault",
    "Host",
    "HostMemory",
    "Ins",
    "Instruction",
    "Interrupted",
    "Kind",
    "Limits",
    "Machine",
    "MachineFacts",
    "Matrix",
    "MipsCpu",
    "Mutex",
    "Offer",
    "Op",
    "Order",
    "Outcome",
    "Page",
    "PageTable",
    "PpcCpu",
    "Program",
    "ProgressProof",
    "Promise",
    "Report",
    "RiscvCpu",
    "Schedule",
    "Scheduler",
    "Scheme",
    "SharedCell",
    "SimaieError",
    "Switch",
    "Thread",
    "Trace",
    "UsageError",
    "VCpu",
    "Verdict",
    "X86Cpu",
    "__version__",
    "binary_program",
    "compare",
    "explore",
    "ins",
    "interactive",
    "matrix",
    "prove_progress",
    "replay",
]

obey_switch()
_MODULES = {
    "simaie.barrier": ("Barrier",),
    "simaie.binary.program": ("binary_program",),
    "simaie.decision": ("Choice", "Schedule", "Switch"),
    "simaie.errors": ("GuestFault", "Interrupted", "SimaieError", "UsageError"),
    "simaie.exploration.compare": ("Comparison", "compare"),
    "simaie.exploration.endless": ("ProgressProof", "prove_progress"),
    "simaie.exploration.explorer": ("explore",),
    "simaie.exploration.interactive": ("interactive",),
    "simaie.exploration.report": ("Report",),
    "simaie.finding": ("Finding", "Verdict"),
    "simaie.guest.code": ("Ins", "ins"),
    "simaie.guest.cpu": ("Cpu", "Thread"),
    "simaie.guest.device": ("Device",),
    "simaie.guest.isa.aarch64": ("AArch64Cpu",),
    "simaie.guest.isa.arm": ("ArmCpu",),
    "simaie.guest.isa.mips": ("MipsCpu",),
    "simaie.guest.isa.ppc": ("PpcCpu",),
    "simaie.guest.isa.riscv": ("RiscvCpu",),
    "simaie.guest.isa.x86": ("X86Cpu",),
    "simaie.guest.program": ("FinalState", "Program"),
    "simaie.host.host": ("Host", "Mutex", "SharedCell"),
    "simaie.host.pages": ("Page", "PageTable"),
    "simaie.machine": ("Limits", "Machine"),
    "simaie.op": ("Cell", "Function", "Kind", "Op", "Order"),
    "simaie.protocols": (
        "Candidate",
        "Checker",
        "ExecutionInfo",
        "HostMemory",
        "MachineFacts",
        "Offer",
        "Promise",
        "Scheduler",
        "VCpu",
    ),
    "simaie.replaying.failure": ("Failure",),
    "simaie.replaying.player": ("replay",),
    "simaie.schemes.scheme": ("Scheme",),
    "simaie.survey.survey": ("matrix",),
    "simaie.survey.report": ("Matrix",),
    "simaie.trace": ("AccessKind", "Event", "Instruction", "Outcome", "Trace"),
}
__getattr__, __dir__ = lazy_names(__name__, {name: module for module, names in _MODULES.items() for name in names})
