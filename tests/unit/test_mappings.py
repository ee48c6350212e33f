"""Mappings: the host operations that each table makes of an x86 guest's accesses, and tables of one's own."""

from __future__ import annotations

import functools

import pytest

from simaie import Machine, Program, explore
from simaie.barrier import Barrier
from simaie.errors import InputError, NeverAwaitedError, UnknownNameError, UsageError
from simaie.guest.code import ins
from simaie.host.sc import ScMemory
from simaie.op import Form, Kind, Order
from simaie.schemes.cas import CompareAndSwap
from simaie.schemes.mapping import MAPPINGS, mapping_of
from simaie.schemes.none import NoScheme

X = 0x100
LOADS, FULL = "ld-ld+ld-st", "full"
SCHEMES = ["cas", "native", "aie-rfc", "aie-v2"]


class TakesOrders(ScMemory):
    """Sequentially consistent, and told of every order."""

    takes_orders = True


def announced(code, scheme, host=TakesOrders, isa="x86"):
    """The accesses to RAM and the fences of one vCPU, in order, as words."""
    traces = []
    program = Program("one", isa=isa, threads=[list(code)], init={X: 5})
    machine = Machine(scheme, host=host, address_bits=12)
    keep = [lambda trace: traces.append(trace) or []]
    explore(program, machine, scheduler="round-robin", executions=1, checkers=keep)
    return [words(event.op) for event in traces[-1].events if event.op.cell is None]


def words(op):
    if op.kind is Kind.FENCE:
        return f"fence {op.orders.text}"
    order = "" if op.order is Order.RELAXED else f" {op.order.name.lower()}"
    return f"{op.kind.name.lower()}{order}{' exclusive' if op.form & Form.EXCLUSIVE else ''}"


LOAD, STORE = [ins("load", X)], [ins("store", X, 1)]
INC, HIT, MISS = [ins("lock_inc", X)], [ins("lock_cmpxchg", X, 5, 6)], [ins("lock_cmpxchg", X, 4, 6)]
CASAL = ["fetch seq_cst"]
#: What a load, a store and a locked increment become under `cas`.
ANNOUNCED = {
    "none": (["load"], ["store"], CASAL),
    "relaxed": (["load"], ["store"], ["fetch"]),
    "qemu": ([f"fence {LOADS}", "load"], ["fence full", "store"], CASAL),
    "qemu-llsc": ([f"fence {LOADS}", "load"], ["fence full", "store"], ["fetch seq_cst exclusive"]),
    "risotto": (["load", f"fence {LOADS}"], ["fence st-st", "store"], CASAL),
    "risotto-llsc": (
        ["load", f"fence {LOADS}"], ["fence st-st", "store"], ["fence full", "fetch exclusive", "fence full"]
    ),
    "fex": (["load acquire"], ["store release"], CASAL),
    "acquire-release": (["load seq_cst"], ["store release"], CASAL),
    "box64:strongmem=0": (["load"], ["store"], ["fence full", *CASAL, "fence full"]),
    "box64:strongmem=1": (["load"], ["fence full", "store", "fence full"], ["fence full", *CASAL, "fence full"]),
    "box64:strongmem=2": (["load"], ["fence full", "store", "fence full"], ["fence full", *CASAL, "fence full"]),
    "box64:strongmem=3": (["load"], ["fence full", "store", "fence full"], ["fence full", *CASAL, "fence full"]),
    "box64:strongmem=4": (
        [f"fence {LOADS}", "load"], ["fence full", "store", "fence full"], ["fence full", *CASAL, "fence full"]
    ),
    "riscv": (["load", f"fence {LOADS}"], ["fence ld-st+st-st", "store"], CASAL),
    "riscv-llsc": (["load", f"fence {LOADS}"], ["fence ld-st+st-st", "store"], ["fetch seq_cst exclusive"]),
    "riscv-leading": (["fence ld-ld", "load"], ["fence ld-st+st-st", "store"], CASAL),
}  # fmt: skip


