"""The command ``simaie show``: draw a saved failure, as text or into files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.text import Text

from simaie.cli.output import guest_output_aside, print_lines, width
from simaie.cli.replay import heading
from simaie.cli.replayed import replayed
from simaie.cli.status import Status
from simaie.replaying.recorded import while_shown
from simaie.saving import require_parent, save_file
from simaie.show.failure_view import failure_view
from simaie.show.format import clean

__all__ = ["run_show"]


def run_show(
    file: Path,
    target: str | None,
    best_effort: bool,
    driver: str | None,
    pictures: Mapping[str, Path | None],
    everything: bool,
    checkers: Sequence[str] = (),
    trust: bool = False,
    scheme: str | None = None,
    host: str | None = None,
) -> Status:
    """Replay `file` and draw it into the files of `pictures`, by renderer; without any, print text.

    Without the code that it needs, the file is drawn as it was recorded.

    Returns:
        The status 0 (`HOLDS`), since the command did what it was asked to do, so that the next one can follow ``&&``.
    """
    for path in filter(None, pictures.values()):
        require_parent(path)
    with guest_output_aside():
        failure = replayed(file, target, best_effort, driver, checkers, trust, scheme, host, or_recorded=True)
        wanted = {name: path for name, path in pictures.items() if path is not None}
        for name, path in wanted.items():
            options = {"everything": everything} if name == "svg" else {}
            save_file(path, failure.render(name, **options))
    if wanted:
        print_lines(Text(f"{name}: ").append(clean(str(path)), "cyan") for name, path in wanted.items())
    else:
        with while_shown(failure):
            view = failure_view(failure, everything=everything, width=width())
        print_lines([heading(failure), Text(), *view])
    return Status.HOLDS

