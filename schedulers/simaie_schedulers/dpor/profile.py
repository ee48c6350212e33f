"""The state of an optimal DPOR search that one execution depends on, as JSON values.

The state is the decisions up to the point where the execution departs from the one before, the wake-up tree that it
follows from there, and the actors asleep there (which matter only if the wake-up tree leads nowhere). The wake-up tree
is written as a flat list in which each branch names its parent, since it can be as deep as an execution is long.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simaie.errors import UsageError
from simaie.locations import Key, Locations
from simaie.op import Kind, Op
from simaie_schedulers.dpor.wakeup_tree import Branch, Sleeper

__all__ = ["load", "save"]


def save(
    locations: Locations, path: Sequence[Branch], guide: Sequence[Branch], asleep: Sequence[Sleeper]
) -> dict[str, Any]:
    """Return the state as lists: ``prefix`` [actor, value], ``tree`` [parent, ...], ``asleep`` [actor, place, wrote].

    Args:
        locations: The places of the exploration.
        path: The decisions to repeat.
        guide: The wake-up tree to follow then.
        asleep: The actors asleep at its root.
    """
    tree: list[list[Any]] = []
    left = [(-1, branch) for branch in reversed(guide)]
    while left:
        parent, branch = left.pop()
        arity = branch.op.value if branch.value is not None and branch.op is not None else 0
        place = _key(locations, branch.place)
        tree.append([parent, branch.actor, branch.value, arity, place, branch.wrote, branch.doubtful, branch.presumed])
        left += [(len(tree) - 1, child) for child in reversed(branch.children)]
    return {
        "prefix": [[branch.actor, branch.value] for branch in path],
        "tree": tree,
        "asleep": [[actor, _key(locations, place), wrote] for actor, place, wrote in asleep],
    }


def load(locations: Locations, profile: Mapping[str, Any]) -> tuple[list[Branch], list[Sleeper]]:
    """Return the wake-up tree to follow from the start, and the sleeping actors.

    Args:
        locations: The places of the exploration, to which those of the profile are added.
        profile: What `save` returned.

    Raises:
        UsageError: `profile` is not a profile of dpor.
    """
    try:
        roots: list[Branch] = []
        branches: list[Branch] = []
        for parent, actor, value, arity, key, wrote, doubtful, *presumed in profile.get("tree", ()):
            op = Op(Kind.CHOICE, value=arity) if arity else None
            branch = Branch(str(actor), value, op, locations.number(_known_key(locations, key)), bool(wrote))
            branch.doubtful = bool(doubtful)
            branch.presumed = branch.wrote and any(presumed)
            branch.foreseen = True if branch.presumed else None
            (branches[parent].children if parent >= 0 else roots).append(branch)
            branches.append(branch)
        for actor, value in reversed(profile.get("prefix", ())):
            before = Branch(str(actor), value, None, 0, False)
            before.children, roots = roots, [before]
        asleep = [
            (str(actor), locations.number(_known_key(locations, key)), bool(wrote))
            for actor, key, wrote in profile.get("asleep", ())
        ]
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        raise UsageError(f"not a profile of dpor: {error}") from error
    return roots, asleep


def _key(locations: Locations, place: int) -> Any:
    key = locations.keys[place]
    if isinstance(key, frozenset):
        return {"places": [_key(locations, part) for part in sorted(key)]}
    return list(key) if isinstance(key, tuple) else key


def _known_key(locations: Locations, key: Any) -> Key:
    if isinstance(key, int | str):
        return key
    if isinstance(key, Mapping):
        return frozenset([locations.number(_known_key(locations, part)) for part in key["places"]])
    address, width = key
    return int(address), int(width)
