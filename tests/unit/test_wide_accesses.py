"""64-bit accesses on a 32-bit host: split and torn, or refused."""

from __future__ import annotations

import pytest

from simaie import Machine, Program, explore, ins
from simaie.errors import UsageError

X, WIDE = 0x100, 0x1_0000_0001


def program():
    return Program(
        "wide",
        isa="x86",
        threads=[[ins("store", X, WIDE, width=8)], [ins("load", X, width=8, into="r")]],
        init={X: (0, 8)},
        final=lambda state: state.registers.get("1:r", 0) in (0, WIDE),
    )


@pytest.mark.parametrize("scheme", ["none", "aie-rfc", "aie-v2", "cas", "global-lock"])
def test_they_tear_where_they_are_split(scheme):
    report = explore(program(), Machine(scheme, host_word=32, address_bits=12), scheduler="dpor")
    assert {"final-check"} <= {finding.kind for failure in report.failures for finding in failure.findings}
    assert explore(program(), Machine(scheme, address_bits=12), scheduler="dpor").verdict == "holds"


@pytest.mark.parametrize("scheme", ["none", "aie-rfc", "aie-v2", "cas", "global-lock"])
def test_a_scheme_may_refuse_them_with_a_guest_fault(scheme):
    """As the RFC suggests: nothing tears, and the fault says which access it was."""
    machine = Machine((scheme, {"wide_accesses": "refuse"}), host_word=32, address_bits=12)
    report = explore(program(), machine, scheduler="dpor")
    faults = [fault for failure in report.failures for fault in failure.trace.faults]
    assert {fault.kind for fault in faults} == {"fault"}
    assert all("8-byte access at 0x100" in fault.message for fault in faults)
    assert all(event.op.width <= 4 for failure in report.failures for event in failure.trace.events)


def test_narrow_accesses_are_never_refused():
    machine = Machine("aie-rfc:wide_accesses=refuse", host_word=32)
    narrow = Program("narrow", isa="x86", threads=[[ins("store", X, 1)], [ins("load", X, into="r")]], init={X: 0})
    assert explore(narrow, machine, scheduler="dpor").verdict == "holds"
    assert explore(program(), Machine("aie-rfc:wide_accesses=refuse"), scheduler="dpor").verdict == "holds"


def test_another_word_for_it_is_refused():
    with pytest.raises(UsageError, match="wide_accesses"):
        explore(program(), Machine("aie-rfc:wide_accesses=maybe"), executions=1)
