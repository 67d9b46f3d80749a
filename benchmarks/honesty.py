"""Is the reported error honest? Random problems of every likelihood against kept references."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.testing import assert_allclose

from bayesmeta.errors import AccuracyError
from bayesmeta.inference.gaussian import fit_gaussian
from bayesmeta.inference.grid import fit_grid
from bayesmeta.inference.posterior import Accuracy, Posterior
from bayesmeta.model import BoundModel
from benchmarks.random_problems import FAMILIES
from benchmarks.references import Reference, bind, mark, read, unit

_PROBS = np.array([0.025, 0.5, 0.975])

type Fit = Callable[[BoundModel], Posterior]


@dataclass(slots=True)
class Tally:
    """What came of the problems of one family.

    Attributes
    ----------
    problems : int
    refused, silent : dict
        What was said, or what was wrong, by seed.
    undecided : list of int
        Seeds of problems that the reference does not know to 1e-6.
    worst : float
        Largest ratio of an error, the reference's own taken off, to the reported one.
    largest : float
        Largest such error.
    """

    problems: int = 0
    refused: dict[int, str] = field(default_factory=dict)
    silent: dict[int, str] = field(default_factory=dict)
    undecided: list[int] = field(default_factory=list)
    worst: float = 0.0
    largest: float = 0.0


def bench_honesty() -> None:
    """Print problems, refusals, silent failures and the largest true over reported error."""
    print("\nReported against true errors, random problems of each likelihood")
    print(
        f"  {'':18} {'problems':>8} {'refused':>8} {'silent':>7} {'no ref.':>8} {'ratio':>9} "
        f"{'true error':>11}"
    )
    for name in FAMILIES:
        _show(name, examine(name))
    _show("normal, Gaussian", examine("normal", fit=fit_gaussian))


def _show(title: str, tally: Tally) -> None:
    print(
        f"  {title:18} {tally.problems:8} {len(tally.refused):8} {len(tally.silent):7} "
        f"{len(tally.undecided):8} {tally.worst:9.2g} {tally.largest:11.1e}",
        flush=True,
    )
    reasons = Counter(why.split(" at ")[0].split(";")[0] for why in tally.refused.values())
    for why, count in reasons.items():
        print(f"      {count} refused: {why}")
    for seed, what in tally.silent.items():
        print(f"      seed {seed}: {what}")
    if tally.refused:
        print(f"      refused seeds: {', '.join(map(str, tally.refused))}")
    if tally.undecided:
        print(f"      undecided seeds: {', '.join(map(str, tally.undecided))}")


def examine(
    name: str, references: Sequence[Reference] | None = None, *, fit: Fit = fit_grid
) -> Tally:
    """Fit the problems of a family that references are kept of, and compare every number.

    A failure is silent where a number is off by more than the reported error and the reference's
    own; the log evidence is given to 8 units of its last place. Problems that the reference does
    not decide are fitted too: a refusal counts.

    Raises
    ------
    AssertionError
        A problem is not the one that its reference was computed for.
    """
    tally = Tally()
    for reference in read(name) if references is None else references:
        tally.problems += 1
        bound = bind(name, reference.seed)
        assert bound is not None
        assert_allclose(mark(bound), reference.mark, rtol=1e-7)
        if not reference.decided:
            tally.undecided.append(reference.seed)
        try:
            posterior = fit(bound)
        except AccuracyError as refusal:
            tally.refused[reference.seed] = str(refusal)
            continue
        if not reference.decided:
            continue
        accuracy = posterior.accuracy
        assert isinstance(accuracy, Accuracy)
        off = differences(posterior, reference)
        excess = {what: value - reference.errors[what] for what, value in off.items()}
        excess["evidence"] -= 8 * float(np.finfo(float).eps) * abs(reference.values["evidence"])
        what = max(excess, key=lambda name: excess[name])
        tally.largest = max(tally.largest, excess[what])
        tally.worst = max(tally.worst, excess[what] / accuracy.error)
        if excess[what] > accuracy.error:
            tally.silent[reference.seed] = (
                f"{what} is off by {off[what]:.1e}, reported {accuracy.error:.1e}, "
                f"reference {reference.errors[what]:.1e}"
            )
    return tally


def differences(posterior: Posterior, reference: Reference) -> dict[str, float]:
    """Absolute differences in the units of the reported error, by name."""
    values = reference.values
    return {
        name: abs(value - values[name]) / unit(name, values)
        for name, value in read_numbers(posterior, values).items()
    }


def read_numbers(posterior: Posterior, wanted: dict[str, float]) -> dict[str, float]:
    """Give the numbers of a posterior that a reference knows, by name."""
    out = {"evidence": float(posterior.log_marginal_likelihood or 0.0)}
    for name in ("mu", "tau", "theta_new"):
        marginal = posterior.marginals[name]
        if f"{name} 50%" in wanted:
            quantiles = marginal.quantile(_PROBS)
            for p, x in zip(_PROBS, quantiles, strict=True):
                out[f"{name} {100 * p:g}%"] = float(x)
        if f"{name} < 0" in wanted:
            out[f"{name} < 0"] = float(marginal.cdf(0.0))
        for moment in ("mean", "sd"):
            if f"{name} {moment}" in wanted:
                out[f"{name} {moment}"] = float(getattr(marginal, moment))
    return out
