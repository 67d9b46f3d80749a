"""A printed row held against the same row computed again."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bayesmeta.effects import get_measure
from bayesmeta.frequentist import PooledEstimate
from bayesmeta.frequentist.intervals.simple import symmetric_interval
from bayesmeta.printed import Printed
from bayesmeta.published.row import PublishedRow

PRINTED_LEVEL = 0.95  # of the intervals that publications print


@dataclass(frozen=True, slots=True, kw_only=True)
class Digits:
    """One printed number beside the recomputed one.

    Attributes
    ----------
    name : str
        "estimate", "lower limit", "upper limit", "p", "Q", "Q p", "I2" or "tau2".
    printed : Printed
    found : float
        Recomputed, in the unit in which it is printed.
    """

    name: str
    printed: Printed
    found: float

    @property
    def same(self) -> bool:
        """Whether the recomputed number could have been printed so."""
        return self.printed.admits(self.found)


def compare_digits(row: PublishedRow, pooled: PooledEstimate) -> tuple[Digits, ...]:
    """Put every number of a printed row beside the same number of a recomputed one.

    Parameters
    ----------
    row : PublishedRow
        Estimate and limits on the natural scale.
    pooled : PooledEstimate
        On the analysis scale, with a Wald interval of any level: that of the printed row (95%) is
        taken from its standard error.

    Returns
    -------
    tuple of Digits
        What is printed and is defined for these data.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> row = PublishedRow(model="random", estimate=Printed.parse("0.47"))
    >>> pooled = bm.pool(bm.load("bcg"), "OR", methods="DL")["DL"]
    >>> [(one.name, one.same) for one in compare_digits(row, pooled)]
    [('estimate', True)]
    """
    scale = get_measure(pooled.measure).scale
    limits = symmetric_interval(pooled.estimate, pooled.se, level=PRINTED_LEVEL)
    natural = scale.to_natural(np.array([pooled.estimate, limits.low, limits.high]))
    estimate, low, high = map(float, natural)
    ci = row.ci or (None, None)
    pairs: tuple[tuple[str, Printed | None, float], ...] = (
        ("estimate", row.estimate, estimate),
        ("lower limit", ci[0], low),
        ("upper limit", ci[1], high),
        ("p", row.p, pooled.p_value),
        ("Q", row.q, pooled.q),
        ("Q p", row.q_p, pooled.q_p),
        ("I2", row.i2, pooled.i2),
        ("tau2", row.tau2, pooled.tau2),
    )
    return tuple(_defined(pairs))


def _defined(pairs: tuple[tuple[str, Printed | None, float], ...]) -> Iterator[Digits]:
    for name, printed, found in pairs:
        if printed is not None and np.isfinite(found):
            yield Digits(name=name, printed=printed, found=found)
