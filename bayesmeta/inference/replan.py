"""Better planes of (mu, tau) nodes, by what the posterior on the last one shows."""

from dataclasses import replace

import numpy as np

from bayesmeta.inference.plane import DROP, LEAST_TAU, LINE_DROP, Plane, lay_maps
from bayesmeta.inference.propriety import TailOrder
from bayesmeta.inference.quadrature import SinhMap
from bayesmeta.inference.small_tau import like_first
from bayesmeta.inference.surface import Surface
from bayesmeta.model import BoundModel
from bayesmeta.scales import FloatArray

_EDGE = 25.5  # log units below its maximum that the plane must have fallen at the ends of mu
_LINE_EDGE = 29.0  # the same for the line of tau
_UNSEEN = 20.0  # log units below its maximum at which a row whose end is its top has lost its peak


def move_ranges(surface: Surface, tails: TailOrder, *, deeper: float = 0.0) -> Plane | None:
    """Give a plane whose ranges fit the posterior better; None where they already fit.

    The posterior is cut by `deeper` log units further below its maximum than usual.
    """
    plane, log_mass = surface.plane, surface.log_mass
    height = log_mass - log_mass.max()
    tilts = []
    if plane.of_tau is not None:
        tilts.append(tails.highest_moment * np.log(np.maximum(plane.tau, 1e-300))[:, None])
    if np.isfinite(tails.of_mu) and tails.has_moment(2, of_mu=True):  # long tails
        away = np.abs(plane.mu - (surface.mass * plane.mu).sum())
        tilts.append(2 * np.log(np.maximum(away, 1e-300)))
    for tilt in tilts:
        tilted = log_mass + tilt
        height = np.maximum(height, tilted - tilted.max())
    x_low, x_high = plane.x_low, plane.x_high
    if plane.of_mu is not None:
        begin, end, _ = (-700.0, 700.0, 0) if isinstance(plane.of_mu, SinhMap) else plane.of_mu.scan
        rows, shared = height.copy(), like_first(plane.mu)
        rows[shared] = height[shared].max(axis=0)  # rows that share their nodes go on to do so
        x_low, x_high = fit_range(
            rows, x_low, x_high, begin, end, drop=DROP + deeper, edge=_EDGE + deeper
        )
        x_low, x_high = _find_lost(plane, rows, x_low, x_high)
    v_low, v_high = np.array([plane.v_low]), np.array([plane.v_high])
    if plane.of_tau is not None:
        begin, _, end = plane.of_tau.scan
        v_low, v_high = fit_range(
            height.max(axis=1)[None],
            v_low,
            v_high,
            begin,
            end,
            drop=LINE_DROP + deeper,
            edge=_LINE_EDGE + deeper,
        )
    same_v = v_low[0] == plane.v_low and v_high[0] == plane.v_high
    if same_v and np.array_equal(x_low, plane.x_low) and np.array_equal(x_high, plane.x_high):
        return None
    moved = replace(plane, x_low=x_low, x_high=x_high)
    if same_v:
        return moved
    return _move_line(
        moved, surface.integral.bound, *_keep_lattice(plane, float(v_low[0]), float(v_high[0]))
    )


