"""Accesses that ask the host for an order, on a host that takes orders and on one that does not."""

from __future__ import annotations

import pytest

import simaie
from simaie import Machine, Program
from simaie.guest.code import ins
from simaie.host.host import Host
from simaie.host.ordered import ordered
from simaie.host.sc import ScMemory
from simaie.op import Form, Kind, Op, Order

X = 0x1000


class TakesOrders(ScMemory):
    """Sequentially consistent, and told of every order."""

    takes_orders = True


def operations(*code, isa="aarch64", scheme="native", host=TakesOrders):
    """The operations of one vCPU, in order."""
    program = Program("one", isa=isa, threads=[list(code)])
    report = simaie.explore(program, Machine(scheme, host=host), scheduler="round-robin", executions=1, checkers=[keep])
    assert report.executions == 1
    return [event.op for event in SEEN[-1].events]


SEEN = []


def keep(trace):
    SEEN.append(trace)
    return []


@pytest.mark.parametrize(
    ("name", "order"),
    [("ldr", Order.RELAXED), ("ldar", Order.SEQ_CST), ("ldapr", Order.ACQUIRE), ("ldxr", Order.RELAXED),
     ("ldaxr", Order.ACQUIRE)],
)  # fmt: skip
def test_a_load_asks_for_its_order(name, order):
    (op,) = operations(ins(name, X))
    assert (op.kind in (Kind.LOAD, Kind.LOAD_LINKED), op.order) == (True, order)


def test_a_store_and_a_store_conditional_ask_for_release():
    assert [op.order for op in operations(ins("stlr", X, 1))] == [Order.RELEASE]
    linked, stored = operations(ins("ldxr", X), ins("stlxr", X, 1))
    assert (linked.order, stored.order) == (Order.RELAXED, Order.RELEASE)


@pytest.mark.parametrize(
    ("suffix", "order"),
    [("", Order.RELAXED), ("a", Order.ACQUIRE), ("l", Order.RELEASE), ("al", Order.ACQ_REL)],
)
def test_an_atomic_asks_for_the_order_of_its_suffix(suffix, order):
    for code in (ins("ldadd", X, 1, order=suffix), ins("cas", X, 0, 1, order=suffix), ins("swp", X, 1, order=suffix)):
        (op,) = operations(code)
        assert (op.order, op.form) == (order, Form.NONE)


def test_an_atomic_without_a_result_says_so():
    for code in (ins("stadd", X, 1), ins("ldadd", X, 1, zero=1), ins("cas", X, 0, 1, zero=1)):
        assert [op.form for op in operations(code)] == [Form.NO_RESULT]
        assert [op.form for op in operations(code, host="sc")] == [Form.NONE]


def test_riscv_bits_reach_the_access():
    orders = [op.order for op in operations(ins("lw", X, aq=1, rl=1), ins("amoadd", X, 1, rl=1), isa="riscv")]
    assert orders == [Order.ACQ_REL, Order.RELEASE]
    linked, stored = operations(ins("lr", X, aq=1), ins("sc", X, 1, aq=1, rl=1), isa="riscv")
    assert (linked.order, stored.order) == (Order.ACQUIRE, Order.ACQ_REL)


def test_locked_instructions_of_x86_are_ordered_without_asking():
    assert [op.order for op in operations(ins("lock_xadd", X, 1), isa="x86")] == [Order.SEQ_CST]


def test_an_isb_is_an_operation_only_where_loads_are_reordered():
    (op,) = operations(ins("isb"))
    assert (op.kind, op.orders, op.form, op.remark) == (Kind.FENCE, 0, Form.CONTEXT, "context")
    assert operations(ins("isb"), host="sc") == []
    assert operations(ins("isb"), scheme="native:barriers=none") == []


def test_elsewhere_fences_stand_around_the_access():
    kinds = [op.kind for op in operations(ins("ldar", X), host="sc")]
    assert kinds == [Kind.FENCE, Kind.LOAD, Kind.FENCE]
    assert [op.kind for op in operations(ins("ldar", X), scheme="cas")] == [Kind.LOAD]


def test_a_scheme_without_all_barriers_passes_no_order():
    (load,) = operations(ins("ldar", X), scheme="native:barriers=none")
    assert load.order is Order.RELAXED


async def _two(first, last):
    return (await first, await last)


def ops_of(body, *answers):
    steps = body.__await__()
    found = [next(steps)]
    for answer in answers:
        try:
            found.append(steps.send(answer))
        except StopIteration as end:
            return found, end.value
    return found, None


def test_of_several_operations_reads_acquire_and_writes_release():
    load, store = Op(Kind.LOAD, None, X, 4), Op(Kind.STORE, None, X, 4, 1)
    (first, last), result = ops_of(ordered(Host(), Order.ACQ_REL, _two(load, store)), 7, None)
    assert (first.order, last.order, result) == (Order.ACQUIRE, Order.RELEASE, (7, None))
    (first, last), _ = ops_of(ordered(Host(), Order.RELEASE, _two(load, store)), 7, None)
    assert (first.order, last.order) == (Order.RELAXED, Order.RELEASE)


def test_an_order_is_never_weakened_and_cells_have_their_own():
    strong = Op(Kind.CAS, None, X, 4, 1, 0, order=Order.SEQ_CST)
    assert ordered(Host(), Order.ACQUIRE, strong) is strong
    cell = simaie.op.Op(Kind.LOAD, simaie.op.Cell("lock"))
    assert ordered(Host(), Order.ACQUIRE, cell) is cell


async def _caught(op):
    try:
        await op
    except KeyError:
        return "caught"


def test_what_a_driver_throws_reaches_the_body():
    steps = ordered(Host(), Order.ACQUIRE, _caught(Op(Kind.LOAD, None, X, 4))).__await__()
    next(steps)
    with pytest.raises(StopIteration) as end:
        steps.throw(KeyError())
    assert end.value.value == "caught"
