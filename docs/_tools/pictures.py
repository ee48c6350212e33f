"""The pictures of the documentation: a counterexample that simaie draws itself, and the layers of its own code.

``python docs/_tools/pictures.py`` writes them to ``docs/assets`` anew (``make pictures``).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import simaie

__all__ = ["counterexample", "layers", "write"]

ROOT = Path(__file__).resolve().parents[2]
ASSETS = ROOT / "docs" / "assets"
X = 0x1000

#: The description of each module in the picture of the layers; a module without one is drawn by its name alone.
WORDS: Mapping[str, str] = {
    "cli": "the commands",
    "testing": "conformance suites for plug-ins",
    "strategies": "Hypothesis strategies",
    "show": "tables, pictures, explanations, widgets",
    "audit": "the table of AIE cases",
    "survey": "the matrix of schemes and classes of violations",
    "exploration": "searches, reports, compare, litmus",
    "replaying": "failures, replay files, shrinking",
    "engine": "runs one execution, inline or on trio",
    "machine": "scheme + host memory + limits",
    "corpus": "named programs with expected verdicts",
    "litmus": "the reader of .litmus files",
    "schemes": "how an emulator performs guest accesses",
    "aie": "radix tree, entries, tiny sets",
    "binary": "programs of ELF files: machine code",
    "check": "one property a file",
    "guest": "programs, vCPUs, instruction sets",
    "host": "guest RAM, cells, locks, memory models",
    "protocols": "what a plug-in is",
    "trace": "what happened",
    "plugins": "entry points, names with options",
    "op": "one host operation",
    "decision": "a schedule",
    "finding": "what a checker says",
    "definitions": "FILE.py:NAME",
    "block": "calls and atomic blocks of guest code",
    "barrier": "orders of accesses, as a set",
    "callbacks": "checks of functions that users pass",
    "saving": "writes files, whole or not at all",
    "input_file": "reads files, bounded",
    "errors": "all exceptions",
    "prng": "all chance",
}


def counterexample() -> str:
    """Return README's example as a drawing: the shortest failure that the exhaustive search finds."""

    async def adder(cpu: Any) -> None:
        await cpu.lock_xadd(X, 1)

    async def storer(cpu: Any) -> None:
        await cpu.store(X, 5)

    program = simaie.Program(
        "store-vs-lock-xadd", isa="x86", threads=[adder, storer], init={X: 0},
        final=lambda memory: memory[X] in (5, 6),
    )  # fmt: skip
    machine = simaie.Machine("aie-rfc", address_bits=16)  # two levels of the radix tree, so that the picture is short
    report = simaie.explore(program, machine, scheduler="random-walk", seed=7)
    return report.failures[0].shrink().failure.to_svg() + "\n"


_STYLE = """
.arch text{font:13px system-ui,sans-serif;fill:#1b1b1b}.arch .name{font-weight:600}.arch .dim{fill:#5f5f5f}
.arch .paper{fill:#fff}.arch .layer{fill:#eef3f8;stroke:#0072b2}.arch .line{stroke:#5f5f5f;fill:none}
@media (prefers-color-scheme:dark){.arch text{fill:#e8e6e1}.arch .dim{fill:#a3a19b}.arch .paper{fill:#16181b}
.arch .layer{fill:#1b2630;stroke:#4aa8e8}.arch .line{stroke:#a3a19b}}
"""
_WIDTH, _ROW, _LEFT, _TOP = 760, 21, 20, 46


def layers() -> str:
    """Return the layers of simaie as a drawing, from the import-linter contract that CI proves."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contract = next(each for each in settings["tool"]["importlinter"]["contracts"] if each["type"] == "layers")
    parts, y = [], _TOP
    for layer in contract["layers"]:
        names = layer.replace("|", ":").split(":")
        height = _ROW * len(names) + 8
        parts.append(f'<rect class="layer" x="{_LEFT}" y="{y}" width="{_WIDTH - 2 * _LEFT}" height="{height}" rx="4"/>')
        for row, name in enumerate(part.strip() for part in names):
            base = y + 19 + _ROW * row
            parts.append(f'<text class="name" x="{_LEFT + 14}" y="{base}">{escape(name)}</text>')
            parts.append(f'<text class="dim" x="{_LEFT + 150}" y="{base}">{escape(WORDS.get(name, ""))}</text>')
        y += height + 6
    title = "The layers of simaie: a module imports from layers below its own only"
    head = f'<text class="name" x="{_LEFT}" y="28">{title}</text>'
    size = f'width="{_WIDTH}" height="{y + 12}" viewBox="0 0 {_WIDTH} {y + 12}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="arch" role="img" {size}><title>{title}</title>'
        f'<style>{_STYLE}</style><rect class="paper" width="100%" height="100%" rx="6"/>{head}{"".join(parts)}</svg>\n'
    )


def write() -> None:
    """Write the pictures to the folder of the documentation."""
    ASSETS.mkdir(exist_ok=True)
    (ASSETS / "counterexample.svg").write_text(counterexample(), "utf-8")
    (ASSETS / "architecture.svg").write_text(layers(), "utf-8")


if __name__ == "__main__":
    write()
