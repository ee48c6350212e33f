"""Reference pages that are read off simaie: commands, plug-ins, instructions.

Each function returns one page as Markdown. Nothing here is kept in a file, so a page cannot fall behind the code.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from importlib.resources import files
from typing import Any, get_args

import msgspec
import typer.main

import simaie
from simaie import plugins
from simaie.cli.app import app
from simaie.cli.documents import Document, schema_of
from simaie.guest.cpu import Cpu
from simaie.guest.isa import ISAS
from simaie.guest.register_instructions import LOCAL
from simaie.replaying.file import ReplayFile
from simaie.schemes.holes import LLSC_HOLES, LOCK_HOLES, PLAIN_HOLES, STUCK_HOLES, Hole

__all__ = ["PAGES", "PARTS", "commands", "instructions", "plugin_page"]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; bars and line ends in cells are escaped."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def plain(text: str | None) -> str:
    """Return text of a docstring or a help as Markdown: rich's escapes and Sphinx's double backquotes removed."""
    return (text or "").replace("\\[", "[").replace("``", "`").replace("<", "&lt;")


# -- the command line ---------------------------------------------------------------------------


def commands() -> str:
    """Return the page on the command line: every command with its arguments, options and examples."""
    known = all_commands(typer.main.get_command(app))
    parts = [
        "# Command line",
        "This page is generated from the commands themselves. `simaie COMMAND --help` shows the same in a terminal. "
        "What the exit statuses mean is in [exit statuses](exit-statuses.md).",
        table(["command", "what it does"],
              [[f"[`{name}`](#{name.replace(' ', '-')})", plain(command.help)] for name, command in known.items()]),
        *(_command(name, command) for name, command in known.items()),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def all_commands(group: Any, prefix: str = "") -> dict[str, Any]:
    """Return the commands of a group by name, also those of groups in it."""
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        nested = hasattr(command, "commands")
        found |= all_commands(command, f"{prefix}{name} ") if nested else {f"{prefix}{name}": command}
    return found


def _command(name: str, command: Any) -> str:
    shown = [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]
    arguments = [parameter for parameter in shown if parameter.opts[0][0] != "-"]
    options = [parameter for parameter in shown if parameter.opts[0][0] == "-"]
    usage = " ".join(["simaie", name, *(str(argument.metavar) for argument in arguments), "[OPTIONS]"])
    parts = [f"## {name}", plain(command.help), f"```text\n{usage}\n```"]
    if arguments:
        parts.append(table(["argument", "what it is"], [[f"`{a.metavar}`", plain(a.help)] for a in arguments]))
    if options:
        parts.append(table(["option", "what it does", "default"], [_option(each) for each in options]))
    if command.epilog:
        parts.append(_epilog(command.epilog))
    return "\n\n".join(parts)


def _option(option: Any) -> list[str]:
    names = " / ".join([*option.opts, *option.secondary_opts])
    value = "" if option.is_flag else f" {option.metavar or option.name.upper()}"
    default = option.default
    unset = default is None or default is False or callable(default)
    shown = "" if unset else f"`{getattr(default, 'value', default)}`"
    return [f"`{names}{value}`", plain(option.help) + (" Repeatable." if _unsaid_repeat(option) else ""), shown]


def _unsaid_repeat(option: Any) -> bool:
    return bool(option.multiple) and "epeatable" not in (option.help or "")


def _epilog(text: str) -> str:
    """Return a command's epilogue: lines that are commands become a block of code."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    prose = [line for line in lines if not line.startswith("simaie ")]
    shell = [line for line in lines if line.startswith("simaie ")]
    return "\n\n".join([*map(plain, prose), *(["```text\n" + "\n".join(shell) + "\n```"] if shell else [])])


# -- plug-ins -----------------------------------------------------------------------------------


def plugin_page(title: str, group: str, introduction: str) -> str:
    """Return the page on everything that is registered in an entry-point group, with options and defaults."""
    parts = [f"# {title}", introduction]
    for name in plugins.names(group):
        found = plugins.resolve(group, name)
        parts += [f"## {name}", *_described(found), *_options(group, found)]
    return "\n\n".join(parts) + "\n"


def _described(found: Any) -> list[str]:
    """Return the documentation of a plug-in; that of its module, with idea and sources, comes first for a class."""
    module = inspect.getmodule(found) if isinstance(found, type) else None
    idea, own = (inspect.getdoc(module) or "").split("\n\n"), (inspect.getdoc(found) or "").split("\n\n")
    shown = [*idea, own[0], *(paragraph for paragraph in own[1:] if paragraph.startswith("Use it "))]
    return [plain(paragraph) for paragraph in shown if paragraph]


