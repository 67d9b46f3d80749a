"""A study's own log likelihood of its true effect: a function, or a table of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from bayesmeta.errors import ModelError
from bayesmeta.likelihoods.splines import FEWEST, Spline, fit_spline
from bayesmeta.scales import FloatArray

type LogG = Callable[[FloatArray], ArrayLike]

_WRONG = 0.01  # error of a table's log g, over 1 + its drop, from which it says too little
_FUNCTION_ERROR = 1e-6  # of the spline through a function, which NUTS takes
_DEEP = 60.0  # log units below its largest value at which that spline ends
_FAR = 1e6  # standard errors from the peak at which a function is asked where it goes
_VANISHED = 12.0  # log units that it must have fallen to tend to 0: t with 1 df falls by 27
_RISES = 1.0  # log units over the last factor of 10 by which it must not rise there
_POWER = 1e3  # orders above which it falls faster than any power


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """log g of one study, where it is known, and about where its peak is.

    Attributes
    ----------
    study : str
    log_g : callable
        Theta of any shape -> log g.
    y, se : float
        A normal approximation.
    low, high : float
        Ends of what is known; infinite for a function.
    vanishes : (bool, bool)
        Whether g tends to 0 at -inf and at inf.
    order : float
        g falls as a power of this order; infinite: faster.
    error : float
        Of the table's interpolation; 0 for a function.
    """

    study: str
    log_g: LogG
    y: float
    se: float
    low: float = -np.inf
    high: float = np.inf
    vanishes: tuple[bool, bool]
    order: float = np.inf
    error: float = 0.0

    def __call__(self, theta: FloatArray) -> FloatArray:
        """Log g at theta (node,).

        Raises
        ------
        ModelError
            The function fails, has another shape, or is not finite.
        """
        out = _ask(self.study, self.log_g, theta)
        bad = ~np.isfinite(out)
        if bad.any():
            at = theta[bad][0]
            raise ModelError(
                f"The log likelihood of {self.study} is {out[bad][0]} at theta = {at:g}. It must "
                "be finite everywhere: work in logarithms throughout (np.logaddexp(0, theta) for "
                "log(1 + exp(theta)), logpdf for log(pdf))"
            )
        return out

    def __eq__(self, other: object) -> bool:
        """Whether both are of one study and one function, or of equal tables."""
        if not isinstance(other, Curve):
            return NotImplemented
        return self.study == other.study and self.log_g == other.log_g

    def spline(self, breaks: tuple[float, ...]) -> Spline:
        """Give the table's spline, or one through the function.

        Raises
        ------
        ModelError
            No spline follows the function.
        """
        if isinstance(self.log_g, Spline):
            return self.log_g
        edges = [_reach(self, side) for side in (-1, 1)]
        inner = [b for b in breaks if edges[0] < b < edges[1]]
        ends = 6 * np.arcsinh((np.array([edges[0], *inner, edges[1]]) - self.y) / (6 * self.se))
        for step in (0.5, 0.25, 0.125, 0.0625, 0.03125):
            x = [np.linspace(a, b, max(FEWEST, 2 + int((b - a) / step))) for a, b in pairwise(ends)]
            theta = np.concatenate([x[0][:1], *(part[1:] for part in x)])
            theta = self.y + 6 * self.se * np.sinh(theta / 6)
            for b in inner:  # the map's rounding must not move a break point
                theta[np.abs(theta - b).argmin()] = b
            found = fit_spline(theta, self(theta), inner)
            if found.error < _FUNCTION_ERROR:
                return found
        raise ModelError(
            f"The log likelihood of {self.study} is too rough for a spline, which NUTS needs: "
            f"it is off by {found.error:.0e}. If it bends sharply, list where: breaks=(0.0,)"
        )


def table_problems(
    study: str, theta: FloatArray, log_g: FloatArray, breaks: tuple[float, ...]
) -> Iterator[str]:
    """Say what is wrong with a study's table."""
    if theta.ndim != 1 or theta.shape != log_g.shape:
        yield f"{study}: theta and log g have shapes {theta.shape} and {log_g.shape}"
        return
    for name, values in (("theta", theta), ("log g", log_g)):
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            yield f"{study}: {name} of node {bad[0] + 1} is {values[bad[0]]}"
    if len(theta) < FEWEST:
        yield f"{study}: {len(theta)} nodes, at least {FEWEST} are needed"
    for i in np.flatnonzero(~(np.diff(theta) > 0))[:1]:
        fault = "stands twice" if theta[i] == theta[i + 1] else f"follows {theta[i]:g}"
        yield f"{study}: theta = {theta[i + 1]:g} {fault}; nodes must increase"
    ends = [b for b in breaks if len(theta) and theta[0] < b < theta[-1]]
    for b in ends:
        if b not in theta:
            yield f"{study}: the break point {b:g} is no node of its table"
    cuts = [0, *np.searchsorted(theta, sorted(ends)).tolist(), len(theta) - 1]
    if ends and len(theta) >= FEWEST and (np.diff(cuts) + 1 < FEWEST).any():
        yield f"{study}: fewer than {FEWEST} nodes on one side of a break point"


