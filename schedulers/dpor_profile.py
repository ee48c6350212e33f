"""The state of an optimal DPOR search that one execution depends on, as JSON values.

That is: the decisions up to where the execution departs from the one before, the wake-up tree that it follows from
there, and who sleeps there (which only matters if the wake-up tree turns out to lead nowhere). The wake-up tree is
written as a flat list in which each branch names its parent, since it can be as deep as an execution is long.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from schedulers.locations import Key, Locations
from schedulers.wakeup_tree import Branch, Sleeper
from simaie.errors import UsageError

__all__ = ["load", "save"]


def save(
    locations: Locations, path: Sequence[Branch], guide: Sequence[Branch], asleep: Sequence[Sleeper]
) -> dict[str, Any]:
    """``prefix``: [actor, value] each; ``tree``: [parent, actor, value, place, wrote] each; ``asleep``."""
    tree: list[list[Any]] = []
    left = [(-1, branch) for branch in reversed(guide)]
    while left:
        parent, branch = left.pop()
        tree.append([parent, branch.actor, branch.value, _key(locations, branch.place), branch.wrote])
        left += [(len(tree) - 1, child) for child in reversed(branch.children)]
    return {
        "prefix": [[branch.actor, branch.value] for branch in path],
        "tree": tree,
        "asleep": [[actor, _key(locations, place), wrote] for actor, place, wrote in asleep],
    }


def load(locations: Locations, profile: Mapping[str, Any]) -> tuple[list[Branch], list[Sleeper]]:
    """The wake-up tree to follow from the start, and who sleeps; UsageError if `profile` is none of ours."""
    try:
        roots: list[Branch] = []
        branches: list[Branch] = []
        for parent, actor, value, key, wrote in profile.get("tree", ()):
            branch = Branch(str(actor), value, None, locations.number(_known_key(key)), bool(wrote))
            (branches[parent].children if parent >= 0 else roots).append(branch)
            branches.append(branch)
        for actor, value in reversed(profile.get("prefix", ())):
            before = Branch(str(actor), value, None, 0, False)
            before.children, roots = roots, [before]
        sleepers = profile.get("asleep", ())
        asleep = [(str(actor), locations.number(_known_key(key)), bool(wrote)) for actor, key, wrote in sleepers]
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        raise UsageError(f"not a profile of dpor: {error}") from error
    return roots, asleep


def _key(locations: Locations, place: int) -> Any:
    key = locations.keys[place]
    return list(key) if isinstance(key, tuple) else key


def _known_key(key: Any) -> Key:
    if isinstance(key, int | str):
        return key
    address, width = key
    return int(address), int(width)
