"""Where the integrand g_i(theta) N(theta | mu, tau^2) has its peak, and how narrow that is."""

import numpy as np

from bayesmeta.inference.tables import IndexArray, Tables
from bayesmeta.scales import FloatArray

_LEANING = 1.5  # near a bound a normal is no normal on the nodes' line: so much closer together
RESOLVED = 0.8  # largest spacing of summed nodes, in widths of the integrand's peak
_MARGIN = 1.2  # times as sharply as seen at a few points may log g bend between them
_SKEWED = 1.5  # times closer where few events skew the integrand


def find_peak(
    tables: Tables, mu: FloatArray, tau: FloatArray, study: IndexArray
) -> tuple[FloatArray, FloatArray]:
    """Peak of g N and its width, by Newton steps in units of tau from mu; all (pair,)."""
    variance = tables.scale[study] ** 2
    e = tau * (tables.center[study] - mu) / (variance + tau**2)  # the normal approximation's
    low, high = np.full_like(mu, -np.inf), np.full_like(mu, np.inf)
    domain = tables.lines.plain.domain
    if domain is not None:
        with np.errstate(over="ignore"):
            low, high = ((bound - mu) / np.maximum(tau, 1e-300) for bound in domain)
    for _ in range(60):
        slope, bend = tables.slopes(mu + tau * e, study)
        pull = tau * slope - e  # decreasing in e for a log-concave g
        low, high = np.where(pull > 0, e, low), np.where(pull > 0, high, e)
        move = e + pull / np.maximum(1 - tau**2 * bend, 0.1)
        with np.errstate(invalid="ignore"):
            outside = ((move <= low) | (move >= high)) & np.isfinite(low + high)
            move = np.where(outside, 0.5 * (low + high), move)
        settled = (np.abs(move - e) < 1e-3).all()
        e = move
        if settled:
            break
    bend = tables.slopes(mu + tau * e, study)[1]
    return mu + tau * e, tau / np.sqrt(np.maximum(1 - tau**2 * bend, 0.1))


def find_coarseness(tables: Tables, mu: FloatArray, tau: FloatArray) -> FloatArray:
    """How far apart the nodes are at the integrand's peak, in its widths, (pair, study).

    tau (pair,), or (pair, study) where the studies have their own. Above `RESOLVED` the nodes do
    not resolve the integrand.

    The nodes are furthest apart far from a study's centre, so the peak is first taken further
    out than a normal approximation puts it. Where every second node does not resolve it there,
    narrow random effects go to the sum about the peak; for wide ones, and where it is only the bend
    of log g there that says so (few events), the peak itself is looked at.
    """
    tau = tau[:, None] if tau.ndim == 1 else tau
    return find_own_coarseness(tables, mu[:, None], tau, np.arange(len(tables.center)))


def find_own_coarseness(
    tables: Tables, mu: FloatArray, tau: FloatArray, study: IndexArray
) -> FloatArray:
    """Give the same of the given studies; mu, tau and study broadcast against each other."""
    center, scale = tables.center[study], tables.scale[study]
    variance, tau2 = scale**2, tau**2
    share = np.minimum(1, 2 * variance / (variance + tau2))
    peak = center + share * (mu - center)
    spacing = np.maximum(tables.spacing_at(peak, study), tables.spacing_at(center, study))
    domain = tables.lines.plain.domain
    wide = tau > 0.8 * scale
    if domain is not None:  # nodes are furthest apart between the bounds, and closest near them
        low, high = np.minimum(peak, center), np.maximum(peak, center)
        middle = np.clip(0.5 * (domain[0] + domain[1]), low, high)
        spacing = _LEANING * np.maximum(spacing, tables.spacing_at(middle, study))
        wide = wide | (np.minimum(low - domain[0], domain[1] - high) < 10 * tau)
    width = np.maximum(normal_width(scale, tau), 1e-300)
    coarse = 2 * spacing > RESOLVED * width
    out: FloatArray = spacing / width
    # the bend matters where it may change what is done, and where the sharpest one would do so
    sharpest = _MARGIN * np.maximum(tables.sharpest(), 0.0)[study]
    narrowest = tau / np.sqrt(1 + tau2 * sharpest) / _SKEWED
    bends = (2 * spacing > RESOLVED * narrowest) & (spacing <= RESOLVED * width) & ~(coarse & wide)
    m, t = (np.broadcast_to(a, out.shape) for a in (mu, tau))
    i = np.broadcast_to(study, out.shape)
    if bends.any():
        bend = tables.slopes(peak[bends], i[bends])[1]
        bent = t[bends] / np.sqrt(np.maximum(1 - t[bends] ** 2 * bend, 1.0)) / _SKEWED
        out[bends] = np.maximum(out[bends], spacing[bends] / np.maximum(bent, 1e-300))
    look = (2 * out > RESOLVED) & (wide | ~coarse)
    if look.any():
        m, t, i = m[look], t[look], i[look]
        at, width = find_peak(tables, m, t, i)
        leaning = 1.0 if domain is None else _LEANING
        crowded = tables.step[i] / tables.lines.take(i).slopes(at)[0]  # nodes resolve a break
        out[look] = crowded * np.where(coarse[look], leaning, _SKEWED) / width
    return out


def normal_width(scale: FloatArray, tau: FloatArray) -> FloatArray:
    """Width of g N if g were normal; somewhat less, as a binomial g is narrower on one side."""
    variance, tau2 = scale**2, tau**2
    out: FloatArray = np.sqrt(tau2 * variance / (variance + 1.5 * tau2))
    return out
