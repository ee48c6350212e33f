"""Files that a stranger might send: valid ones, mutated. What is done with them is all that a command does.

A mutation is deterministic: number `n` of a kind is always the same text.
"""

from __future__ import annotations

import contextlib
import copy
import json
import re
import resource
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

import simaie
from simaie import Limits, Machine, SimaieError, corpus, explore
from simaie.decision import Schedule
from simaie.exploration.litmus import explore_litmus
from simaie.guest.text import read_program
from simaie.litmus import load
from simaie.prng import Random
from simaie.replaying.recorded import recorded
from simaie.replaying.trace_record import TraceRecord, trace_of
from simaie.show.failure_view import failure_view

__all__ = ["COMMANDS", "KINDS", "examine", "originals", "text_of"]

SECONDS, MEGABYTES = 10, 300

GUEST = """# many things at once
program "all of it"
isa x86
description "of \\"everything\\""
init 0x100 = 5
init 0x108 : 8 = 0xffffffffffffffff
init 0x110 = bytes "00ff"
watch 0x100 : 4
check "serializability"

P0                       | P1
r0 = lock_xadd 0x100, 1  | spawn child
label again              | r1 = load 0x100, width=4
r2 = reg_add r0, -3      | cbnz r1, out
cbz r2, again            | store 0x104, r1, width=2
q = choose 3             | label out
store 0x100, q           | exit
mfence                   | label child
observe q                | "two words" = lock_cmpxchg 0x100, 5, 0x7
                         | exit
"""
ARM = """program "taken back"
isa arm
init 0x100 = 5

P0                  | P1
r0 = ldrex 0x100    | str_ 0x100, 7
r1 = strex 0x100, 6 | dmb kind=ishst
"""
LITMUS = """X86 SB
"Fre PodWR"
{ x=1; uint64_t y=2; 0:EBX=x; int z[2]={1,2}; }
 P0          | P1             ;
 MOV [x],$1  | MOV [y],$1     ;
 MFENCE      | LOCK INC [x]   ;
 MOV EAX,[y] | MOV EAX,[x]    ;
locations [x; y;]
exists (0:EAX=0 /\\ (1:EAX=0 \\/ ~(x=1)))
"""
LOOPING = """AArch64 loop
{ 0:X1=x; 1:X1=x; }
 P0            | P1            ;
 L:            | MOV W0,#1     ;
 LDXR W0,[X1]  | STLR W0,[X1]  ;
 ADD W0,W0,#1  |               ;
 STXR W2,W0,[X1] |             ;
 CBNZ W2,L     |               ;
forall (x=2)
"""
#: What a mutation puts in, besides pieces of the file itself.
PIECES = [
    "0", "-1", "1", "7", "00", "0x", "4096", "1000000000", "18446744073709551616", "9" * 78, "9" * 5000, "1e9",
    "null", "true", "[]", "{}", '""', '"', "\\", "\n", "\0", "\x7f", "é", "\U0001f600", "\xed\xa0\x80", "|", ",", ":",
    "=", "#", "(*", ";", "P0", "P9", "init", "watch 0x100 : 1000000000", "choose 1000000000", "spawn again", "join 1",
    "width=3", "native", "tso", "evil.py:p", 'check "evil.py:p"', "/dev/zero", "../../x",
]  # fmt: skip


def originals(folder: Path) -> dict[str, list[str]]:
    """By the ending of their names, the files that are mutated."""
    replays = []
    for name, machine in (
        ("swp-against-swp", Machine("none", address_bits=12)),
        ("first-registration-window", Machine("aie-rfc", host="tso", address_bits=12)),
    ):
        failure = explore(corpus.program(name), machine, scheduler="random-walk", executions=300).failures[0]
        replays.append(failure.save(folder / "a.json").read_text())
    (folder / "a.guest").write_text(ARM)
    taken = explore(read_program(folder / "a.guest"), Machine("cas"), scheduler="dpor", failures=1, executions=100)
    replays += [each.save(folder / "b.json").read_text() for each in taken.failures]
    return {".json": replays, ".guest": [GUEST, ARM], ".litmus": [LITMUS, LOOPING]}


def mutated(text: str, random: Random) -> str:
    """`text` with one or two changes: something cut, doubled, exchanged or put in; half of them to whole words."""
    for _ in range(1 + random.below(2)):
        at = random.below(len(text) + 1)
        length = [1, 2, 8, 40][random.below(4)]
        words = [word.span() for word in re.finditer(r"[\w.]+|\S", text)]
        if random.below(2) and words:
            at, end = words[random.below(len(words))]
            length = end - at
        piece, rest = text[at : at + length], text[at + length :]
        source = random.below(len(text) + 1)
        if random.below(2) and words:
            source, end = words[random.below(len(words))]
            length = end - source
        put_in = PIECES[random.below(len(PIECES))]
        other = "".join(str(random.below(10)) if c.isdigit() else c for c in piece)
        changed = ["", piece + piece, put_in + piece, put_in, text[source : source + length], other][random.below(6)]
        text = text[:at] + changed + rest
    return text


