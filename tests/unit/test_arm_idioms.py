"""Idioms of public programs for Arm: each broken form is found on armv8, and no repaired one has a finding."""

from __future__ import annotations

import pytest

import simaie
from simaie import Machine, corpus
from simaie.corpus import Expect

IDIOMS = corpus.idioms()


def explored(idiom, host):
    machine = Machine(("native", idiom.needs.options), host=host, address_bits=idiom.needs.address_bits)
    return simaie.explore(idiom.program, machine, scheduler="dpor")


@pytest.mark.parametrize("name", [idiom.name for idiom in IDIOMS])
def test_the_broken_form_shows_what_must_not_be_and_the_repaired_one_never_does(name):
    idiom = corpus.entry(name)
    report = explored(idiom, idiom.needs.host)
    if idiom.expected["native"] is Expect.FINDABLE:
        assert report.verdict == "violated"
        assert report.failures[0].trace.accepted is False
    else:
        assert (report.verdict, report.complete) == ("holds", True)


def test_each_idiom_has_both_forms_and_none_is_broken_where_memory_is_sequentially_consistent():
    names = {idiom.name for idiom in IDIOMS}
    broken = [idiom for idiom in IDIOMS if idiom.expected["native"] is Expect.FINDABLE]
    assert len(broken) == 8
    assert names >= {idiom.name.replace("-broken", "-repaired") for idiom in broken}
    assert all(explored(idiom, "sc").verdict == "holds" for idiom in broken)
