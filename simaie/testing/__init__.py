"""Conformance suites for authors of plug-ins, each one call in a test.

    def test_my_scheduler_keeps_the_contract():
        check_scheduler(lambda: MyScheduler(depth=2))

    def test_my_memory_keeps_the_contract():
        check_host_memory(MyMemory)

    def test_my_memory_of_graphs_keeps_the_contract():
        check_graph_memory(MyGraphMemory)

    def test_my_scheme_does_what_its_instructions_ask_for():
        check_scheme(MyScheme, isa="x86")

A breach of the contract is an AssertionError that says what was promised and what happened.
"""

from simaie.testing.graph_memories import check_graph_memory
from simaie.testing.host_memories import check_host_memory
from simaie.testing.schedulers import check_scheduler
from simaie.testing.schemes import check_scheme

__all__ = ["check_graph_memory", "check_host_memory", "check_scheduler", "check_scheme"]
