"""One line of a forest plot: its texts, and its marks on the natural scale."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from bayesmeta.plots.intervals import NO_MARK, Mark
from bayesmeta.plots.style import INK
from bayesmeta.scales import FloatArray

type Kind = Literal[
    "head", "group", "study", "total", "pooled", "posterior", "prediction", "note", "space"
]
type Texts3 = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Line:
    """One line of the plot.

    Attributes
    ----------
    kind : Kind
    label : str
    cells : dict
        Keys of columns to texts: "weight", "effect", "second" and those of the arms.
    numbers : dict
        The same for cells of estimate, low and high, before they are lined up.
    mark : Mark
        Observed, or pooled.
    second : Mark
        Of a study: its effect as the exact posterior has it. Pooled: the prediction interval.
    weight : float
        Of a study, relative to the heaviest.
    density : (2, point) or None
        Of a posterior: effects on the natural scale, and density on the analysis scale relative to
        its peak.
    colour : str
    height : float
        Of the line, in heights of a line of the layout.
    """

    kind: Kind
    label: str
    cells: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, Texts3] = field(default_factory=dict)
    mark: Mark = NO_MARK
    second: Mark = NO_MARK
    weight: float = 1.0
    density: FloatArray | None = None
    colour: str = INK
    height: float = 1.0
