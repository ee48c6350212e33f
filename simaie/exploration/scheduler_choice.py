"""The choice of a scheduler: by name, by name and options, by class, or by the object itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from simaie import plugins
from simaie.errors import UsageError
from simaie.plugins import Spec
from simaie.protocols import Scheduler
from simaie.replaying.schedulers import scheduler_of

__all__ = ["SchedulerChoice", "make_scheduler"]

SchedulerChoice: TypeAlias = str | tuple[str, Mapping[str, Any]] | Spec | Scheduler | type[Scheduler]


def make_scheduler(choice: SchedulerChoice) -> tuple[Scheduler, Spec | None]:
    """Return the scheduler that `choice` names, and its name and options if a command line can write them."""
    if isinstance(choice, Scheduler):
        return choice, None
    if isinstance(choice, type) and issubclass(choice, Scheduler):
        if missing := sorted(choice.__abstractmethods__):
            raise UsageError(f"scheduler {choice.__name__} lacks the method {missing[0]!r}; write it")
        return plugins.construct(f"scheduler {choice.__name__}", choice), plugins.spec_for(plugins.SCHEDULERS, choice)
    spec = Spec.of(choice, "scheduler", "a simaie.Scheduler or a class of it")
    return scheduler_of(spec), spec
