"""Widgets for notebooks: a player for an execution, and buttons to choose a schedule.

They use anywidget, of the extra `notebook`. The player is the page of `simaie.show.picture` in a cell, and the buttons
call the methods of `simaie.Session`. Where no front end runs, a widget is a static picture; so it is without anywidget,
with a sentence that says what to install.
"""

from simaie.show.widgets.make import player, session_view

__all__ = ["player", "session_view"]
