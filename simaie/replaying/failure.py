"""Failures: executions with findings, and all that is needed to run them again."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from simaie import corpus, plugins
from simaie.arguments import require_iterable, require_path
from simaie.check import DEFAULT, CheckerChoice
from simaie.definitions import definition, source_digest
from simaie.errors import InputError, Interrupted, NondeterminismError
from simaie.finding import Finding, Strength, Verdict, strength_of, verdict_of
from simaie.guest.program import Program
from simaie.guest.text import SUFFIX, is_data, program_text
from simaie.machine import Machine
from simaie.plugins import Spec
from simaie.replaying.binary_record import binary_record
from simaie.replaying.checkers import judges, records_of
from simaie.replaying.file import (
    MachineRecord,
    ProgramRecord,
    ReplayFile,
    SchedulerRecord,
    Step,
    encoded,
    write_replay_file,
)
from simaie.replaying.helper_record import helper_record
from simaie.replaying.levels import at_strongest_level
from simaie.replaying.pickling import Pickled, packed, restored
from simaie.replaying.recording import Recording
from simaie.replaying.repeating import repeat
from simaie.replaying.reproduce import command_of, how_to_reproduce, replay_command, script_of, target_of
from simaie.replaying.run import Driver, run
from simaie.replaying.signature import Signature, signature_of
from simaie.replaying.target import scenario_of, variable_of
from simaie.replaying.trace_record import trace_record
from simaie.saving import name_part, save_new
from simaie.trace import Trace

if TYPE_CHECKING:
    from simaie.replaying.shrink import ShrinkProgress, ShrinkReport
    from simaie.show.widgets.make import Still
    from simaie.show.widgets.player import Player

__all__ = ["Failure", "Shrunk"]

#: The longest trace, in events, that is saved in a replay file; the file of a longer one would be too large to read.
_MOST_RECORDED = 50_000


@dataclass(frozen=True)
class Failure:
    """One execution with findings, which replays alone, from seed and index or from its schedule.

    Attributes:
        program: The program that ran.
        machine: The machine on which it ran.
        scheduler: The name and options of the scheduler; None if no command line can write them.
        seed: The seed of the exploration.
        index: The number of the execution in the exploration, from 0.
        trace: The execution.
        findings: What the checkers found in it.
        profile: What the scheduler needs to choose the execution again; see `simaie.Scheduler.profile`.
        driver: The driver that ran the guest code.
        checkers: The checkers that judged the execution.
        file: The replay file from which the failure was read, if it was read from one.
        diverged: Of a best-effort replay, where it first differs from the recorded execution, and how; else empty.
    """

    program: Program
    machine: Machine
    scheduler: Spec | None
    seed: int
    index: int
    trace: Trace = field(repr=False)
    findings: tuple[Finding, ...]
    profile: Mapping[str, Any] = field(default_factory=dict, repr=False)
    driver: Driver = "inline"
    checkers: tuple[CheckerChoice, ...] = field(default=DEFAULT, repr=False)
    file: Path | None = field(default=None, repr=False, compare=False)
    diverged: str = field(default="", repr=False, compare=False)

    def __str__(self) -> str:
        return self.render("text")

    def __reduce__(self) -> tuple[Any, ...]:
        pickled = Pickled(
            self.program, self.machine, self.scheduler, self.seed, self.index, self.trace.schedule, self.trace.digest,
            self.findings, dict(self.profile), self.driver, packed(self.checkers),
        )  # fmt: skip
        return restored, (type(self), pickled)

    @property
    def summary(self) -> str:
        """The findings, one on each line."""
        return "\n".join(map(str, self.findings))

    @property
    def verdict(self) -> Verdict:
        """Violated or inconclusive; a single execution cannot prove that a property holds."""
        return Verdict.VIOLATED if verdict_of(self.findings) is Verdict.VIOLATED else Verdict.INCONCLUSIVE

    @property
    def strongest(self) -> tuple[Finding, ...]:
        """The findings, with those on atomic instructions at the strongest level at which the instruction failed.

        The LL/SC checkers of all levels judge the trace for this, whichever checkers found the failure.
        """
        return at_strongest_level(self.trace, self.findings, self.machine.endian)

    @property
    def strength(self) -> Strength:
        """The strength of the failure, to compare it with other failures; see `simaie.finding.Strength`."""
        return strength_of(self.strongest)

    @property
    def signature(self) -> Signature:
        """What failures of the same cause have in common; see `simaie.replaying.signature`."""
        return signature_of(self.trace, self.strongest)

    @property
    def command(self) -> str:
        """The shell command that runs this execution again."""
        return command_of(self)

    def replay_command(self, path: str | os.PathLike[str]) -> str:
        """Return the shell command that replays this failure from the file at `path`, and names the code it needs."""
        return replay_command(self, path)

    @property
    def target(self) -> str:
        """The program's name on the command line; its plain name if the command line cannot name it."""
        return target_of(self.program) or self.program.name

    @property
    def how_to_reproduce(self) -> str:
        """The shell command that runs this execution again, or Python code if no command line can name all its parts.

        Program and machine are such parts.
        """
        return how_to_reproduce(self)

    def shrink(
        self,
        *,
        kind: str | None = None,
        executions: int = 500,
        cut: bool = True,
        checkers: Sequence[CheckerChoice] | None = None,
        progress: ShrinkProgress | None = None,
    ) -> Shrunk:
        """Return the shortest failure of the same kind and strength that the search finds, and a report on the search.

        The search is deterministic. The shrunk execution has a finding of `kind`, at the strongest level of this
        failure: if a foreign store changed the value under a store-conditional, it still does. Without `kind`, every
        wrong result stays too, such as a refused or forbidden outcome (see `simaie.finding.strong_kinds`). A program
        whose final state is what fails is never cut.

        Args:
            kind: The kind of finding to keep. None keeps the kind of the first finding, and everything that makes the
                failure strong.
            executions: The number of candidates to run at most.
            cut: Whether to leave out vCPUs and instructions too (see `simaie.guest.cut`).
            checkers: The checkers that judge, as for `simaie.explore`; None for those that found the failure.
            progress: Called with the number of candidates that were run, their limit, and the best size.

        Returns:
            The shrunk failure and the report; see `Shrunk`.

        Raises:
            UsageError: There is no violation (of that kind), or the checkers do not find it.
            Interrupted: Ctrl-C ended the search. The attribute ``report`` of the exception is the best result so far.
        """
        from simaie.replaying.shrink import Shrinkable, shrink  # only loaded where it is used

        given = Shrinkable(self.program, self.machine, self.trace, self.findings, self.driver)
        choices = self.checkers if checkers is None else tuple(require_iterable("checkers", checkers, "names"))
        best, report = shrink(
            given, kind=kind, executions=executions, cut=cut, checkers=judges(choices), progress=progress
        )
        script = Spec("scripted", {"schedule": best.trace.schedule.text})
        failure = Failure(
            best.program, self.machine, script, self.seed, 0, best.trace, best.findings, driver=self.driver,
            checkers=choices,
        )
        shrunk = Shrunk(failure, report)
        if report.interrupted:
            raise Interrupted(f"the shrinking of a failure of {self.program.name!r}", shrunk)
        return shrunk

    def repeated(self, times: int) -> Trace:
        """Return the trace in which the cycle of this failure, a lasso, is run as often as `times` says.

        Raises:
            UsageError: `times` is not positive, or the execution is no lasso.
        """
        return repeat(self, times)

    def explain(self) -> str:
        """Return an explanation in the guest's terms, one paragraph for each finding."""
        return self.render("explanation")

    def to_html(self) -> str:
        """Return an HTML page that walks through the execution; it needs no network and no other file."""
        return self.render("html")

    def to_svg(self, *, everything: bool = False) -> str:
        """Return a drawing of the execution as SVG.

        Args:
            everything: Whether to draw every step, with nothing folded.
        """
        return self.render("svg", everything=everything)

    def to_perfetto(self) -> str:
        """Return a timeline as trace-event JSON, which ui.perfetto.dev and chrome://tracing open."""
        return self.render("perfetto")

    def player(self) -> Player | Still:
        """Return a widget that steps through the execution in a notebook, by slider and keys.

        Without the extra ``jupyter`` it is a picture.
        """
        made: Player | Still = plugins.resolve(plugins.RENDERERS, "player")(self)
        return made

    def _repr_html_(self) -> str:
        return self.render("notebook")

    def render(self, name: str, **options: Any) -> str:
        """Return this failure as the renderer `name` draws it (see `simaie.plugins.RENDERERS`)."""
        drawn: str = plugins.resolve(plugins.RENDERERS, name)(self, **options)
        return drawn

    def as_dict(self) -> dict[str, Any]:
        """Return the findings, and what is needed to run the execution again, as JSON values without the trace."""
        return {
            "index": self.index,
            "digest": self.trace.digest,
            "signature": self.signature.digest,
            "command": self.how_to_reproduce,
            "findings": msgspec.to_builtins(self.findings),
            "switches": [[s.step, s.actor] for s in self.trace.schedule.switches],
            "choices": [[c.step, c.value] for c in self.trace.schedule.choices],
        }

    def steps(self) -> tuple[Step, ...]:
        """Run the schedule once more and return every step, with a digest of its offer.

        Raises:
            NondeterminismError: This run differs, so that the guest depends on more than its schedule.
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
        """Return the content of a replay file for this failure; paths in it are relative to the folder `base`."""
        return ReplayFile(
            program=_program_record(self.program, base),
            machine=machine_record(self.machine, self.program, base),
            scheduler=_scheduler_record(self, base),
            switches=self.trace.schedule.switches,
            choices=self.trace.schedule.choices,
            steps=self.steps(),
            digest=self.trace.digest,
            verdict=self.verdict.value,
            findings=self.findings,
            checkers=records_of(self.checkers, base),
            driver=self.driver,
            trace=trace_record(self.trace, self.program) if len(self.trace) <= _MOST_RECORDED else None,
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the replay file completely or not at all; it replaces a regular file at this path.

        Returns:
            The path.

        Raises:
            InputError: The file cannot be written, or the path is that of a link, a folder or a device.
        """
        target = Path(require_path("path", path))
        write_replay_file(self.record(target.parent), target)
        return target

    def save_in(self, folder: str | os.PathLike[str], *, prefix: str = "") -> Path:
        """Write the replay file to `folder` under an unused name that describes the failure.

        The name consists of program, scheme, host, instruction set, scheduler, seed and index, and a digest of the
        content. Different failures therefore have different names, and a failure that is saved twice is one file.

        Args:
            folder: The folder of the file, which is made if it is missing.
            prefix: The beginning of the name.

        Returns:
            The path.

        Raises:
            InputError: The file cannot be written.
        """
        scheduler = str(self.scheduler or "dfs")
        facts = (
            (self.program.name, 40), (self.machine.scheme, 40), (self.machine.host, 20), (self.program.isa, 12),
            (scheduler, 30), (f"s{self.seed}", 20), (f"i{self.index}", 20),
        )  # fmt: skip
        # A file whose name begins with a dot is hidden, and a name that begins with a dash looks like an option.
        stem = prefix + "-".join(name_part(text, length) for text, length in facts).lstrip(".-")
        return save_new(folder, stem, ".json", encoded(self.record(Path(folder))))


