"""From a litmus test to a program: what is refused and where, addresses, loops, what becomes the outcome."""

from __future__ import annotations

from itertools import pairwise

import pytest

from simaie.errors import UsageError
from simaie.exploration.litmus import explore_litmus
from simaie.litmus import parse
from simaie.litmus.lowering import UnsupportedError, lower
from simaie.machine import Machine

COUNTING = """X86_64 counting
{{uint64_t 0:rbx={limit}; uint64_t n={limit};}}
 P0;
 L: addq $1,%rax;
 {body}
 cmpq {bound},%rax;
 jne L;
 movq $1,(done);
exists (0:rax=0)
"""


def refused(text: str) -> UnsupportedError:
    with pytest.raises(UnsupportedError) as caught:
        lower(parse(text, "t.litmus"))
    return caught.value


@pytest.mark.parametrize(
    "cell",
    [
        "frobnicate (x)", "rep movl $1,(x)", "lock movl $1,(x)", "lock addl $1,%eax", "movl (x),(y)", "movl $1", "movl",
        "addl %rax,%ebx", "xchgl $1,(x)", "xaddl $1,(x)", "pushq %rax", "shll %ecx,%eax", "btb %al,(x)", "setp %al",
        "movzlq %eax,%rax", "movzbl %eax,%ecx", "leaq %rax,%rbx", "movq %rip,%rax", "mfence (x)", "nop %eax",
        "movnti %eax,(x)", "cmpxchg8b %rax", "sete %eax",
    ],
)  # fmt: skip
def test_an_instruction_that_is_not_simulated_is_refused_where_it_stands(cell: str) -> None:
    """With the file, the line and the column, and the instruction as written; nothing is guessed."""
    error = refused(f"X86_64 t\n{{}}\n P0 | P1 ;\n nop | {cell} ;\nexists (x=1)\n")
    assert (error.file, error.line, error.column) == ("t.litmus", 4, 8)
    assert cell.removeprefix("lock ").removeprefix("rep ").split()[0] in error.problem


@pytest.mark.parametrize(("arch", "cell"), [("X86", "MOVNTI [x],EAX"), ("X86_64", "movntil %eax,(x)")])
def test_a_non_temporal_store_is_refused_without_a_suggestion_of_an_ordered_one(arch: str, cell: str) -> None:
    problem = refused(f"{arch} t\n{{}}\n P0 ;\n {cell} ;\nexists (x=1)\n").problem
    assert "did you mean" not in problem


@pytest.mark.parametrize(
    ("init", "final", "place"),
    [
        ("0:rip=1;", "exists (x=1)", (2, 2)),
        ("", "exists (x=1 /\\ 0:eflags=0)", (5, 16)),
        ("", "locations [0:rip;]", (5, 12)),
        ("", "filter 0:rip=0 exists (x=1)", (5, 8)),
        ("".join(f"__int128 t{n}[4096];" for n in range(17)), "", None),
        ('0:rax=instr:"nop";', "", (2, 2)),
        ("", 'exists (0:rax=instr:"nop")', (5, 9)),
    ],
)
def test_a_question_or_a_beginning_that_is_not_simulated(init: str, final: str, place: tuple[int, int] | None) -> None:
    """Registers that nobody keeps, instructions as values, and more memory than there is."""
    error = refused(f"X86_64 t\n{{{init}}}\n P0 ;\n L: nop ;\n{final}\n")
    assert place is None or (error.line, error.column) == place


@pytest.mark.parametrize(
    ("arch", "cell", "name"),
    [
        ("X86", "MOV EAX,EQX", "EQX"), ("X86", "MOV EQX,EAX", "EQX"), ("X86", "ADD EAX,EQX", "EQX"),
        ("X86_64", "xchgq $1,%rax", ""), ("ARM", "MOV R1,R16", "R16"), ("ARM", "LDR R16,[R1]", "R16"),
        ("AArch64", "MOV W0,W32", "W32"), ("AArch64", "LDR X32,[X0]", "X32"), ("RISCV", "lw x32,0(x1)", "x32"),
        ("RISCV", "add x1,x2,x32", "x32"), ("PPC", "lwz r32,0(r1)", "r32"), ("MIPS", "li $2,v9", "v9"),
    ],
)  # fmt: skip
def test_an_operand_that_names_nothing_is_refused_with_what_could_stand_there(arch: str, cell: str, name: str) -> None:
    """A misspelt register is not taken for a location that nothing else names."""
    error = refused(f"{arch} t\n{{}}\n P0 | P1 ;\n nop | {cell} ;\nexists (x=1)\n")
    assert (error.file, error.line, error.column) == ("t.litmus", 4, 8)
    assert repr(name) in error.problem or not name
    assert "a register" in error.expected


