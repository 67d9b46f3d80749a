"""How far a sampled posterior is from the exact one, in Monte Carlo standard errors."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayesmeta.inference.posterior import Posterior
from bayesmeta.scales import FloatArray

if TYPE_CHECKING:
    from bayesmeta.inference.marginals import Marginal

LIMIT = 4.0  # Monte Carlo standard errors; a right sampler exceeds it once in 16,000 comparisons
PARAMETERS = ("mu", "tau")
TAILS = (0.025, 0.975)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One number of two posteriors, on the analysis scale.

    Attributes
    ----------
    parameter, statistic : str
        "mu" or "tau"; "mean", "sd", "2.5% quantile" or "97.5% quantile".
    exact, sampled : float
        The number by quadrature and from the draws.
    mcse : float
        Monte Carlo standard error of the latter.
    """

    parameter: str
    statistic: str
    exact: float
    sampled: float
    mcse: float

    @property
    def z(self) -> float:
        """Difference in Monte Carlo standard errors; infinite where there is no Monte Carlo."""
        away = self.sampled - self.exact
        return 0.0 if away == 0 else float(np.divide(away, self.mcse) if self.mcse else np.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """All differences between a sampled posterior and the exact one."""

    differences: tuple[Difference, ...]

    @property
    def largest(self) -> Difference:
        """Difference of the largest absolute z; one without a number counts as the largest."""
        return max(self.differences, key=lambda d: np.inf if np.isnan(d.z) else abs(d.z))

    @property
    def ok(self) -> bool:
        """Whether every difference is below the limit."""
        return all(abs(difference.z) < LIMIT for difference in self.differences)

    def z(self, parameter: str, statistic: str) -> float:
        """Give one z; nan where the number does not exist."""
        for difference in self.differences:
            if (difference.parameter, difference.statistic) == (parameter, statistic):
                return difference.z
        return float("nan")

    def to_frame(self) -> pd.DataFrame:
        """Give one row per difference."""
        columns = ("parameter", "statistic", "exact", "sampled", "mcse", "z")
        rows = [[getattr(d, column) for column in columns] for d in self.differences]
        return pd.DataFrame(rows, columns=list(columns))


def compare_posteriors(exact: Posterior, sampled: Posterior) -> Agreement:
    """Compare mean, SD and 2.5% and 97.5% quantiles of mu and tau.

    Moments that do not exist are left out; a parameter that is known is compared by its mean. The
    standard error of a quantile is that of its share of the draws, sqrt(p (1 - p) / ESS), over the
    exact density there: a density from the few draws of a tail makes z heavy-tailed (for perfect
    draws of a skew tau |z| was 5 once in 300).

    Parameters
    ----------
    exact, sampled : Posterior
        Of the same model and data; the second from NUTS.

    Returns
    -------
    Agreement

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021), Bayesian Analysis 16:667-718, for the
    Monte Carlo standard errors.
    """
    draws = sampled.joint.draw(0, np.random.default_rng(0))
    found: list[Difference] = []
    for name in PARAMETERS:
        sample: FloatArray = getattr(draws, name)
        found.extend(_differences(name, exact.marginals[name], sampled.marginals[name], sample))
    return Agreement(differences=tuple(found))


def _differences(
    name: str, exact: "Marginal", sampled: "Marginal", sample: FloatArray
) -> Iterator[Difference]:
    """Compare one parameter; `sample` (chain, draw)."""
    from arviz_stats.base import array_stats

    chains = {"chain_axis": 0, "draw_axis": 1}

    def difference(statistic: str, known: object, found: object, error: object) -> Difference:
        numbers = [float(np.asarray(number)) for number in (known, found, error)]
        return Difference(
            parameter=name,
            statistic=statistic,
            exact=numbers[0],
            sampled=numbers[1],
            mcse=numbers[2],
        )

    if exact.sd == 0 and np.ptp(sample) == 0:
        yield difference("mean", exact.mean, sample.flat[0], 0.0)
        return
    for moment in ("mean", "sd"):
        known = getattr(exact, moment)
        if np.isfinite(known):
            error = array_stats.mcse(sample, method=moment, **chains)
            yield difference(moment, known, getattr(sampled, moment), error)
    for p in TAILS:
        ess = array_stats.ess(sample, method="quantile", prob=p, **chains)
        known = exact.quantile(p)
        error = np.sqrt(p * (1 - p) / ess) / exact.pdf(known)
        yield difference(f"{100 * p:g}% quantile", known, sampled.quantile(p), error)
