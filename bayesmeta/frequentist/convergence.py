"""How a search that did not end is reported."""

import numpy as np
from numpy.typing import NDArray

from bayesmeta.errors import NotEstimableError
from bayesmeta.scales import FloatArray

_NAMED = 10  # members of a batch that are listed


def not_converged(
    name: str, done: NDArray[np.bool_], error: FloatArray, *, tol: float, steps: int
) -> NotEstimableError:
    """Make the error that says how far a search was from its end, and where in a batch.

    Parameters
    ----------
    name : str
        What was searched for.
    done : (...)
        Members of the batch that converged.
    error : (...)
        Size of the last step, relative to the scale of what is searched.
    tol : float
        What `error` had to come down to.
    steps : int
        Steps that were taken.

    Returns
    -------
    NotEstimableError
        To be raised.

    Examples
    --------
    >>> done, error = np.array([True, False]), np.array([0.0, 0.25])
    >>> print(not_converged("REML", done, error, tol=1e-12, steps=9))
    REML did not converge in 9 steps for 1 of 2 fits, at (1): the last step was still 2.5e-01 of \
its scale (tol 1e-12). DL needs no iteration.
    """
    where = ""
    if done.ndim:
        left = np.argwhere(~done)
        indices = (", ".join(map(str, index)) for index in left[:_NAMED].tolist())
        more = ", ..." if len(left) > _NAMED else ""
        listed = ", ".join(f"({index})" for index in indices)
        where = f" for {len(left)} of {done.size} fits, at {listed}{more}"
    return NotEstimableError(
        f"{name} did not converge in {steps} steps{where}: the last step was still "
        f"{float(np.max(error, where=~done, initial=0.0)):.1e} of its scale (tol {tol:.0e}). "
        "DL needs no iteration."
    )
