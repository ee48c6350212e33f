"""On generated programs the search of graphs finds what an independent enumeration finds: no graph more, none less."""

from __future__ import annotations

import pytest
from graph_enumeration import TooManyError, all_revisits, enumerated, explained, searched

import simaie
from simaie import Machine, Program, ins
from simaie.host.graph_reference import GraphScMemory
from simaie.prng import Random

# Its searches take seconds, and run lines that other tests run too.
pytestmark = pytest.mark.untraced

X, Y = 0x100, 0x200
PLACES = (X, Y)
FENCES = (ins("fence"), ins("fence", predecessors="r"), ins("fence", successors="w"), ins("fence_tso"))


def _value(random, registers):
    """What a store stores: a number, or a register."""
    return random.choice(registers) if registers and random.below(2) else 1


def _arm(random, registers):
    place, into = random.choice(PLACES), f"r{len(registers)}"
    order = random.choice(("", "a", "l", "al"))
    kinds = {
        "load": lambda: [ins(random.choice(("ldr", "ldr", "ldar", "ldapr")), place, into=into)],
        "store": lambda: [ins(random.choice(("str_", "str_", "stlr")), place, _value(random, registers))],
        "add": lambda: [ins("ldadd", place, 1, into=into, order=order)],
        "cas": lambda: [ins("cas", place, 0, 1, into=into, order=order)],
        "exclusive": lambda: [
            ins(random.choice(("ldxr", "ldaxr")), place, into=into),
            ins(random.choice(("stxr", "stlxr")), place, _value(random, registers), into=f".s{len(registers)}"),
        ],
        "barrier": lambda: [random.choice((ins("dmb"), ins("dmb", option="ld"), ins("dmb", option="st"), ins("isb")))],
    }
    return kinds[random.choice(("load", "load", "store", "store", "add", "cas", "exclusive", "barrier"))]()


def _riscv(random, registers):
    place, into = random.choice(PLACES), f"r{len(registers)}"
    aq, rl = random.below(2), random.below(2)
    kinds = {
        "load": lambda: [ins("lw", place, into=into)],
        "store": lambda: [ins("sw", place, _value(random, registers))],
        "add": lambda: [ins("amoadd", place, 1, into=into, aq=aq, rl=rl)],
        "exclusive": lambda: [
            ins("lr", place, into=into, aq=aq),
            ins("sc", place, _value(random, registers), into=f".s{len(registers)}", rl=rl),
        ],
        "barrier": lambda: [random.choice(FENCES)],
    }
    return kinds[random.choice(("load", "load", "store", "store", "add", "exclusive", "barrier"))]()


def _thread(random, make, length):
    """A few instructions; now and then a later one depends on an earlier load by address or control."""
    code, registers = [], []
    for number in range(length):
        made = make(random, registers)
        if registers and not random.below(4):
            code += [ins("cbnz", random.choice(registers), f"l{number}"), ins("label", f"l{number}")]
        elif registers and made[0].args and not random.below(4):
            zero, address = f".z{number}", f".a{number}"
            code += [
                ins("reg_and", random.choice(registers), 0, into=zero),
                ins("reg_add", made[0].args[0], zero, into=address),
            ]
            made = [ins(each.name, address, *each.args[1:], into=each.into, **dict(each.options)) for each in made]
        code += made
        registers += [each.into for each in made if each.into and not each.into.startswith(".")]
    return code


def generated(seed, isa):
    """The program of a seed."""
    random = Random(seed)
    make = _arm if isa == "aarch64" else _riscv
    threads, length = ((2, 3), (2, 3), (3, 2))[random.below(3)]
    return Program(f"g{seed}", isa=isa, threads=[_thread(random, make, length) for _ in range(threads)])


def compare(isa, host, seeds):
    """Compare both on the programs of `seeds`, of which no graph may come twice; return how many were compared."""
    compared = 0
    for seed in seeds:
        program = generated(seed, isa)
        search, found = searched(program, Machine("native:reservation=exact", host=host))
        try:
            expected = enumerated(search, (0, 1, 2, 3))
        except TooManyError:
            continue
        compared += 1
        more, less, twice = len(set(found) - expected), len(expected - set(found)), len(found) - len(set(found))
        assert (more, less, twice) == (0, 0, 0), f"seed {seed}: {more} too many, {less} missing, {twice} twice"
    return compared


def has_conditional(program):
    return any(code.name in ("sc", "stxr", "stlxr") for thread in program.threads for code in thread)


