"""Schemes that check the alignment of accesses themselves, and may get it wrong."""

from __future__ import annotations

import contextlib

import pytest
from runs import execute

import simaie
from simaie import GuestFault, Machine, Page, Program
from simaie.schemes.cas import CompareAndSwap

X = 0x102
ABSENT = 0x1000


class Unchecked(CompareAndSwap):
    """No access faults because of its alignment."""

    checks_alignment = True


class ChecksLate(Unchecked):
    """The load-linked looks at the page and reserves before it checks the alignment."""

    async def load_linked(self, cpu, address, width):
        value = await super().load_linked(cpu, address, width)
        if address % width:
            raise GuestFault("alignment", address, "checked late")
        return value

    async def exception(self, cpu, cause):
        """Keep the reservation."""


def links(address):
    """Return a guest that observes the cause of the first fault of a pair, and what its store-conditional returns."""

    async def guest(cpu):
        try:
            await cpu.ldrex(address)
        except GuestFault as fault:
            cpu.observe(fault.cause, 1)
        with contextlib.suppress(GuestFault):
            cpu.observe("failed", await cpu.strex(address, 1))

    return guest


def program(address):
    pages = {0: Page(0), ABSENT: Page(ABSENT, present=False)}
    return Program("misaligned", isa="arm", threads=[links(address)], init={0x100: (0, 8)}, pages=pages)


def observed(scheme, address):
    """Return what the guest observes."""
    trace = execute(program(address), Machine(scheme, full_system=True, address_bits=14))
    return {name for name in trace.outcome.as_dict() if name.startswith("0:")}


CHECKED, ABSENCE = {"0:alignment"}, {"0:page"}


@pytest.mark.parametrize(
    ("scheme", "here", "in_an_absent_page"),
    [
        (CompareAndSwap, CHECKED, CHECKED),
        (Unchecked, set(), ABSENCE),
        (ChecksLate, CHECKED, ABSENCE),
        (("interrupted", {"scheme": Unchecked, "times": 0}), set(), ABSENCE),
        ({"*": Unchecked}, set(), ABSENCE),
    ],
)
def test_a_scheme_that_checks_the_alignment_decides_whether_and_when_it_faults(scheme, here, in_an_absent_page):
    assert observed(scheme, X) - {"0:failed"} == here
    assert observed(scheme, ABSENT + 2) - {"0:failed"} == in_an_absent_page


def test_a_load_linked_that_reserves_before_it_faults_is_found():
    late = Machine(ChecksLate, full_system=True, address_bits=14)
    report = simaie.explore(program(X), late, scheduler="dpor", failures=None)
    assert report.complete
    assert {finding.kind for failure in report.kept for finding in failure.findings} == {"llsc-atomicity"}
    right = Machine("cas", full_system=True, address_bits=14)
    assert simaie.explore(program(X), right, scheduler="dpor", failures=None).verdict == "holds"
