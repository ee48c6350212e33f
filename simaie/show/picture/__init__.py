"""Pictures of an execution: a page to walk through it, a drawing, a timeline for Perfetto, a cell of a notebook.

Failures, reports and traces lie in layers below this one and know nothing of it: they ask for their picture by name
(`simaie.plugins.RENDERERS`), and what is here is imported when somebody looks. All pictures are text and reach for
nothing outside themselves. Whatever a guest program put into names is escaped, and never becomes markup or script.
"""

from simaie.show.picture.notebook import drawing_html, notebook_html
from simaie.show.picture.page import to_html
from simaie.show.picture.perfetto import to_perfetto
from simaie.show.picture.subject import Subject, subject_of
from simaie.show.picture.svg import to_svg

__all__ = ["Subject", "drawing_html", "notebook_html", "subject_of", "to_html", "to_perfetto", "to_svg"]
