"""Where likelihoods break at a point: nodes of mu that crowd there as far as tau leaves it."""

from dataclasses import replace
from typing import Any

import numpy as np

from bayesmeta.inference.crowded import CrowdedMap, LineMap
from bayesmeta.inference.quadrature import SinhMap, SupportMap
from bayesmeta.inference.table_map import find_break
from bayesmeta.scales import FloatArray

CROWDED_MU = 81  # first number of nodes of mu
_NEAREST = 1e-4  # of the SD of mu: down to here its nodes crowd, where tau is as small
NEAR_EFFECT = 1e-5  # the same for a study's true effect, whose own likelihood tau leaves rough
_SMOOTH = 0.7  # share of tau within which L_i(mu, tau) is smooth in mu

type MuMap = SinhMap | SupportMap | CrowdedMap


def near_of_mu(tau: FloatArray, scale: FloatArray) -> FloatArray:
    """Distance from a break down to which nodes of mu crowd, (tau,).

    L_i(mu, tau) is g_i smoothed by N(0, tau^2); `scale` (tau,) is about the SD of mu given tau.
    """
    out: FloatArray = np.maximum(_SMOOTH * tau, _NEAREST * scale)
    return out


def crowd_at_break(
    data: Any, plain: SinhMap | SupportMap, near: FloatArray, scale: FloatArray
) -> CrowdedMap | None:
    """Let nodes crowd where likelihoods break, down to `near` (row,); None where they do not.

    `scale` (row,) is about the SD of what lies on each row's line.
    """
    found = find_break(data)
    if found is None or (isinstance(plain, SupportMap) and not plain.low < found[0] < plain.high):
        return None
    line = plain.line(np.full((len(near), 1), found[0]))
    rise = np.exp(-plain.log_slope(line))  # of the plain line in the parameter, at the break
    return CrowdedMap(base=plain, near=near[:, None], weight=rise * scale[:, None], at=found[0])


def take_rows[M: LineMap](of_mu: M, rows: Any) -> M:
    """Give the lines of mu of some rows (tau,)."""
    if isinstance(of_mu, SinhMap):
        return replace(of_mu, center=of_mu.center[rows], scale=of_mu.scale[rows])
    if isinstance(of_mu, CrowdedMap):
        base = take_rows(of_mu.base, rows)
        return replace(of_mu, base=base, near=of_mu.near[rows], weight=of_mu.weight[rows])
    return of_mu


def move_rows[M: LineMap](of_mu: M, v: FloatArray, to: FloatArray) -> M:
    """Give the lines of mu for other nodes of the line of tau, interpolated."""

    def between(logs: FloatArray) -> FloatArray:
        return np.exp(np.interp(to, v, np.log(logs)))

    if isinstance(of_mu, SinhMap):
        center = np.interp(to, v, of_mu.center)
        return replace(of_mu, center=center, scale=between(of_mu.scale))
    if isinstance(of_mu, CrowdedMap):
        near, weight = (between(part[:, 0])[:, None] for part in (of_mu.near, of_mu.weight))
        return replace(of_mu, base=move_rows(of_mu.base, v, to), near=near, weight=weight)
    return of_mu
