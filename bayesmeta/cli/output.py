"""What the command line prints: tables for people, JSON for programs, errors, progress."""

import contextlib
import io
import json
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from bayesmeta.errors import BayesmetaError
from bayesmeta.report import plain

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress as Bar

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


class Stages:
    """Progress that nobody sees: there is no terminal."""

    def advance(self, label: str) -> None:
        """Take note of what begins now."""

    def finish(self) -> None:
        """Take note that one outcome is done."""

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the terminal to somebody else for a while."""
        yield


class _ShownStages(Stages):
    """Progress on a terminal: the stage, how many outcomes are done, and the time."""

    def __init__(self, bar: "Bar", outcomes: int) -> None:
        self._bar = bar
        self._task = bar.add_task("reading", total=outcomes)

    def advance(self, label: str) -> None:
        self._bar.update(self._task, description=label)

    def finish(self) -> None:
        self._bar.advance(self._task)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        self._bar.stop()
        try:
            yield
        finally:
            self._bar.start()


@contextlib.contextmanager
def show_progress(*, outcomes: int = 1, wanted: bool = True) -> Iterator[Stages]:
    """Show progress on standard error while something runs, if that is a terminal."""
    if not wanted or not sys.stderr.isatty():
        yield Stages()
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )
    from rich.progress import Progress as Bar

    count = (BarColumn(bar_width=20), MofNCompleteColumn()) if outcomes > 1 else ()
    columns = (SpinnerColumn(), *count, TimeElapsedColumn(), TextColumn("{task.description}"))
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        yield _ShownStages(bar, outcomes)
