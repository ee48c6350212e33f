"""Writes vectors.txt: functions of one vector instruction each, of A64, A32, T32, x86-64 and i386.

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
#: Of A32 and T32 the first two vectors are stored, since some instructions change both, and how far the base moved.
_A32 = "mov r3, r0\nmov r2, #8\nvld1.64 {{d0-d3}}, [r0]!\nvld1.64 {{d4-d5}}, [r0]\nmov r0, r3\n{}\n" \
    "sub r0, r0, r3\nadd r0, r0, r1\nadd r3, r3, #32\nvst1.64 {{d0-d3}}, [r3]\nbx lr"
_X86 = "mov rax, rsi\nmovdqu xmm0, [rdi]\nmovdqu xmm1, [rdi+16]\n{}\nmovdqu [rdi+48], xmm0\nret"
_I386 = "push edi\nmov edi, [esp+8]\nmov eax, [esp+12]\nmovdqu xmm0, [edi]\nmovdqu xmm1, [edi+16]\n{}\n" \
    "movdqu [edi+48], xmm0\npop edi\nret"


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


def _i386() -> Iterator[str]:
    """Those of x86-64 without 64-bit registers."""
    for source in _x86():
        if "rax" not in source:
            yield source.replace("rdi", "edi")


def _a32() -> Iterator[str]:
    yield from ("vld1.32 {d0-d1}, [r0]", "vld1.8 {d0}, [r0]!", "vld1.64 {d0-d3}, [r0]", "vst1.32 {d2-d3}, [r0]",
                "vldr d0, [r0, #8]", "vstr d3, [r0, #8]", "vldr s0, [r0, #8]", "vstr s5, [r0, #8]",
                "vldmia r0!, {d0-d3}", "vstmia r0, {d1-d3}", "vmov q0, q1", "vmov d0, d3", "vmov r1, r2, d0",
                "vmov d0, r1, r1", "vmov s0, r1", "vmov r1, s3", "vmov.32 d0[1], r1", "vmov.32 r1, d0[1]",
                "vmov.u8 r1, d0[3]", "vmov.s16 r1, d0[1]", "vmov.8 d0[3], r1", "vdup.32 q0, r1", "vdup.8 q0, r1",
                "vdup.16 d0, r1")  # fmt: skip
    yield from (f"v{name} q0, q1, q2" for name in ("and", "orr", "eor", "bic", "orn", "bsl", "bit", "bif"))
    yield from ("vmov.i32 q0, #0", "vmov.i32 q0, #7", "vmov.i32 d0, #0x700", "vmov.i16 q0, #0x900", "vmov.i8 q0, #9",
                "vmov.i32 q0, #0x7ff", "vmov.i32 q0, #0x7ffff", "vmov.i64 d0, #0xff00ff00ff00ff00", "vmvn.i32 q0, #0",
                "vmvn.i32 q0, #0x5ff", "vorr.i32 q0, #1", "vbic.i16 d0, #0x300", "vmvn q0, q1", "vswp d0, d3")
    names = ("add.i", "sub.i", "mul.i", "mla.i", "mls.i", "tst.", "ceq.i", "cgt.u", "cgt.s", "cge.s", "max.u", "min.s",
             "abd.u", "abd.s", "aba.s", "hadd.s", "rhadd.u", "hsub.s", "shl.u", "shl.s")  # fmt: skip
    for name, lane in itertools.product(names, (8, 16, 32)):
        yield f"v{name}{lane} q0, q1, q2"
    yield from ("vadd.i64 q0, q1, q2", "vsub.i64 d0, d1, d2", "vshl.u64 q0, q1, q2", "vadd.i32 d0, d3, d4")
    for name, lane in itertools.product(("add.i", "max.u", "max.s", "min.u"), (8, 16, 32)):
        yield f"vp{name}{lane} d0, d3, d4"
    for name in ("ceq.i8", "cgt.s16", "cge.s32", "cle.s8", "clt.s32"):
        yield f"v{name} q0, q1, #0"
    yield from ("vshl.i32 q0, q1, #3", "vshl.i64 q0, q1, #33", "vshr.u32 q0, q1, #3", "vshr.s8 q0, q1, #8",
                "vshr.u64 d0, d3, #64", "vsra.u16 q0, q1, #3", "vsra.s64 q0, q1, #9", "vsri.32 q0, q1, #5",
                "vsli.16 d0, d3, #5", "vshrn.i64 d0, q1, #3", "vshrn.i16 d0, q1, #8", "vshll.u32 q0, d2, #3",
                "vshll.s8 q0, d3, #7", "vshll.i16 q0, d3, #16", "vmovl.u32 q0, d2", "vmovl.s16 q0, d3",
                "vmovn.i64 d0, q1", "vmovn.i16 d0, q2")  # fmt: skip
    yield from ("vaddl.u32 q0, d2, d4", "vaddl.s8 q0, d2, d4", "vaddw.u16 q0, q1, d4", "vsubl.s32 q0, d2, d4",
                "vsubw.s8 q0, q1, d4", "vmull.u32 q0, d2, d4", "vmull.s16 q0, d2, d4", "vmlal.u8 q0, d2, d4",
                "vmlsl.s32 q0, d2, d4", "vabdl.s8 q0, d2, d4", "vabal.u16 q0, d2, d4", "vmul.i32 q0, q1, d4[1]",
                "vmla.i16 q0, q1, d4[3]", "vmls.i32 d0, d3, d4[0]", "vmull.s16 q0, d3, d4[2]",
                "vmlal.u32 q0, d3, d4[1]")  # fmt: skip
    yield from ("vext.8 q0, q1, q2, #5", "vext.8 d0, d1, d2, #3", "vzip.32 q0, q1", "vuzp.16 q0, q1", "vtrn.32 d0, d3",
                "vzip.8 d0, d3", "vtrn.8 q0, q1", "vrev64.8 q0, q1", "vrev64.32 q0, q1", "vrev32.16 q0, q1",
                "vrev16.8 d0, d3", "vcnt.8 q0, q1", "vclz.i32 q0, q1", "vclz.i8 d0, d3", "vneg.s32 q0, q1",
                "vabs.s8 q0, q1", "vpaddl.u32 q0, q1", "vpaddl.s8 d0, d3", "vpadal.s16 q0, q1",
                "vtbl.8 d0, {d1}, d4", "vtbl.8 d0, {d1-d3}, d4", "vtbx.8 d0, {d2-d3}, d4", "vdup.32 q0, d3[1]",
                "vdup.8 d0, d3[5]")  # fmt: skip
    yield from ("vld1.32 {d0[1]}, [r0]", "vld1.8 {d0[5]}, [r0]!", "vst1.16 {d3[2]}, [r0], r2", "vld1.32 {d0[]}, [r0]",
                "vld1.8 {d0[],d1[]}, [r0]", "vld2.32 {d0-d1}, [r0]", "vld2.8 {d0-d3}, [r0]!", "vst2.16 {d2-d3}, [r0]",
                "vld2.16 {d0,d2}, [r0]", "vld3.8 {d0-d2}, [r0]", "vst3.32 {d1,d3,d5}, [r0]", "vld4.16 {d0-d3}, [r0]",
                "vst4.8 {d2-d5}, [r0]", "vld2.32 {d0[1],d1[1]}, [r0]", "vst3.16 {d1[1],d3[1],d5[1]}, [r0]!",
                "vld4.8 {d0[],d1[],d2[],d3[]}, [r0]", "vld2.16 {d0[],d2[]}, [r0]!")  # fmt: skip


def main() -> None:
    """Write the table."""
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for isa, frame, listed in (
            ("aarch64", _A64, _a64), ("x86-64", _X86, _x86), ("arm", _A32, _a32), ("thumb", _A32, _a32),
            ("i386", _I386, _i386),
        ):  # fmt: skip
            for source in listed():
                lines.append(f"{isa}\t{assembled(isa, frame.format(source), Path(folder)).hex()}\t{source}")
    (HERE / "vectors.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
