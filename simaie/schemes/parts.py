"""Schemes that consist of other schemes: how a part is written as text, and how it is made.

The text of a scheme is an option of the whole, so the comma between options of a part would end that option. Between
them stands ``&`` instead, as in ``interrupted:scheme=hst:sc=mutex&marks=false,times=2``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from simaie import plugins
from simaie.errors import UsageError
from simaie.host.host import Host
from simaie.host.pages import PageTable
from simaie.plugins import Spec
from simaie.protocols import MachineFacts, VCpu
from simaie.schemes.scheme import Scheme

__all__ = ["Wrapper", "classes_of", "given_part", "make_part", "require_one_named", "spec_of_part", "text_of_part"]

_BETWEEN_OPTIONS = "&"
_WILDCARDS = frozenset("*?[")


def spec_of_part(text: str) -> Spec:
    """Return the scheme of a part that `text` spells."""
    return Spec.of(text.replace(_BETWEEN_OPTIONS, ","), "the scheme of a part")


def given_part(scheme: Any) -> Any:
    """Return the scheme that an option names; on a command line, "none" is read as None."""
    name = "none" if scheme is None else scheme
    return spec_of_part(name) if isinstance(name, str) else name


def text_of_part(scheme: Any) -> str | None:
    """Return the text of a part; None if its class has no name on a command line."""
    spec = plugins.spec_for(plugins.SCHEMES, scheme) if callable(scheme) else Spec.of(scheme, "the scheme of a part")
    return None if spec is None else str(spec).replace(",", _BETWEEN_OPTIONS)


def make_part(scheme: Any, host: Host, pages: PageTable, machine: MachineFacts) -> Scheme:
    """Return a new scheme.

    Args:
        scheme: A class, a text, a `Spec` or a tuple, as for `simaie.Machine`.
        host: Host port.
        pages: Page table of the guest.
        machine: Facts about the machine.

    Raises:
        UsageError: It is no scheme.
    """
    options: dict[str, Any] = {}
    if callable(scheme):
        factory, name = scheme, getattr(scheme, "__name__", repr(scheme))
    else:
        spec = Spec.of(scheme, "the scheme of a part")
        factory, options, name = plugins.resolve(plugins.SCHEMES, spec.name), spec.options, str(spec)
    made = plugins.construct(f"scheme {name}", factory, host, pages, machine, **options)
    if not isinstance(made, Scheme):
        raise UsageError(f"the scheme of a part must derive from simaie.Scheme; {name} does not")
    return made


def classes_of(scheme: Any) -> list[Callable[..., Scheme]]:
    """Return what makes a part, a class or a function, and what makes the parts of that."""
    options: dict[str, Any] = {}
    if callable(scheme):
        factory = scheme
    else:
        spec = Spec.of(scheme, "the scheme of a part")
        factory, options = plugins.resolve(plugins.SCHEMES, spec.name), spec.options
    inner = factory.part_classes(options) if isinstance(factory, type) and issubclass(factory, Scheme) else []
    return [factory, *inner]


class Wrapper(Scheme):
    """A scheme that runs another one, which its option `scheme` names, and adds something to it.

    Attributes:
        inner: The other scheme.
    """

    inner: Scheme

    @classmethod
    def part_classes(cls, options: Mapping[str, Any]) -> list[Callable[..., Scheme]]:
        """Return what makes the other scheme."""
        return classes_of(given_part(options.get("scheme", "cas")))

    @property
    def parts(self) -> tuple[Scheme, ...]:
        """This scheme and the other one."""
        return (self, *self.inner.parts)

    def share(self, cpu: VCpu) -> None:
        """Let the vCPU share what the other scheme says."""
        self.inner.share(cpu)

    def map_accesses(self) -> None:
        """Have the other scheme put its fences and orders around accesses."""
        self.inner.map_accesses()


def require_one_named(option: str, pattern: str, names: Sequence[str]) -> None:
    """Raise UsageError if `pattern` is the name of a vCPU that does not exist.

    The name of a child begins with that of its first ancestor, which must exist. A pattern with wildcards may match
    nothing, so that one machine suits programs with different numbers of vCPUs.

    Args:
        option: What has the pattern, for the message.
        pattern: The name, or a pattern.
        names: The names of the vCPUs and devices that the program begins with.
    """
    if _WILDCARDS.isdisjoint(pattern) and pattern.partition(".")[0] not in names:
        raise UsageError(
            f"{option} names the vCPU {pattern!r}, but the program has {', '.join(names)}; a pattern such as "
            f"{pattern + '*'!r} may match none"
        )