@pytest.mark.untraced
@pytest.mark.parametrize("seeds", [range(12), pytest.param(range(12, 60), marks=pytest.mark.soak)], ids=len)
@pytest.mark.parametrize(("isa", "host"), [("aarch64", "armv8"), ("riscv", "rvwmo")])
def test_the_search_finds_each_graph_that_the_model_allows(isa, host, seeds):
    assert compare(isa, host, seeds) > len(seeds) / 2


ARM_PAIR = [ins("ldxr", Y, into="r"), ins("stxr", Y, 1, into="s")]
RISCV_PAIR = [ins("lr", Y, width=4, into="r"), ins("sc", Y, 1, width=4, into="s")]
#: By what comes before a store to X, next to a load of X: the number of graphs.
FAILURES = {
    "a release": ("armv8", [*ARM_PAIR, ins("stlr", X, 1)], 4),
    "a full barrier": ("armv8", [*ARM_PAIR, ins("dmb"), ins("str_", X, 1)], 4),
    "a barrier of stores": ("armv8", [*ARM_PAIR, ins("dmb", option="ishst"), ins("str_", X, 1)], 4),
    "two pairs": ("armv8", [*ARM_PAIR, *ARM_PAIR, ins("stlr", X, 1)], 8),
    "a fence": ("rvwmo", [*RISCV_PAIR, ins("fence"), ins("sw", X, 1)], 4),
    "an acquire": ("rvwmo", [*RISCV_PAIR[:1], ins("sc", Y, 1, width=4, aq=1, rl=1), ins("sw", X, 1)], 4),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_before_a_store_that_feeds_a_load_is_tried_once(name):
    host, code, count = FAILURES[name]
    isa, load = ("aarch64", "ldr") if host == "armv8" else ("riscv", "lw")
    program = Program(name, isa=isa, threads=[[ins(load, X, into="t")], code])
    found = searched(program, machine_of(host))[1]
    assert len(found) == len(set(found)) == count


def test_a_store_that_is_ordered_behind_a_cas_which_stores_feeds_it_so_that_it_fails():
    """Its store is a release, behind which the acquiring CAS is ordered: only as long as it stores."""
    compare("aarch64", "armv8", [3437])


def test_a_store_conditional_that_later_accesses_of_its_place_were_told_of_stores_again():
    found = searched(generated(1199, "riscv"), machine_of("rvwmo"))[1]
    assert len(found) == len(set(found)) == 72


def test_a_read_is_not_kept_for_having_read_another_store_than_a_later_one():
    """Rule 2 of RVWMO orders both then, but what needs the later one does not need the earlier one."""
    found = searched(generated(1011, "riscv"), machine_of("rvwmo"))[1]
    assert len(found) == len(set(found)) == 48


@pytest.mark.soak
@pytest.mark.parametrize(("isa", "host"), [("aarch64", "armv8"), ("riscv", "rvwmo")])
def test_the_search_finds_each_graph_of_many_programs(isa, host):
    assert compare(isa, host, range(1000, 1600)) > 290


# -- against other searches, and what each graph keeps ---------------------------------------------------

HOSTS = [("aarch64", "armv8"), ("riscv", "rvwmo")]


def machine_of(host):
    return Machine("native:reservation=exact", host=host)


@pytest.mark.parametrize(("isa", "host"), HOSTS)
def test_a_search_with_all_revisits_finds_the_same_graphs(isa, host, monkeypatch):
    for seed in range(2000, 2025):
        program = generated(seed, isa)
        assert all_revisits(program, machine_of(host), monkeypatch) == set(searched(program, machine_of(host))[1]), seed


@pytest.mark.parametrize("isa", ["aarch64", "riscv"])
def test_on_sc_the_graphs_of_generated_programs_are_the_executions_of_dpor(isa):
    """Without store-conditionals: `sc` has their spurious failures as decisions of its own."""
    compared = 0
    for seed in range(2100, 2140):
        program = generated(seed, isa)
        if has_conditional(program):
            continue
        counts = []
        for host in (GraphScMemory, "sc"):
            report = simaie.explore(
                program, machine_of(host), scheduler="dpor", executions=20_000, failures=None, checkers=()
            )
            assert report.complete
            counts.append((report.statistics.executions, report.outcomes.keys()))
        assert counts[0] == counts[1], seed
        compared += 1
    assert compared > 10


@pytest.mark.parametrize(("isa", "host"), HOSTS)
def test_a_linear_order_explains_each_value_and_decisions_lead_to_each_graph(isa, host):
    count = 0
    for seed in range(2200, 2206):
        count = explained(generated(seed, isa), machine_of(host), 4, count)
    assert count > 20
