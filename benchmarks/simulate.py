"""Studies drawn for the benchmarks, where no bundled table has the number of studies wanted."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayesmeta.scales import FloatArray
from bayesmeta.studies import StudyTable, read_studies

EFFECT, SPREAD = -0.3, 0.3  # true log ratios: N(-0.3, 0.3^2)


def simulate_tables(k: int) -> StudyTable:
    """Draw k two-by-two tables: arms of 50 to 500 patients, control risks about 12%."""
    rng, sizes, level, theta = _draw(k)
    treated = rng.binomial(sizes[:, 0], 1 / (1 + np.exp(-level - theta)))
    control = rng.binomial(sizes[:, 1], 1 / (1 + np.exp(-level)))
    return _read(ai=treated, n1i=sizes[:, 0], ci=control, n2i=sizes[:, 1])


def simulate_rates(k: int) -> StudyTable:
    """Draw k pairs of arms with 50 to 500 units of person-time, control rates about 0.13."""
    rng, times, level, theta = _draw(k)
    treated = rng.poisson(times[:, 0] * np.exp(level + theta))
    control = rng.poisson(times[:, 1] * np.exp(level))
    return _read(x1i=treated, t1i=times[:, 0], x2i=control, t2i=times[:, 1])


def _draw(
    k: int,
) -> tuple[np.random.Generator, NDArray[np.int64], FloatArray, FloatArray]:
    rng = np.random.default_rng(20_250_301 + k)
    sizes = rng.integers(50, 500, (k, 2))
    return rng, sizes, rng.normal(-2, 0.7, k), rng.normal(EFFECT, SPREAD, k)


def _read(**columns: NDArray[np.int64]) -> StudyTable:
    labels = [f"study {i + 1}" for i in range(len(next(iter(columns.values()))))]
    return read_studies(pd.DataFrame({"study": labels, **columns}))
