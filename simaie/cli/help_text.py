"""The text below the options of a command's help: what words mean, the exit statuses, and examples."""

from __future__ import annotations

__all__ = ["WORDS", "epilog", "statuses"]

#: What the words for plug-ins in the column of values mean.
WORDS = (
    "SCHEME, HOST, SCHEDULER and CHECKER are names (simaie list), or FILE.py:CLASS for one of your own; options "
    "follow, as in aie-rfc:granule=64 or mine.py:Mine:retries=3."
)
_SHARED_STATUSES = (
    "70 a bug of simaie (SIMAIE_TRACEBACK=1 shows where), 130 interrupted, 141 the reader of the output left, "
    "143 terminated"
)


def statuses(zero: str = "", one: str = "", three: str = "") -> str:
    """Return the line on exit statuses, with the meaning of 0, 1 and 3 as far as a command has them."""
    own = {0: zero, 1: one, 2: "bad usage or input", 3: three}
    return f"Exit status: {', '.join(f'{n} {what}' for n, what in own.items() if what)}, {_SHARED_STATUSES}."


def epilog(line: str, *examples: str, words: bool = True) -> str:
    """Return the text below the options of a command.

    Args:
        line: The line on exit statuses.
        examples: Command lines to copy.
        words: Whether the command takes plug-ins, whose words are explained.
    """
    head = ["Examples:" if len(examples) > 1 else "Example:"] if examples else []
    return "\n\n".join([*([WORDS] if words else []), line, *head, *examples])
