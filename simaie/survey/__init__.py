"""The survey: every scheme of the family against every class of violations, compared with what is expected.

    found = simaie.matrix(["hst", "mine.py:Mine"], hosts=["sc", "tso"])

A cell is one scheme, one class and one host. A search runs the small program of the class (`simaie.corpus.violations`)
in every order: the class is *proved* to be free of violations, or one is *found*, or the cell is *open*, with the
reason. The expectations are data of the schemes (`simaie.schemes.holes.Variant`).
"""

from simaie.survey.cell import EXECUTIONS, Cell, CellResult
from simaie.survey.report import Matrix
from simaie.survey.rows import FAMILY
from simaie.survey.survey import DEFAULT_HOSTS, matrix

__all__ = ["DEFAULT_HOSTS", "EXECUTIONS", "FAMILY", "Cell", "CellResult", "Matrix", "matrix"]
