"""All that looks for publication bias, side by side, whatever of it these data allow."""

from collections.abc import Callable
from dataclasses import dataclass

from bayesmeta.effects import Correction
from bayesmeta.errors import NotEstimableError
from bayesmeta.frequentist.bias.fail_safe import FailSafeN, fail_safe_n
from bayesmeta.frequentist.bias.selection import SelectionModel, selection_model
from bayesmeta.frequentist.bias.small_study import SmallStudyTests, small_study_tests
from bayesmeta.frequentist.bias.trim_fill import TrimFill, trim_and_fill
from bayesmeta.studies import StudyTable


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BiasReport:
    """Tests, trim and fill, selection model and fail-safe N of one set of studies.

    Attributes
    ----------
    tests : SmallStudyTests
        Tests for small-study effects.
    trim_fill : TrimFill or None
        None where it is not estimable.
    selection : SelectionModel or None
        The same.
    fail_safe : FailSafeN
        Fail-safe numbers.
    undefined : tuple of str
        What is None, and why.
    """

    tests: SmallStudyTests
    trim_fill: TrimFill | None
    selection: SelectionModel | None
    fail_safe: FailSafeN
    undefined: tuple[str, ...]


def look_for_bias(
    studies: StudyTable,
    measure: str,
    *,
    method: str = "REML",
    level: float = 0.95,
    correction: Correction = "only0",
) -> BiasReport:
    """Apply every method for small-study effects that these data allow.

    Parameters
    ----------
    studies : StudyTable
        One comparison and one outcome.
    measure : str
        Effect measure, a key of `MEASURES`.
    method : str
        "EE" or an estimator of tau2, for trim and fill.
    level : float
        Coverage of the intervals, in (0.5, 1).
    correction : {"only0", "all", "none"}
        Where 1/2 is added to the cells of 2x2 tables.

    Returns
    -------
    BiasReport

    Raises
    ------
    ModelError
        An unknown measure or method, or a level that is not a coverage.

    Examples
    --------
    >>> from bayesmeta.studies import load
    >>> found = look_for_bias(load("bcg"), "OR")
    >>> len(found.tests.rows), found.trim_fill.k0, found.undefined
    (7, 0, ())
    """
    undefined: list[str] = []
    filled = _attempt(
        "Trim and fill",
        lambda: trim_and_fill(studies, measure, method=method, level=level, correction=correction),
        undefined,
    )
    selected = _attempt(
        "Selection model",
        lambda: selection_model(studies, measure, level=level, correction=correction),
        undefined,
    )
    return BiasReport(
        tests=small_study_tests(studies, measure, correction=correction),
        trim_fill=filled,
        selection=selected,
        fail_safe=fail_safe_n(studies, measure, correction=correction),
        undefined=tuple(undefined),
    )


def _attempt[Result](name: str, ask: Callable[[], Result], undefined: list[str]) -> Result | None:
    try:
        return ask()
    except NotEstimableError as error:
        undefined.append(f"{name} is not estimable: {error}")
        return None