def _options(group: str, found: Any) -> list[str]:
    if group == plugins.HOSTS:
        return []
    known = {k: v for k, v in plugins.options_of(found).items() if isinstance(v, bool | int | float | str | None)}
    rows = [[f"`{name}`", f"`{str(value).lower()}`"] for name, value in known.items()]
    return [table(["option", "default"], rows)] if rows else []


# -- instructions -------------------------------------------------------------------------------

_EVERY = (
    "Every instruction set has these. Each is a method of the vCPU: `await cpu.load(0x100)`. Of a value that an "
    "instruction takes, the low `width` bytes count, as in a register: -1 is all ones. Results are unsigned."
)
_LISTED = (
    "These only move values between the registers of a list. Registers start at 0 and hold 64 unsigned bits; a "
    "register whose name begins with a dot stays out of the outcome."
)


def instructions() -> str:
    """Return the page on the instructions of each instruction set, from the vCPU classes."""
    shared = set(Cpu.instruction_names())
    parts = [
        "# Instructions",
        "This page is generated from the vCPU classes. A name here is a method of `cpu` in a guest function, and the "
        'first argument of `simaie.ins` in a list: `await cpu.ldrex(X)` and `ins("ldrex", X, into="r1")` are the '
        "same instruction. A trailing underscore keeps a mnemonic apart from a word of Python (`str_`).",
        "## Common to all",
        _EVERY,
        _methods(Cpu, sorted(shared)),
        "## Register instructions of lists",
        _LISTED,
        ", ".join(f"`{name}`" for name in sorted(LOCAL)) + ".",
        "## All instruction sets",
        _overview(),
    ]
    for isa, cls in sorted(ISAS.items()):
        own = [name for name in cls.instruction_names() if name not in shared or _overridden(cls, name)]
        parts += [f"## {isa}", _module_summary(cls), *_rules(cls), _methods(cls, own)]
    return "\n\n".join(parts) + "\n"


def _overview() -> str:
    """Return a table of the instruction sets with what tells them apart."""
    rows = []
    for isa, cls in sorted(ISAS.items()):
        base = cls.guarantees[""]
        rows.append([
            f"[`{isa}`](#{isa})", str(8 * cls.register_width), cls.byte_order, f"`{cls.memory_order.text}`",
            str(base.plain), str(base.atomic), "no" if cls.reservation is None else "yes",
        ])  # fmt: skip
    head = [
        "name", "bits of a register", "byte order", "orders kept without fences", "widest plain access in bytes",
        "widest atomic in bytes", "LL/SC",
    ]  # fmt: skip
    return table(head, rows)


def _overridden(cls: type[Cpu], name: str) -> bool:
    return getattr(cls, name) is not getattr(Cpu, name)


def _module_summary(cls: type[Cpu]) -> str:
    module = inspect.getmodule(cls)
    return plain((inspect.getdoc(module) or "").replace("\n\n", " "))


def _rules(cls: type[Cpu]) -> list[str]:
    user, system = cls.address_bits
    rows = [
        ["orders kept without fences", f"`{cls.memory_order.text}`"],
        ["general register", f"{cls.register_width} bytes"],
        ["guest address", f"{user} bits in user mode, {system} in full-system mode"],
        ["usual byte order", cls.byte_order],
    ]
    for extension, promise in cls.guarantees.items():
        widest = f"load or store {promise.plain}, load-linked {promise.linked}, atomic {promise.atomic} bytes"
        rows.append([f"widest single-copy atomic accesses{f' with {extension}' if extension else ''}", widest])
    rule = cls.reservation
    if rule is not None:
        rows += [
            ["reservation granule", f"{rule.least} to {rule.most} bytes"],
            ["must end a reservation", _causes(rule.must)],
            ["may end a reservation", _causes(rule.may)],
            ["store-conditional to another address", str(rule.other_address)],
            ["store-conditional of another width", str(rule.other_width)],
        ]
    return [table(["rule", "value"], rows)]


def _causes(causes: Iterable[Any]) -> str:
    return ", ".join(sorted(cause.name.lower().replace("_", " ") for cause in causes)) or "nothing"


def _methods(cls: type[Cpu], names: Iterable[str]) -> str:
    rows = []
    for name in names:
        method = getattr(cls, name)
        parameters = list(inspect.signature(method).parameters.values())[1:]
        what = " ".join((inspect.getdoc(method) or "").split("\n\n")[0].split())
        rows.append([f"`{name}({', '.join(map(_parameter, parameters))})`", plain(what)])
    return table(["instruction", "what it does"], rows)


def _parameter(parameter: inspect.Parameter) -> str:
    star = "*" if parameter.kind is parameter.VAR_POSITIONAL else ""
    default = "" if parameter.default is parameter.empty else f"={parameter.default!r}"
    return f"{star}{parameter.name}{default}"


