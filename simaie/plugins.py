"""Plug-ins by name: entry-point groups, globals of Python files, and options as in ``dfs:preemptions=2``.

A plug-in is named by its entry point, or as ``FILE.py:NAME``, a global of a Python file. Options follow either.

Third parties register entry points in their own pyproject.toml; simaie's own schemes, schedulers, host memories and
instruction sets are registered in the same way. So are the renderers. A failure belongs to a lower layer than the code
that draws it, so it asks for its picture by name, and the drawing code is imported only when it is needed.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

import msgspec

from simaie.arguments import require_mapping, require_text, shown
from simaie.definitions import definition, home_of, value_of
from simaie.errors import SimaieError, UnknownNameError, UsageError, raised

__all__ = [
    "CHECKERS", "HOSTS", "ISAS", "RENDERERS", "SCHEDULERS", "SCHEMES", "Spec", "construct", "names",
    "options_of", "resolve", "spec_for", "with_options",
]  # fmt: skip

SCHEMES = "simaie.schemes"
SCHEDULERS = "simaie.schedulers"
CHECKERS = "simaie.checkers"
HOSTS = "simaie.hosts"
ISAS = "simaie.isas"
#: Functions from a failure, a report or a trace to text, by which a result shows itself.
RENDERERS = "simaie.renderers"
#: The groups whose plug-ins are classes, or functions that make an object as a class does.
_CLASSES: Final = (SCHEMES, SCHEDULERS, HOSTS, ISAS)

Option = str | int | float | bool | None


class Spec(msgspec.Struct, frozen=True):
    """The name of a plug-in, with keyword options."""

    name: str
    options: dict[str, Any] = {}

    @classmethod
    def of(cls, given: Any, what: str = "a plug-in", other: str = "") -> Spec:
        """Return the name and options that ``"name"``, ``"name:key=value"`` or ``("name", {options})`` spells.

        Args:
            given: The text, the tuple, or a `Spec`, which is returned as it is.
            what: The argument that `given` is, for the message.
            other: What else the caller accepts there, for the message.

        Raises:
            UsageError: `given` is something else, or its text cannot be read.
        """
        if isinstance(given, Spec):
            return given
        if isinstance(given, str):
            return cls._parse(given)
        if isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], str):
            options = require_mapping(f"the options of {given[0]!r}", given[1], '{"option": 1}')
            return cls(given[0], {require_text("an option's name", key): value for key, value in options.items()})
        accepted = "a name, 'name:option=value'" + (f", (name, options) or {other}" if other else " or (name, options)")
        raise UsageError(f"{what} must be {accepted}, not {shown(given)}")

    @classmethod
    def _parse(cls, text: str) -> Spec:
        name, rest = _split(text)
        options: dict[str, Any] = {}
        for item in filter(None, rest.split(",")):
            key, equals, value = item.partition("=")
            if not equals or not key.strip().replace("-", "_").isidentifier():
                raise UsageError(f"cannot read {text!r}: expected name:key=value,key=value")
            options[key.strip().replace("-", "_")] = _option(value.strip())
        return cls(name.strip(), options)

    def __str__(self) -> str:
        options = ",".join(f"{key}={_option_text(value)}" for key, value in sorted(self.options.items()))
        return f"{self.name}:{options}" if options else self.name

    @property
    def word(self) -> str | None:
        """The text that `of` reads back as an equal `Spec`; None if an option has no such text.

        The text ``none`` is read as None, and plug-ins treat the two alike.
        """
        with suppress(UsageError):
            read = Spec.of(str(self))
            options = {name: None if value == "none" else value for name, value in self.options.items()}
            return str(self) if (read.name, read.options) == (self.name, options) else None
        return None


def _split(text: str) -> tuple[str, str]:
    """Split `text` into the name, which may be ``FILE.py:NAME``, and the text of the options."""
    path, python, rest = text.partition(".py:")
    name, _, options = rest.partition(":")
    if python and definition(f"{path}.py:{name}") is not None:
        return f"{path}.py:{name}", options
    name, _, options = text.partition(":")
    return name, options


def _option_text(value: Any) -> str:
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def _option(text: str) -> Option:
    """Return the value that an option's text spells: true, false, none, a number, or else the text itself."""
    words: dict[str, Option] = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    for kind in (lambda t: int(t, 0), float):
        with suppress(ValueError):
            return kind(text)
    return text


