"""What must hold of any program: properties that hold two ways of running it against each other."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import simaie
from simaie import Machine, compare, explore
from simaie.exploration.scheduler_choice import make_scheduler
from simaie.replaying.run import run
from simaie.replaying.shrink import Size
from simaie.strategies import failures, kinds_of, machines, programs, schedules

pytestmark = pytest.mark.untraced

SOME = settings(max_examples=40, deadline=None, database=None, derandomize=True,
                suppress_health_check=list(HealthCheck))  # fmt: skip


@pytest.fixture(params=[1, pytest.param(20, marks=pytest.mark.soak)], ids=["some", "many"])
def some(request):
    """How many programs are drawn."""
    return settings(SOME, max_examples=request.param * SOME.max_examples)


@pytest.fixture
def few(some):
    """As `some`, for tests that explore each program several times."""
    return settings(some, max_examples=some.max_examples // 5)


LLSC = ("load", "load-linked", "store-conditional")


class Claim(NamedTuple):
    """The scheme is strongly atomic for programs of these kinds and widths of instructions; None for all there are.

    Of MIPS only the usual width: with LL and SC of different sizes the architecture leaves open what happens.
    """

    isa: str
    scheme: str
    kinds: tuple[str, ...] | None = None
    widths: tuple[int, ...] | None = None


def atomics(isa: str) -> tuple[str, ...]:
    """All kinds without those of LL/SC."""
    return tuple(kind for kind in kinds_of(isa) if kind not in (*LLSC[1:], "clear"))


CLAIMS = [
    # One host atomic, or the world stopped, for each guest atomic.
    Claim("x86", "cas"),
    Claim("aarch64", "cas", atomics("aarch64")),
    Claim("riscv", "cas", atomics("riscv")),
    Claim("sparc", "cas"),
    Claim("s390x", "cas"),
    Claim("m68k", "cas"),
    Claim("loongarch", "cas", atomics("loongarch")),
    # AIE promises nothing of plain stores, and all else (aie.md, P6).
    *(Claim(isa, "aie-rfc", LLSC) for isa in ("arm", "aarch64", "riscv", "ppc")),
    Claim("mips", "aie-rfc", LLSC, (4,)),
    *(Claim(isa, "aie-rfc", LLSC, (4,)) for isa in ("alpha", "loongarch", "sh4", "xtensa", "openrisc", "microblaze")),
    Claim("hexagon", "aie-rfc", LLSC, (4,)),
    Claim("arm", "aie-rfc", ("load", "atomic", "fence")),
    Claim("x86", "aie-rfc", ("atomic", "exchange", "compare", "fence"), (1, 2, 4)),
    Claim("x86", "aie-v2", ("atomic", "exchange", "compare", "fence"), (1, 2, 4)),
]


@pytest.mark.one_in(4)
@pytest.mark.parametrize("claim", CLAIMS, ids=lambda c: f"{c.scheme}-{c.isa}")
def test_a_strongly_atomic_scheme_refines_native(claim, some):
    """Whatever it can do the ideal scheme can do too, of which a store-conditional may fail spuriously.

    Addresses without the place across the end of a granule, of which AIE locks the first only.
    """

    @some
    @given(programs(claim.isa, vcpus=2, instructions=3, kinds=claim.kinds, widths=claim.widths,
                    addresses=[0x100, 0x104, 0x140]))  # fmt: skip
    def check(program):
        comparison = compare(program, machine=Machine(claim.scheme, address_bits=12))
        assert comparison.verdict == "holds", comparison.forbidden

    check()


def test_a_scheme_without_atomicity_does_not_refine_native(some):
    """Or the property would say nothing: `none` loses updates of programs that are drawn alike."""
    seen = set()

    @some
    @given(programs("x86", vcpus=2, instructions=3, kinds=["atomic"], addresses=[0x100]))
    def check(program):
        seen.add(compare(program, "none").verdict)

    check()
    assert seen == {"holds", "violated"}


@pytest.mark.parametrize("isa", ["arm", "x86", "riscv"])
def test_both_drivers_give_the_same_trace(isa, some):
    @some
    @given(st.data())
    def check(data):
        program = data.draw(programs(isa))
        machine = data.draw(machines(isa=isa))
        script = ("scripted", {"schedule": data.draw(schedules(program)).text, "strict": False})
        first, second = (
            run(program, machine, make_scheduler(script)[0], driver=driver).digest for driver in ("inline", "trio")
        )
        assert first == second

    check()


@pytest.mark.parametrize(("isa", "scheme"), [("x86", "global-lock"), ("arm", "cas"), ("riscv", "aie-rfc")])
@pytest.mark.parametrize("host", ["sc", "tso"])
def test_no_scheduler_reaches_an_outcome_that_dpor_does_not(isa, scheme, host, few):
    @few
    @given(programs(isa, vcpus=2, instructions=2))
    def check(program):
        machine = Machine(scheme, host=host, address_bits=12)
        every = explore(program, machine, scheduler="dpor", failures=None)
        assert every.complete
        for name in ("random-walk", "pct", "pos", "surw", "portfolio", "round-robin"):
            some = explore(program, machine, scheduler=name, executions=20, failures=None)
            assert {*some.outcomes} <= {*every.outcomes}

    check()


def test_dpor_reaches_every_outcome_of_any_schedule(some):
    """The other way round, by schedules that nobody's scheduler made."""

    @some
    @given(st.data())
    def check(data):
        program = data.draw(programs("arm", vcpus=2, instructions=2))
        machine = Machine("cas", address_bits=12)
        script = ("scripted", {"schedule": data.draw(schedules(program)).text, "strict": False})
        seen = run(program, machine, make_scheduler(script)[0])
        assert seen.outcome in explore(program, machine, scheduler="dpor", failures=None).outcomes

    check()


@settings(SOME, max_examples=8)
@given(failures(programs("arm", vcpus=2), machines(["cas", "none"], host_words=[64])))
def test_a_failure_replays_with_its_digest_and_shrinking_keeps_its_finding(tmp_path_factory, failure):
    path = failure.save(tmp_path_factory.mktemp("failures") / "failure.json")
    assert simaie.replay(path).trace.digest == failure.trace.digest
    kind = failure.findings[0].kind
    small, how = failure.shrink(executions=100)
    assert kind in {finding.kind for finding in small.findings}
    assert Size.of(small.trace) == how.after <= how.before
