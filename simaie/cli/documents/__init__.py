"""The JSON documents that the commands print, as types.

Each document names its form and the version of the form in its key ``schema``, such as ``simaie-explore-1``. The
version changes when a field gets another meaning or goes away; new fields may come. The JSON Schemas in the
documentation are made from these types, and tests hold what commands print against them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

__all__ = ["Document", "schema_of", "type_of"]


class Document(StrEnum):
    """The documents, by the name of their form."""

    EXPLORE = "simaie-explore-1"
    PROVE_PROGRESS = "simaie-prove-progress-1"
    REPLAY = "simaie-replay-1"
    CHECK = "simaie-check-1"
    SHRINK = "simaie-shrink-1"
    COMPARE = "simaie-compare-1"
    COMPARE_ALL = "simaie-compare-all-1"
    BARRIERS = "simaie-barriers-1"
    MAPPING = "simaie-mapping-1"
    MATRIX = "simaie-matrix-1"
    AUDIT = "simaie-audit-1"
    LITMUS = "simaie-litmus-1"
    FUZZ = "simaie-fuzz-1"
    LIST = "simaie-list-1"
    CAMPAIGN_STATUS = "simaie-campaign-status-1"
    CAMPAIGN_FIXED = "simaie-campaign-fixed-1"

    def named(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return a document that begins with the name of its form."""
        return {"schema": self.value, **document}


def type_of(document: Document) -> Any:
    """Return the type of a document."""
    from simaie.campaign.summary import Status  # the types need every module that has results
    from simaie.cli.documents import comparisons, executions, surveys

    return {
        Document.EXPLORE: executions.Explored,
        Document.PROVE_PROGRESS: executions.ProgressProved,
        Document.REPLAY: executions.Replayed,
        Document.CHECK: executions.Checked,
        Document.SHRINK: executions.Shrunken,
        Document.COMPARE: comparisons.Compared,
        Document.COMPARE_ALL: comparisons.ComparedAll,
        Document.BARRIERS: comparisons.Barred,
        Document.MAPPING: comparisons.Mapped,
        Document.MATRIX: surveys.MatrixForm,
        Document.AUDIT: surveys.Audited,
        Document.LITMUS: surveys.LitmusRun,
        Document.FUZZ: surveys.Fuzzed,
        Document.LIST: surveys.Listing,
        Document.CAMPAIGN_STATUS: Status,
        Document.CAMPAIGN_FIXED: surveys.Fixed,
    }[document]


def schema_of(document: Document) -> dict[str, Any]:
    """Return the JSON Schema of a document, made from its type."""
    found = msgspec.json.schema(type_of(document))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": document.value, **found}
