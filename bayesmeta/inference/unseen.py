"""Errors that the masses do not show: of quantiles between rows, and beyond lines of mu."""

import numpy as np
from scipy.special import ndtr

from bayesmeta.inference.surface import Surface
from bayesmeta.scales import FloatArray

_LOOKED_AT, _SDS_AWAY = 10, np.array([0.3, 1.0, 2.0])  # rows, and places in them
_STEADY = 0.9  # ratio of two terms next to each other, above which they hardly fall


def error_of_rows(below: FloatArray) -> float:
    """Error of P(x <= point) from the sum over nodes of tau, the largest of the points.

    `below` (tau, point) are each node's parts of it, which may move faster with tau than the masses
    do. The sum over every second node is off by the spectrum F at the highest frequency of the
    nodes, and the sum over all of them by F at twice that (see `docs/methods/accuracy.md`), which
    is continued from F at half of it and at the whole: as the fall from half to whole, twice over,
    of an exponential.
    """
    rows = np.arange(len(below))
    half, most, whole = (
        np.abs(np.exp(1j * np.pi * frequency * rows) @ below) for frequency in (0.5, 0.95, 1.0)
    )
    whole = np.maximum(whole, most)
    fall = np.minimum(whole / np.maximum(half, 1e-300), 1.0)
    return 2 * float((whole * fall**2).max())


def new_effect(surface: Surface, probs: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Give quantiles of a new study's effect, the density there, and each row's mass below them.

    To a per cent or so, for it is to judge errors by: each row is taken for a normal density. The
    mass is (tau, point).
    """
    share, mean, sds = _rows(surface)
    sd = sds[1]
    center = float((share * mean).sum())
    unit = 1 / float((share / sd).sum())
    low, high = np.full(len(probs), -40.0), np.full(len(probs), 40.0)
    for _ in range(14):
        middle = 0.5 * (low + high)
        with np.errstate(over="ignore"):
            z = (center + unit * np.sinh(middle) - mean) / sd
        above = (share * ndtr(z)).sum(axis=0) > probs
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    points = center + unit * np.sinh(low)
    with np.errstate(over="ignore"):
        z = np.clip((points - mean) / sd, -100.0, 100.0)  # further out there is nothing
    density = (share * np.exp(-0.5 * z * z) / sd).sum(axis=0) / np.sqrt(2 * np.pi)
    return points, density, share * ndtr(z)


def error_of_probabilities(surface: Surface) -> float:
    """Error of P(mu <= x) and P(theta_new <= x), from the sum over nodes of tau, wherever x is.

    Looked for about the means of some rows: where rows are of very different widths it is
    largest within the narrow ones. Each row is taken for a normal density.
    """
    share, mean, sds = _rows(surface)
    some = slice(None, None, -(-len(mean) // _LOOKED_AT))
    errors = []
    for sd in sds[surface.plane.of_mu is None :]:  # a known mu has no distribution
        points = (mean + sd * _SDS_AWAY)[some].reshape(-1)
        with np.errstate(over="ignore"):
            z = (points - mean) / sd
        errors.append(error_of_rows(share * ndtr(z)))
    return max(errors)


def _rows(surface: Surface) -> tuple[FloatArray, FloatArray, tuple[FloatArray, FloatArray]]:
    """Masses of rows, means of mu in them, and SDs of mu and of a new effect, (tau, 1) each."""
    mass, mu = surface.mass, surface.plane.mu
    share = mass.sum(axis=1, keepdims=True)
    mean = (mass * mu).sum(axis=1, keepdims=True) / np.maximum(share, 1e-300)
    spread = (mass * (mu - mean) ** 2).sum(axis=1, keepdims=True) / np.maximum(share, 1e-300)
    of_mu, of_new = np.sqrt(spread), np.sqrt(spread + surface.plane.tau[:, None] ** 2)
    return share, mean, (np.maximum(of_mu, 1e-300), np.maximum(of_new, 1e-300))


def beyond_lines(surface: Surface, moment: int) -> float:
    """Share of the sum of mass * (mu - mean)^moment that lies beyond the ends of the lines of mu.

    Each end goes on as the geometric series that its last four nodes begin, and is no less than 8
    times the last one. Where the terms hardly fall yet, the density of mu is taken to go on as it
    ends as far as the normal width of the prior and of the likelihoods that vanish on that side: so
    it is with a tau that is far larger than the line is long.
    """
    plane, mass = surface.plane, surface.mass
    away = np.abs(plane.mu - (mass * plane.mu).sum())
    terms = mass * away**moment
    beyond = 0.0
    for side, edge in ((0, terms[:, :4]), (1, terms[:, :-5:-1])):
        ratio = np.clip(edge[:, 0] / np.maximum(edge[:, 3], 1e-300), 0.0, 1.0) ** (1 / 3)
        bounded = np.minimum(ratio, 0.998)
        many = np.maximum(8.0, 2 * bounded / (1 - bounded))
        if (ratio > _STEADY).any():
            end, inner = (0, 1) if side == 0 else (-1, -2)
            to_bound = surface.integral.bound.model.effect.support[side] - plane.mu[:, end]
            width = np.minimum(_widths(surface, side), np.abs(to_bound))
            step = np.abs(plane.mu[:, inner] - plane.mu[:, end])
            wide = np.sqrt(np.pi / 2) * width / np.where(step > 0, step, np.inf)
            wide *= np.maximum(width / away[:, end], 1.0) ** moment
            many = np.where(ratio > _STEADY, np.maximum(many, wide), many)
        beyond += float((edge[:, 0] * many).sum())
    return beyond / float(terms.sum())


def _widths(surface: Surface, side: int) -> FloatArray:
    """Give normal widths of mu given tau, (tau,), far out on one side (0 below, 1 above).

    At most, where studies whose likelihood does not vanish there do not count.
    """
    bound = surface.integral.bound
    vanishes = bound.model.likelihood.vanishes(bound.data)[:, side]
    variance = bound.data.se[vanishes] ** 2
    precision = (1 / (variance + surface.plane.tau[:, None] ** 2)).sum(axis=1)
    if bound.model.effect.proper:
        lower, upper = bound.model.effect.quantile(np.array([0.25, 0.75]))
        precision = precision + (1.349 / (upper - lower)) ** 2
    return np.asarray(1 / np.sqrt(precision))
