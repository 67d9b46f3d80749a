"""Effect measures, and the effects of a table on the analysis scale."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bayesmeta.scales import LOG, FloatArray, Scale
from bayesmeta.studies.layouts import LayoutKind

type BoolArray = NDArray[np.bool_]
type Correction = Literal["only0", "all", "none"]
type Formula = Callable[..., tuple[FloatArray, FloatArray]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """An effect measure: what it is called, and how data become effects.

    Attributes
    ----------
    name : str
        Short name, as in metafor: "OR".
    label : str
        Name in words: "odds ratio".
    scale : Scale
        Analysis scale, on which effects are pooled.
    layout : LayoutKind
        Data that it is computed from; every measure also takes contrasts that are on its scale.
    compute : callable or None
        Data to (y, v), effects and sampling variances on the analysis scale; any shape. Data are,
        treated then control, "binary": (a, b, c, d), events and non-events; "means": (m1, sd1,
        n1, m2, sd2, n2); "rates": (x1, t1, x2, t2); "single": (x, m), events and non-events;
        "single_rates": (x, t); "paired": (m1, sd1, m2, sd2, n, r); "correlation": (r, n). None
        where effects are given.
    shared : callable or None
        The same data to loadings (factor, row) of the control arm: see `shared_control`. None
        where the covariance of effects with one control arm is not known.
    zero_rule : bool
        Whether the correction "only0" adds 1/2 where a count is zero. Not so for the arcsine
        measures, which are finite there; as in metafor.
    transformed : str
        What the analysis scale is called, such as "log odds"; "" is "log NAME" or the name.
    default_effect_prior, default_heterogeneity_prior : str or None
        Priors on the analysis scale that are used, and said so, where none are given.

    Examples
    --------
    >>> from bayesmeta.effects import MEASURES
    >>> MEASURES["OR"].label, MEASURES["OR"].analysis_label
    ('odds ratio', 'log OR')
    """

    name: str
    label: str
    scale: Scale
    layout: LayoutKind
    compute: Formula | None = None
    shared: Callable[..., FloatArray] | None = None
    zero_rule: bool = True
    transformed: str = ""
    default_effect_prior: str | None = None
    default_heterogeneity_prior: str | None = None

    @property
    def analysis_label(self) -> str:
        """Name of the effect on the analysis scale, such as "log OR"."""
        return self.transformed or (f"log {self.name}" if self.scale is LOG else self.name)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Effects:
    """Effects on the analysis scale; the arrays are read-only.

    Attributes
    ----------
    study : tuple of str
        Label of each row.
    y : (row,)
        Effects on the analysis scale (log for ratios).
    S : (row,) or (row, row)
        Sampling variances of `y`, or their full covariance, in squared units of `y`.
    measure : Measure
        What the effects measure.
    correction : {"only0", "all", "none"}
        Zero-cell rule that was in force.
    corrected : (row,)
        Rows to which 1/2 was added.
    notes : tuple of str
        What a reader of the result should know.
    row_notes : tuple of str
        The same for each row; "" where there is nothing to say.
    loadings : (factor, row) or None
        What the control arm gives to each effect: two rows that share it have the covariance of
        the sum of products. None where the measure has none.
    """

    study: tuple[str, ...]
    y: FloatArray
    S: FloatArray
    measure: Measure
    correction: Correction
    corrected: BoolArray
    notes: tuple[str, ...] = ()
    row_notes: tuple[str, ...] = ()
    loadings: FloatArray | None = None

    def __post_init__(self) -> None:
        for name in ("y", "S", "corrected"):
            array = getattr(self, name).copy()
            array.setflags(write=False)
            object.__setattr__(self, name, array)