# -- parts of pages -----------------------------------------------------------------------------


def grammar() -> str:
    """Return the grammar of program texts as it is read."""
    text = (files("simaie.guest.text") / "program.lark").read_text("utf-8")
    return f"```text\n{text}```"


def replay_fields() -> str:
    """Return the fields of a replay file and of what it holds."""
    parts, waiting, done = [], [ReplayFile], set()
    while waiting:
        struct = waiting.pop(0)
        done.add(struct)
        rows = []
        for field in msgspec.structs.fields(struct):
            inner = _structs_in(field.type)
            waiting += [each for each in inner if each not in done and each not in waiting]
            rows.append([f"`{field.name}`", f"`{_type_name(field.type)}`"])
        parts += [f"### {struct.__name__}", plain(inspect.getdoc(struct)), table(["field", "type"], rows)]
    return "\n\n".join(parts)


def _structs_in(kind: Any) -> list[Any]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return [kind]
    return [found for part in get_args(kind) for found in _structs_in(part)]


def _type_name(kind: Any) -> str:
    """Return a type as an annotation shows it, without the modules of its parts."""
    return kind.__name__ if isinstance(kind, type) and not get_args(kind) else re.sub(r"\b[a-z_]+\.", "", str(kind))


def holes() -> str:
    """Return a table of the classes of violations, with a description of each."""
    kinds = dict.fromkeys(LLSC_HOLES, "LL/SC") | dict.fromkeys(LOCK_HOLES, "locked instructions")
    both = set(LLSC_HOLES) & set(LOCK_HOLES)
    kinds |= dict.fromkeys(PLAIN_HOLES, "any instructions") | dict.fromkeys(STUCK_HOLES, "both")
    kinds[Hole.LIVELOCK] = "LL/SC"
    rows = [[f"`{hole}`", "both" if hole in both else kinds[hole], hole.meaning] for hole in Hole]
    return table(["class", "guests with", "what happens"], rows)


def variants() -> str:
    """Return the variants of each scheme with the classes in which it has a violation."""
    rows = []
    for name in plugins.names(plugins.SCHEMES):
        for variant in plugins.resolve(plugins.SCHEMES, name).variants:
            options = f"`{variant.options}`" if variant.options else "defaults"
            parts = ("", variant.reordered - variant.holes), ("only on `armv8`: ", variant.armv8)
            more = "; ".join(where + _listed(holes) for where, holes in parts if holes)
            rows.append([f"[`{name}`](schemes.md#{name})", options, _listed(variant.on("sc") or ()), more])
    return table(["scheme", "options", "broken classes", "more on `tso` and `armv8`"], rows)


def _listed(holes: Collection[Hole]) -> str:
    return ", ".join(f"`{hole}`" for hole in Hole if hole in holes) or "none"


#: The cells that the documentation names: scheme, class, host.
HEADLINES = (
    ("cas", Hole.ABA_ONE_STORER, "sc"),
    ("hst", Hole.ABA_ONE_STORER, "sc"),
    ("hst", Hole.ABA_TWO_STORERS, "sc"),
    ("hst", Hole.ABA_ONE_STORER, "tso"),
    ("hst:barrier=st-ld", Hole.ABA_ONE_STORER, "tso"),
    ("hst:barrier=st-ld", Hole.ABA_ONE_STORER, "armv8"),
    ("tlb-excl:order=load-first", Hole.STORE, "sc"),
    ("tlb-excl:order=flush-first", Hole.STORE, "sc"),
    ("tlb-excl:order=locked", Hole.STORE, "sc"),
    ("pst", Hole.ABA_FAILED_SC, "sc"),
    ("pst-remap:unlocks=false", Hole.DEADLOCK, "sc"),
    ("pst-remap", Hole.ABA_BY_SC, "sc"),
    ("pico-st:window=split", Hole.ABA_TWO_STORERS, "sc"),
    ("mixed:paths=0=monitor-spin;*=cas", Hole.ABA_BY_SC, "sc"),
    ("aie-rfc", Hole.LLSC_RMW, "sc"),
    ("aie-rfc:checked_store_revokes=true", Hole.LLSC_RMW, "sc"),
    ("split-cas", Hole.SPLIT_LOCK, "sc"),
    ("tlib", Hole.NEIGHBOUR, "sc"),
    ("tlb-excl:flush=at-once", Hole.STORE, "sc"),
    ("global-lock:unlocks=false", Hole.DEADLOCK, "sc"),
)


