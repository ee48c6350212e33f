"""A failing execution: its trace and findings, and all it takes to have it again."""

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
from simaie.replaying.checkers import judges, records_of
from simaie.replaying.file import MachineRecord, ProgramRecord, ReplayFile, SchedulerRecord, Step, encoded, save
from simaie.replaying.levels import at_strongest_level
from simaie.replaying.pickling import Pickled, packed, restored
from simaie.replaying.recording import Recording
from simaie.replaying.reproduce import command_of, how_to_reproduce, replay_command, script_of, target_of
from simaie.replaying.run import Driver, run
from simaie.replaying.signature import Signature, signature_of
from simaie.replaying.target import variable_of
from simaie.replaying.trace_record import trace_record
from simaie.saving import name_part, save_new
from simaie.trace import Trace

if TYPE_CHECKING:
    from simaie.replaying.shrink import ShrinkProgress, ShrinkReport

__all__ = ["Failure", "Shrunk"]

#: A longer trace is not saved along with the schedule: its file would become too large to be read.
_MOST_RECORDED = 50_000


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
    file: Path | None = field(default=None, repr=False, compare=False)  # the replay file that it was read from

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
        """Its findings, one a line."""
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
        return command_of(self)

    def replay_command(self, path: str | os.PathLike[str]) -> str:
        """The shell command that replays this failure from `path`, to which it was saved: it names what is code."""
        return replay_command(self, path)

    @property
    def target(self) -> str:
        """The program as the command line names it; its bare name if the command line cannot."""
        return target_of(self.program) or self.program.name

    @property
    def how_to_reproduce(self) -> str:
        """How to run into this failure again: `command`, or Python where no shell knows the program or the machine."""
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
        """Return the shortest failure of the same kind and strength that can be found, and a report on the search.

        The shrunk execution has a finding of `kind`, and fails at the strongest level at which this one fails: where a
        foreign store changed the value under a store-conditional, it still does. Without `kind`, a refused or forbidden
        outcome and every other wrong result stays too (see `simaie.finding.strong_kinds`); then nothing of a program
        that has its final state checked is left out. Deterministic.

        Args:
            kind: of the finding to keep; None for that of the first finding, and all that makes the failure strong.
            executions: how many candidates to run at most.
            cut: whether to leave out vCPUs and instructions too (see `simaie.guest.cut`).
            checkers: to judge by, as for `simaie.explore`; None for those that found the failure.
            progress: called with how many candidates were run, of how many, and the best size.

        Raises:
            UsageError: there is no violation (of that kind), or the checkers do not find it.
            Interrupted: Ctrl-C ended the search; its ``report`` is the shortest so far, as it would be returned.
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
            "command": self.how_to_reproduce,
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
        """Write the replay file, whole or not at all, in the place of a regular file that may be there.

        Returns:
            The path.

        Raises:
            InputError: it cannot be written, or the path is that of a link, a folder or a device.
        """
        target = Path(require_path("path", path))
        save(self.record(target.parent), target)
        return target

    def save_in(self, folder: str | os.PathLike[str], *, prefix: str = "") -> Path:
        """Write the replay file to `folder` under a name of its own, which replaces nothing.

        The name says program, scheme, host, instruction set, scheduler, seed and index, and ends in a digest of the
        content: other failures have other names, and the same failure is one file however often it is saved.

        Args:
            folder: where; it is made if it is missing.
            prefix: what the name begins with.

        Returns:
            The path.

        Raises:
            InputError: it cannot be written.
        """
        scheduler = str(self.scheduler or "dfs")
        facts = (
            (self.program.name, 40), (self.machine.scheme, 40), (self.machine.host, 20), (self.program.isa, 12),
            (scheduler, 30), (f"s{self.seed}", 20), (f"i{self.index}", 20),
        )  # fmt: skip
        # A name that begins with a dot would be hidden, one with a dash taken for an option.
        stem = prefix + "-".join(name_part(text, length) for text, length in facts).lstrip(".-")
        return save_new(folder, stem, ".json", encoded(self.record(Path(folder))))


class Shrunk(NamedTuple):
    """What `Failure.shrink` returns."""

    failure: Failure
    report: ShrinkReport


def machine_record(machine: Machine, program: Program, base: Path) -> MachineRecord:
    """The machine as data, for a replay of `program`; paths in it are relative to the folder `base`."""
    scheme = machine.named_scheme or Spec(machine.scheme)
    host = machine.named_host or Spec(machine.host)
    scheme_name, scheme_source, scheme_digest = _origin(scheme, base)
    host_name, host_source, host_digest = _origin(host, base)
    return MachineRecord(
        scheme=scheme_name,
        options=dict(scheme.options),
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
    )


def _scheduler_record(failure: Failure, base: Path) -> SchedulerRecord:
    spec = failure.scheduler or script_of(failure)
    name, source, digest = _origin(spec, base)
    profile = dict(failure.profile)
    return SchedulerRecord(name, dict(spec.options), failure.seed, failure.index, profile, source, digest)


def _origin(spec: Spec, base: Path) -> tuple[str, str | None, str | None]:
    """The name of a plug-in; or of a global with the path of its file, relative to `base`, and the file's digest."""
    where = definition(spec.name)
    if where is None:
        return spec.name, None, None
    with suppress(InputError):  # gone since it was imported: the failure is saved all the same
        return where.name, _relative(where.path, base), source_digest(where.path)
    return where.name, None, None


def _program_record(program: Program, base: Path) -> ProgramRecord:
    if program.cut_from is not None:
        return msgspec.structs.replace(_program_record(program.cut_from, base), cuts=program.cuts)
    if corpus.has_program(program.name) and corpus.program(program.name).digest == program.digest:
        return ProgramRecord(program.name, program.digest, corpus=program.name)
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
