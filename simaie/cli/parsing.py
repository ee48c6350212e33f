"""The parser of a command. It rejects repeated options and surplus arguments, and names missing ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any

from typer import Typer
from typer.core import TyperCommand
from typer.main import get_command_name
from typer.models import CommandInfo

from simaie import plugins
from simaie.cli.options import known

__all__ = ["StrictCommand", "for_arguments"]

#: Words for an argument, by its metavar: the noun in a message, and examples.
_ARGUMENTS = {
    "FILE": ("file", "failures/NAME.json, which explore --save failures/ writes"),
    "TARGET": ("target", "spinlock.py:program, test.litmus or first-registration-window"),
    "TARGET...": ("target", "spinlock.py:program, test.litmus or first-registration-window"),
    "PATH...": ("path", "test.litmus, a folder of such files, or @FILE"),
}


#: The options of ``simaie show`` that draw.
_PICTURES = ("--html", "--svg", "--perfetto")


def for_arguments(app: Typer, arguments: Sequence[str]) -> Typer:
    """Return the part of `app` that parses `arguments`: one command, or no command if only the version is asked for.

    The parser of a command takes some milliseconds to make.
    """
    wanted = arguments[0] if arguments else ""
    commands = [info for info in app.registered_commands if _name(info) == wanted]
    if not commands and list(arguments) != ["--version"]:
        return app
    part = copy(app)
    part.registered_commands, part.registered_groups = commands, []
    return part


def _name(info: CommandInfo) -> str:
    return info.name or get_command_name(info.callback.__name__ if info.callback else "")


class StrictCommand(TyperCommand):
    """A command that takes an option with one value once, and says what an argument that is missing looks like.

    The parser of the libraries keeps the last value of an option and drops the others, so that a user who names two
    schemes would see the result of one.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Check the arguments, then parse them."""
        if not ctx.resilient_parsing and not (self.no_args_is_help and not args):
            self._check(ctx, args)
        return super().parse_args(ctx, args)

    def _check(self, ctx: Any, args: Sequence[str]) -> None:
        self._refuse_pictures(ctx, args)
        given, rest, order = _collecting(self.make_parser(ctx)).parse_args(args=list(args))
        if any(param.is_eager for param in order):  # such as --help, which ends the command
            return
        parameters: list[Any] = self.params
        options = [param for param in parameters if param.param_type_name == "option"]
        arguments = [param for param in parameters if param.param_type_name == "argument"]
        for param in options:
            self._require_one(ctx, param, given.get(param.name, ()))
        if rest:
            ctx.fail(self._too_many(arguments, given, rest))
        for param in arguments:
            if param.required and not given.get(param.name):
                _, example = _ARGUMENTS.get(param.metavar, ("argument", ""))
                if example:
                    ctx.fail(f"{self.name} needs a {param.metavar.rstrip('.')}, such as {example}")
        for param in options:
            if param.name == "host" and param.required and not given.get(param.name):
                ctx.fail(f"{self.name} needs --host HOST, one of: {known(plugins.HOSTS)}")

    def _refuse_pictures(self, ctx: Any, args: Sequence[str]) -> None:
        """Fail for an option of ``simaie show``, and say how to get the picture."""
        own = {name for param in self.params for name in param.opts}
        for word in args:
            option = word.partition("=")[0]
            if option in _PICTURES and option not in own:
                how = f"save an execution (explore --save DIR), then: simaie show FILE {option} OUT"
                ctx.fail(f"{self.name} has no option {option}: {how}")

    def _require_one(self, ctx: Any, param: Any, values: Sequence[Any]) -> None:
        """Fail if an option with one value, or a flag that has an opposite, is given more than once."""
        if param.multiple or len(values) < 2 or (param.is_flag and not param.secondary_opts):
            return
        name = "/".join([*param.opts[:1], *param.secondary_opts[:1]])
        times = "twice" if len(values) == 2 else f"{len(values)} times"
        shown = ", ".join(str(value).lower() if isinstance(value, bool) else str(value) for value in values)
        ctx.fail(f"{name} is given {times} ({shown}); {self.name} takes one at a time")

    def _too_many(self, arguments: Sequence[Any], given: Mapping[str, Any], rest: Sequence[str]) -> str:
        """Return the message for more arguments than the command takes."""
        words = [*(given[param.name] for param in arguments), *rest]
        noun, _ = _ARGUMENTS.get(arguments[0].metavar, ("argument", "")) if arguments else ("argument", "")
        takes = f"one {noun}" if arguments else "no argument, only options"
        return f"{self.name} takes {takes}, got {len(words)}: {', '.join(words)}"


def _collecting(parser: Any) -> Any:
    """Let `parser` collect all values of each option, and return it."""
    for option in {**parser._short_opt, **parser._long_opt}.values():  # no public attribute has the values
        option.action = {"store": "append", "store_const": "append_const"}.get(option.action, option.action)
    return parser
