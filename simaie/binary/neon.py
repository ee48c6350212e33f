"""The vector instructions of A32 and T32 as operations (Arm ARM DDI 0406C, A7.4 and A7.7).

Sleigh's specification says too little of them, or something else: it does not tell signed lanes from unsigned ones,
takes VREV64 for a conversion, and confuses registers with memory in accesses of one lane. So they never reach Sleigh.
Floating point and saturating arithmetic are not here.
"""

from __future__ import annotations

from collections.abc import Mapping

from simaie.binary.lanes import joined
from simaie.binary.neon_memory import accesses
from simaie.binary.neon_rules import PREFIX
from simaie.binary.operations import Lifted, Operation, Varnode

__all__ = ["vector_of_arm"]

_Made = tuple[str, list[Operation]] | None
#: Three registers of the same length: (bits 11 to 8, bit 4) -> operations by U; ``?`` stands for the sign of the lanes.
_SAME: Mapping[tuple[int, int], tuple[str, str]] = {
    (0, 0): ("hadd?", "hadd?"), (1, 0): ("rhadd?", "rhadd?"), (2, 0): ("hsub?", "hsub?"),
    (3, 0): ("cgt?", "cgt?"), (3, 1): ("cge?", "cge?"), (4, 0): ("shl?", "shl?"),
    (6, 0): ("max?", "max?"), (6, 1): ("min?", "min?"), (7, 0): ("abd?", "abd?"), (7, 1): ("aba?", "aba?"),
    (8, 0): ("add", "sub"), (8, 1): ("tst", "ceq"), (9, 0): ("mla", "mls"), (9, 1): ("mul", ""),
    (10, 0): ("pmax?", "pmax?"), (10, 1): ("pmin?", "pmin?"), (11, 1): ("padd", ""),
}  # fmt: skip
_ACCUMULATE = frozenset({"aba", "mla", "mls"})
_LOGIC = ("and", "bic", "orr", "orn", "eor", "bsl", "bit", "bif")
#: Different lengths: bits 11 to 8 -> the operation on extended lanes.
_LONG = {0: "add", 1: "add", 2: "sub", 3: "sub", 5: "aba", 7: "abd", 8: "mla", 10: "mls", 12: "mul"}
_WIDE = (1, 3)
#: By a scalar: bits 11 to 8 -> the operation, and whether its result is longer.
_BY_SCALAR = {0: ("mla", False), 2: ("mla", True), 4: ("mls", False), 6: ("mls", True), 8: ("mul", False),
              10: ("mul", True)}  # fmt: skip
_AGAINST_ZERO = {0: ("cgt", 0), 1: ("cge", 0), 2: ("ceq", 0), 3: ("cge", 1), 4: ("cgt", 1)}


def vector_of_arm(code: bytes, registers: Mapping[str, Varnode], *, thumb: bool) -> Lifted | None:
    """Return a vector instruction; None for any other, and for one that is not modelled.

    Args:
        code: The instruction.
        registers: The registers, by name.
        thumb: Whether it is Thumb.
    """
    word = _of_a32(code, thumb=thumb)
    if word is None:
        return None
    made = accesses(word, registers) if word >> 24 == 0xF4 else _Data(word, registers).made()
    return None if made is None else Lifted(4, made[0], made[0], tuple(made[1]))


def _of_a32(code: bytes, *, thumb: bool) -> int | None:
    """Return the word of a vector instruction as A32 has it; None for any other instruction."""
    if not thumb:
        word = int.from_bytes(code[:4], "little")
        return word if word >> 25 == 0b1111001 or (word >> 24 == 0xF4 and not word >> 20 & 1) else None
    word = int.from_bytes(code[:2], "little") << 16 | int.from_bytes(code[2:4], "little")
    if word >> 24 & 0xEF == 0xEF:
        return 0xF200_0000 | word >> 28 << 24 & 0x0100_0000 | word & 0xFF_FFFF
    return 0xF400_0000 | word & 0xFF_FFFF if word >> 24 == 0xF9 and not word >> 20 & 1 else None


