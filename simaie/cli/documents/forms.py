"""The base of the types of documents, and the parts that several documents have."""

from __future__ import annotations

import msgspec

from simaie.finding import Finding

__all__ = ["ForbiddenForm", "Form", "InputProblem", "Outcome"]

#: The values of observed registers and watched memory, by name.
Outcome = dict[str, int]


class Form(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of a document; it has no other fields than those of its type."""


class InputProblem(Form, frozen=True, kw_only=True):
    """An error of a file or a target that could not be run; line and column are 0 if they are not known."""

    file: str
    line: int
    column: int
    problem: str
    unsupported: bool | msgspec.UnsetType = msgspec.UNSET


class ForbiddenForm(Form, frozen=True, kw_only=True):
    """An outcome that the guest's architecture forbids, with its witness."""

    outcome: Outcome
    command: str
    index: int
    digest: str
    schedule: str
    findings: tuple[Finding, ...]