def tabulated(study: str, theta: FloatArray, log_g: FloatArray, breaks: tuple[float, ...]) -> Curve:
    """Make the curve of a table that has no problems.

    Raises
    ------
    ModelError
        The table does not determine log g between its nodes, or is flat.
    """
    spline = fit_spline(theta, log_g, [b for b in breaks if theta[0] < b < theta[-1]])
    if spline.error > _WRONG:
        raise ModelError(
            f"The table of {study} leaves log g uncertain by {spline.error:.1g} between its nodes. "
            "Give more nodes and more digits; if log g bends sharply somewhere, list the place, as "
            "breaks=(0.0,), and give the table a node there"
        )
    share = np.arange(16) / 16
    fine = np.append((theta[:-1, None] + np.diff(theta)[:, None] * share).reshape(-1), theta[-1])
    y, se = _locate(study, spline, fine)
    top = float(spline(fine).max())
    return Curve(
        study=study,
        log_g=spline,
        y=y,
        se=se,
        low=float(theta[0]),
        high=float(theta[-1]),
        vanishes=(top - log_g[0] > _VANISHED, top - log_g[-1] > _VANISHED),
        error=spline.error,
    )


def from_function(study: str, log_g: LogG) -> Curve:
    """Make the curve of a function: its peak and its ends are looked for.

    Raises
    ------
    ModelError
        It fails, or is not finite anywhere, or flat, or rises without end.
    """
    wide = np.geomspace(1e-4, 1e6, 121)
    grid = np.concatenate([-wide[::-1], [0.0], wide])

    def quiet(theta: FloatArray) -> FloatArray:
        return np.nan_to_num(_ask(study, log_g, theta), nan=-np.inf, posinf=np.inf, neginf=-np.inf)

    values = quiet(grid)
    if not np.isfinite(values.max()):
        found = "nan" if np.isnan(_ask(study, log_g, grid)).all() else values.max()
        raise ModelError(
            f"The log likelihood of {study} is {found} wherever it was looked for. It must "
            "be finite: work in logarithms throughout, such as with logpdf"
        )
    zoomed = grid
    for _ in range(40):
        i = int(quiet(zoomed).argmax())
        ends = zoomed[max(i - 1, 0)], zoomed[min(i + 1, len(zoomed) - 1)]
        if ends[1] - ends[0] <= 1e-7 * (1e-7 + abs(ends[0])):
            break
        zoomed = np.linspace(*ends, 33)
    peak = zoomed[int(quiet(zoomed).argmax())]
    if abs(peak) == wide[-1] and np.ptp(quiet(np.array([0.1 * peak, peak]))) > _RISES:
        raise ModelError(
            f"The log likelihood of {study} still rises at theta = {peak:g}, so that no effect is "
            "the likeliest. Is its sign right? It must fall, or level off, on both sides; if its "
            "peak is farther out, give theta in a larger unit"
        )
    y, se = _locate(study, quiet, np.unique(np.append(grid, peak)))
    sides = [_far_end(quiet, y, se, side) for side in (-1, 1)]
    return Curve(
        study=study,
        log_g=log_g,
        y=y,
        se=se,
        vanishes=(sides[0][0], sides[1][0]),
        order=min(sides[0][1], sides[1][1]),
    )


