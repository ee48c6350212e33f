"""A timeline in the trace-event format of Chrome and Perfetto: a track for each vCPU, one for each lock.

A step is a microsecond. An instruction is a slice over its operations; arrows (flow events) join the steps of a
finding. Open it at ui.perfetto.dev or chrome://tracing.

Source: "Trace Event Format", Google, 2016 (the format has no version).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from simaie.finding import Finding
from simaie.op import Kind, owner_of
from simaie.replaying.failure import Failure
from simaie.show.format import clean, format_drain, format_event, format_instruction, format_single_access, is_drain
from simaie.show.picture.subject import Subject, subject_of
from simaie.show.reordered import early_accesses
from simaie.show.trace_table import structural_order, switched_steps, title
from simaie.trace import Event, Trace

__all__ = ["to_perfetto"]

_VCPUS, _LOCKS = 1, 2  # process ids


def to_perfetto(given: Failure | Trace, findings: Sequence[Finding] = ()) -> str:
    """Return the JSON document of a failure, or of a trace with `findings` in it.

    Raises:
        UsageError: `given` is neither a failure nor a trace.
    """
    subject = subject_of(given, findings)
    events = [*_Tracks(subject).events()]
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ns", "otherData": {"title": subject.title}})


class _Tracks:
    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._trace = subject.trace
        names = sorted({owner_of(event.actor) for event in self._trace.events}, key=structural_order)
        self._thread = {name: number for number, name in enumerate(names, 1)}

    def events(self) -> Iterator[dict[str, Any]]:
        yield _named("process_name", _VCPUS, 0, self._subject.title)
        yield _named("process_name", _LOCKS, 0, "locks")
        for name, thread in self._thread.items():
            yield _named("thread_name", _VCPUS, thread, title(name))
        yield from self._instructions()
        yield from self._operations()
        yield from self._locks()
        yield from self._findings()

    def _instructions(self) -> Iterator[dict[str, Any]]:
        for instruction, steps in self._trace.instructions:
            own = [step for step in steps if self._trace.events[step].actor == instruction.vcpu]
            if len(own) > 1:
                thread = self._thread[instruction.vcpu]
                args = {"number": instruction.number}
                yield _slice(format_instruction(instruction), thread, own[0], own[-1] + 1 - own[0], args)

    def _operations(self) -> Iterator[dict[str, Any]]:
        lengths = {id(instruction): len(steps) for instruction, steps in self._trace.instructions}
        switches, early, graph = switched_steps(self._trace), early_accesses(self._trace), self._trace.graph
        for step, event in enumerate(self._trace.events):
            args: dict[str, Any] = {"step": step, "switched": step in switches}
            if graph is not None:
                args = {"step": step, "operation": graph.numbers[step], "before": list(early.get(step, ()))}
            yield _slice(_words(event, lengths), self._thread[owner_of(event.actor)], step, 1, args)

    def _locks(self) -> Iterator[dict[str, Any]]:
        threads: dict[Any, int] = {}
        since: dict[Any, tuple[str, int]] = {}
        for step, event in enumerate(self._trace.events):
            key = event.op.cell
            if event.op.kind is Kind.LOCK:
                if key not in threads:
                    threads[key] = len(threads) + 1
                    yield _named("thread_name", _LOCKS, threads[key], clean(event.op.location))
                since[key] = event.actor, step
            elif event.op.kind is Kind.UNLOCK and key in since:
                holder, begun = since.pop(key)
                yield _slice(title(holder), threads[key], begun, step + 1 - begun, {}, process=_LOCKS)
        for key, (holder, begun) in since.items():
            yield _slice(f"{title(holder)} (never released)", threads[key], begun, len(self._trace) - begun, {}, _LOCKS)

    def _findings(self) -> Iterator[dict[str, Any]]:
        for number, (finding, explanation) in enumerate(self._subject.explained, 1):
            steps = [step for step in finding.steps if 0 <= step < len(self._trace)]
            for place, step in enumerate(steps):
                thread = self._thread[owner_of(self._trace.events[step].actor)]
                where = {"pid": _VCPUS, "tid": thread, "ts": step + 0.5}
                name, args = f"finding {number}: {clean(finding.kind)}", {"finding": explanation}
                yield {"ph": "i", "s": "t", "name": name, "args": args, **where}
                if len(steps) > 1:
                    phase = "s" if place == 0 else "f" if place == len(steps) - 1 else "t"
                    yield {"ph": phase, "id": number, "name": name, "cat": "finding", "bp": "e", **where}


def _words(event: Event, lengths: dict[int, int]) -> str:
    if is_drain(event):
        return format_drain(event)
    if event.instruction is not None and lengths[id(event.instruction)] == 1:
        return format_single_access(event.instruction, event)
    return format_event(event)


def _named(what: str, process: int, thread: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "name": what, "pid": process, "tid": thread, "args": {"name": name}}


def _slice(
    name: str, thread: int, begin: int, length: int, args: dict[str, Any], process: int = _VCPUS
) -> dict[str, Any]:
    return {"ph": "X", "name": name, "pid": process, "tid": thread, "ts": begin, "dur": length, "args": args}
