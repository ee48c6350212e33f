"""VLD1 to VLD4 and VST1 to VST4 of A32 and T32 as operations (Arm ARM DDI 0406C, A7.7).

Each element is one access of its size, which is what the architecture makes single-copy atomic. VLD1 and VST1 of whole
registers are left to Sleigh: there an access is a register.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from simaie.binary.operations import Operation, Varnode

__all__ = ["accesses"]

#: Several structures: bits 11 to 8 -> elements of a structure, registers of each, distance of its registers.
_MULTIPLE = {
    0b1000: (2, 1, 1), 0b1001: (2, 1, 2), 0b0011: (2, 2, 2), 0b0100: (3, 1, 1), 0b0101: (3, 1, 2), 0b0000: (4, 1, 1),
    0b0001: (4, 1, 2),
}  # fmt: skip
_NO_INDEX, _BY_SIZE = 15, 13  # in place of the register that is added to the base


def accesses(word: int, registers: Mapping[str, Varnode]) -> tuple[str, list[Operation]] | None:
    """Return the mnemonic and the operations of an access; None for one that Sleigh lifts, or that is undefined.

    Args:
        word: The instruction as A32 has it.
        registers: The registers, by name.
    """
    first = (word >> 22 & 1) << 4 | word >> 12 & 15
    loads = bool(word >> 21 & 1)
    if not word >> 23 & 1:
        found = _MULTIPLE.get(word >> 8 & 15)
        lane = 1 << (word >> 6 & 3)
        if found is None or lane == 8:
            return None
        elements = list(_structures(first, lane, *found))
        count = found[0]
    elif word >> 10 & 3 == 3:
        return _to_all_lanes(word, registers) if loads else None
    else:
        count, lane = (word >> 8 & 3) + 1, 1 << (word >> 10 & 3)
        elements = _one_lane(word, first, count, lane)
    if any(number > 31 for number, _ in elements):
        return None
    base = registers[_name(word >> 16 & 15)]
    made: list[Operation] = []
    for index, (number, at) in enumerate(elements):
        place = Varnode("unique", 16 * index, 4)
        register = registers[f"d{number}"]
        element = Varnode("register", register.offset + at, lane)
        made.append(Operation("INT_ADD", place, (base, _const(lane * index))))
        made.append(_access(element, place, loads=loads))
    return f"v{'ld' if loads else 'st'}{count}", [*made, *_moved(word, base, lane * len(elements), registers)]


def _structures(first: int, lane: int, count: int, each: int, distance: int) -> Iterator[tuple[int, int]]:
    """Yield the register and the place in it of each element, in the order of memory."""
    for group in range(each):
        for at in range(0, 8, lane):
            for number in range(count):
                yield first + group + number * distance, at


def _one_lane(word: int, first: int, count: int, lane: int) -> list[tuple[int, int]]:
    field = word >> 4 & 15
    index = field >> lane.bit_length()
    distance = 2 if lane > 1 and field >> (lane.bit_length() - 1) & 1 and count > 1 else 1
    return [(first + number * distance, lane * index) for number in range(count)]


def _to_all_lanes(word: int, registers: Mapping[str, Varnode]) -> tuple[str, list[Operation]] | None:
    """VLD1 to VLD4 of one element each, which goes to all lanes."""
    first, count, lane = (word >> 22 & 1) << 4 | word >> 12 & 15, (word >> 8 & 3) + 1, 1 << (word >> 6 & 3)
    wide = word >> 5 & 1
    if lane == 8:
        return None
    targets = [first + number for number in range(1 + wide)] if count == 1 else []
    elements = [targets] if count == 1 else [[first + number * (1 + wide)] for number in range(count)]
    if any(number > 31 for each in elements for number in each):
        return None
    base = registers[_name(word >> 16 & 15)]
    made: list[Operation] = []
    for index, into in enumerate(elements):
        place, value = Varnode("unique", 64 * index, 4), Varnode("unique", 64 * index + 16, lane)
        made.append(Operation("INT_ADD", place, (base, _const(lane * index))))
        made.append(Operation("LOAD", value, (_const(0), place)))
        for number in into:
            offset = registers[f"d{number}"].offset
            made += [Operation("COPY", Varnode("register", offset + at, lane), (value,)) for at in range(0, 8, lane)]
    return f"vld{count}", [*made, *_moved(word, base, lane * count, registers)]


def _access(element: Varnode, place: Varnode, *, loads: bool) -> Operation:
    if loads:
        return Operation("LOAD", element, (_const(0), place))
    return Operation("STORE", None, (_const(0), place, element))


def _moved(word: int, base: Varnode, size: int, registers: Mapping[str, Varnode]) -> list[Operation]:
    """Return the operation that writes the base back."""
    index = word & 15
    if index == _NO_INDEX:
        return []
    distance = _const(size) if index == _BY_SIZE else registers[_name(index)]
    return [Operation("INT_ADD", base, (base, distance))]


def _name(number: int) -> str:
    return {13: "sp", 14: "lr", 15: "pc"}.get(number, f"r{number}")


def _const(value: int) -> Varnode:
    return Varnode("const", value, 4)
