"""Effects to pool, made by Hypothesis."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st


@dataclass(frozen=True)
class EffectSet:
    """Effects y (row,), sampling variances v (row,) and a design X (row, coefficient)."""

    y: np.ndarray
    v: np.ndarray
    X: np.ndarray

    @property
    def arrays(self):
        return self.y, self.v, self.X


@st.composite
def effect_sets(draw, *, min_rows=3, max_rows=8, moderators=0):
    """Draw effects with variances over four powers of ten and well-spread moderators."""
    rows = draw(st.integers(min_rows, max_rows))
    y = [draw(st.floats(-4, 4)) for _ in range(rows)]
    v = [10 ** draw(st.floats(-3, 1)) for _ in range(rows)]
    columns = [np.ones(rows)]
    if moderators:
        seed = draw(st.integers(0, 10_000))
        columns += list(np.random.default_rng(seed).normal(size=(moderators, rows)))
    return EffectSet(y=np.array(y), v=np.array(v), X=np.stack(columns, axis=1))


@st.composite
def covariances(draw, rows):
    """Draw a positive definite covariance with variances near 0.3."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    A = rng.normal(size=(rows, rows + 2))
    return 0.3 * (A @ A.T) / (rows + 2) + 0.01 * np.eye(rows)