def test_each_table_is_tested():
    assert set(ANNOUNCED) == set(MAPPINGS)


@pytest.mark.parametrize("name", sorted(ANNOUNCED))
def test_a_table_makes_these_operations_of_an_access(name):
    load, store, locked = ANNOUNCED[name]
    scheme = f"cas:mapping={name}"
    assert announced(LOAD, scheme) == load
    assert announced(STORE, scheme) == store
    assert announced(INC, scheme) == locked
    assert announced(HIT, scheme) == [op.replace("fetch", "cas") for op in locked]
    if name != "none":  # the ideal scheme is the same, but for how it asks
        assert announced([*LOAD, *STORE, *INC], f"native:mapping={name}") == load + store + locked


@pytest.mark.parametrize("scheme", ["aie-rfc", "aie-v2"])
def test_aie_maps_the_accesses_of_its_locked_instructions(scheme):
    """They are a load and a store under a mutex, so the rows of loads and stores apply; fences go around it all."""
    assert announced(LOAD, f"{scheme}:mapping=qemu") == [f"fence {LOADS}", "load"]
    assert announced(INC, f"{scheme}:mapping=qemu") == [f"fence {LOADS}", "load", "fence full", "store"]
    assert announced(INC, f"{scheme}:mapping=fex") == ["load acquire", "store release"]
    around = announced(HIT, f"{scheme}:mapping=risotto-llsc")
    assert around == ["fence full", "load", f"fence {LOADS}", "fence st-st", "store", "fence full"]
    assert announced(INC, f"{scheme}:barriers=full") == announced(INC, f"{scheme}:barriers=none")  # the host keeps all


def test_a_compare_and_swap_that_fails_has_a_fence_of_its_own(tmp_path):
    own = tmp_path / "own.toml"
    own.write_text('[atomic]\nfailed = "full"\n')
    for scheme in ("cas", "native"):
        assert announced(MISS, f"{scheme}:mapping={own}") == ["cas seq_cst", "fence full"]
        assert announced(HIT, f"{scheme}:mapping={own}") == ["cas seq_cst"]
        assert announced(INC, f"{scheme}:mapping={own}") == ["fetch seq_cst"]
    own.write_text('[atomic]\nafter = "full"\n')
    assert announced(MISS, f"cas:mapping={own}") == ["cas seq_cst"]
    assert announced(HIT, f"cas:mapping={own}") == ["cas seq_cst", "fence full"]
    assert announced(MISS, "cas:mapping=risotto-llsc") == ["fence full", "cas exclusive", "fence full"]


def test_a_host_that_takes_no_orders_has_fences_in_their_place():
    assert announced(LOAD, "cas:mapping=fex", ScMemory) == ["load", f"fence {LOADS}"]
    assert announced(LOAD, "cas:mapping=acquire-release", ScMemory) == ["fence st-ld", "load", f"fence {LOADS}"]
    assert announced(STORE, "cas:mapping=fex", ScMemory) == ["fence ld-st+st-st", "store"]


def test_the_guests_own_fences_become_those_of_the_host(tmp_path):
    code = [ins("mfence"), ins("lfence"), ins("sfence")]
    for scheme in SCHEMES:
        assert announced(code, f"{scheme}:mapping=none") == ["fence full", f"fence {LOADS}", "fence st-st"]
    own = tmp_path / "own.toml"
    own.write_text('[fence]\nkeep = "st-ld"\n')
    assert announced(code, f"cas:mapping={own}") == ["fence st-ld"]


