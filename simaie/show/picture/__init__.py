"""Pictures of an execution: a page to walk through it, a drawing, a timeline for Perfetto, a cell of a notebook.

Failures, reports and traces are in layers below this one and do not import it. They ask for their picture by name
(`simaie.plugins.RENDERERS`), so that this code is loaded only for a picture. All pictures are text and load nothing
from outside. Names that a guest program chose are escaped: they never become markup or script.
"""

from simaie.show.picture.notebook import drawing_html, notebook_html
from simaie.show.picture.page import to_html
from simaie.show.picture.perfetto import to_perfetto
from simaie.show.picture.subject import Subject, subject_of
from simaie.show.picture.svg import to_svg

__all__ = ["Subject", "drawing_html", "notebook_html", "subject_of", "to_html", "to_perfetto", "to_svg"]
