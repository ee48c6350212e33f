"""The replay files of a command's failures, saved when they are found."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

from simaie.cli.status import complain
from simaie.errors import SimaieError
from simaie.replaying.failure import Failure
from simaie.saving import make_folder, require_parent

__all__ = ["FailureFiles"]


class FailureFiles:
    """The files of a command's failures. A call saves a failure; the command goes on if it cannot be saved.

    The first failure that cannot be saved is reported on stderr.

    Attributes:
        incomplete: Whether a failure could not be saved.
    """

    def __init__(self, folder: Path | None, prefix: str = "") -> None:
        """Make the folder, unless it is None; InputError if it cannot be made or its parent does not exist."""
        self._folder, self._prefix = folder, prefix
        self._paths: dict[str, Path] = {}
        self.incomplete = False
        if folder is not None:
            require_parent(folder)
            make_folder(folder)

    def __call__(self, failure: Failure) -> None:
        """Save `failure`, if there is a folder."""
        if self._folder is None or _key(failure) in self._paths:
            return
        try:
            self._paths[_key(failure)] = failure.save_in(self._folder, prefix=self._prefix)
        except SimaieError as error:
            if not self.incomplete:
                complain(f"a failure is not saved: {error}")
            self.incomplete = True

    def keep_only(self, failures: Iterable[Failure]) -> None:
        """Delete the files of all other failures; delete none if one of `failures` is not saved."""
        wanted = {_key(failure) for failure in failures}
        if self.incomplete or not wanted <= self._paths.keys():
            return
        kept = {self._paths[key] for key in wanted}
        for path in set(self._paths.values()) - kept:
            with contextlib.suppress(OSError):
                path.unlink()
        self._paths = {key: path for key, path in self._paths.items() if key in wanted}

    def path(self, failure: Failure) -> Path | None:
        """Return the file of a failure; None if it was not saved."""
        return self._paths.get(_key(failure))

    @property
    def paths(self) -> list[Path]:
        """The files, each once, in the order in which they were written."""
        return list(dict.fromkeys(self._paths.values()))


def _key(failure: Failure) -> str:
    """Return a text that identifies a failure among those of a command."""
    facts = (failure.program.name, failure.program.digest, failure.machine.scheme, failure.machine.host)
    return repr((*facts, str(failure.scheduler), failure.seed, failure.index, failure.trace.digest))