def test_a_table_of_ones_own_is_read_from_a_file(tmp_path):
    own = tmp_path / "own.toml"
    own.write_text(
        '[load]\nbefore = "ld-ld"\norder = "acquire"\nafter = "ld-st"\n'
        '[store]\nbefore = "st-st"\norder = "release"\nafter = "st-ld"\n'
        '[atomic]\nbefore = "full"\norder = "acq-rel"\nafter = "ld-ld"\nfailed = "ld-ld"\nexclusive = true\n'
    )
    scheme = f"cas:mapping={own}"
    assert announced(LOAD, scheme) == ["fence ld-ld", "load acquire", "fence ld-st"]
    assert announced(STORE, scheme) == ["fence st-st", "store release", "fence st-ld"]
    assert announced(INC, scheme) == ["fence full", "fetch acq_rel exclusive", "fence ld-ld"]
    own.write_text("")
    assert announced([*LOAD, *STORE, *INC], scheme) == ["load", "store", "fetch seq_cst"]  # the file is read again


def test_a_table_is_changed_in_place(tmp_path):
    own = tmp_path / "own.toml"
    own.write_text('[load]\nafter = "ld-ld"\n')
    for base in ("qemu", str(own)):
        changed = f"cas:mapping={base}/load.before=none/load.after=ld-st/atomic.exclusive=true/atomic.order=relaxed"
        assert announced(LOAD, changed) == ["load", "fence ld-st"]
        assert announced(INC, changed) == ["fetch exclusive"]
    assert announced(STORE, "cas:mapping=qemu/load.before=none") == ["fence full", "store"]
    assert announced([*LOAD, *STORE], "cas:mapping=store.before=st-st/load.after=ld-ld") == [
        "load", "fence ld-ld", "fence st-st", "store"
    ]  # fmt: skip
    assert announced(INC, "cas:mapping=box64:strongmem=1/atomic.before=none") == ["fetch seq_cst", "fence full"]
    for wrong in ("qemu/loads.before=full", "load.behind=full", "load.after=all", "qmeu/load.after=full"):
        with pytest.raises(UsageError, match=wrong.partition("=")[0].partition("/")[0]):
            Machine(f"cas:mapping={wrong}").check_options()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[loads]\n", "[loads]"),
        ("load = 1\n", "load must be a section"),
        ("[load]\nbehind = 'full'\n", "'behind'"),
        ("[load]\nbefore = 'all'\n", "[load] before"),
        ("[load]\nbefore = 1\n", "[load] before"),
        ("[load]\norder = 'release'\n", "[load] order"),
        ("[store]\norder = 'acquire'\n", "[store] order"),
        ("[atomic]\nexclusive = 'yes'\n", "[atomic] exclusive"),
        ("[atomic]\norder = ['seq-cst']\n", "[atomic] order"),
        ("[load\n", "TOML"),
        ("\x00", "TOML"),
    ],
)
def test_a_file_that_is_no_table_is_refused_with_the_place(tmp_path, text, named):
    own = tmp_path / "own.toml"
    own.write_text(text)
    with pytest.raises(InputError) as caught:
        Machine(f"cas:mapping={own}").check_options()
    assert str(own) in str(caught.value)
    assert named in str(caught.value)


def test_what_is_no_mapping_is_refused(tmp_path):
    with pytest.raises(UnknownNameError, match="qemu"):
        Machine("cas:mapping=qmeu").check_options()
    with pytest.raises(InputError, match="absent"):
        Machine(f"cas:mapping={tmp_path}/absent.toml").check_options()
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(InputError, match="folder"):
        Machine(f"cas:mapping={tmp_path}/folder.toml").check_options()
    with pytest.raises(UsageError, match="mapping"):
        Machine(("cas", {"mapping": 3})).check_options()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_mapping_and_barriers_are_not_given_together(scheme):
    for barriers in ("none", "guest", "full", "st-st"):
        with pytest.raises(UsageError, match="both"):
            Machine(f"{scheme}:mapping=qemu,barriers={barriers}").check_options()
        with pytest.raises(UsageError, match="both"):
            Machine(f"{scheme}:mapping=none,barriers={barriers}").check_options()
    Machine(f"{scheme}:mapping=usual,barriers=full").check_options()
    Machine(f"{scheme}:mapping=qemu,barriers=usual").check_options()