class _Data:
    """A data-processing instruction."""

    def __init__(self, word: int, registers: Mapping[str, Varnode]) -> None:
        self._word, self._registers = word, registers
        self._u, self._quad = word >> 24 & 1, word >> 6 & 1
        self._lane = 1 << (word >> 20 & 3)
        self._d = (word >> 22 & 1) << 4 | word >> 12 & 15
        self._n = (word >> 7 & 1) << 4 | word >> 16 & 15
        self._m = (word >> 5 & 1) << 4 | word & 15

    def made(self) -> _Made:
        """Return the mnemonic and the operations; None if it is not modelled."""
        word = self._word
        if not word >> 23 & 1:
            return self._same()
        if word >> 4 & 1:
            immediate = not word >> 7 & 1 and not word >> 19 & 7
            return self._immediate() if immediate else self._shift()
        if word >> 20 & 3 != 3:
            return self._by_scalar() if word >> 6 & 1 else self._different()
        if not self._u:
            first = word >> 8 & 15
            return self._result("ext", "vext", self._node(self._n), self._node(self._m), _const(first))
        if not word >> 11 & 1:
            return self._two()
        if word >> 10 & 3 == 2:
            return self._table()
        return self._scalar() if word >> 7 & 31 == 24 else None

    # -- registers --------------------------------------------------------------------------------

    def _node(self, number: int, *, quad: int | None = None) -> Varnode:
        """Return a register of 8 bytes, or the pair that begins with it."""
        wide = self._quad if quad is None else quad
        return self._registers[f"q{number // 2}" if wide else f"d{number}"]

    def _result(self, name: str, mnemonic: str, *operands: Varnode, quad: int | None = None) -> _Made:
        into = self._node(self._d, quad=quad)
        return mnemonic, [_operation(name, into, *operands)]

    def _sign(self, text: str) -> str:
        return text.replace("?", ".u" if self._u else ".s")

    # -- the classes of A7.4 ----------------------------------------------------------------------

    def _same(self) -> _Made:
        word = self._word
        number, last = word >> 8 & 15, word >> 4 & 1
        n, m, d = self._node(self._n), self._node(self._m), self._node(self._d)
        if (number, last) == (1, 1):
            return self._logic(_LOGIC[4 * self._u + (word >> 20 & 3)])
        name = self._sign(_SAME.get((number, last), ("", ""))[self._u])
        if not name or (self._lane == 8 and name not in ("add", "sub", "shl.u", "shl.s")):
            return None
        given = (m, n) if number == 4 else (n, m)
        before = (d,) if name.partition(".")[0] in _ACCUMULATE else ()
        return self._result(name, f"v{name.partition('.')[0]}", *before, *given, _const(self._lane))

    def _logic(self, name: str) -> _Made:
        n, m, d = self._node(self._n), self._node(self._m), self._node(self._d)
        if name in ("bsl", "bit", "bif"):
            given = {"bsl": (d, n, m), "bit": (m, n, d), "bif": (m, d, n)}[name]
            return self._result("bsl", f"v{name}", *given)
        inverted = Varnode("unique", 0, m.size)
        first = [Operation("INT_NEGATE", inverted, (m,))] if name in ("bic", "orn") else []
        opcode = {"and": "INT_AND", "bic": "INT_AND", "orr": "INT_OR", "orn": "INT_OR", "eor": "INT_XOR"}[name]
        return f"v{name}", [*first, Operation(opcode, d, (n, inverted if first else m))]

    def _immediate(self) -> _Made:
        word, d = self._word, self._node(self._d)
        mode, negated = word >> 8 & 15, word >> 5 & 1
        byte = self._u << 7 | (word >> 16 & 7) << 4 | word & 15
        value = _expanded(mode, negated, byte)
        if value is None:
            return None
        whole = _const(joined([value] * (d.size // 8), 8), d.size)
        if mode & 1 and mode < 12:
            if not negated:
                return "vorr", [Operation("INT_OR", d, (d, whole))]
            inverted = Varnode("unique", 0, d.size)
            return "vbic", [Operation("INT_NEGATE", inverted, (whole,)), Operation("INT_AND", d, (d, inverted))]
        if negated and mode != 14:
            return "vmvn", [Operation("INT_NEGATE", d, (whole,))]
        return "vmov", [Operation("COPY", d, (whole,))]

    def _shift(self) -> _Made:
        word = self._word
        number, field = word >> 8 & 15, (word >> 7 & 1) << 6 | word >> 16 & 63
        lane = 8 if field >> 6 else 1 << (field.bit_length() - 4)
        right, left = 16 * lane - (field & 63) if lane < 8 else 64 - (field & 63), field - 8 * lane
        d, m = self._node(self._d), self._node(self._m)
        size = _const(lane)
        if number in (0, 1):
            before = (d,) if number else ()
            return self._result(self._sign("sra?" if number else "shr?"), "vsra" if number else "vshr", *before, m,
                                _const(right), size)  # fmt: skip
        if number == 4 and self._u:
            return self._result("insert", "vsri", d, m, _const(right), _const(0), size)
        if number == 5 and self._u:
            return self._result("insert", "vsli", d, m, _const(left), _const(1), size)
        if number == 5:
            return self._result("shift_left", "vshl", m, _const(left), size)
        if number == 8 and not self._u and not self._quad and lane < 8:
            wide = self._node(self._m, quad=1)
            return self._result("shrn", "vshrn", wide, _const(right), size, quad=0)
        if number == 10 and not self._quad and lane < 8:
            return self._shifted_long(left, lane, self._sign("movl?"))
        return None

    def _shifted_long(self, amount: int, lane: int, name: str) -> _Made:
        """VMOVL and VSHLL."""
        into, size = self._node(self._d, quad=1), _const(2 * lane)
        made = [_operation(name, into, self._node(self._m, quad=0), size)]
        if amount:
            made.append(_operation("shift_left", into, into, _const(amount), size))
        return "vshll" if amount else "vmovl", made

    def _different(self) -> _Made:
        number, lane = self._word >> 8 & 15, 2 * self._lane
        name = _LONG.get(number)
        if name is None:
            return None
        into, first, second = self._node(self._d, quad=1), Varnode("unique", 0, 16), Varnode("unique", 16, 16)
        extend, size = self._sign("movl?"), _const(lane)
        n = self._node(self._n, quad=int(number in _WIDE))
        made = [_operation(extend, second, self._node(self._m, quad=0), size)]
        made.append(Operation("COPY", first, (n,)) if number in _WIDE else _operation(extend, first, n, size))
        kind = self._sign(f"{name}?") if name in ("aba", "abd") else name
        before = (into,) if name in _ACCUMULATE else ()
        made.append(_operation(kind, into, *before, first, second, size))
        return f"v{name}{'w' if number in _WIDE else 'l'}", made

    def _by_scalar(self) -> _Made:
        word, lane = self._word, self._lane
        found = _BY_SCALAR.get(word >> 8 & 15)
        if found is None or lane == 1:
            return None
        name, long = found
        number, index = (self._m & 7, self._m >> 3) if lane == 2 else (self._m & 15, self._m >> 4)
        quad = 1 if long else self._u
        into, all_same = self._node(self._d, quad=quad), Varnode("unique", 0, 16 if quad else 8)
        size = _const(lane)
        if not long:
            made = [_operation("dup", all_same, self._registers[f"d{number}"], _const(index), size)]
            n = self._node(self._n, quad=quad)
        else:
            extend, size = self._sign("movl?"), _const(2 * lane)
            short, n = Varnode("unique", 32, 8), Varnode("unique", 64, 16)
            made = [_operation("dup", short, self._registers[f"d{number}"], _const(index), _const(lane)),
                    _operation(extend, all_same, short, size),
                    _operation(extend, n, self._node(self._n, quad=0), size)]  # fmt: skip
        before = (into,) if name in _ACCUMULATE else ()
        return f"v{name}{'l' * long}", [*made, _operation(name, into, *before, n, all_same, size)]

    def _two(self) -> _Made:
        """Two registers, miscellaneous."""
        word = self._word
        lane, kind, number = 1 << (word >> 18 & 3), word >> 16 & 3, word >> 7 & 15
        m, size = self._node(self._m), _const(lane)
        if kind == 0:
            return self._counted(number, lane, m)
        if kind == 1 and lane < 8:
            if number in _AGAINST_ZERO:
                name, swapped = _AGAINST_ZERO[number]
                zero = _const(0, m.size)
                given = (zero, m) if swapped else (m, zero)
                return self._result(name if name == "ceq" else f"{name}.s", f"v{name}", *given, size)
            if number in (6, 7):
                name = "abs" if number == 6 else "neg"
                return self._result(name, f"v{name}", m, size)
        if kind == 2:
            return self._permuted(number, lane)
        return None

    def _counted(self, number: int, lane: int, m: Varnode) -> _Made:
        """Return those whose bits 17 and 16 are 0."""
        size = _const(lane)
        if number < 3:
            return self._result("rev", f"vrev{64 >> number}", m, _const(8 >> number), size)
        if number in (4, 5, 12, 13):
            name = f"{'paddl' if number < 8 else 'padal'}{'.u' if number & 1 else '.s'}"
            before = (self._node(self._d),) if number > 8 else ()
            return self._result(name, f"v{name[:5]}", *before, m, _const(2 * lane))
        if number == 9:
            return self._result("clz", "vclz", m, size)
        if number == 10:
            return self._result("cnt", "vcnt", m, size)
        return ("vmvn", [Operation("INT_NEGATE", self._node(self._d), (m,))]) if number == 11 else None

    def _permuted(self, number: int, lane: int) -> _Made:
        d, m = self._node(self._d), self._node(self._m)
        if number == 0:
            kept = Varnode("unique", 0, d.size)
            return "vswp", [Operation("COPY", kept, (d,)), Operation("COPY", d, (m,)), Operation("COPY", m, (kept,))]
        if number in (1, 2, 3):
            first, second = Varnode("unique", 0, d.size), Varnode("unique", 16, d.size)
            made = [_operation("permute", into, _const(number), _const(part), d, m, _const(lane))
                    for part, into in enumerate((first, second))]  # fmt: skip
            name = ("vtrn", "vuzp", "vzip")[number - 1]
            return name, [*made, Operation("COPY", d, (first,)), Operation("COPY", m, (second,))]
        if number == 4 and not self._quad:
            return self._result("shrn", "vmovn", self._node(self._m, quad=1), _const(0), _const(lane), quad=0)
        if number == 6 and not self._quad:
            return self._shifted_long(8 * lane, lane, "movl.u")
        return None

    def _table(self) -> _Made:
        length = (self._word >> 8 & 3) + 1
        if self._n + length > 32:
            return None
        d = self._registers[f"d{self._d}"]
        otherwise = d if self._word >> 6 & 1 else _const(0, 8)
        table = [self._registers[f"d{self._n + number}"] for number in range(length)]
        name = "vtbx" if self._word >> 6 & 1 else "vtbl"
        return name, [_operation("tbl", d, otherwise, *table, self._registers[f"d{self._m}"])]

    def _scalar(self) -> _Made:
        """VDUP of a lane."""
        field = self._word >> 16 & 15
        if not field & 7:
            return None
        lane = field & -field
        index = field >> lane.bit_length()
        return self._result("dup", "vdup", self._registers[f"d{self._m}"], _const(index), _const(lane))


def _expanded(mode: int, negated: int, byte: int) -> int | None:
    """Return 8 bytes of a modified immediate constant (AdvSIMDExpandImm); None for floating point."""
    if mode < 8:
        return joined([byte << 8 * (mode >> 1)] * 2, 4)
    if mode < 12:
        return joined([byte << 8 * (mode >> 1 & 1)] * 4, 2)
    if mode < 14:
        return joined([byte << 8 | 0xFF if mode == 12 else byte << 16 | 0xFFFF] * 2, 4)
    if mode == 14:
        return joined([0xFF * (byte >> number & 1) for number in range(8)] if negated else [byte] * 8, 1)
    return None


def _const(value: int, size: int = 4) -> Varnode:
    return Varnode("const", value, size)


def _operation(name: str, into: Varnode, *operands: Varnode) -> Operation:
    return Operation("CALLOTHER", into, (_const(0), *operands), f"{PREFIX}{name}")