def test_a_location_that_the_test_names_is_an_operand_by_itself() -> None:
    """Its address, as in the tests of herd7 that have it so."""
    for init, final in (("x=1", "0:EAX=x"), ("", "(0:EAX=x /\\ x=0)")):
        result = explore_litmus(parse(f"X86 t\n{{{init}}}\n P0;\n MOV EAX,x;\nexists {final}\n"))
        assert result.verdict.observation == "Always"


@pytest.mark.parametrize(
    ("arch", "cell", "meant"),
    [("X86", "MVO EAX,[x]", "mov"), ("PPC", "lzw r1,0(r2)", "lwz"), ("ARM", "LDRR R1,[R2]", "ldr")],
)
def test_the_nearest_mnemonic_is_suggested(arch: str, cell: str, meant: str) -> None:
    """Of those that the architecture has here."""
    assert f"did you mean {meant!r}?" in refused(f"{arch} t\n{{}}\n P0;\n {cell};\n").problem


@pytest.mark.parametrize("host", ["sc", "tso", "pso"])
def test_a_store_to_where_no_location_is_is_refused_when_it_drains_too(host: str) -> None:
    """On a host whose store buffers are actors of their own."""
    stray = parse("X86 t\n{0:EBX=4096;}\n P0;\n MOV [EBX],$1;\nexists (x=0)\n", "t.litmus")
    with pytest.raises(UnsupportedError, match="P0 cannot be run") as caught:
        explore_litmus(stray, Machine("native", host=host))
    assert caught.value.line == 4


def test_an_access_to_where_no_location_is_is_refused() -> None:
    """It has no meaning in a litmus test: a register was taken for a pointer."""
    test = parse("X86_64 t\n{}\n P0 | P1;\n movq (%rax),%rbx | movq $1,(x);\nexists (0:rbx=0)\n", "t.litmus")
    with pytest.raises(UnsupportedError, match=r"t.litmus:4:2: P0 .*0x0"):
        explore_litmus(test)


@pytest.mark.parametrize("limit", range(1, 6))
@pytest.mark.parametrize("rounds", range(5))
@pytest.mark.parametrize("body", ["", "movq %rax,(x);"])
def test_a_label_is_gone_back_to_so_many_times_and_no_more(limit: int, rounds: int, body: str) -> None:
    """A loop of `limit` turns, read from memory, goes back limit - 1 times; one that may not ends its thread."""
    text = COUNTING.format(limit=limit, body=body, bound="(n)")
    result = explore_litmus(parse(text), rounds=rounds)
    done = limit - 1 <= rounds
    assert result.states == (((("0:rax", limit),),) if done else ())
    assert result.bounded is not done
    assert result.complete


@pytest.mark.parametrize("limit", [1, 2, 5, 300])
@pytest.mark.parametrize("rounds", [0, 2])
@pytest.mark.parametrize("body", ["", "movq %rax,(x);"])
def test_a_loop_on_a_constant_runs_to_its_end(limit: int, rounds: int, body: str) -> None:
    """However few rounds other loops are allowed: no instruction that reads decides over it."""
    result = explore_litmus(parse(COUNTING.format(limit=limit, body=body, bound="%rbx")), rounds=rounds)
    assert result.states == ((("0:rax", limit),),)
    assert result.complete_states


@pytest.mark.parametrize("body", ["", "movq %rax,(x);"])
def test_a_loop_on_a_constant_that_never_ends_is_cut(body: str) -> None:
    """And that is said."""
    text = f"X86_64 t\n{{}}\n P0;\n L: addq $2,%rax;\n {body}\n cmpq $5,%rax;\n jne L;\nexists (0:rax=0)\n"
    result = explore_litmus(parse(text))
    assert (result.states, result.bounded, result.conclusive) == ((), True, False)


