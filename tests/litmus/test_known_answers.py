"""The corpus beside the project, if it is there: states, verdict and observation as herd7 computes them.

One row for a memory model of herd7's and the architectures for which the host of that name stands for it. Dialects and
hosts that exist join by themselves. A test that is not supported is no failure, while there are few of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from operator import itemgetter
from typing import Any

import pytest

from simaie import plugins
from simaie.exploration.compare import compare
from simaie.exploration.litmus import HERD_SCHEME, LitmusResult, explore_litmus
from simaie.litmus import Arch, load
from simaie.litmus.lowering import UnsupportedError
from simaie.litmus.lowering.dialects import DIALECTS
from simaie.machine import Machine

from .outcomes import comparable
from .samples import corpus

FOLDER = corpus()
INDEX: list[dict[str, Any]] = json.loads((FOLDER / "index.json").read_text("utf-8")) if FOLDER else []
TSO = frozenset({Arch.X86, Arch.X86_64, Arch.RISCV, Arch.MIPS})
#: herd7's model -> the host, and the architectures whose own barriers and accesses it gives their meaning.
MODELS: dict[str, tuple[str, frozenset[Arch]]] = {"sc": ("sc", frozenset(Arch)), "tso": ("tso", TSO)}
#: Per architecture, of its tests; but one may always be.
MOST_UNSUPPORTED = 0.01
DIVERGES = "qemu_llsc_as_cmpxchg_expected_to_diverge"

pytestmark = pytest.mark.skipif(FOLDER is None, reason="the corpus shared/litmus is not beside the project")


def rows() -> Iterator[Any]:
    for model, (host, archs) in MODELS.items():
        for arch in Arch:
            if arch in archs and arch in DIALECTS and host in plugins.names(plugins.HOSTS):
                yield pytest.param(model, host, arch, id=f"{arch}-{model}")


@pytest.mark.untraced
@pytest.mark.parametrize("one_in", [2, pytest.param(1, marks=pytest.mark.soak)])
@pytest.mark.parametrize(("model", "host", "arch"), list(rows()))
def test_the_states_are_those_of_herd7(model: str, host: str, arch: Arch, one_in: int) -> None:
    """For every second test of the architecture that has an answer under the model; all of them are a soak."""
    machine = Machine(HERD_SCHEME, host=host)
    entries = [entry for entry in INDEX if entry["arch"] == arch and model in entry["expected"]][::one_in]
    different, unsupported = [], []
    for entry in entries:
        assert FOLDER is not None
        try:
            result = explore_litmus(load(FOLDER / entry["file"]), machine)
        except UnsupportedError as error:
            unsupported.append(str(error))
            continue
        if difference := differs(result, entry["expected"][model]):
            different.append(f"{entry['id']}: {difference}")
    assert not different, f"{len(different)} of {len(entries)} differ"
    assert len(unsupported) <= max(1, MOST_UNSUPPORTED * len(entries)), unsupported


@pytest.mark.parametrize("entry", list(filter(itemgetter(DIVERGES), INDEX)), ids=itemgetter("id"))
def test_a_compare_and_swap_in_place_of_a_reservation_goes_beyond_the_architecture(entry: dict[str, Any]) -> None:
    """A-B-A, where it is expected; the ideal reservation stays within, on every host."""
    assert FOLDER is not None
    test = load(FOLDER / entry["file"])
    allowed = comparable(test, entry["expected"][entry["native_model"]]["states"])
    for scheme, within in ((HERD_SCHEME, True), ("cas", False)):
        for host in ("sc", "tso", "pso"):
            result = explore_litmus(test, Machine(scheme, host=host))
            assert result.complete
            assert (comparable(test, result.states) <= allowed) is within, (scheme, host)
    assert {str(each.verdict) for each in (compare(test, "native"), compare(test, "cas"))} == {"holds", "violated"}


def differs(result: LitmusResult, answer: dict[str, Any]) -> str:
    """How the result is not the known answer; empty if it is."""
    ours, theirs = comparable(result.test, result.states), comparable(result.test, answer["states"])
    if ours != theirs:
        return f"lacks {sorted(theirs - ours, key=str)[:2]}, has besides {sorted(ours - theirs, key=str)[:2]}"
    if not result.complete:
        return "the search was not complete"
    verdict = result.verdict.answer, result.verdict.observation
    known = answer["verdict"], answer["observation"]
    return "" if verdict == known else f"says {verdict}, not {known}"
