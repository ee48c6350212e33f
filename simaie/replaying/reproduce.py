"""The shell commands that run a failing execution again: by exploring, and from its replay file."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from simaie import corpus, plugins
from simaie.check import DEFAULT
from simaie.definitions import definition
from simaie.guest.text import SUFFIX
from simaie.machine import Limits, Machine
from simaie.plugins import Spec
from simaie.replaying.checkers import defined_at, word_for
from simaie.replaying.target import scenario_of, target_text, variable_of

if TYPE_CHECKING:
    from simaie.guest.program import Program
    from simaie.replaying.failure import Failure

__all__ = ["command_of", "how_to_reproduce", "is_named", "replay_command", "script_of", "target_of"]


def how_to_reproduce(failure: Failure) -> str:
    """Return a shell command that runs `failure` again, or Python code if no command line can name all its parts."""
    if is_named(failure):
        return command_of(failure)
    if failure.file is not None:
        return replay_command(failure, failure.file)
    lacking = [] if target_of(failure.program) is not None else ["program=..."]
    lacking += [] if failure.machine.is_named else ["machine=..."]
    return f"failure.save('failure.json'), then simaie.replay('failure.json', {', '.join(lacking)})"


def is_named(failure: Failure) -> bool:
    """Whether a command line can name both the program and the machine."""
    return target_of(failure.program) is not None and failure.machine.is_named


def command_of(failure: Failure) -> str:
    """Return the shell command that runs this execution alone."""
    target = target_of(failure.program) or failure.program.name
    spec = script_of(failure) if failure.scheduler is None or failure.scheduler.word is None else failure.scheduler
    index = 0 if spec.name == _SCRIPTED else failure.index  # a script is one execution
    parts = ["simaie", "explore", target, *_scenario_options(failure.program)]
    parts += _machine_options(target, failure.machine, failure.program)
    parts += [f"--cut={cut}" for cut in failure.program.cuts]
    parts += ["--scheduler", str(spec), "--seed", str(failure.seed), "--index", str(index)]
    if failure.driver != "inline":
        parts += ["--driver", failure.driver]
    usual = DEFAULT, (*DEFAULT, *failure.program.checkers)
    named = () if failure.checkers in usual else filter(None, map(word_for, failure.checkers))
    parts += [word for name in named for word in ("--checker", name)]
    return shlex.join(parts)


def _scenario_options(program: Program) -> list[str]:
    scenario = scenario_of(program)
    return [] if scenario is None else scenario.arguments


_SCRIPTED = "scripted"


def script_of(failure: Failure) -> Spec:
    """Return the name and options of the scheduler that follows the decisions of `failure`."""
    return Spec(_SCRIPTED, {"schedule": failure.trace.schedule.text})


def replay_command(failure: Failure, path: str | os.PathLike[str]) -> str:
    """Return the shell command that replays `failure` from the file at `path`, and names the code that it needs."""
    parts = ["simaie", "replay", os.fspath(path)]
    source, target = failure.program.defined_in, target_of(failure.program)
    if target is not None and source is not None and source.suffix == ".py" and ":" in target:
        parts += ["--program", target]
    for option, spec in (("--scheme", failure.machine.named_scheme), ("--host", failure.machine.named_host)):
        if spec is not None and definition(spec.name) is not None:
            parts += [option, str(spec)]
    named = [word for word in map(word_for, failure.checkers) if word is not None]
    if any(defined_at(word) is not None for word in named):
        parts += [word for name in named for word in ("--checker", name)]
    return shlex.join(parts)


def target_of(program: Program) -> str | None:
    """Return the name of a program on the command line; None if it has no name there, or its file is gone."""
    source = program.defined_in
    if source is not None and (source.suffix == SUFFIX or scenario_of(program) is not None):
        return str(source) if source.is_file() else None
    if corpus.has_program(program.name) and _is_of_corpus(program):
        return program.name
    variable = variable_of(program.cut_from or program)
    return None if source is None or variable is None else target_text(source, variable)


def _is_of_corpus(program: Program) -> bool:
    return corpus.program(program.name).digest == (program.cut_from or program).digest


# -- the machine -------------------------------------------------------------------------------------


def _machine_options(target: str, machine: Machine, program: Program) -> list[str]:
    """Return the options for `machine`.

    For a program of the corpus, the defaults of the command line are those of the machine that the program needs. So
    the options also say where `machine` differs from that one.
    """
    words = machine.arguments
    if not corpus.has_program(target):
        return words
    needs: Any = corpus.entry(target).needs
    spec = machine.named_scheme
    if spec is not None:
        usual = {} if machine.scheme_class is None else plugins.options_of(machine.scheme_class)
        options = {name: usual[name] for name in needs.options if name not in spec.options and name in usual}
        words[words.index("--scheme") + 1] = str(Spec(spec.name, {**options, **spec.options}))
    return [*words, *_against(needs, machine, program)]


def _against(needs: Any, machine: Machine, program: Program) -> Iterator[str]:
    """Yield the options for the parts of `machine` that are usual where the program of the corpus needs others."""
    if needs.full_system and not machine.full_system:
        yield "--user-mode"
    if needs.host_word != 64 and machine.host_word == 64:
        yield from ("--host-word", "64")
    if machine.address_bits is None:
        yield from ("--address-bits", str(machine.facts_of(program).address_bits))
    if needs.steps != machine.limits.steps == Limits().steps:
        yield from ("--steps", str(machine.limits.steps))
