"""The commit of the current folder, for the history of a store."""

from __future__ import annotations

import subprocess

__all__ = ["revision"]

_GIT_SECONDS = 5.0


def revision() -> str:
    """Return the commit of the current folder, if it is in a repository of git; empty otherwise."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"],
            capture_output=True, text=True, timeout=_GIT_SECONDS, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""
