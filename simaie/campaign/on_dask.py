"""The shards of a campaign on a cluster of dask workers: the same results as on one machine.

A worker needs simaie in the same version. It gets the files of programs that it lacks. What is missing all the same
ends the campaign with a message that says so. If a worker dies, dask runs its shards elsewhere.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

from simaie.campaign.apart import run_apart
from simaie.campaign.crew import Crew, OnExecutor
from simaie.campaign.shipping import Parcel, parcel_for
from simaie.campaign.unit import Piece
from simaie.errors import InputError, UsageError

try:
    import dask
    from dask.distributed import Client, LocalCluster, WorkerPlugin
except ImportError as error:
    raise UsageError("--dask needs dask: pip install 'simaie[distributed]'") from error

__all__ = ["dask_crew"]

_LOCAL = "local:"
_CONNECT_SECONDS = 30
#: The number of workers that may die at a shard before dask returns it as failed. `OnExecutor` hands it in once more,
#: since dask also blames shards that only waited at the worker that died.
_DEATHS_ALLOWED = 1


@contextlib.contextmanager
def dask_crew(address: str) -> Iterator[Callable[[], Crew]]:
    """Return a context with the workers of a cluster.

    Args:
        address: The address of its scheduler, such as ``tcp://host:8786``, or ``local:N`` for a cluster of N processes
            on this machine, which ends with the context.

    Raises:
        UsageError: The address has another form.
        InputError: There is no such cluster, or it has no workers.
    """
    with contextlib.ExitStack() as stack:
        where: Any = address
        if address.startswith(_LOCAL):
            where = stack.enter_context(_local(address.removeprefix(_LOCAL)))
        try:
            client: Any = stack.enter_context(Client(where, timeout=_CONNECT_SECONDS, set_as_default=False))
        except (OSError, ValueError, TypeError) as error:
            raise InputError(f"{address}: there is no scheduler of dask: {error}") from error
        workers = len(client.scheduler_info(n_workers=-1)["workers"])
        if not workers:
            raise InputError(f"{address}: the scheduler has no workers; start some with: dask worker {address}")
        executor = stack.enter_context(client.get_executor(pure=False))
        ships = not address.startswith(_LOCAL)  # its workers have the files of this process
        yield lambda: _OnDask(client, executor, workers, ships=ships)


class _OnDask(OnExecutor):
    """The workers of a cluster, which get the file of a program before the first shard of it."""

    def __init__(self, client: Any, executor: Any, workers: int, *, ships: bool) -> None:
        super().__init__(executor, workers, f"{workers} dask workers", run_apart)
        self._client, self._ships = client, ships
        self._sent: set[str] = set()

    def hand_in(self, piece: Piece) -> None:
        """Let a worker run a shard."""
        if self._ships and piece.unit.target not in self._sent:
            self._sent.add(piece.unit.target)
            if (parcel := parcel_for(piece.unit.target)) is not None:
                self._client.register_plugin(_Unpacking(parcel), name=f"simaie {parcel.path}")
        super().hand_in(piece)


class _Unpacking(WorkerPlugin):  # type: ignore[misc]  # a class of dask, which has no types
    """Unpacks a parcel on every worker, also on those that come later."""

    def __init__(self, parcel: Parcel) -> None:
        self._parcel = parcel

    def setup(self, worker: Any) -> None:
        """Write the file where it is missing."""
        self._parcel.unpack()


def _local(number: str) -> Any:
    if not number.isdecimal() or int(number) < 1:
        raise UsageError(f"--dask local:N needs a positive number of processes, not {number!r}")
    with dask.config.set({"distributed.scheduler.allowed-failures": _DEATHS_ALLOWED}):
        return LocalCluster(
            n_workers=int(number), threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1",
            silence_logs=logging.CRITICAL,  # it tells of connections that close when it ends
        )  # fmt: skip