def _keep_lattice(plane: Plane, v_low: float, v_high: float) -> tuple[float, float, int]:
    """Give ends of the line of tau, no nearer than these, and nodes, an odd number, as far apart.

    Nodes stay where they were, but for lines that would have too few of them or go too far.
    """
    step = plane.v_step
    first = int(np.floor((v_low - plane.v_low) / step + 1e-6))
    last = int(np.ceil((v_high - plane.v_low) / step - 1e-6))
    last += (last - first) % 2
    low, high = plane.v_low + first * step, plane.v_low + last * step
    least, _, most = plane.of_tau.scan if plane.of_tau is not None else (low, low, high)
    if last - first >= LEAST_TAU - 1 and low >= least and high <= most:
        return low, high, last - first + 1
    return v_low, v_high, 1 + 2 * max(int(np.ceil((v_high - v_low) / step / 2)), LEAST_TAU // 2)


def _find_lost(
    plane: Plane, height: FloatArray, x_low: FloatArray, x_high: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Widen lines of mu that lie beside the posterior to where the nearest row has found it.

    Where data and prior, or studies, contradict each other mu may have two peaks far apart, and a
    row that was laid about neither is too low everywhere for its slope to say where they are.
    """
    assert plane.of_mu is not None
    top = height.max(axis=1)
    lost = (top < -_UNSEEN) & (np.maximum(height[:, 0], height[:, -1]) == top)
    found = np.flatnonzero(top >= -_UNSEEN)
    if not lost.any():
        return x_low, x_high
    rows = np.arange(len(top))
    after = np.searchsorted(found, rows)
    sides = [found[np.clip(i, 0, len(found) - 1)] for i in (after - 1, after)]
    nearest = np.where(np.abs(sides[0] - rows) < np.abs(sides[1] - rows), *sides)
    there = np.where(height > -_UNSEEN, plane.mu, np.nan)[found]
    ends = np.empty((2, len(top)))
    ends[:, found] = np.nanmin(there, axis=1), np.nanmax(there, axis=1)
    low, high = (plane.of_mu.line(end[nearest][:, None])[:, 0] for end in ends)
    return np.where(lost, np.minimum(x_low, low), x_low), np.where(
        lost, np.maximum(x_high, high), x_high
    )


def fit_range(
    height: FloatArray,
    low: FloatArray,
    high: FloatArray,
    lowest: FloatArray | float,
    highest: FloatArray | float,
    *,
    drop: float,
    edge: float,
) -> tuple[FloatArray, FloatArray]:
    """Widen ranges (row,) that end too high (row, node); cut those that are mostly empty."""
    points = height.shape[1]
    keep = height > -drop
    first = keep.argmax(axis=1)
    last = points - 1 - keep[:, ::-1].argmax(axis=1)
    width, step = high - low, (high - low) / (points - 1)
    matters = height.max(axis=1) > -15  # rows of less mass need no good resolution
    at_low = (height[:, 0] > -edge) & (low > lowest)
    at_high = (height[:, -1] > -edge) & (high < highest)
    # no end is cut while the other has yet to find the peak: the range would shrink towards it
    few = matters & ((last - first + 1) < 0.45 * points) & ~(at_low | at_high)
    new_low = np.where(few, low + step * np.maximum(first - 2, 0), low)
    new_high = np.where(few, low + step * np.minimum(last + 2, points - 1), high)
    more_low, more_high = (
        np.clip(
            1.2 * step * (end + drop) / np.maximum(inner - end, 1e-3), 0.05 * width, 0.4 * width
        )
        for end, inner in ((height[:, 0], height[:, 1]), (height[:, -1], height[:, -2]))
    )  # as far as the last step's fall suggests
    new_low = np.where(at_low, np.maximum(low - more_low, lowest), new_low)
    new_high = np.where(at_high, np.minimum(high + more_high, highest), new_high)
    return new_low, new_high


def _move_line(plane: Plane, bound: BoundModel, v_low: float, v_high: float, n_tau: int) -> Plane:
    """Lay the same plane on another line of tau; the ends of its lines of mu are interpolated."""
    v = np.linspace(v_low, v_high, n_tau)
    x_low, x_high = (np.interp(v, plane.v, edge) for edge in (plane.x_low, plane.x_high))
    assert plane.of_tau is not None
    of_mu = lay_maps(bound, plane.of_tau.point(v))
    return replace(
        plane, v_low=v_low, v_high=v_high, n_tau=n_tau, x_low=x_low, x_high=x_high, of_mu=of_mu
    )


def refine(
    plane: Plane,
    bound: BoundModel,
    in_tau: float,
    in_mu: float,
    *,
    wanted: float,
    least: float = 1.25,
) -> Plane:
    """Narrow the spacings of tau and of mu where their errors are above what is wanted.

    An error falls exponentially with the number of nodes, which is foreseen from its size; there
    are to be `least` times as many.
    """
    grow_tau, grow_mu = (
        float(np.clip(_grow(error, wanted), least, 2.0)) if error > wanted else 1.0
        for error in (in_tau, in_mu)
    )
    if grow_mu > 1 and plane.of_mu is not None:
        plane = replace(plane, n_mu=1 + 2 * round(grow_mu * plane.n_mu / 2))
    if grow_tau > 1 and plane.of_tau is not None:
        n_tau = 1 + 2 * round(grow_tau * plane.n_tau / 2)
        plane = _move_line(plane, bound, plane.v_low, plane.v_high, n_tau)
    return plane


def foresee_nodes(plane: Plane, in_tau: float, in_mu: float, *, wanted: float) -> float:
    """Nodes of (tau, mu) that it will take, about, to bring both errors to what is wanted."""
    return plane.n_tau * _grow(in_tau, wanted) * plane.n_mu * _grow(in_mu, wanted)


def _grow(error: float, wanted: float) -> float:
    """Say how many times as many nodes `wanted` asks for, and a little more."""
    if error <= wanted:
        return 1.0
    return float((np.log(wanted / 10) / np.log(min(error, 0.5))) ** 0.75)
