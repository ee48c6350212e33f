"""What holds for all tests: pytester may be asked for, and Ctrl-C means what it means on a terminal."""

import signal

pytest_plugins = "pytester"  # runs the plug-in's tests, and may only be asked for here

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a shell's background job: the tests of it would hang
    signal.signal(signal.SIGINT, signal.default_int_handler)
