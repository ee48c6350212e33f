"""What programs, machines, radix trees and the audit look like at the end of a notebook's cell."""

from __future__ import annotations

from simaie import Machine, Program, ins
from simaie.aie.entry import Entry
from simaie.aie.radix_tree import Node, RadixTree
from simaie.audit.report import AuditReport, AuditRow, RowResult
from simaie.corpus import Expect
from simaie.host.host import Host

X = 0x1000


async def storing(cpu):
    await cpu.store(X, 1 if 2 < 3 else 0)


def test_a_program_shows_guest_code_in_columns_lists_and_functions_alike():
    program = Program("two", isa="x86", threads=[[ins("lock_inc", X)], storing], init={X: 0, X + 8: b"\xff"})
    page = program._repr_html_()
    assert "<th" in page
    assert page.count("<td") == 2
    assert "lock_inc 0x1000" in page
    assert "if 2 &lt; 3" in page
    assert "[0x1008] = ff" in page


def test_what_a_guest_put_into_names_never_becomes_markup():
    program = Program("<script>\x1b", isa="x86", threads=[[ins("load", X, into="<b>")]])
    page = program._repr_html_()
    assert "<script>" not in page
    assert "<b> =" not in page
    assert "\x1b" not in page


def test_code_without_a_source_shows_its_name():
    scope = {}
    exec("async def hidden(cpu): pass", scope)
    page = Program("p", isa="x86", threads=[scope["hidden"]], devices=[scope["hidden"]])._repr_html_()
    assert page.count("hidden (source not available)") == 2


def test_a_machine_shows_its_parts():
    page = Machine("aie-rfc:granule=64", host="tso", full_system=True, address_bits=40)._repr_html_()
    assert all(word in page for word in ("aie-rfc:granule=64", "tso", "full system", "64 bits", "40 bits"))


def test_the_audit_is_a_matrix_of_programs_and_schemes():
    def row(scheme, found):
        return AuditRow(row=1, title="a <case>", program="p", scheme=scheme, expected=Expect.MUST_NOT, found=found,
                        executions=1, complete=True, scheduler="dpor", seed=0, explanation="", why="")  # fmt: skip

    rows = (row("cas", RowResult.CLEAN), row("none", RowResult.VIOLATED))
    page = AuditReport(rows=rows, planned=2, seed=0, seconds=0.0)._repr_html_()
    assert page.count("<tr>") == 2
    assert "a &lt;case&gt;" in page
    assert "<b>violated, expected to hold</b>" in page


def test_a_radix_tree_shows_the_nodes_and_entries_that_it_has():
    host = Host()
    tree = RadixTree(host, 16, lambda index: Entry(host, index))
    child = Node(host, "radix/01")
    tree.root.slot(1).value = child
    tree.root.slot(2)  # named, and empty
    child.slot(7).value = Entry(host, X)
    page = tree._repr_html_()
    assert "07 -&gt; &lt;entry 0x1000&gt;" in page
    assert page.count("\n") == 2
