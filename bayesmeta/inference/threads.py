"""BLAS on one thread.

The matrices here are small, so that a second thread of BLAS gains nothing; where other processes
keep the cores busy, waiting for it made a fit of 500 studies ten times slower.
"""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController


def on_one_blas_thread[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Make a function run with one BLAS thread, and set the number back afterwards."""

    @wraps(function)
    def limited(*args: P.args, **kwargs: P.kwargs) -> R:
        with _controller().limit(limits=1, user_api="blas"):
            return function(*args, **kwargs)

    return limited


@lru_cache(maxsize=1)
def _controller() -> "ThreadpoolController":
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
