"""Exact posterior for one-dimensional study likelihoods: quadrature over (mu, tau).

Whatever the data are, study i enters only through g_i(theta), tabulated once (`integrate`). The
joint posterior of (mu, tau) is evaluated on a plane of nodes: even on a mapped line of tau, and for
each tau even on a line of mu about that tau's own conditional. Marginals are mixtures over the
nodes, exact between them (`marginals`).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bayesmeta.errors import AccuracyError, NotExactError
from bayesmeta.inference.bounded import CutKernels, CutMixture, cut_kernels, cut_moments, cut_nodes
from bayesmeta.inference.grid_draws import GridJoint
from bayesmeta.inference.grid_errors import measure_error
from bayesmeta.inference.integrate import StudyIntegral
from bayesmeta.inference.kernels import (
    BoolArray,
    Kernel,
    Rule,
    finest_spacing,
    new_kernels,
    outlier_probability,
    spacing,
)
from bayesmeta.inference.marginals import Marginal, Mixture, NormalMixture, StudentMixture
from bayesmeta.inference.plane import Plane, first_plane
from bayesmeta.inference.posterior import Accuracy, Posterior
from bayesmeta.inference.propriety import TailOrder, find_tail_order, moment_note
from bayesmeta.inference.quadrature import nyquist
from bayesmeta.inference.replan import foresee_nodes, move_ranges, refine
from bayesmeta.inference.rough import take_rows
from bayesmeta.inference.sinc import SincDensity
from bayesmeta.inference.spread import Mixed
from bayesmeta.inference.study_effects import StudyEffects
from bayesmeta.inference.surface import Surface, evaluate_plane
from bayesmeta.inference.tables import IndexArray
from bayesmeta.inference.threads import on_one_blas_thread
from bayesmeta.model import BoundModel
from bayesmeta.random_effects import TruncatedRandomEffects
from bayesmeta.scales import FloatArray

_MOST_NODES = 200_000  # of (tau, mu); a fit that is foreseen to need more is refused at once
_MOST_SUMS = 2_000_000  # the same, times studies: where these are few there may be more nodes
_MOST_HALVED = 3  # times that the spacing of the studies' own nodes may be halved
_MOST_STALLED = 4  # refinements in a row that hardly help; rows of little mass may be narrow
_DEEPEST = 9.0  # log units that the plane may be cut deeper than usual
_AMPLIFIED = 30  # times a spectrum, about: the error of a quantile


@on_one_blas_thread
def fit_grid(bound: BoundModel, *, tol: float = 1e-8) -> Posterior:
    """Exact posterior for any one-dimensional study likelihood and effect prior, X = 1.

    Parameters
    ----------
    bound : BoundModel
    tol : float
        Largest accepted change of any reported quantity when the nodes are halved.

    Raises
    ------
    NotExactError
        The rows are correlated, or the effect prior has a support that is not covered.
    ImproperPosteriorError
        The posterior does not integrate.
    AccuracyError
        The tolerance was not met.
    """
    _require_supported(bound)
    tails = find_tail_order(bound)
    plane = first_plane(bound, tails)
    error, foreseen, stalled = np.inf, np.inf, 0
    integral: StudyIntegral | Mixed | None = None
    surface: Surface | None = None
    deeper, halved, of_rest, measured = 0.0, 0, np.inf, 0
    most_nodes = max(_MOST_NODES, _MOST_SUMS / len(bound.studies))
    for _ in range(40):
        surface = evaluate_plane(bound, plane, tails, integral, surface)
        integral = surface.integral
        moved = move_ranges(surface, tails, deeper=deeper)
        if moved is not None:
            plane = moved
            continue
        in_tau, in_mu = _spectra(surface)
        rest, cut, wanted = 0.0, 0.0, tol / _AMPLIFIED
        if max(in_tau, in_mu) <= tol:
            posterior = _assemble(bound, surface, tails, tol)
            in_tau, in_mu, cut, rest = measure_error(posterior, surface, tails, in_tau, in_mu)
            wanted = max((tol - cut - rest) / 2, tol / 200)  # what the nodes may be wrong by
            measured += 1
        last, error = error, max(in_tau, in_mu) + cut + rest
        stalled = stalled + 1 if error > 0.5 * last and measured != 1 else 0
        if error <= tol:
            accuracy = Accuracy(error=error, tol=tol, nodes=(plane.n_tau, plane.n_mu))
            return replace(posterior, accuracy=accuracy)
        rough = rest > tol / 2 and rest < 0.5 * of_rest
        if (rough or (stalled and halved < 2)) and halved < _MOST_HALVED:
            # where sums go over into other sums their errors are jumps, which no nodes resolve
            integral, of_rest = integral.refine(*surface.pairs), rest if rough else of_rest
            surface = None
            halved, stalled = halved + 1, 0
            continue
        if cut > tol / 3 and deeper < _DEEPEST:
            deeper, stalled = deeper + float(np.log(10 * cut / tol)), 0
        foreseen = foresee_nodes(plane, in_tau, in_mu, wanted=wanted)
        if stalled == _MOST_STALLED or foreseen > most_nodes or rest > tol:
            break
        plane = refine(plane, bound, in_tau, in_mu, wanted=wanted, least=2.0 if stalled else 1.25)
    reasons = {
        "a prior or likelihood may have a kink or a very long tail": max(in_tau, in_mu),
        "the tails beyond the nodes are too heavy": cut,
        "what is left is rounding, and the error of the sums over true effects: do studies, or "
        "data and prior, contradict each other by hundreds of standard errors?": rest,
    }
    raise AccuracyError(
        f"The exact fit still moves by {error:.1e} (tol {tol:.0e}) at {plane.n_tau} x "
        f"{plane.n_mu} nodes of (tau, mu), and some {foreseen:.0e} nodes are foreseen for less; "
        f'{max(reasons, key=lambda name: reasons[name])}. engine="nuts" does not need this step'
    )


def _require_supported(bound: BoundModel) -> None:
    covariance = getattr(bound.data, "S", None)
    if covariance is not None and covariance.ndim == 2:
        raise NotExactError(
            "The grid engine needs independent studies; these effects are correlated. "
            "Use normal random effects with a normal, flat or fixed effect prior (the Gaussian "
            'engine), or engine="nuts"'
        )
    breaks = getattr(bound.data, "breaks", ())
    if len(breaks) > 1:
        raise NotExactError(
            f"The likelihoods may bend at {', '.join(f'{b:g}' for b in breaks)}; the exact engine "
            'takes one such point. Use smooth likelihoods, or engine="nuts"'
        )
    low, high = bound.model.effect.support
    if np.isinf(low) and np.isfinite(high):
        raise NotExactError(
            f"The effect prior {bound.model.effect} is bounded above only. Swap the arms, so that "
            'it is bounded below, or use engine="nuts"'
        )


def _spectra(surface: Surface) -> tuple[float, float]:
    """Spectrum of the masses at the nodes' highest frequencies, in tau and in mu."""
    mass = surface.mass
    in_tau = float(nyquist(mass.sum(axis=1))) if mass.shape[0] > 1 else 0.0
    in_mu = float(nyquist(mass).sum()) if mass.shape[1] > 1 else 0.0
    return in_tau, in_mu