@functools.cache
def _registered() -> Any:  # whose class differs between versions of Python
    """Return the entry points of all distributions, which are read once: that takes as long as to run a small proof."""
    return entry_points()


@functools.cache
def _group(group: str) -> dict[str, EntryPoint]:
    """Return the entry points of a group by name; UsageError if two distributions register the same name."""
    found: dict[str, EntryPoint] = {}
    for point in _registered().select(group=group):
        other = found.setdefault(point.name, point)
        if other.value != point.value:
            raise UsageError(
                f"two {_kind(group)}s are called {point.name!r}: {_whose(other)}, and {_whose(point)}; "
                "uninstall one of the two, or have its author register it under another name"
            )
    return found


def _whose(point: EntryPoint) -> str:
    """Return the object that an entry point names, and the distribution that registers it, in words."""
    distribution = point.dist
    owner = "an unknown distribution" if distribution is None else f"the distribution {distribution.name!r}"
    return f"{point.value} of {owner}"


def _kind(group: str) -> str:
    return "instruction set" if group == ISAS else group.removeprefix("simaie.").removesuffix("s")


@functools.cache
def _loaded(group: str, name: str) -> Any:
    point = _group(group)[name]
    try:
        return point.load()
    except (Exception, SystemExit) as error:  # a third party's module may raise anything when it is imported
        raise UsageError(
            f"the {_kind(group)} {name!r} cannot be imported ({_whose(point)}): {type(error).__name__}: {error}"
        ) from error


def names(group: str) -> list[str]:
    """Return the names that are registered in an entry-point group, sorted."""
    return sorted(_group(group))


def resolve(group: str, name: str) -> Any:
    """Return the object that is registered as `name`, or the global of a Python file if `name` is ``FILE.py:NAME``.

    Raises:
        UnknownNameError: No plug-in has this name.
        UsageError: Two plug-ins have this name, the plug-in cannot be imported, or the file defines something else.
        InputError: The file cannot be read or imported, or it does not define the name.
    """
    if not isinstance(name, str):
        raise UnknownNameError(_kind(group), name, _group(group))
    where = definition(name)
    if where is not None:
        return _required(group, name, value_of(*where))
    if name.endswith(".py"):
        raise UsageError(f"{name}: say which {_kind(group)} of the file: {name}:NAME")
    points = _group(group)
    if name not in points:
        raise UnknownNameError(_kind(group), name, points)
    return _loaded(group, name)


def _required(group: str, name: str, value: object) -> object:
    """Return `value`, which a file defines; UsageError if it cannot be a plug-in of this group."""
    if group in _CLASSES and not callable(value):
        raise UsageError(f"{name} must be a {_kind(group)} class, not {value!r}")
    return value


def spec_for(group: str, value: Any) -> Spec | None:
    """Return the name of a class or a ``functools.partial`` of one on a command line; None if it has no name there."""
    if isinstance(value, functools.partial):
        inner = None if value.args else spec_for(group, value.func)
        made = None if inner is None else Spec(inner.name, {**inner.options, **value.keywords})
        return made if made is not None and made.word is not None else None
    full_name = f"{getattr(value, '__module__', '')}:{getattr(value, '__qualname__', '')}"
    for name, point in _group(group).items():
        if point.value == full_name and _loaded(group, name) is value:
            return Spec(name)
    where = home_of(value)
    return None if where is None else Spec(str(where))


