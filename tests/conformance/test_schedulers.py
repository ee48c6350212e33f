"""All schedulers that are installed keep the contract; broken ones do not pass, each for its reason."""

from __future__ import annotations

import itertools

import pytest
from simaie_schedulers.fair import Fair
from simaie_schedulers.pct import Pct
from simaie_schedulers.random_walk import RandomWalk

from simaie import plugins
from simaie.errors import UsageError
from simaie.op import Kind, Op
from simaie.prng import Random
from simaie.protocols import Scheduler
from simaie.testing import check_scheduler

OPTIONS = {"scripted": {"schedule": ["1", "0"], "strict": False}}


@pytest.mark.parametrize("name", plugins.names(plugins.SCHEDULERS))
def test_every_installed_scheduler_conforms(name):
    made = plugins.resolve(plugins.SCHEDULERS, name)
    check_scheduler(lambda: made(**OPTIONS.get(name, {})), executions=20)


@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("dfs", {"preemptions": 1}),
        ("dfs", {"delays": 3}),
        ("round-robin", {"quantum": 3}),
        ("pct", {"depth": 1}),
        ("pct", {"depth": 2, "fair_after": 2}),
        ("pos", {"fair": False}),
        ("urw", {"fair": False}),
        ("surw", {"interesting": lambda op: op.width > 0}),
    ],
)
def test_their_options_conform(name, options):
    made = plugins.resolve(plugins.SCHEDULERS, name)
    check_scheduler(lambda: made(**options), executions=20)


@pytest.mark.parametrize("inner", [RandomWalk, Pct])
def test_wrapped_schedulers_conform(inner):
    check_scheduler(lambda: Fair(inner()), executions=20)


class Good(Scheduler):
    """Conforms, and is spoilt below."""

    def start(self, info):
        self.random = Random(info.seed)

    def choose(self, offer):
        return self.random.choice(offer.candidates)


class PicksAName(Good):
    """A name is no candidate."""

    def choose(self, offer):
        return super().choose(offer).name


class PicksWhoRanBefore(Good):
    """Even if it is over or waits."""

    def choose(self, offer):
        return offer.running or offer.candidates[0]


class PicksFromTheLastExecution(Good):
    """Candidates live for one execution."""

    first = None

    def choose(self, offer):
        if offer.step > 0:
            return super().choose(offer)
        self.first = self.first or offer.candidates[0]
        return self.first


class ChangesTheOffer(Good):
    """The offer belongs to the engine."""

    def choose(self, offer):
        offer.candidates = offer.candidates[:1]
        return offer.candidates[0]


class ChoosesTooMuch(Good):
    """One beyond the last alternative."""

    def choose_value(self, offer, arity):
        return arity


class ChoosesABool(Good):
    """True is no number here."""

    def choose_value(self, offer, arity):
        return True


class KeepsAStream(Good):
    """Each execution goes on where the last one stopped."""

    random = None

    def start(self, info):
        self.random = self.random or Random(7)


class Learns(Good):
    """And forgets to say so in its profile."""

    steps = 0

    def choose(self, offer):
        self.steps += 1
        return offer.candidates[self.steps % len(offer.candidates)]


class IsDifferentEachTime(Good):
    """Chance from elsewhere than the seed."""

    made = itertools.count()

    def start(self, info):
        self.random = Random(next(self.made))


class HasAProfileOfObjects(Good):
    """No JSON value."""

    def profile(self):
        return {"random": object()}


class HasAProfileThatJsonChanges(Good):
    """JSON has text keys only."""

    def profile(self):
        return {"counts": {1: 2}}


class IsExhaustedAtOnce(Good):
    """Nothing was executed."""

    exhausted = True


class GivesUp(Good):
    """Every execution is pruned."""

    def choose(self, offer):
        return None


class Raises(Good):
    """An exception of its own."""

    def choose(self, offer):
        raise KeyError("oops")


class RaisesBetweenExecutions(Good):
    """In a property."""

    @property
    def exhausted(self):
        raise KeyError("oops")


class CannotBeRestored(Good):
    """What it gave itself."""

    def profile(self):
        return {"known": 1}

    def restore(self, profile):
        raise KeyError("oops")


class ChangesWhatItGave(Good):
    """The profile that was kept says something else later."""

    def __init__(self):
        self.known = {"executions": 0}

    def profile(self):
        return self.known

    def restore(self, profile):
        self.known = dict(profile)

    def finish(self, trace):
        self.known["executions"] += 1


class ChangesTheTrace(Good):
    """Nobody would find anything in it."""

    def finish(self, trace):
        trace.events.clear()


class ChangesAnOperation(Good):
    """The vCPUs perform what they announced."""

    def choose(self, offer):
        chosen = super().choose(offer)
        chosen.op = Op(Kind.PAUSE)
        return chosen


class DisablesTheOthers(Good):
    """Whoever is enabled, the engine says."""

    def choose(self, offer):
        chosen = super().choose(offer)
        for candidate in offer.candidates:
            candidate.enabled = candidate is chosen
        return chosen


class IsCompleteTooSoon(Good):
    """A proof of nothing: five executions of many."""

    exhaustive = True
    done = 0

    @property
    def exhausted(self):
        return self.done == 5

    def finish(self, trace):
        self.done += 1


class NeverEnds(Good):
    """A search that is never through."""

    exhaustive = True


class SaysNeitherYesNorNo(Good):
    """To whether it is through."""

    exhausted = 0


class NeverSwitches(Good):
    """One of two orders is never seen."""

    def choose(self, offer):
        return offer.default


BROKEN = [c for c in Good.__subclasses__() if c.__module__ == __name__]


@pytest.mark.untraced
def test_a_good_one_conforms():
    check_scheduler(Good)


def test_a_scheduler_that_hangs_is_refused():
    class Hangs(Good):
        def choose(self, offer):
            while offer.step == 2:
                pass
            return super().choose(offer)

    with pytest.raises(AssertionError, match=r"Hangs\.choose"):
        check_scheduler(Hangs, seconds=0.2)


@pytest.mark.parametrize("limits", [{"executions": 0}, {"executions": 1.5}, {"seconds": 0}])
def test_limits_are_positive(limits):
    with pytest.raises(UsageError):
        check_scheduler(Good, **limits)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda c: c.__name__)
def test_a_broken_scheduler_is_refused(broken):
    with pytest.raises(AssertionError):
        check_scheduler(broken)


def test_what_is_no_scheduler_is_refused():
    with pytest.raises(AssertionError):
        check_scheduler(object)


def test_a_factory_that_makes_one_scheduler_only_is_refused():
    one = Good()
    with pytest.raises(AssertionError):
        check_scheduler(lambda: one)