@pytest.mark.parametrize(
    "test",
    [
        "movq (x),%rbx;\n cmpq $0,%rbx;\n je M;\n addq $9,%rcx;\n M: nop",
        "movq (x),%rcx",
        "movq (x),%rcx;\n addq $1,%rcx",
    ],
    ids=["a branch decides", "it is read", "it is computed from what is read"],
)
def test_a_loop_on_what_depends_on_memory_is_cut(test: str) -> None:
    """Even where it happens to end: another store would make it another number of rounds."""
    text = f"X86_64 t\n{{}}\n P0;\n {test};\n L: addq $1,%rcx;\n cmpq $9,%rcx;\n jne L;\nexists (0:rcx=9)\n"
    result = explore_litmus(parse(text))
    assert (result.states, result.bounded) == ((), True)


def test_nested_and_crossing_loops_end() -> None:
    """Every label has a count of its own, which starts once: there is an end whatever the shape."""
    rows = "A: nop;\n B: movl $1,(x);\n cmpl $0,%eax;\n je B;\n C: jmp A;\n D: jne C;\n jmp D;\n"
    result = explore_litmus(parse(f"X86_64 t\n{{}}\n P0;\n {rows}exists (x=1)\n"), rounds=40)
    assert (result.states, result.bounded, result.conclusive) == ((), True, False)


SPINNING = (
    "X86 t\n{}\n P0 | P1;\n L: MOV EAX,[x] | MOV [y],$1;\n %sCMP EAX,$0 | MOV [x],$1;\n JE L | ;\n MOV EBX,[y] | ;\n"
)


def test_a_thread_that_counts_its_rounds_is_cut_where_the_other_is_late() -> None:
    """The states are those of the executions that ended, and the answer `never` is not sure."""
    text = SPINNING % "ADD ECX,$1 | ;\n "
    never = explore_litmus(parse(text + "exists (0:EBX=0)\n"))
    assert (never.states, never.verdict.answer, never.bounded, never.conclusive) == ((
        (("0:EBX", 1),),), "No", True, False)  # fmt: skip
    assert explore_litmus(parse(text + "exists (0:EBX=1)\n")).conclusive
    assert not explore_litmus(parse(text + "forall (0:EBX=1)\n")).conclusive
    assert explore_litmus(parse(text + "forall (0:EBX=0)\n")).conclusive


@pytest.mark.parametrize("rounds", [0, 2])
@pytest.mark.parametrize("host", ["sc", "tso", "pso"])
def test_a_thread_that_only_looks_waits_for_the_other_and_the_answer_is_sure(host: str, rounds: int) -> None:
    """Message passing is decided in a handful of executions, however many rounds a loop is allowed."""
    text = SPINNING % "" + "exists (0:EBX=0)\n"
    result = explore_litmus(parse(text), Machine("native", host=host), rounds=rounds)
    assert result.states == (((("0:EBX", 0),), (("0:EBX", 1),)) if host == "pso" else ((("0:EBX", 1),),))
    assert (result.complete_states, result.verdict.observation) == (True, "Sometimes" if host == "pso" else "Never")
    assert result.executions <= 20


#: The loop, the two stores of the other thread, and the registers, of which the first is initialised in both threads.
SPINS = {
    "AArch64": (
        ["L: LDR W0,[X1]", "CMP W0,#2", "B.NE L"], ["STR W0,[X1]", "STR W2,[X1]"], "{r}:X1=x; 1:X0=1; 1:X2=2;",
    ),
    "ARM": (["L: LDR R0,[R1]", "CMP R0,#2", "BNE L"], ["STR R0,[R1]", "STR R2,[R1]"], "{r}:R1=x; 1:R0=1; 1:R2=2;"),
    "RISCV": (
        ["L: lw x5,0(x6)", "bne x5,x7,L", ""], ["sw x5,0(x6)", "sw x7,0(x6)"], "{r}:x6=x; 0:x7=2; 1:x5=1; 1:x7=2;",
    ),
    "PPC": (["L: lwz r5,0(r6)", "cmpwi r5,2", "bne L"], ["stw r5,0(r6)", "stw r7,0(r6)"], "{r}:r6=x; 1:r5=1; 1:r7=2;"),
    "MIPS": (
        ["L: lw $5,0($6)", "bne $5,$7,L", "nop"], ["sw $5,0($6)", "sw $7,0($6)"], "{r}:$6=x; 0:$7=2; 1:$5=1; 1:$7=2;",
    ),
}  # fmt: skip


