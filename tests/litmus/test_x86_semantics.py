"""What x86 instructions compute, against their definitions over the integers."""

from __future__ import annotations

import pytest

from .outcomes import final

WORD = 1 << 32
EDGES = (0, 1, 2, WORD // 2 - 1, WORD // 2, WORD // 2 + 1, WORD - 1)
CODES = ["e", "ne", "b", "ae", "be", "a", "s", "ns", "o", "no", "l", "ge", "le", "g"]


def signed(value: int) -> int:
    return value - WORD if value >= WORD // 2 else value


def conditions(a: int, b: int, operation: str) -> dict[str, bool]:
    """The conditions after ``a operation b``, each by what it says in words of the exact result."""
    exact, exact_signed = {
        "add": (a + b, signed(a) + signed(b)),
        "sub": (a - b, signed(a) - signed(b)),
        "and": (a & b, signed(a & b)),
        "xor": (a ^ b, signed(a ^ b)),
    }[operation]
    carry, overflow = not 0 <= exact < WORD, exact_signed != signed(exact % WORD)
    zero, negative = exact % WORD == 0, exact % WORD >= WORD // 2
    less = negative != overflow
    positive = {"e": zero, "b": carry, "be": carry or zero, "s": negative, "o": overflow, "l": less}
    positive["le"] = less or zero
    opposites = {"e": "ne", "b": "ae", "be": "a", "s": "ns", "o": "no", "l": "ge", "le": "g"}
    return positive | {opposites[code]: not holds for code, holds in positive.items()}


@pytest.mark.parametrize(
    ("instruction", "operation"),
    [
        ("cmpl %ebx,%eax", "sub"),
        ("subl %ebx,%eax", "sub"),
        ("addl %ebx,%eax", "add"),
        ("testl %ebx,%eax", "and"),
        ("xorl %ebx,%eax", "xor"),
        ("addl %ebx,(m)", "add"),
        ("lock subl %ebx,(m)", "sub"),
        ("lock xaddl %ebx,(m)", "add"),
        ("cmpxchgl %ecx,%ebx", "sub"),
    ],
)
def test_every_condition_after_every_arithmetic_instruction(instruction: str, operation: str) -> None:
    """SETcc shows all 14 conditions that can be asked, at the edges of the signed and unsigned ranges."""
    shown = "".join(f" set{code} (c{code}) ;\n" for code in CODES)
    wanted = " ".join(f"c{code};" for code in CODES)
    for a in EDGES:
        for b in EDGES:
            init = f"uint64_t 0:rax={a}; uint64_t 0:rbx={b}; uint32_t m={a};"
            state = final(f" {instruction} ;\n{shown}", wanted, init)
            want = conditions(a, b, operation)
            assert {code: bool(state[f"c{code}"]) for code in CODES} == want, (instruction, a, b)


@pytest.mark.parametrize("instruction", ["incl %eax", "incl (m)", "lock incl (m)", "decl %eax", "decl (m)"])
def test_inc_and_dec_leave_the_carry_alone(instruction: str) -> None:
    """And set the other flags as an addition or subtraction of 1 does."""
    operation = "add" if "inc" in instruction else "sub"
    for a in EDGES:
        for carry in (0, 1):
            init = f"uint64_t 0:rax={a}; uint32_t m={a}; uint64_t 0:rdx={carry};"
            rows = f" btl $0,%edx ;\n {instruction} ;\n setb (c) ;\n sete (z) ;\n seto (o) ;\n setl (l) ;"
            state = final(rows, "c; z; o; l;", init)
            want = conditions(a, 1, operation)
            assert state == {"c": carry, "z": want["e"], "o": want["o"], "l": want["l"]}


@pytest.mark.parametrize(
    ("rows", "rax"),
    [
        (" movb $-1,%al ;", 0x1122334455667_7FF),
        (" movb $0,%ah ;", 0x11223344556600_88),
        (" movw $5,%ax ;", 0x112233445566_0005),
        (" movl $5,%eax ;", 5),
        (" movq $-1,%rax ;", (1 << 64) - 1),
        (" movb %ah,%al ;", 0x11223344556677_77),
        (" movzbl %ah,%eax ;", 0x77),
        (" movsbq %al,%rax ;", (1 << 64) - 0x78),
        (" movslq %eax,%rax ;", 0x55667788),
        (" notb %ah ;", 0x112233445566_8888),
        (" negw %ax ;", 0x112233445566_8878),
        (" shlq $4,%rax ;", 0x1223344556677880),
        (" shrl $4,%eax ;", 0x05566778),
        (" sarb $3,%al ;", 0x11223344556677_F1),
        (" xchgb %al,%ah ;", 0x112233445566_8877),
        (" btsq $63,%rax ;", 0x9122334455667788),
        (" btrl $31,%eax ;\n btcl $0,%eax ;", 0x55667789),
        (" leaq -8(%rax,%rax,2),%rax ;", (0x1122334455667788 * 3 - 8) % (1 << 64)),
    ],
)
def test_parts_of_a_register(rows: str, rax: int) -> None:
    """Writes of 8 and 16 bits leave the rest, writes of 32 bits clear it."""
    start = "uint64_t 0:rax=0x1122334455667788;"
    assert final(rows, "0:rax;", start) == {"0:rax": rax}


def test_cmov_and_cmpxchg_of_registers() -> None:
    """CMOVcc moves if the condition holds; CMPXCHG compares with the accumulator."""
    rows = " cmpl $3,%eax ;\n cmovbl %ebx,%ecx ;\n cmovael %ebx,%edx ;\n cmpxchgl %ebx,%esi ;"
    init = "0:rax=2; 0:rbx=7; 0:rcx=8; 0:rdx=9; 0:rsi=2;"
    state = final(rows, "0:rax; 0:rcx; 0:rdx; 0:rsi;", init)
    assert state == {"0:rax": 2, "0:rcx": 7, "0:rdx": 9, "0:rsi": 7}


def test_intel_order() -> None:
    """The 32-bit dialect has the destination first."""
    rows = " MOV EAX,$5 ;\n SUB EAX,$2 ;\n ADD [x],EAX ;\n MOV BL,AL ;\n MOVZX ECX,BL ;\n CMP EAX,ECX ;\n SETE DL ;"
    state = final(rows, "x; 0:EAX; 0:EBX; 0:ECX; 0:EDX;", "0:EBX=0x100;", arch="X86")
    assert state == {"x": 3, "0:EAX": 3, "0:EBX": 0x103, "0:ECX": 3, "0:EDX": 1}


@pytest.mark.parametrize("lock", ["", "lock "])
@pytest.mark.parametrize(
    ("instruction", "ecx", "words"),
    [
        ("btsl %ecx,(t)", 37, (0, 32)),
        ("btsl %ecx,4(t)", -32, (1, 0)),
        ("btsl $37,(t)", 0, (32, 0)),
        ("btsw %cx,(t)", 16 + 3, (1 << 19, 0)),
        ("btsq %rcx,(t)", 33, (0, 2)),
        ("btcl %ecx,(t)", 62, (0, 1 << 30)),
    ],
)
def test_a_bit_offset_in_a_register_reaches_other_words_in_memory(
    lock: str, instruction: str, ecx: int, words: tuple[int, int]
) -> None:
    """The constant wraps at the width; so do both forms on a register."""
    rows = f" {lock}{instruction} ;\n movl (t),%eax ;\n movl 4(t),%ebx ;"
    state = final(rows, "0:rax; 0:rbx;", f"int t[2]={{0,0}}; uint64_t 0:rcx={ecx};")
    assert state == {"0:rax": words[0], "0:rbx": words[1]}


def test_a_bit_offset_in_a_register_wraps_on_a_register() -> None:
    """BT puts the bit into the carry, of memory too."""
    rows = " btsl %ecx,%eax ;\n btl %ecx,(t) ;\n setb %bl ;\n btl %ecx,%eax ;\n setb %dl ;\n btrl %ecx,%eax ;"
    init = "int t[2]={0,32}; uint64_t 0:rcx=37; uint64_t 0:rax=1; uint64_t 0:rbx=0; uint64_t 0:rdx=0;"
    state = final(rows, "0:rax; 0:rbx; 0:rdx;", init)
    assert state == {"0:rax": 1, "0:rbx": 1, "0:rdx": 1}
