"""A DSB for stores keeps them before later loads on AArch64, where the DMB of that name does not, and not on A32."""

from __future__ import annotations

import pytest

from simaie import Machine, Scheme, compare
from simaie.exploration.litmus import explore_litmus
from simaie.litmus import LitmusTest, parse


def store_buffering(arch: str, barrier: str) -> LitmusTest:
    """SB with a barrier between the store and the load of each thread."""
    one, sign = ("W1", "W2") if arch == "AArch64" else ("R1", "R2")
    base = "X" if arch == "AArch64" else "R"
    init = f"0:{base}3=x; 0:{base}4=y; 1:{base}3=y; 1:{base}4=x;"
    row = [f"MOV {one},#1", f"STR {one},[{base}3]", barrier, f"LDR {sign},[{base}4]"]
    rows = "\n".join(f" {each} | {each} ;" for each in row)
    final = f"exists (0:{base}2=0 /\\ 1:{base}2=0)"
    return parse(f"{arch} SB+{barrier.replace(' ', '.')}\n{{ {init} }}\n P0 | P1 ;\n{rows}\n{final}\n")


@pytest.mark.parametrize("host", ["tso", "pso"])
@pytest.mark.parametrize("scheme", ["native", "none:barriers=guest", "cas:barriers=guest"])
@pytest.mark.parametrize(
    ("arch", "barrier", "observation"),
    [
        ("AArch64", "DSB ISHST", "Never"),
        ("AArch64", "DSB ST", "Never"),
        ("AArch64", "DSB SY", "Never"),
        ("AArch64", "DSB ISHLD", "Sometimes"),
        ("AArch64", "DMB ISHST", "Sometimes"),
        ("ARM", "DSB ISHST", "Sometimes"),
        ("ARM", "DSB", "Never"),
    ],
)
def test_store_buffering_behind_it(arch: str, barrier: str, observation: str, scheme: str, host: str) -> None:
    result = explore_litmus(store_buffering(arch, barrier), Machine(scheme, host=host))
    assert result.complete
    assert result.verdict.observation == observation


class TakesDsbForDmb(Scheme):
    """An emulator that makes a DMB of each DSB: of the orders of a DSB ST it keeps that of stores alone."""

    async def fence(self, cpu, kind):  # type: ignore[no-untyped-def]  # as the base has it
        await super().fence(cpu, "st-st" if kind == "st-ld+st-st" else kind)


def test_an_emulator_that_takes_a_dsb_for_a_dmb_is_found() -> None:
    machine = Machine(TakesDsbForDmb, host="tso")
    assert compare(store_buffering("AArch64", "DSB ISHST"), machine=machine).verdict == "violated"
    assert compare(store_buffering("AArch64", "DMB ISHST"), machine=machine).verdict == "holds"
    assert compare(store_buffering("ARM", "DSB ISHST"), machine=machine).verdict == "holds"
