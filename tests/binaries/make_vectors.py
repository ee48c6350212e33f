"""Writes vectors.txt: functions of one vector instruction each, of A64 and x86-64.

    python tests/binaries/make_vectors.py

A function takes the address of a block of 64 bytes and a number. It loads three vectors from the block (two on x86),
executes the instruction, and stores the first vector at the end of the block. A line has the instruction set, the bytes
of the function, and the assembly of the instruction. The assemblers are those of the Makefile.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

from make_atomics import assembled

HERE = Path(__file__).parent
_A64 = "mov x9, x0\nldp q0, q1, [x0]\nldr q2, [x0, #32]\n{}\nstr q0, [x9, #48]\nret"
_X86 = "mov rax, rsi\nmovdqu xmm0, [rdi]\nmovdqu xmm1, [rdi+16]\n{}\nmovdqu [rdi+48], xmm0\nret"


def _a64() -> Iterator[str]:
    yield from ("ldr q0, [x0, #16]", "str q1, [x0]", "ldp q0, q1, [x0, #16]", "stp q1, q2, [x0]", "ldr d0, [x0, #16]",
                "str d1, [x0]", "ldp d0, d1, [x0, #8]", "stp d1, d2, [x0]", "ldr s0, [x0, #20]", "str s1, [x0, #4]",
                "ldur q0, [x0, #3]", "stur q1, [x0, #3]", "ldr q0, [x0], #16", "ld1 {v0.16b}, [x0]",
                "st1 {v1.16b}, [x0]")  # fmt: skip
    yield from ("dup v0.4s, w1", "dup v0.2d, x1", "dup v0.16b, w1", "dup v0.4s, v1.s[2]", "movi v0.4s, #0",
                "movi v0.2d, #0", "movi v0.4s, #7, lsl #8", "mvni v0.4s, #0", "mov v0.16b, v1.16b", "mov v0.d[1], x1",
                "mov v0.s[2], w1", "mov v0.d[0], v1.d[1]", "umov x0, v0.d[1]", "umov w0, v0.s[2]", "smov x0, v0.h[3]",
                "fmov x0, d1", "fmov d0, x1", "fmov s0, w1", "fmov w0, s1", "fmov v0.d[1], x1")  # fmt: skip
    for name in ("and", "orr", "eor", "bic", "bsl", "bit"):
        yield f"{name} v0.16b, v1.16b, v2.16b"
    names = ("add", "sub", "mul", "addp", "cmeq", "cmhi", "cmgt", "umax", "smin", "umaxp", "sminp", "ushl", "sshl")
    for name, shape in itertools.product(names, ("8b", "8h", "4s")):
        yield f"{name} v0.{shape}, v1.{shape}, v2.{shape}"
    yield from ("add v0.2d, v1.2d, v2.2d", "sub d0, d1, d2", "not v0.8b, v1.8b", "neg v0.4s, v1.4s", "cnt v0.8b, v1.8b",
                "shl v0.4s, v1.4s, #3", "ushr v0.2d, v1.2d, #3", "sshr v0.8h, v1.8h, #3", "cmeq v0.4s, v1.4s, #0",
                "addv s0, v1.4s", "addp d0, v1.2d", "umaxv s0, v1.4s", "sminv b0, v1.16b", "mla v0.4s, v1.4s, v2.4s",
                "ext v0.16b, v1.16b, v2.16b, #5", "ext v0.8b, v1.8b, v2.8b, #3", "zip1 v0.4s, v1.4s, v2.4s",
                "uzp1 v0.8h, v1.8h, v2.8h", "xtn v0.2s, v1.2d", "uxtl v0.2d, v1.2s", "sxtl v0.4s, v1.4h",
                "rev64 v0.16b, v1.16b", "rev32 v0.8h, v1.8h", "tbl v0.16b, {v1.16b}, v2.16b")  # fmt: skip


def _x86() -> Iterator[str]:
    yield from ("movdqu xmm0, [rdi+3]", "movdqu [rdi+3], xmm1", "movups [rdi+16], xmm0", "movdqa xmm0, xmm1",
                "movq xmm0, rax", "movq rax, xmm0", "movd xmm0, eax", "movd eax, xmm1", "movq xmm0, qword ptr [rdi+8]",
                "movq qword ptr [rdi+8], xmm1", "movd xmm0, dword ptr [rdi+4]", "movlps qword ptr [rdi], xmm1",
                "movhps qword ptr [rdi], xmm1", "movhps xmm0, qword ptr [rdi]", "movhlps xmm0, xmm1",
                "movlhps xmm0, xmm1", "pmovmskb eax, xmm0", "pinsrw xmm0, eax, 1", "pextrw eax, xmm0, 5",
                "pinsrq xmm0, rax, 1", "pextrq rax, xmm0, 1")  # fmt: skip
    names = ("pxor", "por", "pand", "pandn", "xorps", "paddb", "paddw", "paddd", "paddq", "psubd", "psubq", "pcmpeqb",
             "pcmpeqd", "pcmpgtd", "punpckldq", "punpcklqdq", "punpckhqdq", "punpcklbw", "unpcklps", "pmuludq",
             "pmulld", "pmaxub", "pminub", "pmaxsd", "pshufb")  # fmt: skip
    yield from (f"{name} xmm0, xmm1" for name in names)
    yield from (f"{name} xmm0, xmm1" for name in ("pmovzxdq", "pmovsxwd", "pmovzxbw", "pabsd"))
    yield from (f"{name} xmm0, 5" for name in ("psrldq", "pslldq", "psrld", "pslld", "psrlq", "psllq", "psrad"))
    yield from ("pshufd xmm0, xmm1, 0x4e", "pshufd xmm0, xmm1, 0xe1", "shufps xmm0, xmm1, 0x88")


def main() -> None:
    """Write the table."""
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for isa, frame, listed in (("aarch64", _A64, _a64), ("x86-64", _X86, _x86)):
            for source in listed():
                lines.append(f"{isa}\t{assembled(isa, frame.format(source), Path(folder)).hex()}\t{source}")
    (HERE / "vectors.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
