"""A table as text: what the page, Markdown and LaTeX show."""

from collections.abc import Iterator
from dataclasses import dataclass

from bayesmeta.digits import NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Cells as they are shown; the first of a row is its heading.

    Attributes
    ----------
    name : str
        Of the files it is written to, and of its place in the page.
    caption : str
    columns : tuple of str
        Headings, that of the first column too.
    rows : tuple of tuple of str
        As many cells each as there are columns.
    notes : tuple of str
        Below the table.
    text_columns : tuple of int
        Columns of words, which are set to the left like the first one.
    groups : tuple of str
        Of each row the heading above it, where a new one begins; empty without groups.
    """

    name: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    text_columns: tuple[int, ...] = ()
    groups: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"{self.name}: a row has not the {len(self.columns)} cells of a table")

    @property
    def sentences(self) -> tuple[str, ...]:
        """Say each row as a sentence, for those who hear the page."""
        groups = self.groups or ("",) * len(self.rows)
        return tuple(
            f"{': '.join(filter(None, (group, row[0])))}: {'; '.join(_said(self.columns, row))}."
            for group, row in zip(groups, self.rows, strict=True)
        )

    @property
    def grouped(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Give each row with the heading that begins at it, "" where it goes on."""
        groups = self.groups or ("",) * len(self.rows)
        for before, group, row in zip(("", *groups), groups, self.rows, strict=False):
            yield ("" if group == before else group), row


def _said(columns: tuple[str, ...], row: tuple[str, ...]) -> list[str]:
    told = [
        f"{column} {cell}" if column else cell
        for column, cell in zip(columns[1:], row[1:], strict=True)
        if cell not in ("", NONE)
    ]
    return told or ["no number"]
