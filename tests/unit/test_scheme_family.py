"""Each scheme of the family has exactly the violations that its data list, in every order of small programs."""

from __future__ import annotations

import pytest
from runs import execute

import simaie
from simaie import Machine, plugins
from simaie.corpus.violations import kinds_of, violation, violations
from simaie.errors import UsageError
from simaie.guest.isa import ISAS
from simaie.schemes.holes import BY_VALUE, EXPECTED_ON, LLSC_HOLES, LOCK_HOLES, PLAIN_HOLES, STUCK_HOLES, Hole, Variant
from simaie.schemes.qemu_atomicity import required_parts


def search(scheme, hole, host="sc"):
    """Return the report on every execution of the program of a class."""
    machine = Machine(scheme, host=host, address_bits=12)
    program = violation(hole)
    return simaie.explore(program, machine, scheduler="dpor", failures=None, executions=50_000)


def is_found(report, hole):
    return any(finding.kind in kinds_of(hole) for failure in report.kept for finding in failure.findings)


SCHEMES = [
    name
    for name in plugins.names(plugins.SCHEMES)
    if name != "pico-cas" and plugins.resolve(plugins.SCHEMES, name).variants
]
#: Each store of PST-REMAP is an indivisible section, which conflicts with everything: some 19,000 executions.
SLOW = {"pst-remap": {Hole.ABA_TWO_STORERS}}
#: What a host that reorders accesses shows of a scheme, if the scheme keeps its parts in order by chance only.
BY_ORDER = (Hole.ABA_ONE_STORER, Hole.ABA_BY_SC, Hole.LLSC_RMW)


def differing(scheme, host, holes=tuple(Hole)):
    """Return the cells of all variants of a scheme that differ from its data, and those that are not decided."""
    matrix = simaie.matrix([scheme], holes, [host])
    assert {cell.expected for cell in matrix.cells} <= {True, False}
    return [(cell.scheme, cell.hole, cell.text) for cell in (*matrix.unexpected, *matrix.open)]


@pytest.mark.untraced
@pytest.mark.parametrize("one_in", [2, pytest.param(1, marks=pytest.mark.soak)])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_scheme_has_exactly_the_violations_of_its_data(scheme, one_in):
    """Every second class of each scheme, each class under every second scheme; all of them are a soak."""
    holes = [hole for hole in Hole if hole not in SLOW.get(scheme, ())][SCHEMES.index(scheme) % one_in :: one_in]
    assert differing(scheme, "sc", holes) == []


@pytest.mark.untraced
@pytest.mark.one_in(3)
@pytest.mark.parametrize("scheme", [name for name in SCHEMES if name != "htm"])  # which refuses such a host
def test_a_host_with_store_buffers_adds_exactly_the_violations_of_the_data(scheme):
    reorders = any(variant.reordered for variant in plugins.resolve(plugins.SCHEMES, scheme).variants)
    assert differing(scheme, "tso", (*LLSC_HOLES, *LOCK_HOLES) if reorders else BY_ORDER) == []


@pytest.mark.untraced
@pytest.mark.one_in(3)
@pytest.mark.parametrize("scheme", ["aie-rfc", "cas", "hst", "hst-htm", "hst-weak", "monitor-spin", "pst", "tlib"])
def test_a_host_that_reorders_loads_adds_exactly_the_violations_of_the_data(scheme):
    assert differing(scheme, "armv8", LLSC_HOLES) == []


def test_a_load_linked_in_two_halves_is_torn_where_loads_are_reordered():
    """The upper half is loaded early. A compare-and-swap that fails by its lower half ends no search."""
    scheme, holes = "qemu-atomicity:atomicity=ifalign-pair", (Hole.LLSC, Hole.LLSC_RMW, Hole.ABA_BY_SC)
    for host, found in (("tso", {Hole.ABA_BY_SC}), ("armv8", set(holes))):
        matrix = simaie.matrix([scheme], holes, [host])
        assert matrix.ok
        assert {cell.hole for cell in matrix.cells if cell.result == "found"} == found


@pytest.mark.soak
@pytest.mark.parametrize("host", EXPECTED_ON)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_all_classes_are_as_the_data_say(scheme, host):
    """A cell is open where the scheme refuses the host."""
    matrix = simaie.matrix([scheme], hosts=[host])
    assert list(matrix.unexpected) == []
    modelled = set() if scheme == "htm" and host != "sc" else set(Hole)
    assert not {cell.hole for cell in matrix.open} & modelled