class Shrunk(NamedTuple):
    """The result of `Failure.shrink`: the shortest failure, and a report on the search."""

    failure: Failure
    report: ShrinkReport

    def __str__(self) -> str:
        return f"{self.failure.program.name} under {self.failure.machine.scheme}: {self.report}"


def machine_record(machine: Machine, program: Program, base: Path) -> MachineRecord:
    """Return a machine as data for a replay file of `program`; paths in it are relative to the folder `base`."""
    scheme = machine.named_scheme or Spec(machine.scheme)
    host = machine.named_host or Spec(machine.host)
    scheme_name, scheme_source, scheme_digest = _origin(scheme, base)
    host_name, host_source, host_digest = _origin(host, base)
    return MachineRecord(
        scheme=scheme_name,
        options={name: str(value) if isinstance(value, str) else value for name, value in scheme.options.items()},
        custom_scheme=machine.named_scheme is None or definition(scheme.name) is not None,
        host=host_name,
        full_system=machine.full_system,
        host_word=machine.host_word,
        address_bits=machine.recorded_bits(program),
        endian=machine.endian,
        steps=machine.limits.steps,
        threads=machine.limits.threads,
        custom_host=machine.named_host is None or definition(host.name) is not None,
        scheme_source=scheme_source,
        scheme_digest=scheme_digest,
        host_source=host_source,
        host_digest=host_digest,
        host_options=dict(host.options),
        tries=machine.limits.tries,
        fairness=machine.limits.fairness,
        helpers=helper_record(machine, base),
    )


