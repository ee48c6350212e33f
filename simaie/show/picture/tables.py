"""HTML tables for a notebook's cell: guest code, a machine, a radix tree, the audit's matrix, a comparison.

They have no styles of their own, so that they look like the notebook.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Any

from simaie.aie.radix_tree import Node, RadixTree
from simaie.audit.report import AuditReport
from simaie.exploration.compare import Comparison
from simaie.exploration.subject import state_text
from simaie.guest.code import Code
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.show.format import clean

__all__ = ["audit_table", "comparison_table", "machine_table", "program_table", "radix_table"]

_CODE = '<pre style="margin:0;text-align:left;font-family:monospace">{}</pre>'
#: Of more outcomes of one kind, the rest is only counted.
_MOST_STATES = 20
_LEFT = ' style="text-align:left;vertical-align:top"'


def program_table(program: Program) -> str:
    """Return the guest code, a column for each vCPU, each device and the handler, with the initial memory below it."""
    columns = [(f"vCPU {i}", code) for i, code in enumerate(program.threads)]
    columns += [(f"device {i}", code) for i, code in enumerate(program.devices)]
    columns += [] if program.handler is None else [("handler", program.handler)]
    body = [_CODE.format(escape("\n".join(_lines(code)))) for _, code in columns]
    holds = ", ".join(f"[{a:#x}] = {v.hex() if isinstance(v, bytes) else v}" for a, _, v in program.image)
    caption = f"<b>{escape(clean(program.name))}</b> ({program.isa})"
    after = f"<p>at first {escape(holds)}</p>" if holds else ""
    return f"<p>{caption}</p>{_table([name for name, _ in columns], [body], markup=True)}{after}"


def _lines(code: Any) -> Iterator[str]:
    """Yield the instructions of a list, or the lines of a function's source if it is available."""
    if isinstance(code, Code):
        yield from (clean(str(item)) for item in code)
        return
    try:
        source = textwrap.dedent(inspect.getsource(code))
    except (OSError, TypeError):
        source = f"{getattr(code, '__name__', type(code).__name__)} (source not available)"
    yield from (clean(line) for line in source.rstrip().split("\n"))


#: The width of an address that is not given.
_ADDRESS = "as wide as the program needs if its addresses are known, else as the ISA's"


def machine_table(machine: Machine) -> str:
    """Return the parts of a machine, a row for each."""
    rows = [
        ("scheme", machine.scheme),
        ("host memory", machine.host),
        ("mode", "full system" if machine.full_system else "user mode"),
        ("host word", f"{machine.host_word} bits"),
        ("guest address", _ADDRESS if machine.address_bits is None else f"{machine.address_bits} bits"),
        ("byte order", "that of the ISA" if machine.endian_of_guest else machine.endian),
        ("limits", f"{machine.limits.steps:,} steps, {machine.limits.threads:,} vCPUs"),
    ]
    return _table(["machine", ""], rows)


def audit_table(report: AuditReport) -> str:
    """Return the matrix: a row for each program, a column for each scheme; unexpected results are bold."""
    schemes = list(dict.fromkeys(row.scheme for row in report.rows))
    cells: dict[tuple[int, str, str], dict[str, str]] = {}
    for row in report.rows:
        shown = escape(clean(row.text)) if row.ok else f"<b>{escape(clean(row.text))}</b>"
        cells.setdefault((row.row, row.title, row.program), {})[row.scheme] = shown
    rows = [
        [str(number), escape(clean(title)), f"<code>{escape(clean(name))}</code>", *(f.get(s, "") for s in schemes)]
        for (number, title, name), f in cells.items()
    ]
    return _table(["row", "case", "program", *schemes], rows, markup=True)


def comparison_table(comparison: Comparison) -> str:
    """Return the verdict and a row for each outcome that only one of the two sets contains; forbidden ones are bold."""
    allowed, possible = comparison.allowed, comparison.possible
    head = f"<b>{escape(clean(str(comparison)))}</b>"
    note = f"<p>{escape(clean(comparison.model_note))}</p>" if comparison.model_note else ""
    rows = [
        (f"<b>{escape(clean(state_text(each.state)))}</b>", "<b>forbidden</b>: possible, not allowed")
        for each in comparison.forbidden[:_MOST_STATES]
    ]
    rows += [(escape(clean(state_text(state))), "unreached") for state in comparison.unreached[:_MOST_STATES]]
    hidden = len(comparison.forbidden) + len(comparison.unreached) - len(rows)
    rows += [(f"and {hidden:,} others", "")] if hidden else []
    counts = f"<p>{len(allowed.states):,} outcomes allowed, {len(possible.states):,} possible</p>"
    return f"<p>{head}</p>{note}{counts}" + (_table(["outcome", ""], rows, markup=True) if rows else "")


def radix_table(tree: RadixTree[Any]) -> str:
    """Return the tree, with a line for each slot in use, indented by level."""
    return _CODE.format(escape("\n".join(_slots("radix", tree.root, 0))))


def _slots(name: str, node: Any, level: int) -> Iterator[str]:
    yield f"{'    ' * level}{clean(name)}"
    if isinstance(node, Node):
        for number, child in node.children():
            entry = "" if isinstance(child, Node) else f" -> {child!r}"
            yield from _slots(f"{number:02x}{entry}", child, level + 1)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, markup: bool = False) -> str:
    """Return an HTML table; `markup` says that the cells are HTML already."""
    head = "".join(f"<th{_LEFT}>{escape(clean(name))}</th>" for name in heads)
    body = "".join(
        "<tr>" + "".join(f"<td{_LEFT}>{cell if markup else escape(clean(cell))}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
