"""A failing execution: its trace and findings, and all it takes to have it again."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from simaie import corpus, plugins
from simaie.check import DEFAULT, CheckerChoice
from simaie.errors import NondeterminismError
from simaie.finding import Finding, Strength, Verdict, strength_of, verdict_of
from simaie.guest.program import Program
from simaie.guest.text import SUFFIX, is_data, program_text
from simaie.machine import Machine
from simaie.plugins import Spec
from simaie.replaying.checkers import judges, records_of, word_for
from simaie.replaying.file import MachineRecord, ProgramRecord, ReplayFile, SchedulerRecord, Step, save
from simaie.replaying.levels import at_strongest_level
from simaie.replaying.recording import Recording
from simaie.replaying.run import Driver, run
from simaie.replaying.shrink import Shrinkable, ShrinkProgress, ShrinkReport, shrink
from simaie.replaying.signature import Signature, signature_of
from simaie.replaying.target import source_digest, target_text, variable_of
from simaie.trace import Trace

__all__ = ["Failure", "Shrunk"]


@dataclass(frozen=True)
class Failure:
    """One execution with findings. It replays alone, from (seed, index) or from its schedule."""

    program: Program
    machine: Machine
    scheduler: Spec | None
    seed: int
    index: int
    trace: Trace = field(repr=False)
    findings: tuple[Finding, ...]
    profile: Mapping[str, Any] = field(default_factory=dict, repr=False)
    driver: Driver = "inline"
    checkers: tuple[CheckerChoice, ...] = field(default=DEFAULT, repr=False)  # those that judged

    def __str__(self) -> str:
        return "\n".join(map(str, self.findings))

    @property
    def verdict(self) -> Verdict:
        """Violated, or inconclusive: one execution proves nothing to hold."""
        return Verdict.VIOLATED if verdict_of(self.findings) is Verdict.VIOLATED else Verdict.INCONCLUSIVE

    @property
    def strongest(self) -> tuple[Finding, ...]:
        """Its findings, those on a store-conditional at the strongest level at which it failed.

        The trace is judged by the LL/SC checkers of all levels for this, whichever checkers found the failure.
        """
        return at_strongest_level(self.trace, self.findings, self.machine.endian)

    @property
    def strength(self) -> Strength:
        """How convincing the failure is, to be compared with that of others; see `simaie.finding.Strength`."""
        return strength_of(self.strongest)

    @property
    def signature(self) -> Signature:
        """What it has in common with other failures of the same cause; see `simaie.replaying.signature`."""
        return signature_of(self.trace, self.strongest)

    @property
    def command(self) -> str:
        """The shell command that runs into this failure again."""
        parts = ["simaie", "explore", self.target, *self.machine.arguments]
        parts += [f"--cut={cut}" for cut in self.program.cuts]
        parts += ["--scheduler", str(self.scheduler or "dfs"), "--seed", str(self.seed), "--index", str(self.index)]
        if self.driver != "inline":
            parts += ["--driver", self.driver]
        usual = DEFAULT, (*DEFAULT, *self.program.checkers)
        named = () if self.checkers in usual else filter(None, map(word_for, self.checkers))
        parts += [word for name in named for word in ("--checker", name)]
        return shlex.join(parts)

    @property
    def target(self) -> str:
        """The program as the command line names it; its bare name if the command line cannot."""
        return self._target or self.program.name

    @property
    def again(self) -> str:
        """How to run into this failure again: `command`, or Python where no shell knows the program."""
        if self._target is not None:
            return self.command
        return "failure.save('failure.json'), then simaie.replay('failure.json', program=...)"

    @property
    def _target(self) -> str | None:
        if self.program.name in corpus.names():
            return self.program.name
        source, variable = self.program.defined_in, variable_of(self.program.whole or self.program)
        if source is not None and source.suffix == SUFFIX:
            return str(source)
        return None if source is None or variable is None else target_text(source, variable)

    def shrink(
        self,
        *,
        kind: str | None = None,
        executions: int = 500,
        cut: bool = True,
        checkers: Sequence[CheckerChoice] | None = None,
        progress: ShrinkProgress | None = None,
    ) -> Shrunk:
        """Return the shortest failure of the same kind and strength that can be found, and a report on the search.

        The shrunk execution has a finding of `kind`, and fails at the strongest level at which this one fails: where a
        foreign store changed the value under a store-conditional, it still does. Without `kind`, a refused or forbidden
        outcome and every other wrong result stays too (see `simaie.finding.strong_kinds`); then nothing of a program
        that has its final state checked is left out. Deterministic; Ctrl-C keeps the best so far.

        Args:
            kind: of the finding to keep; None for that of the first finding, and all that makes the failure strong.
            executions: how many candidates to run at most.
            cut: whether to leave out vCPUs and instructions too (see `simaie.guest.cut`).
            checkers: to judge by, as for `simaie.explore`; None for those that found the failure.
            progress: called with how many candidates were run, of how many, and the best size.

        Raises:
            UsageError: there is no violation (of that kind), or the checkers do not find it.
        """
        given = Shrinkable(self.program, self.machine, self.trace, self.findings, self.driver)
        choices = self.checkers if checkers is None else tuple(checkers)
        best, report = shrink(
            given, kind=kind, executions=executions, cut=cut, checkers=judges(choices), progress=progress
        )
        script = Spec("scripted", {"schedule": best.trace.schedule.text})
        failure = Failure(
            best.program, self.machine, script, self.seed, 0, best.trace, best.findings, driver=self.driver,
            checkers=choices,
        )
        return Shrunk(failure, report)

    def explain(self) -> str:
        """What happened, in the guest's terms: a paragraph for each finding."""
        return self.render("explanation")

    def to_html(self) -> str:
        """A page to walk through it: one file that needs no network."""
        return self.render("html")

    def to_svg(self, *, everything: bool = False) -> str:
        """A drawing; everything: with every step, and nothing folded."""
        return self.render("svg", everything=everything)

    def to_perfetto(self) -> str:
        """A timeline as trace-event JSON, which ui.perfetto.dev and chrome://tracing open."""
        return self.render("perfetto")

    def player(self) -> Any:
        """A widget to step through it in a notebook, by slider and keys; a picture where the extra is missing."""
        return plugins.resolve(plugins.RENDERERS, "player")(self)

    def _repr_html_(self) -> str:
        return self.render("notebook")

    def render(self, name: str, **options: Any) -> str:
        """This failure as the renderer called `name` draws it (see `simaie.plugins.RENDERERS`)."""
        drawn: str = plugins.resolve(plugins.RENDERERS, name)(self, **options)
        return drawn

    def as_dict(self) -> dict[str, Any]:
        """The failure as JSON values: what is wrong, and how to have it again; not its trace."""
        return {
            "index": self.index,
            "digest": self.trace.digest,
            "signature": self.signature.digest,
            "command": self.command,
            "findings": msgspec.to_builtins(self.findings),
            "switches": [[s.step, s.actor] for s in self.trace.schedule.switches],
            "choices": [[c.step, c.value] for c in self.trace.schedule.choices],
        }

    def steps(self) -> tuple[Step, ...]:
        """Every step with a digest of what was offered, had by running the schedule once more.

        Raises NondeterminismError if that run is another one: the guest depends on more than its schedule.
        """
        scripted = plugins.resolve(plugins.SCHEDULERS, "scripted")(self.trace.schedule, strict=False)
        recording = Recording(scripted)
        again = run(self.program, self.machine, recording, seed=self.seed, index=self.index, driver=self.driver)
        if again.digest != self.trace.digest:
            step = next((i for i, pair in enumerate(zip(again.events, self.trace.events, strict=False))
                         if pair[0].form != pair[1].form), min(len(again), len(self.trace)))
            raise NondeterminismError(
                f"program {self.program.name!r} ran differently under the same schedule, first at step {step}: "
                "its guest code must not depend on clocks, random numbers, set order or state kept between executions"
            )
        return tuple(recording.steps)

    def record(self, base: Path) -> ReplayFile:
        """This failure as a replay file's content; paths in it are relative to the folder `base`."""
        spec = self.scheduler or Spec("scripted")
        return ReplayFile(
            program=_program_record(self.program, base),
            machine=machine_record(self.machine),
            scheduler=SchedulerRecord(spec.name, dict(spec.options), self.seed, self.index, dict(self.profile)),
            switches=self.trace.schedule.switches,
            choices=self.trace.schedule.choices,
            steps=self.steps(),
            digest=self.trace.digest,
            verdict=self.verdict.value,
            findings=self.findings,
            checkers=records_of(self.checkers, base),
            driver=self.driver,
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the replay file; returns its path."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        save(self.record(target.parent), target)
        return target


class Shrunk(NamedTuple):
    """What `Failure.shrink` returns."""

    failure: Failure
    report: ShrinkReport


def machine_record(machine: Machine) -> MachineRecord:
    """A machine as data."""
    spec = machine.scheme_spec or Spec(machine.scheme)
    return MachineRecord(
        scheme=spec.name,
        options=dict(spec.options),
        custom_scheme=machine.scheme_spec is None,
        host=machine.host,
        full_system=machine.full_system,
        host_word=machine.host_word,
        address_bits=machine.address_bits,
        endian=machine.endian,
        steps=machine.limits.steps,
        threads=machine.limits.threads,
        custom_host=machine.custom_host,
    )


def _program_record(program: Program, base: Path) -> ProgramRecord:
    if program.whole is not None:
        return msgspec.structs.replace(_program_record(program.whole, base), cuts=program.cuts)
    if program.name in corpus.names() and corpus.program(program.name).digest == program.digest:
        return ProgramRecord(program.name, program.digest, corpus=program.name)
    source, variable = program.defined_in, variable_of(program)
    if source is None or variable is None:
        text = program_text(program) if is_data(program) else None
        return ProgramRecord(program.name, program.digest, text=text)
    relative = os.path.relpath(source.resolve(), base.resolve())
    return ProgramRecord(program.name, program.digest, None, relative, variable, source_digest(source))
