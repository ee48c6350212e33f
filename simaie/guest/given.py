"""The parts of a program that are not code, checked: initial memory, locations to watch, threads to end, and pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from simaie.arguments import is_integer, require_address, require_instance, require_mapping, require_text, shown
from simaie.errors import UsageError
from simaie.guest.operands import WIDTHS, number_refusal
from simaie.host.pages import PAGE_SIZE, Page

__all__ = ["MOST_WATCHED", "Image", "image_of", "owed_by", "pages_of", "watched"]

#: A location that outcomes show has no more bytes, and all such locations together have not more than the second.
MOST_WATCHED, MOST_WATCHED_IN_ALL = 1024, 1 << 17
#: (address, width in bytes, value) of each initial value.
Image: TypeAlias = tuple[tuple[int, int, int | bytes], ...]


def image_of(program: str, init: Any) -> Image:
    """Return the initial memory of `program` that ``Program(init=...)`` means; UsageError for what means none."""
    given = require_mapping(f"init of program {program!r}", init or {}, "{0x1000: 0}")
    return tuple(_initial(program, address, value) for address, value in given.items())


def _initial(program: str, address: Any, value: Any) -> tuple[int, int, int | bytes]:
    address = require_address(f"an address in init of program {program!r}", address)
    if isinstance(value, bytes | bytearray):
        return address, len(value), bytes(value)
    number, width = value if isinstance(value, tuple) and len(value) == 2 else (value, 4)
    if number_refusal(number) or not _is_width(width):
        raise UsageError(
            f"init of program {program!r}: the value at {address:#x} must be an integer, (integer, width) with a width "
            f"of {_widths()} bytes, or bytes, not {shown(value)}"
        )
    return address, width, int(number)


def watched(program: str, watch: Any, image: Image) -> dict[int, int]:
    """Return the locations, address -> width, that outcomes show: those of `watch`, or by default those of `image`.

    Raises:
        UsageError: `watch` is no such dict.
    """
    if watch is None:
        return {address: width for address, width, value in image if isinstance(value, int)}
    given = require_mapping(f"watch of program {program!r}", watch, "{0x1000: 4}")
    checked = dict(_watched(program, given.items()))
    if sum(checked.values()) > MOST_WATCHED_IN_ALL:
        raise UsageError(
            f"watch of program {program!r} has {len(checked):,} locations, with more than {MOST_WATCHED_IN_ALL:,} "
            "bytes in all"
        )
    return checked


def _watched(program: str, given: Iterable[tuple[Any, Any]]) -> Iterable[tuple[int, int]]:
    for address, width in given:
        place = require_address(f"an address in watch of program {program!r}", address)
        if not is_integer(width) or not 1 <= width <= MOST_WATCHED:
            raise UsageError(
                f"watch of program {program!r}: the location at {place:#x} must have 1 to {MOST_WATCHED} bytes, not "
                f"{shown(width)}"
            )
        yield place, width


def owed_by(program: str, eventually: Any, threads: int) -> dict[str, str]:
    """Return the names of the vCPUs whose threads are to end, each with a name for findings, in structural order.

    Args:
        program: The name of the program.
        eventually: What ``Program(eventually=...)`` means.
        threads: The number of threads of the program.

    Raises:
        UsageError: `eventually` is no such dict.
    """
    given = require_mapping(f"eventually of program {program!r}", eventually or {}, '{"1": "is served"}')
    names = [str(number) for number in range(threads)]
    for vcpu, name in given.items():
        if vcpu not in names:
            raise UsageError(
                f"eventually of program {program!r} names the vCPU {vcpu!r}; its threads run on "
                f"{', '.join(map(repr, names))}"
            )
        require_text(f"the name in eventually of program {program!r} for vCPU {vcpu}", name)
    return {vcpu: given[vcpu] for vcpu in names if vcpu in given}


def pages_of(program: str, pages: Any) -> dict[int, Page]:
    """Return the pages of `program`, by virtual address; raise UsageError for anything that is not a page."""
    given: Mapping[Any, Any] = require_mapping(
        f"pages of program {program!r}", pages or {}, "{0x1000: Page(0x8000)}"
    )
    for virtual, page in given.items():
        where = require_address(f"a page's address in pages of program {program!r}", virtual)
        require_instance(f"page {where:#x} of program {program!r}", page, Page, "a simaie.Page")
        if where % PAGE_SIZE:
            raise UsageError(f"page {where:#x} of program {program!r}: its address must be a multiple of {PAGE_SIZE}")
    return dict(given)


def _is_width(width: object) -> bool:
    return is_integer(width) and width in WIDTHS


def _widths() -> str:
    return ", ".join(map(str, WIDTHS))