def test_none_on_a_command_line_is_the_table_of_that_name():
    assert mapping_of(None) == mapping_of("none")
    assert mapping_of("none").fences is Barrier.FULL


class OwnCompare(NoScheme):
    """A scheme of a third party that overrides the compare-and-exchange, and knows nothing of mappings."""

    async def cmpxchg(self, cpu, address, width, expected, new):
        return await self.host.compare_and_swap(address, width, expected, new, self.atomic_order, self.atomic_form)


def test_a_scheme_of_ones_own_needs_nothing_for_a_mapping():
    own = functools.partial(OwnCompare, mapping="risotto-llsc")
    assert announced(HIT, own) == ["fence full", "cas exclusive", "fence full"]
    assert announced(INC, own) == [
        "fence full", "load", f"fence {LOADS}", "fence st-st", "store", "fence full"
    ]  # fmt: skip


@pytest.mark.parametrize("scheme", SCHEMES)
def test_an_access_of_two_registers_has_the_fences_of_one_access(scheme):
    """It is two operations of 8 bytes. Native has its own way to make them, in an order that a choice decides."""

    def made(name, options, host=TakesOrders):
        code = [ins("movaps_load", X)] if name == "load" else [ins("movaps", X, 1)]
        return [word for word in announced(code, f"{scheme}:{options}", host) if word.split()[0] in ("fence", name)]

    assert made("load", "mapping=risotto") == ["load", "load", f"fence {LOADS}"]
    assert made("store", "mapping=risotto") == ["fence st-st", "store", "store"]
    assert made("load", "mapping=fex") == ["load acquire"] * 2
    assert made("store", "barriers=full", "pso") == ["fence st-st", "store", "store"]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_search_under_a_mapping_proves_what_it_proves_without(scheme):
    """On a host that keeps all orders the fences change nothing; the memo follows the same vCPUs."""
    threads = [[ins("lock_inc", X), ins("load", X, into="r")]] * 2
    program = Program("two increments", isa="x86", threads=threads, init={X: 0}, final=lambda state: state[X] == 2)
    for mapping in ("qemu", "fex", "risotto-llsc"):
        report = explore(program, Machine(f"{scheme}:mapping={mapping}", address_bits=12), scheduler="dpor")
        assert report.verdict == "holds"


def test_the_order_of_stores_is_kept_on_pso_by_the_mappings_that_keep_it():
    stores = [ins("store", X, 1), ins("store", 0x200, 1)]
    loads = [ins("load", 0x200, into="r"), ins("load", X, into="s")]
    program = Program(
        "message passing",
        isa="x86",
        threads=[stores, loads],
        init={X: 0, 0x200: 0},
        final=lambda state: (state.registers["1:r"], state.registers["1:s"]) != (1, 0),
    )
    for scheme in SCHEMES:
        for mapping in MAPPINGS if scheme == "cas" else ("none", "fex"):
            machine = Machine(f"{scheme}:mapping={mapping}", host="pso", address_bits=12)
            broken = mapping in ("none", "relaxed", "box64:strongmem=0")
            verdict = explore(program, machine, scheduler="dpor").verdict
            assert verdict == ("violated" if broken else "holds"), (scheme, mapping)


async def _publish(cpu):
    await cpu.store(X, 1)


class Forgets(CompareAndSwap):
    """Makes a store that it does not await."""

    async def store(self, cpu, address, width, value):
        self.host.store(address, width, value)
        await self.host.store(address, width, value)


def test_an_access_that_is_given_an_order_counts_as_awaited():
    program = Program("store", isa="x86", threads=[_publish])

    def explored(scheme):
        machine = Machine(scheme, host="armv8", address_bits=12)
        return explore(program, machine, scheduler="dpor", executions=1)

    for scheme in ("cas:mapping=fex", "aie-rfc:mapping=acquire-release"):
        assert explored(scheme).verdict == "holds"
    with pytest.raises(NeverAwaitedError):
        explored(functools.partial(Forgets, mapping="fex"))
