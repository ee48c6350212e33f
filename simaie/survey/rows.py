"""The rows of the matrix: schemes with their options, and what is expected of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from simaie import plugins
from simaie.errors import UsageError
from simaie.machine import SchemeChoice
from simaie.plugins import Spec
from simaie.schemes.holes import Hole, Variant

__all__ = ["FAMILY", "Row", "rows_of"]

#: The word for all registered schemes that say what is expected of them.
FAMILY: Final = "family"


@dataclass(frozen=True)
class Row:
    """One scheme with options.

    Attributes:
        scheme: The scheme as `simaie.Machine` accepts it.
        shown: The scheme as text.
        variant: What is expected of it; None if its author does not say.
    """

    scheme: SchemeChoice
    shown: str
    variant: Variant | None = None

    def expected(self, host: str) -> frozenset[Hole] | None:
        """Return the classes in which it has a violation on `host`; None if its author does not say."""
        return None if self.variant is None else self.variant.on(host)


def rows_of(choices: Sequence[SchemeChoice] | None) -> list[Row]:
    """Return the rows for `choices`, each once.

    Args:
        choices: Schemes. A name or class without options is a row for each of its published variants if it has any,
            and `FAMILY` is all registered schemes that have some. None for `FAMILY`.

    Raises:
        UsageError: It is no list of schemes.
        UnknownNameError: There is no such scheme.
    """
    if choices is None:
        choices = (FAMILY,)
    if isinstance(choices, str) or not choices:
        raise UsageError(f"schemes must be a list of schemes, not {choices!r}")
    found = (row for choice in choices for row in _rows(choice))
    return list({row.shown: row for row in found}.values())


def _rows(choice: SchemeChoice) -> Iterator[Row]:
    if choice == FAMILY:
        seen = set[int]()
        for name in plugins.names(plugins.SCHEMES):
            made = plugins.resolve(plugins.SCHEMES, name)
            if _own_variants(made) and id(made) not in seen:  # a scheme may have a second name
                yield from _variant_rows(name, made)
            seen.add(id(made))
        return
    if callable(choice):
        yield from _class_rows(choice)
        return
    if isinstance(choice, dict):
        raise UsageError("a mixture of schemes is written as text here: 'mixed:paths=0=monitor-spin;*=cas'")
    spec = Spec.of(choice, "scheme", "a class of simaie.Scheme")
    made = plugins.resolve(plugins.SCHEMES, spec.name)
    variants = _own_variants(made)
    if variants and not spec.options:
        yield from _variant_rows(spec.name, made)
    else:
        same = (each for each in variants if _spec(spec.name, each).options == spec.options)
        yield Row(spec, str(spec), next(same, None))


def _own_variants(made: Any) -> tuple[Variant, ...]:
    """Return the variants that a class itself lists: inherited variants do not count."""
    found: tuple[Variant, ...] = vars(made).get("variants", ()) if isinstance(made, type) else ()
    if not isinstance(found, tuple) or not all(isinstance(each, Variant) for each in found):
        raise UsageError(f"{made.__name__}.variants must be a tuple of simaie.schemes.holes.Variant, not {found!r}")
    return found


def _spec(name: str, variant: Variant) -> Spec:
    return Spec.of(f"{name}:{variant.options}" if variant.options else name)


def _variant_rows(name: str, made: Any) -> Iterator[Row]:
    for variant in _own_variants(made):
        spec = _spec(name, variant)
        yield Row(spec, str(spec), variant)


def _class_rows(made: Any) -> Iterator[Row]:
    """Yield the rows of a class that was passed as such; its options cannot be set, so that only one row is listed."""
    spec = plugins.spec_for(plugins.SCHEMES, made)
    shown = getattr(made, "__name__", repr(made)) if spec is None else str(spec)
    default = (each for each in _own_variants(made) if not each.options)
    yield Row(made if spec is None else spec, shown, next(default, None))
