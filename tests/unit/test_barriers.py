"""Barriers: what guest fences and plain accesses become under a scheme's option, and what that stops on which host."""

from __future__ import annotations

import itertools
import warnings

import pytest

from simaie import Machine, Program, Scheduler, explore, ins
from simaie.barrier import Barrier, parse_barrier
from simaie.corpus.barriers import SHAPES, litmus
from simaie.corpus.common import X, Y, Z
from simaie.errors import UsageError
from simaie.op import Kind

ORDERS = (Barrier.LD_LD, Barrier.LD_ST, Barrier.ST_LD, Barrier.ST_ST)


def verdict(shape, isa, between, scheme, host):
    program = litmus(shape, isa, between, f"{shape} {isa} {between}")
    report = explore(program, Machine(scheme, host=host, address_bits=12), scheduler="dpor")
    assert report.complete or report.failures
    return str(report.verdict)


def fences(scheme, host, isa="x86", between="nothing"):
    """The fences of one execution of MP, by the access that they stand before."""
    seen = []

    def collect(trace):
        seen.append(trace)
        return ()

    program = litmus("mp", isa, between, "mp")
    explore(program, Machine(scheme, host=host), scheduler="round-robin", executions=1, checkers=[collect])
    return [(e.instruction.mnemonic, e.op.orders.text) for e in seen[0].events if e.op.kind is Kind.FENCE]


@pytest.mark.parametrize("orders", [c for n in range(5) for c in itertools.combinations(ORDERS, n)])
def test_a_set_of_orders_reads_back_from_its_text(orders):
    made = Barrier.NONE
    for order in orders:
        made |= order
    assert parse_barrier(made.text) == made


@pytest.mark.parametrize("text", ["", "st_ld", "st-ld+", "everything", "st-ld,st-st"])
def test_what_names_no_set_of_orders_is_refused(text):
    with pytest.raises(UsageError):
        parse_barrier(text)


@pytest.mark.parametrize("barriers", ["all", "st", 3, True])
def test_a_scheme_refuses_barriers_that_it_does_not_know(barriers):
    with pytest.raises(UsageError, match="barriers"):
        explore(litmus("sb", "x86", "nothing", "sb"), Machine(("aie-rfc", {"barriers": barriers})), executions=1)


def test_each_scheme_emits_what_its_emulator_does_unless_told():
    """The RFC has no barriers; QEMU puts before each store what x86 promises and the host does not keep."""
    assert fences("aie-rfc", "pso", between="fences") == []
    assert fences("aie-v2", "pso", between="fences") == [("mfence", "full")] * 2
    assert fences("cas", "pso") == [("store", "st-st")] * 2
    assert fences("cas", "tso") == fences("cas", "sc") == []
    assert fences("cas", "pso", isa="arm") == []


def test_an_option_overrides_it():
    assert fences("cas:barriers=none", "pso", between="fences") == []
    assert fences("aie-rfc:barriers=guest", "pso", between="fences") == [("mfence", "full")] * 2
    assert fences("aie-rfc:barriers=st-ld", "pso", between="fences") == [("mfence", "st-ld")] * 2
    assert fences("aie-rfc:barriers=st-st", "pso") == [("store", "st-st")] * 2


# -- what they stop: the table -----------------------------------------------------------------------

#: On which hosts a test shows its odd outcome where nothing keeps the guest's order.
BROKEN_ON = {"sb": {"tso", "pso"}, "r": {"tso", "pso"}, "mp": {"pso"}, "s": {"pso"}, "2+2w": {"pso"}}


@pytest.mark.parametrize(("shape", "isa", "host"), [*itertools.product(SHAPES, ["x86", "arm"], ["sc", "tso", "pso"])])
def test_fences_that_become_nothing_stop_nothing_and_fences_that_stay_stop_all(shape, isa, host):
    broken = host in BROKEN_ON.get(shape, ())
    assert verdict(shape, isa, "fences", "aie-rfc:barriers=none", host) == ("violated" if broken else "holds")
    for barriers in ("guest", "full"):
        assert verdict(shape, isa, "fences", f"aie-rfc:barriers={barriers}", host) == "holds"


@pytest.mark.parametrize(("shape", "host"), [*itertools.product(BROKEN_ON, ["tso", "pso"])])
def test_full_keeps_what_x86_promises_without_fences_and_no_more(shape, host):
    """On PSO that is all but store buffering, which x86 has itself."""
    own = shape in ("sb", "r")
    for barriers in ("none", "guest", "full"):
        broken = own or (host == "pso" and barriers != "full")
        found = verdict(shape, "x86", "nothing", f"cas:barriers={barriers}", host)
        assert found == ("violated" if broken else "holds"), barriers


@pytest.mark.parametrize(
    ("shape", "isa", "scheme"), [*itertools.product(BROKEN_ON, ["x86", "arm"], ["aie-rfc", "cas"])]
)
def test_locked_operations_between_carry_the_barrier_of_a_real_host(shape, isa, scheme):
    """The mutexes of AIE, and host atomics, drain the store buffer, whatever `barriers` says."""
    assert verdict(shape, isa, "locked operations", f"{scheme}:barriers=none", "pso") == "holds"


