"""A scheduler by its name and options, as a search begins with it or a replay goes on with it."""

from __future__ import annotations

from simaie import plugins
from simaie.errors import UsageError
from simaie.plugins import Spec
from simaie.protocols import Scheduler

__all__ = ["scheduler_of"]


def scheduler_of(spec: Spec) -> Scheduler:
    """Return a new scheduler with the name and the options of `spec`."""
    found = plugins.resolve(plugins.SCHEDULERS, spec.name)
    if isinstance(found, type) and not issubclass(found, Scheduler):
        raise UsageError(f"scheduler {spec}: {found.__name__} does not derive from simaie.Scheduler")
    made = plugins.construct(f"scheduler {spec}", found, **spec.options)
    if not isinstance(made, Scheduler):
        raise UsageError(f"a scheduler must derive from simaie.Scheduler; {spec.name!r} returned {made!r}")
    return made
