"""Commands in processes of their own, to be interrupted and killed when they have come to a known place."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

SIMAIE = (str(Path(sys.executable).with_name("simaie")),)
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:xdist")
#: Far longer than anything here takes on a machine that is busy otherwise.
PATIENCE = 120.0

PROGRAMS = """
import pathlib, simaie
X = 0x100

async def adder(cpu):
    await cpu.add(X, 1)

async def locked(cpu):
    await cpu.lock_add(X, 1)

def two(state):
    return state[X] == 2

def running(state):
    pathlib.Path(__file__).with_name("running").touch()
    return True

racy = simaie.Program("racy", isa="x86", threads=[adder, adder], init={X: 0}, final=two)
large = simaie.Program("large", isa="x86", threads=[adder] * 8, init={X: 0}, final=two)
sound = simaie.Program("sound", isa="x86", threads=[locked, locked], init={X: 0}, final=running)
"""
#: The usual length of a search is a second; this one has no end in any test.
ENDLESS = ("--scheduler", "random-walk", "--executions", "1000000000", "--failures", "all")


def soon(what: Callable[[], T]) -> T:
    """Wait until `what` returns something, and return that."""
    deadline = time.monotonic() + PATIENCE
    while not (value := what()):
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.005)
    return value


class Process:
    """A process in a session of its own, as on a terminal of its own."""

    def __init__(self, argv: Sequence[object], **options: Any) -> None:
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.PIPE} | options
        self.popen = subprocess.Popen([str(word) for word in argv], start_new_session=True, **options)

    def press_ctrl_c(self) -> None:
        """Ctrl-C reaches every process of the terminal."""
        os.killpg(self.popen.pid, signal.SIGINT)

    def end(self, number: signal.Signals) -> Ran:
        """Send a signal (Ctrl-C to all, another to this process alone), and wait for the end."""
        if number is signal.SIGINT:
            self.press_ctrl_c()
        else:
            self.popen.send_signal(number)
        return self.ended()

    def ended(self) -> Ran:
        """Wait for the end."""
        out, err = self.popen.communicate(timeout=PATIENCE)
        return Ran(self.popen.returncode, (out or b"").decode(), err.decode())

    def line(self) -> str:
        """The next line of stderr."""
        assert self.popen.stderr is not None
        return self.popen.stderr.readline().decode()

    def children(self) -> list[int]:
        """Its children, by number."""
        text = Path(f"/proc/{self.popen.pid}/task/{self.popen.pid}/children").read_text()
        return [int(word) for word in text.split()]


class Ran:
    """What a process left."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err

    @property
    def document(self) -> Any:
        return json.loads(self.out)

    def __repr__(self) -> str:
        return f"{self.status}\n{self.out[-2000:]}\n{self.err[-4000:]}"


@contextmanager
def begun(*argv: object, **options: Any) -> Iterator[Process]:
    """A process that is gone in the end, with all of its session."""
    process = Process(argv, **options)
    try:
        yield process
    finally:
        if process.popen.poll() is None:
            os.killpg(process.popen.pid, signal.SIGKILL)
            process.popen.communicate()


def is_running(number: int) -> bool:
    """Whether a process runs; one that nobody has waited for yet does not."""
    try:
        status = Path(f"/proc/{number}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"