def options_of(factory: Any) -> dict[str, Any]:
    """Return the keyword options of a plug-in with their defaults.

    A class that passes unknown options to its base class has the options of that class too.
    """
    found: dict[str, Any] = {}
    layers = (
        [vars(base)["__init__"] for base in factory.__mro__ if "__init__" in vars(base)] if _is_class(factory) else []
    )
    for layer in layers or [factory]:
        signature = _signature(layer)
        if signature is None:
            break
        parameters = signature.parameters.values()
        for parameter in parameters:
            if parameter.default is not parameter.empty:
                found.setdefault(parameter.name, parameter.default)
        if all(parameter.kind is not parameter.VAR_KEYWORD for parameter in parameters):
            break
    return found


def with_options(group: str, choice: Any, options: Mapping[str, Any]) -> Any:
    """Return the choice of a plug-in with `options`, except those that it does not have or sets itself.

    Args:
        group: The group of plug-ins, such as `SCHEMES`.
        choice: Its name with or without options, or a class.
        options: The options.
    """
    if not options:
        return choice
    factory = choice if callable(choice) else resolve(group, Spec.of(choice).name)
    known = {name: value for name, value in options.items() if name in options_of(factory)}
    if callable(choice):
        return functools.partial(choice, **known) if known else choice
    given = Spec.of(choice)
    return Spec(given.name, {**known, **given.options})


def _is_class(factory: Any) -> bool:
    return isinstance(factory, type)


def construct(what: str, factory: Any, *args: Any, **options: Any) -> Any:
    """Return ``factory(*args, **options)``; UsageError if it does not accept them, or raises."""
    try:
        return factory(*args, **options)
    except SimaieError:
        raise
    except TypeError as error:
        _explain(what, factory, len(args), options, error)
        raise
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if is_ours(factory):
            raise
        raise UsageError(f"{what} raised {raised(error)[0]} when it was made") from error


def is_ours(factory: Any) -> bool:
    """Whether a plug-in is part of simaie, so that an exception in it is a bug of simaie."""
    package = str(getattr(factory, "__module__", "")).partition(".")[0]
    return package in ("simaie", "simaie_schedulers")


def _explain(what: str, factory: Any, positional: int, options: Mapping[str, Any], error: TypeError) -> None:
    """Raise UsageError for a TypeError that a call of `factory` raised; return if it is a bug of simaie's own."""
    taken = _positional(factory, positional)
    known = {name for name in options_of(factory) if name not in taken}
    unknown = [name for name in options if name not in known]
    without_options = what.removesuffix(str(Spec("", dict(options))))
    refused = next((name for name in options if name in taken), None) or _refused(unknown, positional, error)
    if refused is not None:
        sentence = f"{without_options} has no option {refused!r}"
        raise UnknownNameError(f"option of {without_options}", refused, known, sentence=sentence) from error
    if missing := _missing(factory, positional, options):
        raise UsageError(f"{what} needs the option {missing[0]!r}") from error
    if is_ours(factory) and "argument" not in str(error):
        return
    raise UsageError(f"{what} cannot be made: {raised(error)[0]}") from error


def _refused(unknown: Sequence[str], positional: int, error: TypeError) -> str | None:
    """Return the first of the `unknown` options because of which Python refused a call; None for another reason."""
    text = str(error)
    if "unexpected keyword argument" in text:
        return next((name for name in unknown if repr(name) in text), None)
    return next(iter(unknown), None) if not positional and text.endswith("takes no arguments") else None


def _signature(factory: Any) -> inspect.Signature | None:
    """Return the signature of `factory`; None if Python does not know it, as for some builtins."""
    try:
        return inspect.signature(factory)
    except (TypeError, ValueError):
        return None


def _positional(factory: Any, count: int) -> set[str]:
    """Return the names of the parameters that are passed by position, the first `count`, and ``self``."""
    signature = _signature(factory)
    names = list(signature.parameters)[:count] if signature is not None else []
    return {*names, "self"}


def _missing(factory: Any, positional: int, options: Mapping[str, Any]) -> list[str]:
    """Return the required parameters that neither the `positional` arguments nor the `options` fill."""
    signature = _signature(factory)
    parameters = signature.parameters.values() if signature is not None else ()
    named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    return [p.name for p in named[positional:] if p.default is p.empty and p.name not in options]
