"""The portfolio gives each strategy every fifth execution, and repeats any of them alone."""

from __future__ import annotations

import msgspec
from scheduler_programs import X, increments, independent, make, run, stores
from simaie_schedulers.pct import Pct
from simaie_schedulers.portfolio import Portfolio
from simaie_schedulers.pos import Pos
from simaie_schedulers.random_walk import RandomWalk
from simaie_schedulers.surw import SelectiveRandomWalk


def test_executions_rotate_through_the_strategies():
    """Execution i is what the strategy makes of its own i-th execution, i - 5th, and so on."""
    program = increments(4)
    portfolio = Portfolio()
    alone = [RandomWalk(), Pct(depth=2), Pct(depth=3), Pos(), SelectiveRandomWalk()]
    for index in range(40):
        assert run(program, portfolio, index).digest == run(program, alone[index % 5], index).digest


def test_any_execution_repeats_alone_from_its_profile():
    program = make(stores(X, X), stores(X, X), stores(X, X))
    portfolio = Portfolio()
    for index in range(40):
        profile = msgspec.json.decode(msgspec.json.encode(portfolio.profile(), order="sorted"))
        original = run(program, portfolio, index)
        alone = Portfolio()
        alone.restore(profile)
        assert run(program, alone, index).digest == original.digest


def test_it_never_claims_to_be_done():
    portfolio = Portfolio()
    for index in range(10):
        run(independent(1, 1), portfolio, index)
    assert not portfolio.exhausted
    assert not portfolio.complete