@pytest.mark.parametrize("arch", SPINS)
def test_spins_of_every_architecture_are_waits(arch: str) -> None:
    """Load, compare and branch, as each writes it; the value comes after another that the loop does not end at."""
    reader, writer, init = SPINS[arch]
    init = init.replace("{r}", "0", 1) + init[: init.index(";") + 1].replace("{r}", "1")
    rows = "".join(f" {a} | {b} ;\n" for a, b in zip(reader, [*writer, ""], strict=True))
    register = {"AArch64": "X0", "ARM": "R0", "RISCV": "x5", "PPC": "r5", "MIPS": "$5"}[arch]
    result = explore_litmus(parse(f"{arch} t\n{{{init}}}\n P0 | P1 ;\n{rows}exists (0:{register}=2)\n"))
    assert result.complete_states
    assert result.verdict.observation == "Always"
    assert result.executions <= 20


def test_a_negative_number_of_rounds() -> None:
    """Is a mistake of the caller."""
    with pytest.raises(UsageError, match="rounds"):
        lower(parse("X86_64 t\n{}\n P0;\n nop;\n"), rounds=-1)


def test_locations_do_not_share_a_line_and_cells_of_an_array_are_neighbours() -> None:
    """64 bytes apart or more; a cell is as wide as its type."""
    layout = lower(parse("X86_64 t\n{char c; int t[40]; uint64_t u;}\n P0;\n movl $1,(z);\nlocations [t; c;]\n")).layout
    found = sorted(layout.addresses.values())
    assert all(b - a >= 64 for a, b in pairwise(found))
    assert layout.addresses["u"] - layout.addresses["t"] >= 160
    cells = [f"t[{i}]" if i else "t" for i in range(40)]
    assert [layout.name_of(layout.addresses["t"] + 4 * i) for i in range(40)] == cells
    assert layout.name_of(layout.addresses["t"] + 160) is None
    assert layout.name_of(layout.addresses["t"] + 2) is None


def test_the_outcome_is_what_the_question_names_and_nothing_else() -> None:
    """Registers, memory, and what only the filter looks at."""
    text = "X86_64 t\n{y=2;}\n P0;\n movl $1,(x);\n movl $5,%eax;\nlocations [0:rcx;]\nfilter y=2\nexists (x=1)\n"
    lowered = lower(parse(text))
    result = explore_litmus(parse(text))
    assert result.states == ((("0:rcx", 0), ("x", 1)),)
    assert lowered.program.watch.keys() == {lowered.layout.addresses["x"], lowered.layout.addresses["y"]}


@pytest.mark.parametrize(
    ("ctype", "value", "held"),
    [
        ("int", -1, -1),
        ("uint32_t", -1, 0xFFFFFFFF),
        ("uint8_t", 300, 44),
        ("int64_t", 1 << 63, -(1 << 63)),
        ("char", 200, -56),
    ],
)
def test_a_location_holds_what_its_type_makes_of_a_value(ctype: str, value: int, held: int) -> None:
    """Modulo its width, and signed unless it is declared unsigned."""
    result = explore_litmus(parse(f"X86_64 t\n{{{ctype} x={value};}}\n P0;\n nop;\nexists (x={value})\n"))
    assert (result.states, result.verdict.observation) == (((("x", held),),), "Always")


def test_addresses_are_compared_as_addresses() -> None:
    """A number is no address, and an address no number that a test would have."""
    text = "X86_64 t\n{0:rax=x; 0:rdx=x; 0:rbx=t[1]; int t[2]; *p=y;}\n P0;\n nop;\n"
    for prop, holds in {
        "0:rax=x": True, "0:rax=y": False, "0:rcx=x": False, "0:rbx=t[1]": True, "p=y": True, "0:rax=0": False,
        "0:rax=0:rdx": True, "0:rax=p": False, "0:rbx=0:rdx": False,
    }.items():  # fmt: skip
        assert (explore_litmus(parse(f"{text}exists ({prop})\n")).verdict.answer == "Ok") is holds, prop
