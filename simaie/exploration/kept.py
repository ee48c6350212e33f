"""The failures that an exploration keeps, and of which it tells its caller."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from simaie.exploration.canonical import trace_digest
from simaie.exploration.signatures import Signatures
from simaie.replaying.failure import Failure
from simaie.replaying.signature import Signature

__all__ = ["MAX_KEPT", "FailureCallback", "KeptFailures"]

FailureCallback: TypeAlias = Callable[[Failure], object]

#: The number of first failures that are kept; of later ones only those that `Signatures` keeps, to bound the memory.
MAX_KEPT = 100


class KeptFailures:
    """The first failures of an exploration, and the first and the shortest of each signature.

    Args:
        found: Called by `tell` with each failure that is kept; None if nothing is to be called.

    Attributes:
        first: The first failures, in order.
        signatures: All failures, by signature.
    """

    def __init__(self, found: FailureCallback | None = None) -> None:
        self.first: list[Failure] = []
        self.signatures = Signatures()
        self._found = found
        self._untold: list[Failure] = []  # that `found` was not called with yet
        self._told: set[int] = set()  # the digests of those that it was called with before a restart

    @property
    def has_room(self) -> bool:
        """Whether the next failure is one of the first."""
        return len(self.first) < MAX_KEPT

    def would_keep(self, signature: Signature, length: int) -> bool:
        """Whether a failure of this signature and number of steps would be kept."""
        return self.has_room or self.signatures.would_keep(signature, length)

    def add(self, failure: Failure) -> None:
        """Count a failure, and keep it if it is to be kept."""
        grouped = self.signatures.add(failure)
        if first := self.has_room:
            self.first.append(failure)
        if self._found is not None and (grouped or first) and not self._was_told(failure):
            self._untold.append(failure)

    def _was_told(self, failure: Failure) -> bool:
        return bool(self._told) and trace_digest(failure.trace) in self._told

    @property
    def has_news(self) -> bool:
        """Whether there is something to `tell`."""
        return bool(self._untold)

    def tell(self) -> None:
        """Call `found` with the failures that it was not called with yet."""
        while self._untold:
            if self._found is not None:
                self._found(self._untold[0])
            del self._untold[0]

    def forget(self) -> None:
        """Begin anew, but remember of which failures `found` was told: all of them come again."""
        self._told = {trace_digest(failure.trace) for failure in self.first}
        self.first = []
        self.signatures = Signatures()
