"""Text that is safe to print, whatever a guest program, a plug-in or an untrusted file put into it."""

from __future__ import annotations

__all__ = ["clean", "clean_lines"]


def clean(text: str) -> str:
    """Return `text` on one line, with each control or unprintable character written as its escape."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)


def clean_lines(text: str) -> str:
    """Return `text` with each line cleaned as by `clean`; only a line feed ends a line."""
    return "\n".join(clean(line) for line in text.split("\n"))