def _assemble(bound: BoundModel, surface: Surface, tails: TailOrder, tol: float) -> Posterior:
    """Put the nodes into marginals."""
    plane, mass = surface.plane, surface.mass
    has_mean, has_sd = tails.has_moment(1), tails.has_moment(2)
    mu = replace(
        _mu_marginal(plane, plane.mu, mass, None),
        has_mean=tails.has_moment(1, of_mu=True),
        has_sd=tails.has_moment(2, of_mu=True),
    )
    tau: Marginal
    if plane.of_tau is None:
        tau = NormalMixture(means=plane.tau, sds=np.zeros(1), weights=np.ones(1))
    else:
        tau = SincDensity(
            start=np.array([plane.v_low]),
            step=np.array([plane.v_step]),
            masses=mass.sum(axis=1)[None],
            coordinate=plane.of_tau,
            has_mean=has_mean,
            has_sd=has_sd,
        )
    return Posterior(
        bound=bound,
        engine="grid",
        mu=mu,
        tau=tau,
        theta_new=_new_effect(
            surface, has_mean=has_mean and tails.of_new > 2, has_sd=has_sd and tails.of_new > 3
        ),
        theta=StudyEffects(surface=surface, tol=tol),
        log_marginal_likelihood=surface.log_evidence,
        accuracy=Accuracy(error=np.inf, tol=tol, nodes=(plane.n_tau, plane.n_mu)),  # not yet known
        joint=GridJoint(bound=bound, surface=surface),
        notes=(*bound.data.notes, *moment_note(tails)),
        outlier_probability=outlier_probability(surface),
    )


def _mu_marginal(
    plane: Plane, mu: FloatArray, mass: FloatArray, shift: FloatArray | None
) -> NormalMixture | SincDensity:
    """Mu, its nodes `mu` (tau, mu), with a component for each node of tau; `shift` moves them."""
    if plane.of_mu is None:
        means = mu[:, 0] if shift is None else mu[:, 0] + shift
        return NormalMixture(means=means, sds=np.zeros(len(means)), weights=mass[:, 0])
    center = (mass * mu).sum() / mass.sum()
    spread = mass * (mu - center) ** 2
    # a row matters by its mass, or by what it adds to the variance
    matters = (mass / mass.sum() + spread / spread.sum()).sum(axis=1) > 1e-18
    return SincDensity(
        start=plane.x_low[matters],
        step=plane.x_step[matters],
        masses=mass[matters],
        coordinate=take_rows(plane.of_mu, matters),
        shift=None if shift is None else shift[matters],
    )


