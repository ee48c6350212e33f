"""Moves the vCPUs of a graph back after a revisit, to where their first event is missing or has changed."""

from __future__ import annotations

from simaie.engine.graph.memo import GraphMemo
from simaie.engine.memo.node import Node
from simaie.host.graph.graph import Graph

__all__ = ["rewound"]


def rewound(memo: GraphMemo, before: Graph, graph: Graph, read: int) -> Graph:
    """Return `graph`, whose vCPUs stand where they have to go on from.

    Args:
        memo: The memo.
        before: The graph that was revisited.
        graph: What is left of it.
        read: The id of the read that has another source now.
    """
    changed = before.mask & ~graph.mask | 1 << read
    stride = before.events[read].stride
    for vcpu, node in enumerate(graph.at):
        own = changed >> vcpu * stride & (1 << stride) - 1
        if node is not None and own:
            first = (own & -own).bit_length() - 1
            graph.at[vcpu] = _back_to(node, first // (2 * memo.layout.parts))
    _forget_unborn(memo, graph)
    return graph


def _back_to(node: Node, operation: int) -> Node:
    while node.depth > operation:
        assert node.parent is not None
        node = node.parent
    return node


def _forget_unborn(memo: GraphMemo, graph: Graph) -> None:
    """Take back the vCPUs whose SPAWN is gone."""
    for vcpu, node in enumerate(graph.at):
        if node is not None and node.root.spawned and not memo.past_at_start(node).born & graph.mask:
            graph.at[vcpu] = None
