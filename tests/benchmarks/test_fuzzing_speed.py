"""What it costs to draw an example, against what is done with it. Run by hand: `make benchmark`."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from simaie import Machine, Program, explore
from simaie.strategies import programs

pytestmark = pytest.mark.benchmark

EXAMPLES = 3_000
VCPUS, INSTRUCTIONS = 3, 4
EXECUTIONS = 20  # of an example, as `simaie fuzz` has it by default
DRAWING = settings(max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate],
                   suppress_health_check=list(HealthCheck))  # fmt: skip


def is_full(program: Program) -> bool:
    """Whether it has all the vCPUs and instructions that are drawn at the most."""
    return len(program.threads) == VCPUS and all(len(thread) == INSTRUCTIONS for thread in program.threads)


@pytest.mark.parametrize(("isa", "scheme"), [("arm", "aie-rfc"), ("x86", "aie-rfc"), ("arm", "cas")])
def test_a_full_example_costs_at_most_half_as_much_again_as_its_executions_and_their_checks(isa, scheme):
    """Of 3 vCPUs with 4 instructions each, explored as `simaie fuzz` does; by this process's own time.

    To draw it is all that Hypothesis does between the example before and this one.
    """
    machine = Machine(scheme)
    drawing, exploring = [], []
    idle_since = time.process_time()

    @seed(1)
    @DRAWING
    @given(programs(isa, vcpus=VCPUS, instructions=INSTRUCTIONS))
    def each(program):
        nonlocal idle_since
        drawn_at = time.process_time()
        if is_full(program):
            drawing.append(drawn_at - idle_since)
            explore(program, machine, scheduler="random-walk", executions=EXECUTIONS, coverage=True)
            exploring.append(time.process_time() - drawn_at)
        idle_since = time.process_time()

    each()
    ratio = 1 + sum(drawing) / sum(exploring)
    print(f"\n{isa} under {scheme}, {len(drawing)} examples: {1e6 * sum(drawing) / len(drawing):.0f} us to draw one, "
          f"{1e6 * sum(exploring) / len(drawing):.0f} us to explore it: {ratio:.2f}x (limit 1.5x)")  # fmt: skip
    assert len(drawing) >= 10
    assert ratio <= 1.5