@pytest.mark.parametrize(("scheme", "host"), [*itertools.product(["aie-rfc", "aie-v2"], ["tso", "pso"])])
def test_looking_up_whether_a_granule_is_registered_carries_no_barrier_and_its_mutex_does(scheme, host):
    """A plain store passes a few plain loads (of the tree, or the bitmap) and is delayed; where its granule has been
    used atomically it takes the mutex, which it releases only after it has drained."""
    assert verdict("sb", "x86", "nothing", f"{scheme}:barriers=none", host) == "violated"
    registered = [[ins("lock_inc", Y), ins("lock_inc", X), ins("store", mine, 5), ins("load", other, into="r")]
                  for mine, other in ((X, Y), (Y, X))]  # fmt: skip
    program = Program("sb of registered granules", isa="x86", threads=registered, init={X: 0, Y: 0})
    report = explore(program, Machine(scheme, host=host, address_bits=12), scheduler="pos", executions=100, seed=1)
    assert not report.failures
    assert all(max(outcome["0:r"], outcome["1:r"]) >= 5 for outcome in report.outcomes)


@pytest.mark.parametrize(("isa", "host"), [*itertools.product(["x86", "arm"], ["tso", "pso"])])
def test_what_needs_delayed_loads_shows_on_no_host(isa, host):
    for shape in ("lb", "iriw"):
        assert verdict(shape, isa, "nothing", "none:barriers=none", host) == "holds"


@pytest.mark.parametrize("scheme", ["native", "none", "aie-rfc", "aie-v2", "cas", "global-lock"])
@pytest.mark.parametrize("host", ["tso", "pso"])
def test_a_load_is_never_performed_after_the_atomic_instruction_behind_it(scheme, host):
    """MPQ, which a weak host shows if nothing stands between: it takes loads that are delayed, as no host here does."""
    program = Program(
        "mpq",
        isa="x86",
        threads=[
            [ins("store", X, 1), ins("sfence"), ins("store", Y, 1)],
            [ins("load", Y, into="r"), ins("lock_cmpxchg", X, 1, 2, into="s")],
        ],
        init={X: 0, Y: 0},
    )
    machine = Machine((scheme, {"barriers": "guest"}), host=host, address_bits=12)
    report = explore(program, machine, scheduler="dpor", failures=None)
    assert report.complete
    ends = {(outcome["1:r"], outcome["1:s"]) for outcome in report.outcomes}
    assert ends >= {(0, 0), (0, 1), (1, 1)}
    assert (1, 0) not in ends


@pytest.mark.parametrize("host", ["tso", "pso"])
@pytest.mark.parametrize(("scheme", "found"), [("cas", "holds"), ("aie-v2", "holds"), ("none", "violated")])
def test_a_host_atomic_keeps_a_store_before_it_and_a_load_behind_it_apart(scheme, host, found):
    """SBQ: where a locked instruction is a host atomic or a mutex it is a full fence, where it is plain it is none."""
    threads = [[ins("store", mine, 1), ins("lock_xadd", own, 1), ins("load", other, into="r")]
               for mine, own, other in ((X, Z, Y), (Y, Z + 64, X))]  # fmt: skip
    program = Program(
        "sbq",
        isa="x86",
        threads=threads,
        init={X: 0, Y: 0, Z: 0, Z + 64: 0},
        final=lambda state: (state.registers["0:r"], state.registers["1:r"]) != (0, 0),
    )
    machine = Machine((scheme, {"barriers": "none"}), host=host, address_bits=12)
    assert explore(program, machine, scheduler="dpor").verdict == found


# -- acquire and release -----------------------------------------------------------------------------


def released(shape):
    """SB or MP of an AArch64 guest, all stores STLR and all loads LDAR: both odd outcomes are forbidden."""
    threads, odd = SHAPES[shape]
    code = [
        [ins("stlr", place, what) if kind == "W" else ins("ldar", place, into=what) for kind, place, what in accesses]
        for accesses in threads
    ]
    return Program(
        f"{shape}-released", isa="aarch64", threads=code, init={X: 0, Y: 0}, final=lambda state: not odd(state)
    )


@pytest.mark.parametrize(
    ("scheme", "sb", "mp"),
    [
        ("native", "holds", "holds"),
        ("cas:barriers=none", "violated", "violated"),
        ("cas:barriers=guest", "violated", "holds"),  # as QEMU: a barrier before the STLR, one after the LDAR
        ("cas:barriers=full", "holds", "holds"),
    ],
)
def test_nothing_stands_between_a_release_and_the_acquire_after_it(scheme, sb, mp):
    machine = Machine(scheme, host="pso")
    assert explore(released("sb"), machine, scheduler="dpor").verdict == sb
    assert explore(released("mp"), machine, scheduler="dpor").verdict == mp


def test_an_execution_that_is_given_up_before_a_fence_leaves_nothing_that_python_warns_about():
    class GivesUp(Scheduler):
        def choose(self, offer):
            return None

    program = litmus("mp", "x86", "nothing", "given up")
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        explore(program, Machine("aie-rfc:barriers=full", host="pso"), scheduler=GivesUp, executions=3)
    assert not warned
