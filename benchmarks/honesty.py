"""Is the reported error honest? Random problems of every likelihood against plain sums."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from bayesmeta.errors import AccuracyError, ImproperPosteriorError
from bayesmeta.inference.grid import fit_grid
from bayesmeta.inference.posterior import Accuracy, Posterior
from bayesmeta.inference.propriety import find_tail_order
from bayesmeta.model import BoundModel
from benchmarks.brute_force import BruteForce, integrate
from benchmarks.random_problems import FAMILIES, draw_problem

PROBLEMS = 300
_PROBS = np.array([0.025, 0.5, 0.975])


@dataclass(slots=True)
class Tally:
    """What came of the problems of one family; `silent` and `refused` by seed."""

    problems: int = 0
    refused: dict[int, str] = field(default_factory=dict)
    silent: dict[int, str] = field(default_factory=dict)
    undecided: list[int] = field(default_factory=list)
    worst: float = 0.0
    largest: float = 0.0


def bench_honesty() -> None:
    """Print problems, refusals, silent failures and the largest true over reported error."""
    print(f"\nReported against true errors, {PROBLEMS} random problems of each likelihood")
    print(f"  {'':18} {'refused':>8} {'silent':>7} {'no ref.':>8} {'ratio':>9} {'true error':>11}")
    for name in FAMILIES:
        tally = examine(name, PROBLEMS)
        print(
            f"  {name:18} {len(tally.refused):8} {len(tally.silent):7} {len(tally.undecided):8} "
            f"{tally.worst:9.2g} {tally.largest:11.1e}",
            flush=True,
        )
        for why, count in Counter(tally.refused.values()).items():
            print(f"      {count} refused: {why}")
        for seed, what in (*tally.silent.items(), *tally.refused.items()):
            print(f"      seed {seed}: {what}")


def examine(name: str, problems: int) -> Tally:
    """Fit problems of a family, and compare every number with the brute force's.

    A failure is silent where a number is off by more than the reported error and the brute force's
    own; problems whose posterior is improper are drawn again.
    """
    tally, seed = Tally(), -1
    while tally.problems < problems:
        seed += 1
        model, studies = draw_problem(name, seed)
        bound = model.bind(studies)
        try:
            tails = find_tail_order(bound)
        except ImproperPosteriorError:
            continue
        tally.problems += 1
        try:
            posterior = fit_grid(bound)
        except AccuracyError as refusal:
            tally.refused[seed] = str(refusal).split(";")[0]
            continue
        moments = min(tails.of_tau, tails.of_mu) > 6
        accuracy = posterior.accuracy
        assert isinstance(accuracy, Accuracy)
        try:
            reference = integrate(bound, tilt=moments)
        except (RuntimeError, AccuracyError):
            tally.undecided.append(seed)
            continue
        found = differences(posterior, reference, bound, moments=moments)
        again = differences(posterior, reference.thinned(), bound, moments=moments)
        own = {what: abs(value - again[what]) + reference.error for what, value in found.items()}
        own["evidence"] += 8 * float(np.finfo(float).eps) * abs(reference.log_evidence)  # rounding
        what = max(found, key=lambda name: abs(found[name]) - own[name])
        beyond = max(abs(found[what]) - own[what], 0.0)
        tally.largest = max(tally.largest, beyond)
        tally.worst = max(tally.worst, beyond / accuracy.error)
        if reference.error > 1e-6:
            tally.undecided.append(seed)
        if beyond > accuracy.error:
            tally.silent[seed] = (
                f"{what} is off by {found[what]:.1e}, reported {accuracy.error:.1e}, "
                f"reference {own[what]:.1e}"
            )
    return tally


def differences(
    posterior: Posterior, reference: BruteForce, bound: BoundModel, *, moments: bool
) -> dict[str, float]:
    """Signed differences in the units of the reported error, by name."""
    out = {"evidence": float(posterior.log_marginal_likelihood or 0) - reference.log_evidence}
    want = reference.moments()
    free_mu, free_tau = reference.mu.shape[1] > 1, len(reference.tau) > 1
    if moments:
        have = {
            "mu sd": (float(posterior.mu.sd), free_mu),
            "tau mean": (float(posterior.tau.mean), free_tau),
            "tau sd": (float(posterior.tau.sd), free_tau),
            "theta_new sd": (float(posterior.theta_new.sd), free_mu or free_tau),
        }
        out |= {name: value / want[name] - 1 for name, (value, free) in have.items() if free}
        if free_mu:
            out["mu mean"] = (float(posterior.mu.mean) - want["mu mean"]) / want["mu sd"]
    unit = float(np.exp(np.mean(np.log(bound.data.se))))
    for name, free in (("mu", free_mu), ("tau", free_tau), ("theta_new", free_mu or free_tau)):
        if not free:
            continue
        marginal = posterior.marginals[name]
        q = marginal.quantile(_PROBS)
        density = marginal.pdf(q)
        for p, x, f in zip(_PROBS, q, density, strict=True):
            if name == "mu":
                found = reference.cdf_mu(float(x))
            elif name == "theta_new":
                found = reference.cdf_new(float(x))
            else:
                found = reference.cdf_tau(float(x), _on_line(float(x), bound, unit))
            scale = float(x) if name == "tau" else float(q[2] - q[0]) / 4
            out[f"{name} {100 * p:g}%"] = (found - p) / (float(f) * scale)
    if free_mu:
        out["mu < 0"] = float(posterior.mu.cdf(0.0)) - reference.cdf_mu(0.0)
    return out


def _on_line(tau: float, bound: BoundModel, unit: float) -> float:
    low, high = bound.model.heterogeneity.support
    if np.isinf(high):
        return float(np.arcsinh(np.log((tau - low) / unit)))
    share = (tau - low) / (high - low)
    return float(np.arcsinh(np.log(share / (1 - share)) * 2 / np.pi))
