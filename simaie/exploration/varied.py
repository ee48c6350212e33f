"""Machines whose schemes emit one set of barriers after another."""

from __future__ import annotations

from simaie.barrier import Barrier
from simaie.exploration.architecture import like
from simaie.exploration.minimal_sets import Kinds
from simaie.exploration.placement import Placement, placed_on, places_that_help
from simaie.guest.isa import isa_class
from simaie.machine import Machine
from simaie.plugins import Spec

__all__ = ["BeforeAccesses", "Places", "with_options"]


class BeforeAccesses:
    """Sets of kinds of barrier as values of the option ``barriers``.

    Attributes:
        machine: The machine whose scheme they are given.
        none: The empty set.
        scheme: The scheme without the option.
    """

    def __init__(self, machine: Machine) -> None:
        spec = machine.scheme_spec
        assert spec is not None  # `minimal_barriers` has refused a class
        self.machine = machine
        self.none: Kinds = Barrier.NONE
        self.scheme = str(Spec(spec.name, {name: value for name, value in spec.options.items() if name != "barriers"}))

    def that_help(self, isa: str) -> Kinds:
        """Return the kinds that can help a guest of an instruction set: those that the host does not keep."""
        return Barrier.FULL & ~self.machine.host_order

    def machine_with(self, chosen: Kinds) -> Machine:
        """Return a copy of the machine whose scheme emits exactly these barriers."""
        return with_options(self.machine, barriers=chosen.text)


class Places:
    """Sets of kinds of barrier at places, as values of the option ``mapping``.

    Attributes:
        machine: The machine whose scheme they are given.
        none: The empty set.
        scheme: The scheme with its own mapping, to which they are added.
    """

    def __init__(self, machine: Machine) -> None:
        spec = machine.scheme_spec
        assert spec is not None  # as above
        self.machine = machine
        self.none: Kinds = Placement.NONE
        self.scheme = str(spec)
        given = spec.options.get("mapping", "none")
        self._base = "none" if given in (None, "usual") else str(given)

    def that_help(self, isa: str) -> Kinds:
        """Return the kinds at places that can help a guest of an instruction set, apart from those around atomics."""
        return places_that_help(isa_class(isa).memory_order, self.machine.host_order)

    def machine_with(self, chosen: Kinds) -> Machine:
        """Return a copy of the machine whose scheme emits these barriers in addition to those of its mapping."""
        return with_options(self.machine, mapping=placed_on(self._base, Placement(chosen)))


def with_options(machine: Machine, **options: str) -> Machine:
    """Return a copy of `machine` whose scheme has other options."""
    spec = machine.scheme_spec
    assert spec is not None  # `minimal_barriers` has refused a class
    return like(machine, Spec(spec.name, {**spec.options, **options}), machine.host)
