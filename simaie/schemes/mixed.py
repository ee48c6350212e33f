"""Several schemes in one machine: an interpreter next to translated code, or two emulator processes that share memory.

Each vCPU and each device runs under the scheme of its *path*. The paths share guest RAM and nothing else: each has its
own locks, tables and monitors, so that one path does not see the reservations of another. Two paths with the same
scheme are two processes.

Paths are listed as ``PATTERN=SCHEME`` with ``;`` between them, as in ``0=monitor-spin;*=cas``. A vCPU takes the first
path whose pattern matches its name: ``0`` is vCPU 0, ``0.*`` its children, ``dma0`` the first device, ``*`` all. The
last must be among the paths. A vCPU that a path names without wildcards must exist.
Between the options of a scheme stands ``&``, since a comma ends the list: ``0=hst:sc=mutex&marks=false;*=cas``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, ClassVar, TypeVar

from simaie.errors import UsageError
from simaie.host.futex import Futex
from simaie.host.host import Host, Mutex, SharedCell
from simaie.host.pages import PageTable
from simaie.host.wakeups import Wakeups
from simaie.plugins import Spec
from simaie.protocols import MachineFacts, VCpu
from simaie.schemes.parts import classes_of, make_part, require_one_named, spec_of_part, text_of_part
from simaie.schemes.scheme import Scheme

__all__ = ["Mixed", "mixture"]

T = TypeVar("T")

_EVERYTHING, _BETWEEN_PATHS = "*", ";"


class _HostOfPath(Host):
    """The host port of one path: it names the path in what the path creates, since names identify cells.

    Args:
        inner: The host port of the machine.
        path: The pattern of the path.
    """

    def __init__(self, inner: Host, path: str) -> None:
        super().__init__(word=inner.word, endian=inner.endian)
        self._inner = inner
        self._path = path

    def let_go(self, cpu: VCpu) -> None:
        """Drop the operations of `cpu` that were created but not awaited."""
        self._inner.let_go(cpu)

    def made(self, make: Callable[[], T]) -> T:
        """Return ``make()``, as the host port of the machine does."""
        return self._inner.made(make)

    def cell(self, name: str, *args: Any, **options: Any) -> SharedCell:
        """Create a cell of this path."""
        return self._inner.cell(f"{name} of {self._path}", *args, **options)

    def mutex(self, name: str, address: int | None = None) -> Mutex:
        """Create a free mutex of this path."""
        return self._inner.mutex(f"{name} of {self._path}", address)

    def futex(self, address: int) -> Futex:
        """Return the futex of a word: one for all paths, since it belongs to the kernel of the host."""
        return self._inner.futex(address)

    def wakeups(self, name: str) -> Wakeups:
        """Return the flags of this name: one for all paths, since a wake-up reaches every vCPU."""
        return self._inner.wakeups(name)

    @property
    def calls(self) -> SharedCell:
        """The cell that counts ended calls: one for all paths, since it is the guest's."""
        return self._inner.calls


class Mixed(Scheme):
    """The scheme of each path for the vCPUs whose names match it.

    Args:
        host: Host port.
        pages: Page table of the guest.
        machine: Facts about the machine.
        paths: The paths as text (see the module), or a map from patterns to schemes as `simaie.Machine` accepts them.
        **usual: Options of `Scheme`; they concern no path.

    Raises:
        UsageError: The paths cannot be read, or none is for every vCPU.
    """

    name: ClassVar[str] = "mixed"

    def __init__(
        self,
        host: Host,
        pages: PageTable,
        machine: MachineFacts,
        *,
        paths: str | Mapping[str, Any] = "*=cas",
        **usual: Any,
    ) -> None:
        super().__init__(host, pages, machine, **usual)
        chosen = _chosen(paths)
        if _EVERYTHING not in chosen:
            raise UsageError("a mixture of schemes needs a path for all other vCPUs, as in 0=monitor-spin;*=cas")
        #: The scheme of each path, by pattern.
        self.paths = {
            pattern: make_part(scheme, _HostOfPath(host, pattern), pages, machine) for pattern, scheme in chosen.items()
        }
        if any(isinstance(scheme, Mixed) for scheme in self.paths.values()):
            raise UsageError("a path of a mixture of schemes cannot be a mixture itself")
        self.promises = frozenset.intersection(*(scheme.promises for scheme in self.paths.values()))

    def of(self, name: str) -> Scheme:
        """Return the scheme of the first path that matches the vCPU or device."""
        return self._path(name).of(name)

    def share(self, cpu: VCpu) -> None:
        """Let the vCPU share what the scheme of its path says."""
        self._path(cpu.name).share(cpu)

    def _path(self, name: str) -> Scheme:
        return next(scheme for pattern, scheme in self.paths.items() if fnmatchcase(name, pattern))

    def require_named(self, names: Sequence[str]) -> None:
        """Raise UsageError if the program lacks a vCPU or device that a path names."""
        for pattern, scheme in self.paths.items():
            require_one_named("a path of a mixture of schemes", pattern, names)
            scheme.require_named(names)

    @classmethod
    def part_classes(cls, options: Mapping[str, Any]) -> list[Callable[..., Scheme]]:
        """Return what makes the scheme of each path."""
        chosen = _chosen(options.get("paths", {})).values()
        return [each for scheme in chosen for each in classes_of(scheme)]

    @property
    def parts(self) -> tuple[Scheme, ...]:
        """The mixture and the schemes of its paths."""
        return (self, *(part for scheme in self.paths.values() for part in scheme.parts))

    def map_accesses(self) -> None:
        """Have each path put its fences and orders around accesses."""
        for scheme in self.paths.values():
            scheme.map_accesses()

    @property
    def has_thread_exit(self) -> bool:
        """Whether the scheme of any path cleans up at the end of a thread."""
        return any(scheme.has_thread_exit for scheme in self.paths.values())


def mixture(paths: Mapping[str, Any]) -> Spec | Callable[..., Scheme]:
    """Return the mixture with these paths: by name if all schemes have one, else as a function that makes it.

    Args:
        paths: A map from patterns to schemes as `simaie.Machine` accepts them.

    Raises:
        UsageError: A pattern is no text without ``=`` and ``;``.
    """
    parts = []
    for pattern, scheme in paths.items():
        if not isinstance(pattern, str) or not pattern or set(pattern) & {"=", _BETWEEN_PATHS}:
            raise UsageError(f"a path must be the name of a vCPU or a pattern such as '*', not {pattern!r}")
        text = text_of_part(scheme)
        parts.append(None if text is None else f"{pattern}={text}")
    if None in parts:
        return partial(Mixed, paths=dict(paths))
    return Spec(Mixed.name, {"paths": _BETWEEN_PATHS.join(part for part in parts if part is not None)})


def _chosen(paths: str | Mapping[str, Any]) -> dict[str, Any]:
    return _read(paths) if isinstance(paths, str) else dict(paths)


def _read(text: str) -> dict[str, Spec]:
    """Return the scheme of each path that `text` lists."""
    found: dict[str, Spec] = {}
    for part in filter(None, text.split(_BETWEEN_PATHS)):
        pattern, equals, scheme = part.partition("=")
        if not equals or not pattern or not scheme:
            raise UsageError(f"cannot read the path {part!r}: expected PATTERN=SCHEME, as in 0=monitor-spin;*=cas")
        if pattern in found:
            raise UsageError(f"the path {pattern!r} is listed twice")
        found[pattern] = spec_of_part(scheme)
    return found
