"""What holds for all tests: pytester may be asked for, coverage is cheap, and Ctrl-C is as on a terminal."""

import signal
from collections import Counter

import pytest

pytest_plugins = "pytester"  # runs the plug-in's tests, and may only be asked for here

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a shell's background job: the tests of it would hang
    signal.signal(signal.SIGINT, signal.default_int_handler)

#: The number of parameters of each test that count for coverage. It triples the time of a test, and the other
#: parameters run the same lines for the most part.
COVERED = 3


def pytest_collection_modifyitems(items):
    seen = Counter()
    for item in items:
        name = item.nodeid.partition("[")[0]
        seen[name] += 1
        if seen[name] > COVERED:
            item.add_marker(pytest.mark.no_cover)