def _scheduler_record(failure: Failure, base: Path) -> SchedulerRecord:
    spec = failure.scheduler or script_of(failure)
    name, source, digest = _origin(spec, base)
    profile = dict(failure.profile)
    return SchedulerRecord(name, dict(spec.options), failure.seed, failure.index, profile, source, digest)


def _origin(spec: Spec, base: Path) -> tuple[str, str | None, str | None]:
    """Return the name of a plug-in; for a global of a file also the file's path, relative to `base`, and its digest."""
    where = definition(spec.name)
    if where is None:
        return spec.name, None, None
    with suppress(InputError):  # if the file is gone since it was imported, the failure is saved without its digest
        return where.name, _relative(where.path, base), source_digest(where.path)
    return where.name, None, None


def _program_record(program: Program, base: Path) -> ProgramRecord:
    if program.cut_from is not None:
        return msgspec.structs.replace(_program_record(program.cut_from, base), cuts=program.cuts)
    if corpus.has_program(program.name) and corpus.program(program.name).digest == program.digest:
        return ProgramRecord(program.name, program.digest, corpus=program.name)
    if scenario_of(program) is not None:
        binary = binary_record(program, base)  # type: ignore[arg-type]  # only a BinaryProgram has a scenario
        return ProgramRecord(program.name, program.digest, binary=binary)
    source, variable = program.defined_in, variable_of(program)
    if source is not None and source.suffix == SUFFIX and is_data(program):
        return ProgramRecord(program.name, program.digest, None, _relative(source, base), text=program_text(program))
    if source is None or variable is None:
        text = program_text(program) if is_data(program) else None
        return ProgramRecord(program.name, program.digest, text=text)
    return ProgramRecord(
        program.name, program.digest, None, _relative(source, base), variable, source_digest(source)
    )


def _relative(path: Path, base: Path) -> str:
    return os.path.relpath(path.resolve(), base.resolve())
