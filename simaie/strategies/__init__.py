"""Hypothesis strategies for guest programs, machines, schedules and failures.

    @given(programs("arm"), schedules())
    def test_my_scheme_keeps_llsc_atomic(program, schedule): ...

Each example uses swarm testing (Groce et al., "Swarm Testing", ISSTA 2012): it first draws which kinds of instructions
to leave out, since a mix of all kinds hides what two kinds alone would show. Then each instruction is one draw from a
table of all that are left, with address, width and operands; that is cheap, and shrinks instruction by instruction. The
repr of an example is Python that can be pasted into a test.

Hypothesis is an optional extra: ``pip install simaie[fuzz]``. ``import simaie`` does not load it.
"""

from simaie.errors import UsageError

try:
    import hypothesis as _  # noqa: F401 - only to check that it is installed
except ImportError as error:  # pragma: no cover - it is installed wherever this is tested
    raise UsageError("simaie.strategies needs Hypothesis: pip install 'simaie[fuzz]' (or: hypothesis)") from error

from simaie.guest.forms import kinds_of
from simaie.strategies.calls import calls
from simaie.strategies.examples import GeneratedFailure, GeneratedMachine, GeneratedProgram
from simaie.strategies.stateful import GuestMachine, guest_machine
from simaie.strategies.strategies import failures, machines, programs, schedules

__all__ = [
    "GeneratedFailure",
    "GeneratedMachine",
    "GeneratedProgram",
    "GuestMachine",
    "calls",
    "failures",
    "guest_machine",
    "kinds_of",
    "machines",
    "programs",
    "schedules",
]
