"""The certificate: that quadrature and NUTS agree on one model and its data, and how far."""

import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Unpack

import numpy as np
import pandas as pd

from bayesmeta.checks.agreement import Difference, compare_marginal
from bayesmeta.errors import AccuracyError, ModelError, NotExactError
from bayesmeta.inference.fit import TOL, NutsOptions, fit
from bayesmeta.inference.nuts import Progress, silent
from bayesmeta.inference.posterior import Accuracy, Diagnostics, Posterior
from bayesmeta.inference.propriety import find_tail_order
from bayesmeta.model import Model
from bayesmeta.scales import FloatArray
from bayesmeta.studies import StudyTable

LEVEL = 0.01  # of all comparisons together
IMPRECISION = 0.05  # largest Monte Carlo standard error, in posterior SDs
QUANTILES = (0.025, 0.25, 0.5, 0.75, 0.975)
DRAWS = 10_000  # for each chain
PACKAGES = ("bayesmeta", "numpy", "scipy", "pymc", "pytensor", "nutpie", "arviz-stats")


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What a comparison of quadrature and NUTS showed.

    Attributes
    ----------
    model : Model
    measure : str
        Analysis scale of all numbers, such as "log OR".
    studies : tuple of str
    engine : str
        The exact engine.
    accuracy : Accuracy
        What it says of its own error.
    diagnostics : Diagnostics
        Of the NUTS run, with its seed and settings.
    differences : tuple of Difference
        All compared numbers.
    p_adjusted : tuple of float
        Of each, adjusted after Holm for all of them.
    versions : mapping
        Of the software.
    notes : tuple of str
        What was left out, and what the fits say of themselves.
    """

    model: Model
    measure: str
    studies: tuple[str, ...]
    engine: str
    accuracy: Accuracy
    diagnostics: Diagnostics
    differences: tuple[Difference, ...]
    p_adjusted: tuple[float, ...]
    versions: Mapping[str, str]
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        return f"<Certificate: {self.sentence}>"

    @property
    def failures(self) -> tuple[str, ...]:
        """Why nothing is certified; empty where it is."""
        out = [f"the NUTS run failed: {failure}" for failure in self.diagnostics.failures]
        for difference, p in zip(self.differences, self.p_adjusted, strict=True):
            what = f"{difference.statistic} of {difference.parameter}"
            if p < LEVEL:
                out.append(
                    f"{what}: exact {difference.exact:.5g}, NUTS {difference.sampled:.5g}, "
                    f"{abs(difference.z):.1f} Monte Carlo standard errors apart (adjusted p "
                    f"{p:.1g})"
                )
            if not difference.imprecision <= IMPRECISION:
                out.append(
                    f"{what}: the Monte Carlo error is {100 * difference.imprecision:.1f}% of the "
                    f"posterior SD, more than {100 * IMPRECISION:g}%; give more draws"
                )
        return tuple(out)

    @property
    def ok(self) -> bool:
        """Whether the agreement is certified."""
        return not self.failures

    @property
    def sentence(self) -> str:
        """What was shown."""
        n = len(self.differences)
        if not self.ok:
            count = len(self.failures)
            more = f", and {count - 1} more" if count > 1 else ""
            return f"Not certified: {self.failures[0]}{more}."
        z = max(abs(difference.z) for difference in self.differences)
        imprecision = max(difference.imprecision for difference in self.differences)
        shared = getattr(self.model.likelihood, "shared_by_roads", "")
        caveat = f" {shared}." if shared else ""
        return (
            f"Certified: quadrature (error at most {self.accuracy.error:.0e}) and NUTS "
            f"({self.diagnostics.chains} chains of {self.diagnostics.draws} draws) agree in all "
            f"{n} compared numbers, the largest difference being {z:.1f} Monte Carlo standard "
            f"errors (smallest p adjusted for {n} comparisons: {min(self.p_adjusted):.2g}) and the "
            f"largest Monte Carlo error {100 * imprecision:.1f}% of the posterior SD.{caveat}"
        )

    def to_frame(self) -> pd.DataFrame:
        """Give one row per compared number.

        Returns
        -------
        DataFrame
            parameter, statistic, exact, sampled, mcse (analysis scale, or a probability), z,
            p_value, p_adjusted, and imprecision, the Monte Carlo error in posterior SDs.
        """
        columns = ["parameter", "statistic", "exact", "sampled", "mcse", "z", "p_value"]
        rows = [[getattr(d, column) for column in columns] for d in self.differences]
        frame = pd.DataFrame(rows, columns=columns)
        frame["p_adjusted"] = self.p_adjusted
        frame["imprecision"] = [d.imprecision for d in self.differences]
        return frame


def certify(
    model: Model,
    studies: StudyTable,
    *,
    rng: int = 1,
    tol: float = TOL,
    progress: Progress = silent,
    **options: Unpack[NutsOptions],
) -> Certificate:
    """Fit a model by quadrature and by NUTS, and certify that they agree.

    Compared are means, SDs, 2.5, 25, 50, 75 and 97.5% quantiles and a probability (of an effect
    below the null value, of tau below the median standard error; or below the 1 or 99% quantile
    where that is rarer) of mu, tau, theta_new and every study's true effect.

    Parameters
    ----------
    model : Model
    studies : StudyTable
    rng : int
        Seed of NUTS.
    tol : float
        Accepted numerical error of the quadrature.
    progress : Progress
        Told of the stages.
    **options
        Of NUTS, see `fit`; 10 000 draws in each chain if not given.

    Returns
    -------
    Certificate
        It holds (`ok`) if the run passed its diagnostics, no difference is significant at 0.01
        after Holm's adjustment for all of them, and no Monte Carlo standard error exceeds 5% of
        its posterior SD: agreement by imprecision is none.

    Raises
    ------
    NotExactError, AccuracyError, ImproperPosteriorError, SamplingError
        One of the two posteriors could not be had.

    References
    ----------
    Holm (1979), Scandinavian Journal of Statistics 6:65-70.
    """
    progress.advance("exact posterior")
    exact = fit(model, studies, tol=tol)
    draws = NutsOptions(draws=DRAWS) | options
    sampled = fit(model, studies, engine="nuts", rng=rng, progress=progress, **draws)
    progress.advance("comparing")
    return compare_roads(exact, sampled)


def compare_roads(exact: Posterior, sampled: Posterior) -> Certificate:
    """Certify the agreement of two posteriors of the same model and data.

    Parameters
    ----------
    exact, sampled : Posterior
        By quadrature and by NUTS.

    Raises
    ------
    ModelError
        The first is sampled, or the second is not.
    """
    accuracy, diagnostics = exact.accuracy, sampled.accuracy
    if not isinstance(accuracy, Accuracy) or not isinstance(diagnostics, Diagnostics):
        raise ModelError("A certificate compares an exact posterior with one of NUTS")
    differences = tuple(_compare(exact, sampled))
    return Certificate(
        model=exact.bound.model,
        measure=exact.bound.measure.analysis_label,
        studies=exact.bound.studies,
        engine=exact.engine,
        accuracy=accuracy,
        diagnostics=diagnostics,
        differences=differences,
        p_adjusted=adjust_holm([difference.p_value for difference in differences]),
        versions={"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
        notes=tuple(dict.fromkeys([*_left_out(exact, differences), *exact.notes, *sampled.notes])),
    )


def adjust_holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjust p-values for their number, step by step from the smallest.

    References
    ----------
    Holm (1979), Scandinavian Journal of Statistics 6:65-70.

    Examples
    --------
    >>> [round(p, 3) for p in adjust_holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return tuple(adjusted.tolist())


def _compare(exact: Posterior, sampled: Posterior) -> Iterator[Difference]:
    """Compare all parameters; moments need finite variances of their Monte Carlo errors."""
    draws = sampled.joint.draw(0, np.random.default_rng(0))
    bound = exact.bound
    tails = find_tail_order(bound)
    bounds = {"mu": 0.0, "tau": bound.unit, "theta_new": 0.0}
    for name, marginal in exact.marginals.items():
        order = {"mean": 2, "sd": 4}
        moments = [m for m, need in order.items() if tails.has_moment(need, of_mu=name == "mu")]
        if name == "theta_new":
            moments = [m for m in moments if tails.of_new > order[m] + 1]
        sample: FloatArray = getattr(draws, name)[None]
        yield from compare_marginal(
            [name],
            marginal,
            sample,
            quantiles=QUANTILES,
            below=bounds[name],
            moments=moments,
        )
    if _lacks_study_effects(exact):
        return
    names = [f"theta of {study!r}" for study in bound.studies]
    theta = np.moveaxis(draws.theta, -1, 0)
    yield from compare_marginal(names, exact.theta, theta, quantiles=QUANTILES, below=0.0)


def _lacks_study_effects(exact: Posterior) -> str:
    """Say why the exact engine does not give the studies' effects; nothing where it does."""
    try:
        np.asarray(exact.theta.mean)
    except (NotExactError, AccuracyError) as error:
        return error.message
    return ""


def _left_out(exact: Posterior, differences: Sequence[Difference]) -> Iterator[str]:
    """Say what was not compared."""
    found = {(d.parameter, d.statistic) for d in differences}
    parameters = dict.fromkeys(d.parameter for d in differences)
    for moment in ("mean", "sd"):
        lacking = [name for name in parameters if (name, moment) not in found]
        lacking = [name for name in lacking if (name, "97.5% quantile") in found]
        if lacking:
            yield (
                f"{moment} not compared for {', '.join(lacking)}: it, or the variance of its "
                "estimate, does not exist"
            )
    reason = _lacks_study_effects(exact)
    if reason:
        yield f"the studies' true effects were not compared. {reason}"