@pytest.mark.parametrize(
    ("scheme", "wrong", "classes"),
    [
        ("cas", "reservation=any-address", {Hole.ADDRESS, Hole.SWITCH}),
        ("cas", "narrow=word", {Hole.BYTE}),
        ("stop-world-value", "on_exception=leave,order=reserve-first", {Hole.EXCEPTION, Hole.FAULT}),
        ("stop-world-value", "reservation=kept", {Hole.SWITCH}),
        ("stop-world-value", "reservation=zero", {Hole.ALONE}),
        ("monitor-spin", "unlocks=false", {Hole.DEADLOCK, Hole.LEAK}),
        ("pst-remap", "unlocks=false", {Hole.DEADLOCK, Hole.LEAK}),
        ("global-lock", "unlocks=false", {Hole.DEADLOCK, Hole.LEAK}),
        ("tlb-excl", "flush=at-once", {*BY_VALUE, Hole.STORE, Hole.NEIGHBOUR, Hole.RMW_STORE, Hole.SPLIT_STORE}),
        ("qemu-atomicity", "atomicity=ifalign-pair", {Hole.STORE, Hole.TORN_8, Hole.TORN_16}),
        ("hst-htm", "aborts=true", {Hole.LIVELOCK}),
        ("pico-htm", "line=16,barriers_abort=true", {Hole.LIVELOCK}),
        ("hst", "compare=false", {Hole.STORE, Hole.NEIGHBOUR, Hole.ABA_ONE_STORER, Hole.ABA_FAILED_SC}),
    ],
)
def test_an_option_that_adds_a_mistake_adds_its_classes(scheme, wrong, classes):
    """In the data: that a search finds exactly what they say is tested above."""
    of = {variant.options: variant.on("sc") for variant in plugins.resolve(plugins.SCHEMES, scheme).variants}
    assert of[wrong] - of[""] == classes
    assert of[""] < of[wrong]


def test_each_class_is_broken_by_a_scheme_and_none_by_the_ideal_one_but_where_every_attempt_may_fail():
    found = set().union(*(v.on("sc") for name in SCHEMES for v in plugins.resolve(plugins.SCHEMES, name).variants))
    assert found == set(Hole)
    assert plugins.resolve(plugins.SCHEMES, "native").variants[0].on("tso") == set()
    assert plugins.resolve(plugins.SCHEMES, "native").variants[0].on("armv8") == {Hole.LIVELOCK}


def test_a_locked_instruction_and_a_load_linked_get_stuck_alike():
    """The classes have a program for x86 too."""
    for hole in (Hole.DEADLOCK, Hole.LEAK):
        assert [each.program.isa for each in violations(hole)] == ["arm", "x86"]


def test_a_store_of_16_bytes_is_torn_on_each_instruction_set_that_forbids_it():
    """Of AArch64 and x86 an extension does, which the ideal scheme is told."""
    promised = {
        name
        for name, isa in ISAS.items()
        if any(16 in (guarantee.plain, guarantee.pair) for guarantee in isa.guarantees.values())
    }
    assert {each.program.isa for each in violations(Hole.TORN_16)} == promised
    for each in violations(Hole.TORN_16):
        extension = each.needs.options.get("single_copy", "isa")
        told = f"native:single_copy={extension}"
        for scheme, found in (("cas", True), ("native", extension != "isa"), (told, False)):
            report = simaie.explore(each.program, Machine(scheme, address_bits=12), scheduler="dpor", failures=None)
            assert report.complete
            assert is_found(report, Hole.TORN_16) is found


def test_nothing_is_said_of_other_hosts():
    one, two, three = ({hole} for hole in (Hole.SAME_VALUE, Hole.ABA_BY_SC, Hole.STORE))
    variant = Variant("", frozenset(one), reordered=frozenset(two), armv8=frozenset(three))
    torn = {Hole.TORN_16}
    expected = [one | torn, one | two | torn, one | two | three | torn, None]
    assert [variant.on(host) for host in ("sc", "tso", "armv8", "pso")] == expected
    assert variant._replace(whole_16=True).on("sc") == one


def test_every_scheme_says_what_is_expected_of_it():
    """All but those that consist of others, or of a file."""
    silent = [name for name in plugins.names(plugins.SCHEMES) if not plugins.resolve(plugins.SCHEMES, name).variants]
    assert silent == ["compiled", "interrupted", "mixed", "time-sliced"]


def test_pico_cas_is_cas():
    assert plugins.resolve(plugins.SCHEMES, "pico-cas") is plugins.resolve(plugins.SCHEMES, "cas")


# -- the headline cases, with the number of executions that prove or show them -----------------------------


