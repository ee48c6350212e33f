"""Which objects that vCPUs make in several histories are the same one."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

from simaie.aie.entry import Entry
from simaie.aie.tiny_set import TinySet
from simaie.engine.memo.host import MemoHost
from simaie.engine.memo.node import Node


class Mine:
    """An object of a third party, which may depend on anything."""

    def __init__(self, number: int) -> None:
        self.number = number


def vcpu(name: str) -> Node:
    """The start of a vCPU."""
    root: Any = SimpleNamespace(name=name)
    return Node(root)


def after(node: Node, value: Any) -> Node:
    return Node(node.root, node, value)


def made(host: MemoHost, at: Node, make: Any) -> Any:
    """What `make` makes on the way to `at`."""
    host.begin(at)
    try:
        return host.made(make)
    finally:
        host.end()


def test_a_vcpu_makes_the_same_object_of_the_same_constants_in_every_history():
    host, start = MemoHost(), vcpu("0")
    make = partial(Entry, host, 0x100)
    one, other = made(host, after(start, 1), make), made(host, after(start, 2), make)
    assert one is other
    assert host.is_made(one)
    assert made(host, after(start, 3), lambda: Entry(host, 0x100)) is not one  # the code of a test is not simaie's


def test_other_constants_make_another_object():
    host, start = MemoHost(), vcpu("0")
    one = made(host, after(start, 1), partial(Entry, host, 0x100))
    assert made(host, after(start, 2), partial(Entry, host, 0x200)) is not one
    assert made(host, after(start, 3), partial(Entry, host, True)) is not made(
        host, after(start, 4), partial(Entry, host, 1)
    )


def test_racers_make_two_objects():
    host = MemoHost()
    make = partial(Entry, host, 0x100)
    assert made(host, after(vcpu("0"), 1), make) is not made(host, after(vcpu("1"), 1), make)


def test_one_history_has_two_objects_if_it_makes_two():
    host, start = MemoHost(), vcpu("0")
    make = partial(Entry, host, 0x100)
    first = after(start, 1)
    one, two = made(host, first, make), made(host, after(after(first, 0), 0), make)
    assert one is not two
    assert made(host, after(after(start, 2), 0), make) is one
    at = after(start, 3)
    host.begin(at)
    assert [host.made(make), host.made(make)] == [one, two]
    host.end()


def test_objects_of_a_third_party_belong_to_one_history():
    host, start = MemoHost(), vcpu("0")
    make = partial(Mine, 1)
    first = after(start, 1)
    one = made(host, first, make)
    assert made(host, first, make) is one
    assert made(host, after(start, 2), make) is not one


def test_an_object_of_a_list_belongs_to_one_history():
    host, start = MemoHost(), vcpu("0")
    make: Any = partial(TinySet, host, 0x100, [])
    assert made(host, after(start, 1), make) is not made(host, after(start, 2), make)
