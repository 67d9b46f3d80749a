"""Tables of log g_i for the reference: polynomials on panels, graded about each estimate."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.polynomial.chebyshev import cheb2poly

from bayesmeta.model import BoundModel
from bayesmeta.scales import FloatArray

_RESOLVED = 2e-13  # last coefficients over 1 plus the fall from the top
_DROP = 200.0  # log units below the ends of the middle at which a table may end
_FURTHEST = 1e10  # standard errors
_EPS = float(np.finfo(float).eps)
_HALVED = 40  # times, towards a point where log g is rough

type IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StudyTables:
    """Panels of all studies, one study after the other.

    Attributes
    ----------
    first : (study + 1,)
        Of a study's edges among `edges`.
    edges : (panel + study,)
        Relative to the study's center.
    coefficients : (panel, node)
        Of the powers of x in (-1, 1): log g less its largest value.
    flat : (study, 2)
        Where log g is constant beyond the ends; it is -inf there elsewhere.
    center, scale : (study,)
        About where log g is largest or has its knee, and how wide it is: the normal approximation.
    top : (study,)
        Largest value of log g, which the coefficients leave out.
    noise : (study,)
        Largest last coefficient of panels within 60 of the top, times their share of a standard
        error if they are shorter: of their error.
    """

    first: IntArray
    edges: FloatArray
    coefficients: FloatArray
    flat: npt.NDArray[np.bool_]
    center: FloatArray
    scale: FloatArray
    top: FloatArray
    noise: FloatArray


def tabulate(bound: BoundModel, *, nodes: int, first: float) -> StudyTables:
    """Lay polynomials through log g of every study wherever the posterior may need it.

    `nodes` are Chebyshev's in a panel, an even number; `first` is how far from the estimate the
    first edge is, in standard errors.
    """
    data = bound.data
    flat = ~bound.model.likelihood.vanishes(data)
    domain = getattr(data, "domain", None)
    breaks: tuple[float, ...] = getattr(data, "breaks", ())
    low, high = _middle(bound)
    parts = []
    for i in range(len(data.y)):
        one = bound.take([i])
        edges = _first_edges(one, (float(low[i]), float(high[i])), flat[i], domain, first)
        away = tuple(b - float(data.y[i]) for b in breaks)
        edges = np.unique([*edges, *(b for b in away if edges[0] < b < edges[-1])])
        parts.append(_refine(one, edges, nodes))
    tops = [float(values.max()) for _, _, values in parts]
    for (_, c, _), top in zip(parts, tops, strict=True):
        c[:, 0] -= top
    noise = []
    for (edges, c, values), top, se in zip(parts, tops, data.se, strict=True):
        near = values.max(axis=1) > top - 60
        share = np.minimum(np.diff(edges) / se, 1.0)
        noise.append(float((np.abs(c[:, -2:]).max(axis=1) * share)[near].max()))
    to_powers = np.stack([_pad(cheb2poly(row), nodes) for row in np.eye(nodes)])
    return StudyTables(
        first=np.cumsum([0, *(len(edges) for edges, _, _ in parts)]),
        edges=np.concatenate([edges for edges, _, _ in parts]),
        coefficients=np.concatenate([c for _, c, _ in parts]) @ to_powers,
        flat=flat,
        center=np.asarray(data.y, dtype=np.float64),
        scale=np.asarray(data.se, dtype=np.float64),
        top=np.array(tops),
        noise=np.array(noise),
    )


def _middle(bound: BoundModel) -> tuple[FloatArray, FloatArray]:
    """Give the ends of where mu and theta may well lie, (study,) each."""
    y, se, effect = bound.data.y, bound.data.se, bound.model.effect
    low, high = float((y - 10 * se).min()), float((y + 10 * se).max())
    if effect.proper:
        q = effect.quantile(np.array([1e-14, 0.5, 1 - 1e-14]))
        low, high = min(low, max(q[0], low - 10)), max(high, min(q[2], high + 10))
        low, high = min(low, float(q[1])), max(high, float(q[1]))
    return np.minimum(low, y - 10 * se), np.maximum(high, y + 10 * se)


def _first_edges(
    one: BoundModel,
    middle: tuple[float, float],
    flat: npt.NDArray[np.bool_],
    domain: tuple[float, float] | None,
    first: float,
) -> FloatArray:
    """Edges that go out from the estimate by factors of 2, relative to it."""
    y, se = float(one.data.y[0]), float(one.data.se[0])
    steps: FloatArray = np.ldexp(first, np.arange(64))
    sides = []
    for side, end, constant in ((-1, middle[0], flat[0]), (1, middle[1], flat[1])):
        at: FloatArray = side * se * steps
        if domain is not None:
            bound = (domain[0] if side < 0 else domain[1]) - y
            towards = bound * (1 - 0.5 ** np.arange(1, _HALVED))
            near = at[np.abs(at) < 0.5 * abs(bound)]
            sides.append(np.concatenate([near, towards]))
            continue
        inside = side * at < side * (end - y)
        count = int(inside.sum()) + 1  # one edge beyond the end
        if constant:
            count += int(np.ceil(np.log2(1 + 800 / (se * steps[count - 1]))))
            sides.append(at[:count])
            continue
        furthest = max(int(np.searchsorted(steps, _FURTHEST)), count)
        level = _log_g(one, at[count - 1 : count])[0]
        while count <= furthest and _log_g(one, at[count - 1 : count])[0] > level - _DROP:
            count += 1
        sides.append(at[:count])
    return np.concatenate([sides[0][::-1], sides[1]])


def _refine(
    one: BoundModel, edges: FloatArray, count: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Halve panels until their polynomials are good: edges, coefficients and values."""
    x = np.cos(np.pi * (np.arange(count) + 0.5) / count)
    transform = np.cos(np.arange(count)[:, None] * np.arccos(x)) * 2 / count
    transform[0] /= 2
    todo = np.stack([edges[:-1], edges[1:]], axis=1)
    done: list[tuple[FloatArray, FloatArray, FloatArray]] = []
    top = -np.inf
    for depth in range(_HALVED):
        middle, half = todo.mean(axis=1), np.diff(todo, axis=1)[:, 0] / 2
        nodes = middle[:, None] + half[:, None] * x
        values = _log_g(one, nodes.reshape(-1)).reshape(nodes.shape)
        top = max(top, float(values.max()))
        c = values @ transform.T
        fall = 1 + np.abs(values - top).max(axis=1)
        slope = np.abs(np.diff(values, axis=1) / np.diff(nodes, axis=1)).max(axis=1)
        size = np.abs(nodes).max(axis=1) + abs(float(one.data.y[0]))
        rounding = 4 * _EPS * (np.abs(values).max(axis=1) + size * slope)
        last = np.abs(c[:, -2:]).max(axis=1)
        good = last <= _RESOLVED * fall + rounding
        noise = (last < 1e-8 * fall) & (last > 0.1 * np.abs(c[:, -8:-2]).max(axis=1))
        good |= noise & (depth > 1)
        if depth == _HALVED - 1:
            good[:] = True
        done.append((todo[good], c[good], values[good]))
        left = todo[~good]
        if not len(left):
            break
        centre = left.mean(axis=1)
        todo = np.concatenate(
            [np.stack([left[:, 0], centre], axis=1), np.stack([centre, left[:, 1]], axis=1)]
        )
    panels, c, values = (np.concatenate(part) for part in zip(*done, strict=True))
    order = np.argsort(panels[:, 0])
    ends = np.append(panels[order, 0], panels[order[-1], 1])
    return ends, c[order], values[order]


def _pad(row: npt.NDArray[np.floating[Any]], size: int) -> FloatArray:
    return np.concatenate([row, np.zeros(size - len(row))])


def _log_g(one: BoundModel, away: FloatArray) -> FloatArray:
    """Log g of one study at distances from its center."""
    theta = float(one.data.y[0]) + away[None]
    with np.errstate(all="ignore"):
        values = one.model.likelihood.log_g(one.data, theta)[0]
    out: FloatArray = np.nan_to_num(values, nan=-1e300, neginf=-1e300)
    return out
