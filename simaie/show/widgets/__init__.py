"""Pieces of a notebook that answer: a player for an execution, buttons for choosing a schedule.

They are widgets (anywidget, of the extra `notebook`) over what is there without them: the player is the page of
`simaie.show.picture`, in a cell, and the buttons send what `simaie.Session` has as methods. Where no front end runs a
widget is the static picture; where anywidget is not installed, too, with a sentence that says what to install.
"""

from simaie.show.widgets.make import player, session_view

__all__ = ["player", "session_view"]
