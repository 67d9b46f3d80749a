"""What a forest plot says of heterogeneity, and of differences between subgroups."""

from collections.abc import Iterator, Sequence

import numpy as np

from bayesmeta.checks.crosscheck import CrossCheck
from bayesmeta.digits import choose_decimals, show, show_probability
from bayesmeta.errors import ModelError
from bayesmeta.frequentist import PooledEstimate
from bayesmeta.frequentist.subgroups import compare_subgroups
from bayesmeta.inference.marginals import Marginal
from bayesmeta.inference.posterior import Posterior


def heterogeneity_notes(
    result: CrossCheck,
    row: PooledEstimate | None,
    subtotals: Sequence[PooledEstimate | None],
    *,
    to: str,
) -> Iterator[str]:
    """Say how much the studies differ, by the method of the weights and by each exact posterior.

    Parameters
    ----------
    result : CrossCheck
    row : PooledEstimate or None
        Of the method of the weights; not given, the first that has Q.
    subtotals : sequence of PooledEstimate or None
        Of the subgroups, which are compared.
    to : str
        Between the limits of an interval.
    """
    row = row or next((row for row in result.reference if row.q_df), None)
    if row is not None and row.q_df:
        yield say_heterogeneity(row)
    for label, posterior in result.posteriors.items():
        if label.startswith("exact"):
            told = say_posterior(posterior, result.level, to=to)
            yield from [f"Heterogeneity, {label}: {told}"] if told else []
    rows = [one for one in subtotals if one is not None]
    if (test := compare_subgroups(rows)) is not None:
        yield (
            f"Test for subgroup differences, {rows[0].method}: Q {test.q:.1f} (df {test.df}), "
            f"{_say_p(test.p)}, I² {test.i2:.0f}%"
        )


def say_heterogeneity(row: PooledEstimate) -> str:
    """Say tau and tau2 where they are estimated, I2, and Q with its test."""
    told = f"I² {row.i2:.0f}%, Q {row.q:.1f} (df {row.q_df}), {_say_p(row.q_p)}"
    if np.isfinite(row.tau2_ci_high) or row.tau2 > 0:
        tau, tau2 = np.sqrt(row.tau2), row.tau2
        sizes = (show(float(x), choose_decimals([float(x)])) if x > 0 else "0" for x in (tau, tau2))
        told = "tau {} (tau² {}), {}".format(*sizes, told)
    return f"Heterogeneity, {row.method}: {told}"


def say_posterior(posterior: Posterior, level: float, *, to: str) -> str:
    """Say median and interval of tau, and of I2 where it has a meaning; "" where tau is not known.

    Parameters
    ----------
    posterior : Posterior
    level : float
        Probability of the intervals.
    to : str
        Between their limits; with ", " they stand in brackets, else in parentheses.
    """
    tau = _say_marginal(posterior.tau, level, to=to)
    if not tau:
        return ""
    try:
        share = _say_marginal(posterior.i2(), level, to=to, unit="%")
    except ModelError:  # no sampling variance apart from the effect, or one study
        share = ""
    return f"tau {tau}, I² {share}" if share else f"tau {tau}"


def _say_marginal(marginal: Marginal, level: float, *, to: str, unit: str = "") -> str:
    tail = (1 - level) / 2
    numbers = np.asarray(marginal.quantile([0.5, tail, 1 - tail]))
    if not np.isfinite(numbers).all():
        return ""
    places = 0 if unit else choose_decimals([numbers[0]])
    middle, low, high = (show(float(x), places) for x in numbers)
    interval = f"[{low}{to}{high}]" if to == ", " else f"({low}{to}{high})"
    return f"{middle}{unit} {interval}"


def _say_p(p: float) -> str:
    text = show_probability(p)
    return f"p {text[0]} {text[1:]}" if text[0] in "<>" else f"p = {text}"