#: What takes the place of a value in a document.
VALUES: list[Any] = [
    None, True, 0, -1, 1, 3, 4096, 10**9, 10**18, 1 << 63, 1 << 64, 1 << 127, 0.5, "", "x", "native", "evil.py:p",
    "\u202e\x1b[31m", [], [0], [[0, "7"]], {}, {"op": 0}, {"name": "y"}, {"function": "z"}, {"pending": 1}, [[[]]],
]  # fmt: skip


def mutated_document(text: str, random: Random) -> str:
    """A JSON document with one or two of its values exchanged, doubled or taken away."""
    document = json.loads(text)
    for _ in range(1 + random.below(2)):
        inner: Any = document
        while True:
            keys = sorted(inner) if isinstance(inner, dict) else list(range(len(inner)))
            if not keys:
                break
            key = keys[random.below(len(keys))]
            if isinstance(inner[key], dict | list) and inner[key] and random.below(8):
                inner = inner[key]
                continue
            _change(inner, key, random)
            break
    if random.below(2):
        _forge_digest(document)
    return json.dumps(document)


def _forge_digest(document: Any) -> None:
    """Make the digest that of the trace, as a forger would."""
    with contextlib.suppress(msgspec.MsgspecError, ValueError, KeyError, TypeError):
        trace = trace_of(msgspec.convert(document["trace"], TraceRecord), document["program"]["name"], Schedule())
        document["digest"] = trace.digest


def _change(inner: Any, key: Any, random: Random) -> None:
    what, value = random.below(8), inner[key]
    if what == 0 and isinstance(inner, list):
        inner.insert(key, copy.deepcopy(value))
    elif what == 1 and isinstance(inner, list):
        inner[key], inner[-1] = inner[-1], value
    elif what == 2:
        del inner[key]
    elif what == 3:
        inner[key] = copy.deepcopy(VALUES[random.below(len(VALUES))])
    elif type(value) is int:
        inner[key] = [value - 1, value + 1, value + 8, 0, 3, 10**9, 1 << 64, -1][random.below(8)]
    else:  # of the same type, as far as there is one
        alike = [each for each in VALUES if type(each) is type(value)] or [value]
        inner[key] = copy.deepcopy(alike[random.below(len(alike))])


def _replay(path: Path) -> None:
    """What replay, show, check and shrink do, each as far as it comes."""
    with contextlib.suppress(SimaieError):
        failure = simaie.replay(path)
        failure_view(failure)
        failure.to_html()
    with contextlib.suppress(SimaieError):
        simaie.replay(path, mode="best-effort").shrink(executions=3)
    with contextlib.suppress(SimaieError):
        shown = recorded(path)
        for name in ("svg", "html", "explanation", "perfetto"):
            with contextlib.suppress(SimaieError):
                shown.render(name)


def _guest(path: Path) -> None:
    with contextlib.suppress(SimaieError):
        program = read_program(path)
        for scheduler in ("dpor", "random-walk"):
            with contextlib.suppress(SimaieError):
                explore(program, Machine("cas", limits=Limits(steps=500)), scheduler=scheduler, executions=5, seconds=3)


def _litmus(path: Path) -> None:
    with contextlib.suppress(SimaieError):
        explore_litmus(load(path), Machine("native"), executions=50, seconds=3)


KINDS: dict[str, Callable[[Path], None]] = {".json": _replay, ".guest": _guest, ".litmus": _litmus}


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    """No more memory than this process has and `MEGABYTES`, and an alarm after `SECONDS`."""

    def alarm(*_: object) -> None:
        raise TimeoutError(f"more than {SECONDS} s")

    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    handler = signal.signal(signal.SIGALRM, alarm)
    resource.setrlimit(resource.RLIMIT_AS, (used + (MEGABYTES << 20), before[1]))
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        resource.setrlimit(resource.RLIMIT_AS, before)
        signal.signal(signal.SIGALRM, handler)


#: By the ending of a file, the commands that take it; each takes the file last.
COMMANDS: dict[str, list[list[str]]] = {
    ".json": [["replay"], ["show"], ["check"], ["shrink", "--executions", "3"]],
    ".guest": [["explore", "--executions", "3", "--seconds", "3"], ["compare", "--executions", "20"]],
    ".litmus": [["litmus", "--executions", "50"], ["barriers", "--host", "tso", "--executions", "20"]],
}


def text_of(ending: str, texts: list[str], number: int) -> str:
    """Mutation `number` of the `texts` of a kind."""
    random = Random(number)
    structured = ending == ".json" and random.below(4)
    return (mutated_document if structured else mutated)(texts[random.below(len(texts))], random)


def examine(ending: str, numbers: range) -> dict[str, float]:
    """Mutate, and do with each file what commands do; raises whatever is not a SimaieError.

    Returns the number of files, the most seconds of processor time for one, and the megabytes that all of them added.
    """
    slowest, began = 0.0, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as folder:
        texts, path = originals(Path(folder))[ending], Path(folder) / f"mutated{ending}"
        for number in numbers:
            text = text_of(ending, texts, number)
            path.write_text(text, "utf-8", errors="surrogatepass")
            start = time.process_time()
            try:
                with _limited():
                    KINDS[ending](path)
            except BaseException as error:
                error.add_note(f"mutation {number} of {ending}:\n{text[:2000]}")
                raise
            slowest = max(slowest, time.process_time() - start)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - began
    return {"files": len(numbers), "slowest": slowest, "grown": grown / 1024}
