"""Runs commands of simaie as fresh processes would, at a tenth of the price: as forks of one that has run nothing."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import NamedTuple

#: Forks itself for each command: a folder, the environment, the words, and a folder for what is said.
_SERVER = """
import json, os, sys
import simaie.corpus, simaie.exploration.explorer, simaie.replaying.player, simaie.replaying.shrink
from simaie.cli import main

for line in sys.stdin:
    folder, environment, words, said = json.loads(line)
    child = os.fork()
    if not child:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        for number, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(f"{said}/{name}", os.O_CREAT | os.O_WRONLY), number)
        sys.stdin.close()
        sys.exit(main(words))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Said(NamedTuple):
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str


@cache
def _server() -> subprocess.Popen[str]:
    server = subprocess.Popen([sys.executable, "-c", _SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                              cwd=Path(__file__).parent)  # fmt: skip
    atexit.register(server.communicate)  # which ends it
    return server


def fresh(*words: str) -> Said:
    """Run `simaie` with these words in this folder, in a process that has run nothing before."""
    server = _server()
    assert server.stdin is not None
    assert server.stdout is not None
    with tempfile.TemporaryDirectory() as said:
        server.stdin.write(json.dumps([os.getcwd(), dict(os.environ), words, said]) + "\n")
        server.stdin.flush()
        status = int(server.stdout.readline())
        return Said(status, *((Path(said) / name).read_text("utf-8") for name in ("out", "err")))