def _new_effect(surface: Surface, *, has_mean: bool, has_sd: bool) -> Marginal:
    """theta_new: its kernels about the nodes of mu where these resolve them, else shifts of mu."""
    plane, form = surface.plane, surface.integral.bound.model.random_effects
    parts: list[NormalMixture | StudentMixture | SincDensity | CutMixture | CutKernels] = []
    gap, finest = spacing(plane, surface.mass), finest_spacing(plane)
    for kernel in new_kernels(surface):
        mass = surface.mass * np.exp(kernel.log_share[..., 0])
        wide = kernel.wide(plane, surface.mass)
        matters = mass.sum(axis=1) > 1e-18
        rows = np.flatnonzero(~wide & matters)
        split = [kernel.split(kernel.scale[t], gap[t], finest=finest[t]) for t in rows]
        if isinstance(form, TruncatedRandomEffects):
            parts.append(cut_nodes(surface, form, wide & matters))
        elif (wide & matters).any():
            parts.append(_about_nodes(plane, mass, kernel, wide & matters))
        sums = [(t, *part) for t, ((sds, shares), _) in zip(rows, split, strict=True)
                for part in zip(sds, shares, strict=True)]  # fmt: skip
        if sums:
            t, sds, shares = (np.array(column) for column in zip(*sums, strict=True))
            parts.append(_about_parts(plane, mass[t] * shares[:, None], t, sds))
        if isinstance(form, TruncatedRandomEffects) and len(rows) and plane.of_mu is not None:
            parts.append(cut_kernels(surface, form, rows))
        elif len(rows):
            parts.append(_shifted(plane, mass, rows, [rule for _, rule in split]))
    if isinstance(form, TruncatedRandomEffects):
        means, variances = cut_moments(plane.mu, plane.tau[:, None], form)
        center = (surface.mass * means).sum()
        sd = np.sqrt((surface.mass * (variances + (means - center) ** 2)).sum())
        return Mixture(parts=tuple(parts), mean=np.asarray(center), sd=sd)
    second = 0.0
    for kernel in new_kernels(surface):
        inflate = 1.0 if np.isinf(kernel.df) else kernel.df / max(kernel.df - 2, 1e-300)
        share = np.exp(kernel.log_share[..., 0])
        second += float((surface.mass * share * inflate * (kernel.scale**2)[:, None]).sum())
    center = (surface.mass * plane.mu).sum()
    spread = (surface.mass * (plane.mu - center) ** 2).sum()
    mean = center if has_mean else np.nan
    sd = np.sqrt(spread + second) if has_sd else np.nan
    return Mixture(parts=tuple(parts), mean=np.asarray(mean), sd=np.asarray(sd))


def _about_nodes(
    plane: Plane, mass: FloatArray, kernel: Kernel, rows: BoolArray
) -> "NormalMixture | StudentMixture":
    """Kernels about each node of mu in the given rows (tau,)."""
    means = plane.mu[rows]
    scales = np.broadcast_to(kernel.scale[rows, None], means.shape).reshape(-1)
    means, weights = means.reshape(-1), mass[rows].reshape(-1)
    if np.isinf(kernel.df):
        return NormalMixture(means=means, sds=scales, weights=weights)
    return StudentMixture(means=means, scales=scales, weights=weights, df=kernel.df)


def _about_parts(
    plane: Plane, mass: FloatArray, rows: IndexArray, sds: FloatArray
) -> NormalMixture:
    """Sum normal parts (part,) of narrow kernels, with their masses (part, mu), at rows of tau."""
    matters = mass > 1e-18
    means = plane.mu[rows]
    spread = np.broadcast_to(sds[:, None], means.shape)
    return NormalMixture(means=means[matters], sds=spread[matters], weights=mass[matters])


def _shifted(
    plane: Plane, mass: FloatArray, rows: IndexArray, rules: Sequence[Rule]
) -> "NormalMixture | SincDensity":
    """Mu at the given nodes of tau, moved by each node of its rule."""
    order = np.repeat(rows, [len(shift) for shift, _ in rules])
    shift, weight = (np.concatenate(side) for side in zip(*rules, strict=True))
    moved = replace(plane, n_tau=len(order), x_low=plane.x_low[order], x_high=plane.x_high[order])
    if plane.of_mu is not None:
        moved = replace(moved, of_mu=take_rows(plane.of_mu, order))
    return _mu_marginal(moved, plane.mu[order], mass[order] * weight[:, None], shift)
