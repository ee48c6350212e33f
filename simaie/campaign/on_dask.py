"""The shards of a campaign on a cluster of dask workers: the same results as on one machine.

A worker needs simaie in the same version, and the files of programs under the same paths; what is missing ends the
campaign with a message that says so. If a worker dies, dask runs its shards elsewhere.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

from simaie.campaign.crew import Crew, OnExecutor
from simaie.errors import InputError, UsageError

try:
    from dask.distributed import Client, LocalCluster
except ImportError as error:
    raise UsageError("--dask needs dask: pip install 'simaie[distributed]'") from error

__all__ = ["dask_crew"]

_LOCAL = "local:"
_CONNECT_SECONDS = 30


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
        yield lambda: OnExecutor(executor, workers, f"{workers} dask workers")


def _local(number: str) -> Any:
    if not number.isdecimal() or int(number) < 1:
        raise UsageError(f"--dask local:N needs a positive number of processes, not {number!r}")
    return LocalCluster(
        n_workers=int(number), threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1",
        silence_logs=logging.CRITICAL,  # it tells of connections that close when it ends
    )  # fmt: skip
