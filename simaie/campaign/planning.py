"""The units of a campaign: every target on every machine under every scheduler that it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from simaie import corpus
from simaie.binary.scenario import Scenario
from simaie.campaign.campaign_file import CampaignFile, Explore, Fuzz
from simaie.campaign.drawing import is_strategy, strategy_digest
from simaie.campaign.marked import MarkedTest, is_tests, tests_of
from simaie.campaign.unit import Unit
from simaie.errors import SimaieError, UsageError
from simaie.exploration.scheduler_choice import make_scheduler
from simaie.guest.isa import isa_class
from simaie.guest.program import Program
from simaie.litmus.paths import find_files
from simaie.machine import Machine
from simaie.replaying.checkers import judges
from simaie.replaying.machines import MachineOptions, load_program, make_machine
from simaie.replaying.target import is_elf

__all__ = ["CORPUS", "Plan", "plan"]

#: The target that means all programs of the corpus.
CORPUS = "corpus"
#: The number of steps of one generated program, far more than one needs.
_FUZZ_STEPS = 1_000_000
#: The number of programs that a seed of a strategy makes at most.
_EXAMPLES = 50
_NATIVE = "native"


@dataclass
class Plan:
    """The units, and the targets of which there can be none.

    Attributes:
        units: The units, each once, in the order of the file.
        problems: By target, why it cannot be loaded.
    """

    units: list[Unit] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)

    def missing(self, path: str, problem: str) -> None:
        """Note that a path leads nowhere."""
        self.problems.setdefault(path, problem.removeprefix(f"{path}: "))


def plan(campaign: CampaignFile) -> Plan:
    """Return the units of a campaign.

    Targets that cannot be loaded become problems of the plan, and the rest is planned.

    Raises:
        UsageError: A scheme, a host, a scheduler or a checker is wrong.
    """
    found = Plan()
    for explore in campaign.explore:
        found.units += _explored(explore, found)
    for fuzz in campaign.fuzz:
        found.units += _fuzzed(fuzz)
    found.units = list({unit.key: unit for unit in found.units}.values())
    return found


def _explored(explore: Explore, found: Plan) -> Iterator[Unit]:
    exhaustive = {name: make_scheduler(name)[0].exhaustive for name in explore.schedulers}
    _require_machines(explore.schemes, explore.hosts)
    judges(explore.checkers)
    for test in _targets(explore.targets, found):
        target = test.target
        if is_strategy(target):
            yield from _drawn(target, explore, exhaustive, found)
            continue
        program = _program(target, explore, found)
        if program is None:
            continue
        scenario = _scenario(explore) if is_elf(target) else None
        for scheme in explore.schemes or test.schemes or (_usual_scheme(target),):
            for host in explore.hosts or test.hosts or ("sc",):
                for name in explore.schedulers:
                    yield Unit(
                        target=target,
                        digest=program.digest,
                        scenario=scenario,
                        scheme=scheme,
                        host=host,
                        scheduler=name,
                        exhaustive=exhaustive[name],
                        seed=explore.first_seed,
                        seeds=1 if exhaustive[name] else explore.seeds,
                        executions=explore.all_executions if exhaustive[name] else explore.executions,
                        steps=explore.steps,
                        checkers=explore.checkers or test.checkers,
                    )


def _usual_scheme(target: str) -> str:
    return make_machine(target, MachineOptions()).scheme


def _require_machines(schemes: Sequence[str], hosts: Sequence[str]) -> None:
    """Raise UsageError, or UnknownNameError, if there is no such scheme or host."""
    for host in hosts or ("sc",):
        for scheme in schemes or (_NATIVE,):
            Machine(scheme, host=host).check_options()


def _drawn(target: str, explore: Explore, exhaustive: Mapping[str, bool], found: Plan) -> Iterator[Unit]:
    """Yield the units of a strategy; `executions` bounds a seed, so that each of its programs gets a part of them."""
    for name in explore.schedulers:
        if exhaustive[name]:
            found.missing(target, f"generated programs need a random scheduler, not {name}")
            continue
        for scheme in explore.schemes or (_NATIVE,):
            for host in explore.hosts or ("sc",):
                examples = min(_EXAMPLES, explore.executions)
                yield Unit(
                    kind="fuzz",
                    target=target,
                    digest=strategy_digest(target),
                    scheme=scheme,
                    host=host,
                    scheduler=name,
                    seed=explore.first_seed,
                    seeds=explore.seeds,
                    executions=explore.executions // examples,
                    steps=_FUZZ_STEPS,
                    examples=examples,
                    checkers=explore.checkers,
                )


def _program(target: str, explore: Explore, found: Plan) -> Program | None:
    """Return the program of a target; None if it cannot be loaded, which becomes a problem."""
    try:
        return load_program(target, scenario=_scenario(explore) if is_elf(target) else None)
    except SimaieError as error:
        found.missing(target, str(error))
        return None


def _targets(targets: Sequence[str], found: Plan) -> Iterator[MarkedTest]:
    """Yield the targets that the words of a campaign name. Only tests have options of their own."""
    for target in targets:
        if target == CORPUS:
            yield from map(MarkedTest, corpus.names())
        elif is_tests(target):
            yield from _tests(target, found)
        else:
            yield from map(MarkedTest, find_files([target], found))


def _tests(target: str, found: Plan) -> Sequence[MarkedTest]:
    try:
        tests = tests_of(target)
        for test in tests:
            _require_machines(test.schemes, test.hosts)
            judges(test.checkers)
        return tests
    except SimaieError as error:
        found.missing(target, str(error))
        return ()


def _scenario(explore: Explore) -> Scenario:
    return Scenario.of(
        explore.threads, explore.init, explore.final, explore.watch, explore.stack, explore.shared_stacks, explore.main
    )


def _fuzzed(fuzz: Fuzz) -> Iterator[Unit]:
    if make_scheduler(fuzz.scheduler)[0].exhaustive:
        raise UsageError(f"generated programs need a random scheduler, not {fuzz.scheduler}; name another one")
    _require_machines(fuzz.schemes, fuzz.hosts)
    judges(fuzz.checkers)
    for isa in fuzz.isas:
        isa_class(isa)
        for scheme in fuzz.schemes:
            for host in fuzz.hosts:
                yield Unit(
                    kind="fuzz",
                    target=isa,
                    scheme=scheme,
                    host=host,
                    scheduler=fuzz.scheduler,
                    seed=fuzz.first_seed,
                    seeds=fuzz.seeds,
                    executions=fuzz.executions,
                    steps=_FUZZ_STEPS,
                    examples=fuzz.examples,
                    vcpus=fuzz.vcpus,
                    instructions=fuzz.instructions,
                    checkers=fuzz.checkers,
                )
