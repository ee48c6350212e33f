"""Calls of compiled functions: what each thread of a program of an ELF file calls, drawn by Hypothesis.

With a checker such as ``linearizable-stack`` this tests an object like Lincheck (Koval et al., "Lincheck: A Practical
Framework for Testing Concurrent Data Structures on JVM", CAV 2023), which draws a few calls for a few threads and
explores their interleavings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypothesis import strategies as st

from simaie.arguments import require_mapping, require_text
from simaie.errors import UsageError
from simaie.protocols import require_at_most, require_positive

__all__ = ["calls"]

#: The most threads and calls that are drawn.
MOST_THREADS, MOST_CALLS = 64, 1_000


def calls(
    functions: Mapping[str, st.SearchStrategy[int] | Sequence[st.SearchStrategy[int]] | None],
    *,
    threads: int = 2,
    each: int = 3,
) -> st.SearchStrategy[list[str]]:
    """Return a strategy of what threads call, for the argument `threads` of `simaie.binary_program`.

        @given(calls({"push": integers(1, 9), "pop": ()}))
        def test_stack(threads):
            program = simaie.binary_program("stack.so", threads, record=["push", "pop"], nothing=-1)

    Args:
        functions: For each function the strategies of its arguments; a single one may stand alone.
        threads: Maximum number of threads.
        each: Maximum number of calls of a thread.

    Raises:
        UsageError: There is no function, or an argument is no strategy.
    """
    require_positive(threads=threads, each=each)
    require_at_most(MOST_THREADS, threads=threads)
    require_at_most(MOST_CALLS, each=each)
    require_mapping("functions", functions, "{'push': integers(1, 9), 'pop': ()}")
    if not functions:
        raise UsageError("name at least one function, as in {'push': integers(1, 9), 'pop': ()}")
    call = st.one_of([_call(name, given) for name, given in functions.items()])
    thread = st.lists(call, min_size=1, max_size=each).map(" ".join)
    return st.lists(thread, min_size=1, max_size=threads)


def _call(
    name: str, given: st.SearchStrategy[int] | Sequence[st.SearchStrategy[int]] | None
) -> st.SearchStrategy[str]:
    require_text("the name of a function", name)
    if not name or set(name) & set(": \t\n"):
        raise UsageError(f"{name!r} is no name of a function")
    if given is None:
        given = ()
    elif isinstance(given, st.SearchStrategy):
        given = (given,)
    if not isinstance(given, Sequence) or not all(isinstance(one, st.SearchStrategy) for one in given):
        raise UsageError(f"the arguments of {name!r} are strategies, such as integers(1, 9), not {given!r}")
    return st.tuples(*given).map(lambda values: ":".join([name, *map(str, values)]))
