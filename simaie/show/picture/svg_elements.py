"""The elements that drawings are made of, as markup: rectangles, texts and arrows. All text is escaped."""

from __future__ import annotations

from html import escape

__all__ = ["arrow", "rect", "text"]

_HEAD = 6


def rect(x: float, y: float, width: float, height: float, *, name: str, more: str = "") -> str:
    """Return a rectangle of the class `name`; `more` are further attributes."""
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" class="{name}"{more}/>'


def text(x: float, y: float, words: str, name: str = "", *, anchor: str = "") -> str:
    """Return a text whose base line is at `y`; the empty string for no words."""
    if not words:
        return ""
    looks = (f' class="{name}"' if name else "") + (f' text-anchor="{anchor}"' if anchor else "")
    return f'<text x="{x:.1f}" y="{y:.1f}"{looks} xml:space="preserve">{escape(words, quote=False)}</text>'


def arrow(source: tuple[float, float], target: tuple[float, float], turn: float) -> str:
    """Return an arrow from the point `source` to `target` that runs up or down at the x coordinate `turn`."""
    (x0, y0), (x1, y1) = source, target
    head = _HEAD if x1 > turn else -_HEAD
    line = f'<path class="sim-arrow" d="M{x0:.1f} {y0:.1f}H{turn:.1f}V{y1:.1f}H{x1 - head:.1f}"/>'
    return f'{line}<path class="sim-head" d="M{x1:.1f} {y1:.1f}l{-head} -3.5v7z"/>'
