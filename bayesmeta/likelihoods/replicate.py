"""Replicate data of the same studies, given their true effects: for posterior predictive checks."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np

from bayesmeta.errors import AccuracyError
from bayesmeta.likelihoods.nuisance import IndexArray, LogIntegrand
from bayesmeta.scales import FloatArray

_BEND = 4.0  # widths after which nodes spread exponentially
_DROP = 27.0  # log units below its maximum at which a density is cut: e^-27 = 2e-12
_COARSE, _FINE = 33, 65
_BOUND = 1.25  # how far the density may exceed the interpolant it is drawn from
_CHUNK = 8192  # densities held at once


@runtime_checkable
class Replicating(Protocol):
    """A likelihood that can draw data like those observed."""

    def replicate(
        self, data: Any, theta: FloatArray, rng: np.random.Generator
    ) -> dict[str, FloatArray]:
        """Draw the observed numbers anew, by name, given theta (..., study), each (..., study).

        Nuisance parameters are drawn from their posteriors given theta.
        """
        ...


def draw_nuisance(
    log_density: LogIntegrand, center: FloatArray, width: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Draw from many densities on the line, one draw each, exactly.

    Each density is interpolated on nodes about its bulk, found by zooming in, and draws from the
    interpolant are kept with the probability of the density over it.

    Parameters
    ----------
    log_density : callable
        ``log_density(a, pair)``: log densities, up to constants, of the pairs with index `pair`
        (pair,) at a (pair, node).
    center, width : (pair,)
        Where a density is to be looked for, and how wide it is about.

    Raises
    ------
    AccuracyError
        A density has no end.
    """
    out = np.empty(len(center))
    for begin in range(0, len(center), _CHUNK):  # a chunk of densities, to bound the memory
        pair = np.arange(begin, min(begin + _CHUNK, len(center)))
        out[pair] = _draw_chunk(log_density, pair, center[pair, None], width[pair, None], rng)
    return out


def draw_log_concave(
    log_p: Callable[[FloatArray], FloatArray], mode: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Draw from many log-concave distributions on the integers, one draw each, exactly.

    Parameters
    ----------
    log_p : callable
        Log probabilities, normalised, at as many whole numbers as there are distributions.
    mode : (...)

    References
    ----------
    Devroye (1987), A simple generator for discrete log-concave distributions: with p the
    probability of the mode m, that of m + x is at most p min(1, exp(1 - p |x|)).
    """
    p = np.exp(log_p(mode))
    width = 1 + p / 2
    out, todo = mode.copy(), np.ones(mode.shape, dtype=bool)
    while todo.any():
        flat = rng.random(mode.shape) * (1 + width) <= width
        tail = width + rng.standard_exponential(mode.shape)
        y = np.where(flat, rng.random(mode.shape) * width, tail)  # in units of 1 / p
        x = mode + rng.choice([-1.0, 1.0], mode.shape) * np.round(y / p)
        bound = p * np.exp(np.minimum(0.0, width - y))
        keep = todo & (rng.random(mode.shape) * bound <= np.exp(log_p(x)))
        out[keep] = x[keep]
        todo &= ~keep
    return out


def _draw_chunk(
    log_density: LogIntegrand,
    pair: IndexArray,
    center: FloatArray,
    width: FloatArray,
    rng: np.random.Generator,
) -> FloatArray:
    def log_f(x: FloatArray) -> FloatArray:
        """Log density in x, a = center + width * bend * sinh(x / bend), with its Jacobian."""
        a = center + width * _BEND * np.sinh(x / _BEND)
        out: FloatArray = log_density(a, pair) + np.log(np.cosh(x / _BEND))
        return out

    x, f = _zoom(log_f, len(center))
    top = f.max(axis=1)
    f = np.exp(f - top[:, None])
    share = np.cumsum(f[:, 1:] + f[:, :-1], axis=1)
    out = np.empty(len(center))
    todo = np.arange(len(center))
    step = x[:, 1] - x[:, 0]
    while len(todo):
        u = rng.random(len(todo)) * share[todo, -1]
        cell = np.minimum((share[todo] < u[:, None]).sum(axis=1), _FINE - 2)
        left, right = f[todo, cell], f[todo, cell + 1]
        v = rng.random(len(todo))  # a draw from the line between two nodes
        root = np.sqrt(left**2 + v * (right**2 - left**2))
        inside = np.where(left + root > 0, v * (left + right) / np.maximum(left + root, 1e-300), v)
        at = x[todo, 0] + step[todo] * (cell + inside)
        below = left + inside * (right - left)
        proposal = np.zeros((len(center), 1))
        proposal[todo, 0] = at
        ratio = np.exp(log_f(proposal)[todo, 0] - top[todo]) / np.maximum(below, 1e-300)
        keep = rng.random(len(todo)) * _BOUND < ratio
        out[todo[keep]] = at[keep]
        todo = todo[~keep]
    scaled: FloatArray = center[:, 0] + width[:, 0] * _BEND * np.sinh(out / _BEND)
    return scaled


def _zoom(log_f: Callable[[FloatArray], FloatArray], pairs: int) -> tuple[FloatArray, FloatArray]:
    """Nodes that cover where each density counts, and the log densities there."""
    low, high = np.full(pairs, -12.0), np.full(pairs, 12.0)
    index = np.arange(_COARSE)
    for _ in range(30):
        step = (high - low) / (_COARSE - 1)
        f = log_f(low[:, None] + step[:, None] * index)
        keep = f > f.max(axis=1, keepdims=True) - _DROP
        first, last = np.argmax(keep, axis=1), _COARSE - 1 - np.argmax(keep[:, ::-1], axis=1)
        open_low, open_high = first == 0, last == _COARSE - 1
        settled = (last - first) * 3 >= _COARSE
        if np.all(settled & ~open_low & ~open_high):
            x = low[:, None] + (high - low)[:, None] * np.linspace(0, 1, _FINE)
            return x, log_f(x)
        low, high = (
            np.where(open_low, low - 0.5 * (high - low), low + step * np.maximum(first - 1, 0)),
            np.where(
                open_high, high + 0.5 * (high - low), low + step * np.minimum(last + 1, _COARSE - 1)
            ),
        )
        if np.abs([low, high]).max() > 2000:
            break
    raise AccuracyError("A study's baseline has no end: its likelihood and prior stay flat")
