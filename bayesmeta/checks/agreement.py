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
    from arviz_stats.base import array_stats

    chains = {"chain_axis": 1, "draw_axis": 2}
    probs = np.asarray(quantiles)
    known = {"mean": np.atleast_1d(exact.mean), "sd": np.atleast_1d(exact.sd)}
    points = np.atleast_2d(exact.quantile(probs))
    spread = np.subtract(*np.atleast_2d(exact.quantile([0.975, 0.025])).T) / 4
    bounds = np.zeros(len(names))
    unit = np.where(np.isfinite(known["sd"]), known["sd"], spread)
    constant = (unit == 0) & (np.ptp(sample, axis=(1, 2)) == 0)
    found: dict[str, tuple[FloatArray, FloatArray, FloatArray, FloatArray]] = {}
    with np.errstate(all="ignore"):  # nan of constant or broken chains, which fail
        for moment in moments:
            own = getattr(np, {"mean": "mean", "sd": "std"}[moment])
            got = own(sample, axis=(1, 2), **({"ddof": 1} if moment == "sd" else {}))
            found[moment] = known[moment], got, array_stats.mcse(
                sample, method=moment, **chains
            ), unit  # fmt: skip
        density = np.ones_like(points)
        if not constant.all():
            of_all = points if np.ndim(exact.mean) else points[0]
            density = np.atleast_2d(exact.pdf(of_all))
        for i, p in enumerate(probs):
            ess = array_stats.ess(sample, method="quantile", prob=p, **chains)
            error = np.sqrt(p * (1 - p) / ess) / density[:, i]
            got = np.quantile(sample, p, axis=(1, 2))
            found[f"{100 * p:g}% quantile"] = points[:, i], got, error, unit
        if below is not None:
            ends = np.atleast_2d(exact.quantile(SHARES))
            bounds = np.clip(below, ends[:, 0], ends[:, 1])
            of_all = bounds[:, None] if np.ndim(exact.mean) else bounds
            p = np.atleast_2d(exact.cdf(of_all))[:, 0]
            inside = (sample < bounds[:, None, None]).astype(float)
            ess = np.nan_to_num(array_stats.ess(inside, method="mean", **chains), nan=1.0)
            each = np.sqrt(p * (1 - p))
            found[_BELOW] = p, inside.mean(axis=(1, 2)), each / np.sqrt(ess), each
    for i, name in enumerate(names):
        if constant[i]:
            value = float(known["mean"][i])
            yield Difference(
                parameter=name,
                statistic="mean",
                exact=value,
                sampled=float(sample[i, 0, 0]),
                mcse=0.0,
                unit=0.0,
            )
            continue
        for statistic, columns in found.items():
            exactly, got, error, unit_of = (float(column[i]) for column in columns)
            if np.isfinite(exactly):
                yield Difference(
                    parameter=name,
                    statistic=f"P(< {bounds[i]:.4g})" if statistic == _BELOW else statistic,
                    exact=exactly,
                    sampled=got,
                    mcse=error,
                    unit=unit_of,
                )