def headlines() -> str:
    """Search the cells of `HEADLINES` and return a table of the results, with a command for each violation."""
    rows = []
    for scheme, hole, host in HEADLINES:
        (cell,) = (c for c in simaie.matrix([scheme], [hole], [host]).cells if c.scheme == scheme)
        command = f"`{cell.command}`" if cell.command else ""
        rows.append(
            [f"`{scheme}`", f"`{hole}`", f"`{host}`", cell.result, str(cell.executions), str(cell.steps or ""), command]
        )
    return table(["scheme", "class", "host", "result", "executions", "steps", "to show it again"], rows)


#: The functions whose text replaces ``<!-- generated: NAME -->`` in a page.
PARTS: Mapping[str, Callable[[], str]] = {
    "grammar": grammar,
    "replay-fields": replay_fields,
    "holes": holes,
    "variants": variants,
    "headlines": headlines,
}

# -- all ----------------------------------------------------------------------------------------

_SCHEMES = (
    "A scheme says which host operations a guest access becomes. Name one by `--scheme NAME:OPTION=VALUE,...` or "
    "`Machine(\"NAME:OPTION=VALUE\")`. How to write one: [a scheme](../how-to/scheme.md). `barriers=usual` stands for "
    "what the scheme's emulator does; see [hosts and barriers](../explanation/hosts.md)."
)
_SCHEDULERS = (
    "A scheduler chooses every step of every execution. Name one by `--scheduler NAME:OPTION=VALUE,...` or "
    '`simaie.explore(..., scheduler="NAME:OPTION=VALUE")`. `dpor` and `dfs` can prove that a program holds; all others '
    "sample. How to write one: [a scheduler](../how-to/scheduler.md)."
)
_HOSTS = (
    "A host memory is the memory model of the machine under the emulator. Name one by `--host NAME` or "
    '`Machine(host="NAME")`. How to write one: [a host memory](../how-to/host-memory.md).'
)
_CHECKERS = (
    "A checker is a pure function of a trace that returns findings. Name one by `--checker NAME`, repeatable, or "
    "`simaie.explore(..., checkers=[\"NAME\"])`; without any, the default checkers judge: {default}. How to write one: "
    "[a checker](../how-to/checker.md)."
)


def _checkers() -> str:
    from simaie.check import CHECKERS, DEFAULT

    default = ", ".join(f"`{name}`" for name, checker in CHECKERS.items() if checker in DEFAULT)
    return plugin_page("Checkers", plugins.CHECKERS, _CHECKERS.format(default=default))


def documents() -> str:
    """Return the page with the JSON Schemas of what the commands print."""
    parts = [
        "# JSON of commands",
        "With `--format json` a command prints one document. Its `schema` names the form and its version, which "
        "changes when a field gets another meaning or goes away; new fields may come. The schemas below are made from "
        "the types in the code. `simaie list` prints an array, which has no such name.",
        table(["command", "form"], [[_PRINTED_BY[each], f"[`{each}`](#{each})"] for each in Document]),
    ]
    for each in Document:
        parts += [f"## {each}", f"Printed by {_PRINTED_BY[each]}."]
        parts.append(f"```json\n{json.dumps(schema_of(each), indent=1)}\n```")
    return "\n\n".join(parts) + "\n"


_PRINTED_BY: Mapping[Document, str] = {
    Document.EXPLORE: "`explore`",
    Document.PROVE_PROGRESS: "`prove-progress`",
    Document.REPLAY: "`replay`, and `campaign replay`",
    Document.CHECK: "`check`",
    Document.SHRINK: "`shrink`",
    Document.COMPARE: "`compare` of one program",
    Document.COMPARE_ALL: "`compare` of several programs",
    Document.BARRIERS: "`barriers` of a scheme without a mapping, or with `--places`",
    Document.MAPPING: "`barriers` of a scheme with a mapping",
    Document.MATRIX: "`matrix`",
    Document.AUDIT: "`audit`",
    Document.LITMUS: "`litmus`",
    Document.FUZZ: "`fuzz`",
    Document.LIST: "`list`",
    Document.CAMPAIGN_STATUS: "`campaign run`, `resume`, `status`, `report` and `merge`",
    Document.CAMPAIGN_FIXED: "`campaign fixed`",
}

#: The generated pages, by their path below the folder of the documentation.
PAGES: Mapping[str, Callable[[], str]] = {
    "reference/cli.md": commands,
    "reference/schemes.md": lambda: plugin_page("Schemes", plugins.SCHEMES, _SCHEMES),
    "reference/schedulers.md": lambda: plugin_page("Schedulers", plugins.SCHEDULERS, _SCHEDULERS),
    "reference/hosts.md": lambda: plugin_page("Host memories", plugins.HOSTS, _HOSTS),
    "reference/checkers.md": _checkers,
    "reference/instructions.md": instructions,
    "reference/json.md": documents,
}