def _ask(study: str, log_g: LogG, theta: FloatArray) -> FloatArray:
    try:
        with np.errstate(all="ignore"):
            given = np.asarray(log_g(theta))
            out = given.astype(np.float64) if not np.iscomplexobj(given) else None
    except Exception as error:
        raise ModelError(
            f"The log likelihood of {study} failed at theta from {theta.min():g} to "
            f"{theta.max():g}: {type(error).__name__}: {error}"
        ) from error
    if out is None:
        raise ModelError(f"The log likelihood of {study} is complex. It must be a real number")
    if out.shape != theta.shape:
        raise ModelError(
            f"The log likelihood of {study} gives shape {out.shape} for theta of shape "
            f"{theta.shape}. It must take an array and give log g for each of its elements"
        )
    return out


def _locate(study: str, log_g: LogG, grid: FloatArray) -> tuple[float, float]:
    """Peak and width of a likelihood, roughly; of one that is flat on a side, of its edge."""
    f = np.asarray(log_g(grid))
    i, top = int(f.argmax()), float(f.max())

    def fallen(level: float, side: int) -> float | None:
        """Where it has fallen by `level` on a side of the peak."""
        below = np.flatnonzero(f < top - level)
        below = below[below > i] if side > 0 else below[below < i]
        if not len(below):
            return None
        out = int(below[0] if side > 0 else below[-1])
        inside, outside = grid[out - side], grid[out]
        for _ in range(80):
            middle = (inside + outside) / 2
            if float(np.asarray(log_g(np.array([middle])))[0]) < top - level:
                outside = middle
            else:
                inside = middle
        return float(outside)

    edges = [fallen(0.5, side) for side in (-1, 1)]
    if edges[0] is not None and edges[1] is not None:
        return float(grid[i]), (edges[1] - edges[0]) / 2
    for side, edge in zip((-1, 1), edges, strict=True):
        if edge is not None:
            second = fallen(2.0, side)
            se = abs(second - edge) if second is not None else abs(edge - float(grid[i]))
            return edge - side * se, se
    raise ModelError(
        f"The log likelihood of {study} varies by less than 0.5 where it is known: it says next to "
        "nothing about theta. Leave the study out, or give a longer table"
    )


def _far_end(log_g: LogG, y: float, se: float, side: int) -> tuple[bool, float]:
    """Whether g tends to 0 on a side, and the order of the power as which it falls."""
    top, near, far = np.asarray(log_g(y + side * se * np.array([0.0, _FAR**0.5, _FAR])))
    far = far if np.isfinite(far) else (near - _POWER**2 if near < top - _VANISHED else near)
    order = (near - far) / (0.5 * np.log(_FAR)) if np.isfinite(near) else np.inf
    return bool(far < top - _VANISHED), float(order if order < _POWER else np.inf)


def _reach(curve: Curve, side: int) -> float:
    """Where the spline through a function ends: far below its peak, or far away."""
    x = np.linspace(0, 32, 129)[1:]
    theta = curve.y + side * 6 * curve.se * np.sinh(x / 6)
    f = np.nan_to_num(_ask(curve.study, curve.log_g, theta), nan=-np.inf)
    deep = np.flatnonzero(~(f > f.max() - _DEEP))
    last = max(int(deep[0]) - 1, 8) if len(deep) else len(x) - 1
    return float(theta[last])
