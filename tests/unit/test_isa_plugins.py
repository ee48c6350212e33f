"""Instruction sets as plug-ins: named in a file, or passed as a class."""

from __future__ import annotations

import pytest

from simaie import Machine, Program, compare, explore, ins
from simaie.errors import ProgramTextError, UnknownNameError, UsageError
from simaie.guest.forms import forms_of, kinds_of
from simaie.guest.isa import ISAS, find_isa, isa_class
from simaie.guest.isa.load_store import LoadStoreCpu
from simaie.guest.text import parse_program

X = 0x100
TINY = '''
from simaie.guest import form
from simaie.guest.isa.load_store import LoadStoreCpu

class TinyCpu(LoadStoreCpu):
    """A vCPU of a made-up guest with one atomic."""

    isa = "tiny"
    address_bits = (16, 20)
    byte_order = "big"
    forms = (form.load("load", 4), form.atomic("swap", 1, 4))

    def swap(self, address: int, value: int) -> int:
        """Exchange."""
        return self._atomic("swap", "swap", address, value, 4)
'''


@pytest.fixture(name="tiny")
def fixture_tiny(tmp_path):
    """The name of an instruction set of a file."""
    (tmp_path / "tiny.py").write_text(TINY)
    return f"{tmp_path / 'tiny.py'}:TinyCpu"


def swaps(isa):
    threads = [[ins("swap", X, value, into="r")] for value in (1, 2)]
    return Program("swaps", isa=isa, threads=threads, init={X: 0})


def test_a_class_of_a_file_is_an_instruction_set(tiny):
    program = swaps(tiny)
    assert program.isa == tiny
    report = explore(program, scheduler="dpor")
    assert (report.verdict, report.executions) == ("holds", 2)
    assert report.machine.endian == "big"
    assert Machine().facts(tiny).address_bits == 16
    assert Machine(full_system=True).facts(tiny).address_bits == 20
    assert compare(program, machine=Machine("cas")).verdict == "holds"
    assert compare(program, machine=Machine("none")).verdict == "violated"
    assert kinds_of(tiny) == ("load", "atomic", "spawn")


def test_a_class_is_an_instruction_set_if_a_file_has_it(tiny):
    assert Program("p", isa=ISAS["arm"], threads=[[]]).isa == "arm"
    assert swaps(isa_class(tiny)).isa == tiny

    class Local(LoadStoreCpu):
        """A class without a name."""

    with pytest.raises(UsageError, match="Local must be a global of a Python file"):
        swaps(Local)


@pytest.mark.parametrize("name", ["ARM", "", None, 3])
def test_an_unknown_name_is_no_instruction_set(name):
    with pytest.raises(UnknownNameError, match="unknown instruction set"):
        isa_class(name)


def test_what_is_no_vcpu_class_is_no_instruction_set(tmp_path):
    (tmp_path / "other.py").write_text("class Other: ...\nvalue = 3\n")
    for name in ("Other", "value"):
        with pytest.raises(UsageError, match="must be a"):
            isa_class(f"{tmp_path / 'other.py'}:{name}")


def test_neither_a_trace_nor_a_text_imports_a_file(tiny):
    assert find_isa(tiny) is None
    with pytest.raises(ProgramTextError):
        parse_program(f'program "p"\nisa {tiny}\nP0\nswap 1, 2\n')
    assert find_isa(tiny) is None
    assert find_isa("generic") is None
    assert isa_class(tiny) is find_isa(tiny)


def test_an_instruction_set_without_forms_generates_no_programs(tmp_path):
    (tmp_path / "bare.py").write_text(TINY.replace("forms =", "other ="))
    with pytest.raises(UsageError, match="no programs can be generated"):
        forms_of(f"{tmp_path / 'bare.py'}:TinyCpu")
