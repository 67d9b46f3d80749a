"""How far a sampled posterior is from the exact one, in Monte Carlo standard errors."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import ndtr

from bayesmeta.inference.posterior import Posterior
from bayesmeta.scales import FloatArray

if TYPE_CHECKING:
    from bayesmeta.inference.marginals import Marginal

LIMIT = 4.0  # Monte Carlo standard errors; a right sampler exceeds it once in 16,000 comparisons
PARAMETERS = ("mu", "tau")
TAILS = (0.025, 0.975)
SHARES = (
    0.01,
    0.99,
)  # between whose quantiles a bound is moved, for its probability to be compared
_BELOW = "P(<)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One number of two posteriors, on the analysis scale.

    Attributes
    ----------
    parameter, statistic : str
        "mu", "tau", "theta_new" or "theta of 'STUDY'"; "mean", "sd", "97.5% quantile", "P(< 0)".
    exact, sampled : float
        The number by quadrature and from the draws.
    mcse : float
        Monte Carlo standard error of the latter.
    unit : float
        What the standard error is small against: the posterior SD, a quarter of the 95% interval
        where there is none, and sqrt(p (1 - p)) for a probability.
    """

    parameter: str
    statistic: str
    exact: float
    sampled: float
    mcse: float
    unit: float

    @property
    def z(self) -> float:
        """Difference in Monte Carlo standard errors; infinite where there is no Monte Carlo."""
        away = self.sampled - self.exact
        return 0.0 if away == 0 else float(np.divide(away, self.mcse) if self.mcse else np.inf)

    @property
    def p_value(self) -> float:
        """Two-sided probability of so large a z by chance; 0 where there is no number."""
        return 0.0 if np.isnan(self.z) else float(2 * ndtr(-abs(self.z)))

    @property
    def imprecision(self) -> float:
        """Monte Carlo standard error as a share of `unit`."""
        return 0.0 if self.mcse == 0 else float(np.divide(self.mcse, self.unit))


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
        found.extend(compare_marginal([name], exact.marginals[name], sample[None]))
    return Agreement(differences=tuple(found))


def compare_marginal(
    names: Sequence[str],
    exact: "Marginal",
    sample: FloatArray,
    *,
    quantiles: Sequence[float] = TAILS,
    below: float | None = None,
    moments: Sequence[str] = ("mean", "sd"),
) -> Iterator[Difference]:
    """Compare draws with the exact distribution of one parameter, or of one for each study.

    Parameters
    ----------
    names : sequence of str
        Of the parameters.
    exact : Marginal
        Of shape () for one name, else (parameter,).
    sample : (parameter, chain, draw)
    quantiles : sequence of float
        Probabilities of the quantiles that are compared.
    below : float, optional
        Where P(X < below) is compared too, for each parameter; moved to its 1 or 99% quantile where
        it lies beyond, since draws say nothing of rarer events.
    moments : sequence of str
        Of "mean" and "sd"; those that do not exist are left out.
    """
    mean, sd = np.atleast_1d(exact.mean), np.atleast_1d(exact.sd)
    spread = np.subtract(*np.atleast_2d(exact.quantile([0.975, 0.025])).T) / 4
    unit = np.where(np.isfinite(sd), sd, spread)
    constant = (unit == 0) & (np.ptp(sample, axis=(1, 2)) == 0)
    bounds = np.zeros(len(names))
    with np.errstate(all="ignore"):  # nan of constant or broken chains, which fail
        found = _moments({"mean": mean, "sd": sd}, sample, unit, moments)
        if not constant.all():
            found |= _quantiles(exact, sample, unit, np.asarray(quantiles))
        if below is not None:
            ends = np.atleast_2d(exact.quantile(SHARES))
            bounds = np.clip(below, ends[:, 0], ends[:, 1])
            found[_BELOW] = _probability(exact, sample, bounds)
    for i, name in enumerate(names):
        if constant[i]:
            numbers = (float(mean[i]), float(sample[i, 0, 0]), 0.0, 0.0)
            yield _difference(name, "mean", numbers)
            continue
        for statistic, columns in found.items():
            if np.isfinite(columns[0][i]):
                what = f"P(< {bounds[i]:.4g})" if statistic == _BELOW else statistic
                yield _difference(name, what, [float(column[i]) for column in columns])


type _Columns = tuple[FloatArray, FloatArray, FloatArray, FloatArray]  # exact, sampled, mcse, unit


def _difference(name: str, statistic: str, numbers: Sequence[float]) -> Difference:
    exact, sampled, mcse, unit = numbers
    return Difference(
        parameter=name, statistic=statistic, exact=exact, sampled=sampled, mcse=mcse, unit=unit
    )


def _moments(
    known: dict[str, FloatArray], sample: FloatArray, unit: FloatArray, wanted: Sequence[str]
) -> dict[str, _Columns]:
    """Compare means and SDs."""
    from arviz_stats.base import array_stats

    own = {"mean": sample.mean(axis=(1, 2)), "sd": sample.std(axis=(1, 2), ddof=1)}
    return {
        m: (known[m], own[m], array_stats.mcse(sample, method=m, chain_axis=1, draw_axis=2), unit)
        for m in wanted
    }


def _quantiles(
    exact: "Marginal", sample: FloatArray, unit: FloatArray, probs: FloatArray
) -> dict[str, _Columns]:
    """Compare quantiles, with the exact density for their standard errors."""
    from arviz_stats.base import array_stats

    points = exact.quantile(probs)
    density, points = np.atleast_2d(exact.pdf(points)), np.atleast_2d(points)
    out: dict[str, _Columns] = {}
    for i, p in enumerate(probs):
        ess = array_stats.ess(sample, method="quantile", prob=p, chain_axis=1, draw_axis=2)
        error = np.sqrt(p * (1 - p) / ess) / density[:, i]
        found = np.quantile(sample, p, axis=(1, 2))
        out[f"{100 * p:g}% quantile"] = points[:, i], found, error, unit
    return out


def _probability(exact: "Marginal", sample: FloatArray, bounds: FloatArray) -> _Columns:
    """Compare P(X < bound), with the exact probability for its standard error."""
    from arviz_stats.base import array_stats

    p = np.atleast_2d(exact.cdf(bounds[:, None] if np.ndim(exact.mean) else bounds))[:, 0]
    inside = (sample < bounds[:, None, None]).astype(float)
    ess = array_stats.ess(inside, method="mean", chain_axis=1, draw_axis=2)
    each = np.sqrt(p * (1 - p))
    return p, inside.mean(axis=(1, 2)), each / np.sqrt(np.nan_to_num(ess, nan=1.0)), each
