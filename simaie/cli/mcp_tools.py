"""The tools of ``simaie mcp``: their arguments, the command that each runs, and the type of its result.

Each tool is a command of simaie with the same rules: it imports the Python file that the caller names as the target, as
the command line does, and no file that a replay file or a text names. It runs in a process of its own, so that the
caller sees the files as they are now, and a guest that crashes or prints does no harm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple

import msgspec

from simaie.cli.documents import Document, schema_of
from simaie.errors import UsageError
from simaie.finding import Finding, Verdict

__all__ = ["Tool", "tools"]

_Seconds = Annotated[float, msgspec.Meta(gt=0, description="The time of the search at most, in seconds.")]
_Executions = Annotated[int, msgspec.Meta(ge=1, description="The number of executions at most.")]
_Target = Annotated[
    str,
    msgspec.Meta(
        min_length=1, description="A program of the corpus, FILE.py:NAME, or the path of a .litmus or .guest file."
    ),
]
_Scheme = Annotated[str, msgspec.Meta(description="A scheme with options, such as cas or aie-rfc:granule=64.")]
_Host = Annotated[str, msgspec.Meta(description="A host memory, such as sc, tso or armv8.")]
_File = Annotated[str, msgspec.Meta(min_length=1, description="A replay file, as explore has saved it.")]
_Program = Annotated[str, msgspec.Meta(description="The program, if the file does not hold it: FILE.py:NAME.")]


class _Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The arguments of a tool."""


class Explore(_Arguments, frozen=True, kw_only=True):
    """Run a program under many schedules, and judge every execution.

    The verdict is "holds" only if everything was explored. Failures can be saved to a folder, for replay and explain.
    """

    target: _Target
    scheme: _Scheme | None = None
    host: _Host | None = None
    scheduler: Annotated[str, msgspec.Meta(description="Such as portfolio, or dpor to prove.")] | None = None
    seed: int | None = None
    executions: _Executions | None = None
    seconds: _Seconds = 60.0
    checker: tuple[str, ...] = ()
    save: Annotated[str, msgspec.Meta(description="The folder in which failures are saved.")] | None = None


class Compare(_Arguments, frozen=True, kw_only=True):
    """Compare the outcomes that a program can have under a scheme with those that the guest's architecture allows."""

    target: _Target
    scheme: _Scheme | None = None
    host: _Host | None = None
    executions: _Executions | None = None
    seconds: _Seconds = 60.0


class Barriers(_Arguments, frozen=True, kw_only=True):
    """Find the fewest barriers with which a program does only what its architecture allows, or judge a mapping."""

    target: _Target
    host: _Host
    scheme: _Scheme | None = None
    places: Annotated[bool, msgspec.Meta(description="Whether to find where the barriers have to be.")] = False
    executions: _Executions | None = None
    seconds: _Seconds = 60.0


class Matrix(_Arguments, frozen=True, kw_only=True):
    """Decide schemes for classes of violations on hosts; without schemes and classes it takes minutes."""

    scheme: tuple[str, ...] = ()
    class_: Annotated[tuple[str, ...], msgspec.Meta(description="Such as aba-two-storers.")] = msgspec.field(
        default=(), name="class"
    )
    host: tuple[str, ...] = ()
    executions: _Executions | None = None


class Replay(_Arguments, frozen=True, kw_only=True):
    """Run a saved failure again, and return it step by step."""

    file: _File
    program: _Program | None = None


class Explain(_Arguments, frozen=True, kw_only=True):
    """Say in words why a saved failure fails."""

    file: _File
    program: _Program | None = None


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """What a saved failure is, and why it fails."""

    program: str
    scheme: str
    host: str
    verdict: Verdict
    findings: tuple[Finding, ...]
    explanation: str


class Tool(NamedTuple):
    """A tool.

    Attributes:
        name: Its name.
        arguments: The type of its arguments, whose documentation describes the tool.
        command: The command that it runs.
        place: The name of the argument that is the argument of the command; empty if it has none.
        output: The JSON Schema of its result.
        result: Makes the result from the document that the command prints.
    """

    name: str
    arguments: type[_Arguments]
    command: str
    place: str
    output: dict[str, Any]
    result: Callable[[dict[str, Any]], dict[str, Any]]

    @property
    def description(self) -> str:
        """What the tool does."""
        return " ".join((self.arguments.__doc__ or "").split())

    @property
    def input(self) -> dict[str, Any]:
        """The JSON Schema of the arguments."""
        return _as_object(msgspec.json.schema(self.arguments))

    def argv(self, given: Mapping[str, Any] | None) -> list[str]:
        """Return the words of the command line that a call means.

        Raises:
            UsageError: An argument is unknown, is missing, or has another type.
        """
        try:
            arguments = msgspec.convert(dict(given or {}), self.arguments)
        except msgspec.ValidationError as error:
            raise UsageError(f"{self.name}: {error}") from error
        values: dict[str, Any] = msgspec.to_builtins(arguments)
        words = [self.command, "--format", "json"]
        for name, value in values.items():
            if name != self.place:
                words += _words(name, value)
        return [*words, "--", values[self.place]] if self.place else words


def _words(name: str, value: Any) -> list[str]:
    """Return the options of a command line that an argument means."""
    if value is None or value is False:
        return []
    if value is True:
        return [f"--{name}"]
    return [f"--{name}={each}" for each in (value if isinstance(value, list | tuple) else [value])]


def _as_object(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that is an object at its top, as the protocol wants it, and not a reference to one."""
    name = schema["$ref"].rpartition("/")[2]
    return {**schema["$defs"][name], "$defs": schema["$defs"]}


def _either(*documents: Document) -> dict[str, Any]:
    """Return the schema of one of several documents."""
    choices: list[dict[str, Any]] = []
    parts: dict[str, Any] = {}
    for document in documents:
        joined = schema_of(document)
        choices.append({"$ref": joined["$ref"]})
        parts |= joined["$defs"]
    return {"type": "object", "anyOf": choices, "$defs": parts}


def _explained(document: dict[str, Any]) -> dict[str, Any]:
    return {name: document[name] for name in Explained.__struct_fields__}


def _same(document: dict[str, Any]) -> dict[str, Any]:
    return document


def tools() -> dict[str, Tool]:
    """Return the tools by name."""
    one = {document: _as_object(schema_of(document)) for document in (Document.EXPLORE, Document.COMPARE)}
    replay, matrix = _as_object(schema_of(Document.REPLAY)), _as_object(schema_of(Document.MATRIX))
    barriers, explained = _either(Document.BARRIERS, Document.MAPPING), _as_object(msgspec.json.schema(Explained))
    made = [
        Tool("explore", Explore, "explore", "target", one[Document.EXPLORE], _same),
        Tool("compare", Compare, "compare", "target", one[Document.COMPARE], _same),
        Tool("barriers", Barriers, "barriers", "target", barriers, _same),
        Tool("matrix", Matrix, "matrix", "", matrix, _same),
        Tool("replay", Replay, "replay", "file", replay, _same),
        Tool("explain", Explain, "replay", "file", explained, _explained),
    ]
    return {tool.name: tool for tool in made}