@pytest.mark.parametrize(
    ("scheme", "host", "hole", "executions", "found"),
    [
        ("cas", "sc", Hole.ABA_ONE_STORER, 6, True),
        ("stop-world-value", "sc", Hole.ABA_ONE_STORER, 6, True),
        ("hst", "sc", Hole.ABA_ONE_STORER, 13, False),
        ("hst", "sc", Hole.ABA_TWO_STORERS, 48, True),
        ("hst", "tso", Hole.ABA_ONE_STORER, 14, True),
        ("hst:barrier=st-ld", "tso", Hole.ABA_ONE_STORER, 13, False),
        ("hst:order=store-first,compare=false", "tso", Hole.STORE, 5, True),
        ("hst:order=store-first,compare=false,barrier=st-ld", "tso", Hole.STORE, 4, False),
        ("hst:barriers=full", "tso", Hole.ABA_ONE_STORER, 14, True),
        ("tlib", "sc", Hole.ABA_TWO_STORERS, 12, False),
        ("monitor-spin", "sc", Hole.ABA_BY_SC, 15, False),
        ("monitor-spin", "sc", Hole.ABA_ONE_STORER, 6, True),
        ("pico-st", "sc", Hole.ABA_TWO_STORERS, 16, False),
        ("pico-st:window=split", "sc", Hole.ABA_ONE_STORER, 15, False),
        ("pico-st:window=split", "sc", Hole.ABA_TWO_STORERS, 78, True),
        ("hst-htm", "sc", Hole.ABA_ONE_STORER, 20, False),
        ("hst-htm", "sc", Hole.ABA_TWO_STORERS, 92, True),
        ("pst", "sc", Hole.ABA_TWO_STORERS, 194, False),
        ("pst", "sc", Hole.ABA_FAILED_SC, 78, True),
        ("pst-remap", "sc", Hole.ABA_BY_SC, 49, True),
        ("pst-remap:clears_others=true", "sc", Hole.ABA_BY_SC, 45, False),
        ("tlb-excl", "sc", Hole.STORE, 5, False),
        ("tlb-excl:order=flush-first", "sc", Hole.STORE, 6, True),
        ("tlb-excl:order=load-first", "sc", Hole.STORE, 6, True),
        ("pico-htm", "sc", Hole.ABA_TWO_STORERS, 12, False),
        ("aie-rfc", "sc", Hole.LLSC_RMW, 12, True),
        ("aie-rfc:checked_store_revokes=true", "sc", Hole.LLSC_RMW, 12, False),
    ],
)  # fmt: skip
def test_a_headline_case_takes_this_many_executions(scheme, host, hole, executions, found):
    report = search(scheme, hole, host=host)
    assert report.complete
    assert (report.statistics.executions, is_found(report, hole)) == (executions, found)


def test_an_amo_slips_between_lr_and_sc_on_riscv():
    """The instruction set mixes the two on one word; a checked store that revokes closes the hole."""
    pair = [simaie.ins("lr", 0x100, into="seen"), simaie.ins("sc", 0x100, 1, into="failed")]
    program = simaie.Program(
        "lr-amo-sc", isa="riscv", threads=[pair, [simaie.ins("amoadd", 0x100, 1)]], init={0x100: 0}
    )
    for option, verdict in (("", "violated"), (":checked_store_revokes=true", "holds")):
        machine = Machine(f"aie-rfc{option}", address_bits=12)
        assert simaie.explore(program, machine, scheduler="dpor").verdict == verdict


def test_a_missing_unlock_deadlocks_two_vcpus():
    """With the unlock there is none: no deadlock is an artefact of the model."""
    for option, kinds in (("", set()), (":unlocks=false", {"lock-leak", "deadlock"})):
        report = search(f"pst-remap{option}", Hole.DEADLOCK)
        assert report.complete
        assert {finding.kind for failure in report.kept for finding in failure.findings} == kinds


@pytest.mark.parametrize(("option", "outcomes"), [("", {0}), (":barriers_abort=true", {1})])
def test_a_transaction_with_a_barrier_inside_may_never_commit(option, outcomes):
    code = [simaie.ins("ldrex", 0x100), simaie.ins("dmb"), simaie.ins("strex", 0x100, 1, into="failed")]
    program = simaie.Program("barrier", isa="arm", threads=[code], init={0x100: 0})
    report = simaie.explore(program, Machine(f"pico-htm{option}", address_bits=12), scheduler="dpor")
    assert {dict(outcome.items)["0:failed"] for outcome in report.outcomes} == outcomes


