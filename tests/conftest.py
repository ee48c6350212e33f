"""What holds for all tests: Ctrl-C is as on a terminal, and markers keep runs short."""

import gc
import signal
import sys
import threading
from collections import Counter

import pytest

pytest_plugins = "pytester"  # runs the plug-in's tests, and may only be asked for here

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a shell's background job: the tests of it would hang
    signal.signal(signal.SIGINT, signal.default_int_handler)

#: Of the parameters of a test, the first and then one in this many count for coverage. It doubles the time of a test,
#: and parameters that follow each other run the same lines for the most part.
COVERED = 8


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    seen = Counter()
    for item in items:
        name = item.nodeid.partition("[")[0]
        one_in = item.get_closest_marker("one_in")
        if one_in is not None and seen[name] % one_in.args[0]:
            item.add_marker(pytest.mark.soak)
        if seen[name] % COVERED:
            item.add_marker(pytest.mark.untraced)
        seen[name] += 1


def pytest_collection_finish():
    """Thousands of tests are no garbage: what is here now is never looked through, and the rest more seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Do not trace a test that is marked untraced.

    pytest-cov has a marker for this, too. In a worker of xdist it starts two tracers, and its marker stops only one.
    """
    tracers = sys.gettrace(), threading.gettrace()
    if item.get_closest_marker("untraced") is None or tracers == (None, None):
        return (yield)
    sys.settrace(None)
    threading.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(tracers[0])
        threading.settrace(tracers[1])
