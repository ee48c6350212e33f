"""The options of DMB and DSB, which A32, T32 and A64 share (Arm ARM DDI 0406C, A8.8.43; DDI 0487, C6.2)."""

from __future__ import annotations

__all__ = ["option_of"]

_OPTIONS = {
    15: "sy", 14: "st", 13: "ld", 11: "ish", 10: "ishst", 9: "ishld", 7: "nsh", 6: "nshst", 5: "nshld", 3: "osh",
    2: "oshst", 1: "oshld",
}  # fmt: skip


def option_of(field: int) -> str:
    """Return the option of a barrier; a reserved field means the full barrier."""
    return _OPTIONS.get(field, "sy")