@pytest.mark.parametrize(("line", "fails"), [(64, True), (16, False)])
def test_a_store_to_another_word_of_the_line_aborts_a_transaction(line, fails):
    code = [simaie.ins("ldrex", 0x100), simaie.ins("strex", 0x100, 1, into="failed")]
    program = simaie.Program("line", isa="arm", threads=[code, [simaie.ins("str_", 0x120, 1)]], init={0x100: 0})
    report = simaie.explore(program, Machine(f"pico-htm:line={line}", address_bits=12), scheduler="dpor")
    assert any(dict(outcome.items)["0:failed"] for outcome in report.outcomes) is fails


# -- the parts of the data -----------------------------------------------------------------------------------


def test_the_classes_are_split_by_the_kind_of_guest():
    assert {*LLSC_HOLES, *LOCK_HOLES, *PLAIN_HOLES, *STUCK_HOLES} == set(Hole)
    assert set(LLSC_HOLES) & set(LOCK_HOLES) == {Hole.RMW, Hole.RMW_STORE}
    assert set(LLSC_HOLES) >= BY_VALUE
    assert all(hole.meaning for hole in Hole)


def test_a_class_of_the_other_kind_of_guest_is_refused():
    with pytest.raises(UsageError, match="split-split"):
        violation(Hole.SPLIT)
    with pytest.raises(UsageError, match="aba-by-sc"):
        violation(Hole.ABA_BY_SC, llsc=False)


@pytest.mark.parametrize(
    ("atomicity", "at", "width", "parts"),
    [
        ("ifalign", 0x100, 8, [8]),
        ("ifalign", 0x102, 4, [1, 1, 1, 1]),
        ("ifalign-pair", 0x100, 8, [4, 4]),
        ("ifalign-pair", 0x104, 8, [4, 4]),
        ("ifalign-pair", 0x102, 8, [1] * 8),
        ("within16", 0x106, 8, [8]),
        ("within16", 0x10C, 8, [1] * 8),
        ("within16-pair", 0x106, 8, [8]),
        ("within16-pair", 0x10C, 8, [4, 4]),
        ("within16-pair", 0x10A, 8, [4, 1, 1, 1, 1]),
        ("within16-pair", 0x10E, 8, [1, 1, 1, 1, 4]),
        ("subalign", 0x102, 4, [2, 2]),
        ("subalign", 0x101, 4, [1, 1, 1, 1]),
        ("subalign", 0x108, 4, [4]),
        ("none", 0x100, 4, [1, 1, 1, 1]),
    ],
)
def test_the_parts_of_an_access_that_qemu_keeps_indivisible(atomicity, at, width, parts):
    cut = required_parts(atomicity, at, width)
    assert [size for _, size in cut] == parts
    assert [place for place, _ in cut] == [at + sum(parts[:number]) for number in range(len(parts))]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ("ifalign", True),
        ("within16", False),
        ("within16,host_atomic16=true", False),
        ("subalign", True),
        ("none", True),
    ],
)
def test_a_misaligned_access_within_16_bytes_tears_unless_its_class_forbids_it(options, found):
    """LSE2 of AArch64 promises it, and QEMU needs WITHIN16 for that; a host without such an access runs it alone."""
    store = [simaie.ins("str_", 0x106, -1, width=4)]
    load = [simaie.ins("ldr", 0x106, width=4, into="seen")]
    program = simaie.Program("misaligned", isa="aarch64", threads=[store, load], init={0x100: (0, 16)})
    machine = Machine(f"qemu-atomicity:atomicity={options}", address_bits=12)
    report = simaie.explore(program, machine, scheduler="dpor", checkers=["single-copy-atomicity-lse2"])
    assert (report.verdict == "violated") is found
    kinds = {event.op.kind.name for event in execute(program, machine).events}
    assert ("BEGIN_EXCLUSIVE" in kinds) is (options == "within16")


@pytest.mark.parametrize("scheme", ["hst:order=tag-first", "hst:sc=none", "pico-st:window=no", "tlib:granule=3",
                                    "inline-cas:misses=always", "qemu-atomicity:atomicity=8"])  # fmt: skip
def test_a_wrong_option_is_refused(scheme):
    with pytest.raises(UsageError):
        Machine(scheme).check_options()


def test_a_page_is_protected_by_a_system_call_and_not_from_a_store_buffer():
    """Otherwise `pst` would miss stores on a host with store buffers that no real one misses."""
    for hole in (Hole.ABA_ONE_STORER, Hole.ABA_TWO_STORERS, Hole.SAME_VALUE):
        report = search("pst", hole, host="tso")
        assert report.complete
        assert not is_found(report, hole)
