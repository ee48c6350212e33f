"""Linearizability of an object that guest code implements: each call takes effect at one moment while it lasts.

The guest records its calls (``async with cpu.call("push", 1) as call``), a specification defines their effects in
sequence (`simaie.check.specifications`), and the checker searches for an order that fits (M. P. Herlihy, J. M. Wing,
"Linearizability: A Correctness Condition for Concurrent Objects", TOPLAS 1990). A call that was pending at the end may
or may not have taken effect, with any result.

Whether a call ended before another began is a matter of time, and so also of steps that do not conflict. A scheduler
that runs only one order of those (dpor) can prove that an object holds only if the guest marks both ends of its calls
as steps: ``cpu.call("push", 1, ordered=True)``.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Any

from simaie.callbacks import require_plain
from simaie.check.calls import Timed, history
from simaie.check.linearization import Linearization, SpecificationLike, linearize, name_of_specification, step_of
from simaie.check.specifications import counter, mutex, queue, register, set_, stack
from simaie.errors import UsageError, raised
from simaie.finding import Finding, Verdict
from simaie.protocols import Checker, require_positive
from simaie.trace import Trace

__all__ = ["COUNTER", "LIMIT", "MUTEX", "QUEUE", "REGISTER", "SET", "STACK", "linearizable"]

KIND = "linearizability"
#: Maximum number of tries of calls, for each key; far more than a history of some hundred calls usually needs.
LIMIT = 100_000
#: A message shows this many calls of the order that was found, the latest ones.
_SHOWN = 8


def linearizable(specification: SpecificationLike, *, limit: int = LIMIT) -> Checker:
    """Return the checker that compares the calls of a trace with a specification.

    There is one finding for each key whose calls do not fit. The steps of a finding are the first and last of the call
    that does not fit.

    Args:
        specification: The sequential specification of the object.
        limit: Maximum number of tries of calls; beyond it the finding is inconclusive.

    Raises:
        UsageError: `specification` is not a specification.
    """
    require_positive(limit=limit)
    if not hasattr(specification, "initial") or not callable(getattr(specification, "apply", None)):
        raise UsageError(f"a specification has an `initial` state and `apply(state, name, args)`: {specification!r}")
    name = name_of_specification(specification)
    require_plain(f"`apply` of the specification {name!r}", specification.apply)

    def checker(trace: Trace) -> Iterable[Finding]:
        return _judge(trace, specification, name, limit) if trace.blocks else ()

    def with_limit(*, limit: int = LIMIT) -> Checker:
        return linearizable(specification, limit=limit)

    checker.__name__ = checker.__qualname__ = f"linearizable_{name}"
    checker.__doc__ = f"The calls that the guest records are those of a {name}, each at one moment while it lasts."
    checker.with_options = with_limit  # type: ignore[attr-defined]  # for "NAME:limit=N" (see `simaie.check.registry`)
    checker.judges_calls = True  # type: ignore[attr-defined]  # what it needs (see `simaie.check.prerequisites`)
    checker.order_sensitive = _is_order_sensitive  # type: ignore[attr-defined]  # an explorer looks for it
    return checker


def _is_order_sensitive(trace: Trace) -> bool:
    """Whether another order of non-conflicting steps could change the verdict."""
    return any(not call.ordered for call in trace.calls)


def _judge(trace: Trace, specification: SpecificationLike, name: str, limit: int) -> Iterator[Finding]:
    for key, calls in _by_key(history(trace), specification).items():
        found = linearize(calls, specification, limit)
        if found.verdict is Verdict.HOLDS:
            continue
        of = "" if key is None else f" (key {key!r})"
        if found.misfit is None:
            message = (
                f"an order of {len(calls)} calls of a {name}{of} may exist or not: calls were tried {limit:,} times, "
                "which is the limit; raise it (limit=N), or give the specification a key"
            )
            yield Finding(KIND, message, verdict=Verdict.INCONCLUSIVE)
        else:
            yield _finding(specification, f"{name}{of}", calls, found, found.misfit)


def _by_key(calls: Sequence[Timed], specification: SpecificationLike) -> dict[Hashable, list[Timed]]:
    """Return the calls by key, in order of appearance; all together if there are no keys, or a call's key is None."""
    key = getattr(specification, "key", None)
    keys: list[Hashable] = [None if key is None else _key(key, timed) for timed in calls]
    if None in keys:
        return {None: list(calls)}
    found: dict[Hashable, list[Timed]] = {}
    for timed, own in zip(calls, keys, strict=True):
        found.setdefault(own, []).append(timed)
    return found


def _key(key: Any, timed: Timed) -> Hashable:
    try:
        found: Hashable = key(timed.call.name, timed.call.args)
        hash(found)
    except Exception as error:
        raise UsageError(f"the specification's key, asked for {timed.call}, raised {raised(error)[0]}") from error
    return found


def _finding(
    specification: SpecificationLike, name: str, calls: Sequence[Timed], found: Linearization, misfit: Timed
) -> Finding:
    call = misfit.call
    shown = [f"vCPU {timed.call.vcpu}: {timed.call}" for timed in found.order[-_SHOWN:]]
    hidden = len(found.order) - len(shown)
    before = f"({hidden} more), " * (hidden > 0) + ", ".join(shown)
    effect = step_of(specification, found.state, call)
    instead = "cannot take effect" if effect is None else f"returns {effect[1]!r}"
    message = (
        f"vCPU {call.vcpu}'s call {call} is not that of a {name}: the calls before its return fit the order "
        f"{before or '(none)'}, after which {call.name}() {instead}; no order fits this call as well"
    )
    others = [
        timed.call.vcpu
        for timed in calls
        if timed is not misfit and (timed.end is None or timed.end > misfit.begin)
        and (misfit.end is None or timed.begin < misfit.end)
    ]  # fmt: skip
    vcpus = dict.fromkeys([call.vcpu, *others])
    return Finding(KIND, message, steps=misfit.steps, vcpus=tuple(vcpus))


REGISTER = linearizable(register())
COUNTER = linearizable(counter())
STACK = linearizable(stack())
QUEUE = linearizable(queue())
SET = linearizable(set_())
MUTEX = linearizable(mutex())
