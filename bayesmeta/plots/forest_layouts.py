"""The layouts of a forest plot: which columns there are, and where."""

from dataclasses import dataclass
from typing import Literal

from bayesmeta.plots.columns import Column

type LayoutName = Literal["bayesmeta", "revman", "journal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A layout.

    Attributes
    ----------
    left, right : tuple of str
        Keys of the columns on either side of the plot; "arms" stands for the columns of both arms,
        "extra" for those of the user's choice. Labels of pooled effects run on up to "weight" or
        "effect".
    split_arms : bool
        Whether events and patients (mean, SD and patients) have columns of their own.
    shrunken : bool
        Whether each study has a second mark and text, its effect in the posterior.
    to : str
        Between the limits of an interval.
    coloured : bool
    line : float
        Height of a line, in heights of its letters.
    """

    left: tuple[str, ...]
    right: tuple[str, ...]
    split_arms: bool
    shrunken: bool
    to: str
    coloured: bool
    line: float

    def columns(self, arms: tuple[str, ...], extra: tuple[str, ...]) -> tuple[Column, ...]:
        """Give all columns; `arms` and `extra` are the keys that these words stand for."""
        words = {"arms": arms, "extra": extra}
        out = []
        for side, keys in (("left", self.left), ("right", self.right)):
            for key in keys:
                out += [_column(one, side) for one in words.get(key, (key,))]
        return tuple(out)


def _column(key: str, side: str) -> Column:
    return Column(
        key=key,
        side="left" if side == "left" else "right",
        align="left" if key == "study" else "right",
    )


LAYOUTS: dict[LayoutName, Layout] = {
    "bayesmeta": Layout(
        left=("study", "extra", "arms"),
        right=("weight", "effect", "second"),
        split_arms=False,
        shrunken=True,
        to=", ",
        coloured=True,
        line=2.25,
    ),
    "revman": Layout(
        left=("study", "arms", "weight", "effect"),
        right=("extra",),
        split_arms=True,
        shrunken=False,
        to=", ",
        coloured=True,
        line=1.9,
    ),
    "journal": Layout(
        left=("study", "extra", "arms"),
        right=("effect", "weight"),
        split_arms=False,
        shrunken=False,
        to=" to ",
        coloured=False,
        line=1.9,
    ),
}
