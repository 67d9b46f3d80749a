"""What the command line prints: tables for people, JSON for programs, errors, progress."""

import contextlib
import io
import json
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from bayesmeta.errors import BayesmetaError
from bayesmeta.inference.nuts import Progress, silent
from bayesmeta.report import plain

if TYPE_CHECKING:
    from rich.console import RenderableType

DONE, FAILED_CHECK, BAD_INPUT = 0, 1, 2


def forgive_encodings() -> None:
    """Let the name of a study pass a terminal that cannot show all of its letters."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def show(*parts: "RenderableType") -> None:
    """Print for people."""
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    console.width = max(console.width, 100)  # on a narrow terminal lines wrap; no number is cut
    for part in parts:
        console.print(part)


def show_json(content: dict[str, Any]) -> None:
    """Print one JSON object."""
    print(json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False))


def refuse(error: BayesmetaError, words: Sequence[str]) -> int:
    """Tell an error where it is looked for: in the JSON object, or on standard error.

    Parameters
    ----------
    error : BayesmetaError
        What was wrong.
    words : sequence of str
        The command, which may ask for JSON.

    Returns
    -------
    int
        The exit status of bad input.
    """
    if "--json" in words:
        show_json(plain.error_as_data(error))
    else:
        print(f"bayesmeta: {error}", file=sys.stderr)
    return BAD_INPUT


class _Stages:
    """Progress on a terminal: the stage, and the time since it began."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._task = bar.add_task("reading", total=None)

    def advance(self, label: str) -> None:
        """Show what begins now."""
        self._bar.reset(self._task, description=label)


@contextlib.contextmanager
def show_progress(*, wanted: bool = True) -> Iterator[Progress]:
    """Show progress on standard error while something runs, if that is a terminal."""
    if not wanted or not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        yield _Stages(bar)
