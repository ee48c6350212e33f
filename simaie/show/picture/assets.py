"""The script and the style that a page and a widget share, read from the folder `assets`. There is no build step."""

from __future__ import annotations

from importlib.resources import files

__all__ = ["asset", "walk_script"]

#: The parts of the function `walk`, in the order in which they need each other.
_WALK = ("data", "table", "panel", "walk")


def asset(name: str) -> str:
    """The text of a file of the folder."""
    return (files("simaie.show.picture") / "assets" / name).read_text("utf-8")


def walk_script() -> str:
    """JavaScript that defines ``walk(root, data, options)``: the walk through an execution, in an element."""
    body = "\n".join(asset(f"{part}.js") for part in _WALK)
    return f"{asset('elements.js')}\nfunction walk(root, data, options) {{\n{body}}}\n"
