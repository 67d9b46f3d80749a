"""Tests for small-study effects: whether the funnel leans."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Literal

import pandas as pd

from bayesmeta.effects import Correction
from bayesmeta.errors import DesignError, ModelError, NotEstimableError
from bayesmeta.frequentist.bias.asymmetry import (
    Asymmetry,
    Funnel,
    begg,
    egger,
    egger_mixed,
    harbord,
    macaskill,
    peters,
    thompson_sharp,
)
from bayesmeta.frequentist.counts.tables import Tables
from bayesmeta.frequentist.independent import independent_effects
from bayesmeta.studies import StudyTable
from bayesmeta.studies.refusal import did_you_mean

type TestName = Literal[
    "egger", "egger-mixed", "begg", "harbord", "peters", "macaskill", "thompson-sharp"
]

FEW = 10  # studies; with fewer the tests have little power
LEAST = 3  # studies; with fewer nothing is left to test with


@dataclass(frozen=True, slots=True, kw_only=True)
class AsymmetryTest:
    """A test for funnel asymmetry: what it is called, what it needs, and its function.

    Attributes
    ----------
    label : str
        What it is.
    run : callable
        Funnel to `Asymmetry`.
    counts : tuple of str
        Measures of 2x2 tables that it is for; empty where it takes any effects.
    """

    label: str
    run: Callable[[Funnel], Asymmetry]
    counts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallStudyTest:
    """One test for small-study effects; nan is undefined.

    Attributes
    ----------
    test, label : str
        Key in `ASYMMETRY_TESTS`, and what it stands for.
    statistic : float
        t or z of the slope; Kendall's tau for "begg".
    distribution : str
        What the p-value comes from: "t", "normal" or "exact".
    df : int or None
        Degrees of freedom of t.
    p_value : float
        Two-sided.
    estimate, se : float
        Slope against the measure of study size, and its standard error.
    intercept : float
        Where the regression on the standard error, its variance or 1/n ends: the effect that it
        gives to a study of infinite size, on the analysis scale. nan for the others.
    k : int
        Studies that were used.
    notes : tuple of str
        Why it is undefined; who was left out.
    """

    test: str
    label: str
    statistic: float
    distribution: str
    df: int | None
    p_value: float
    estimate: float
    se: float
    intercept: float
    k: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallStudyTests:
    """Tests for small-study effects of one set of studies.

    Attributes
    ----------
    rows : tuple of SmallStudyTest
        One per test.
    measure : str
        Effect measure.
    k : int
        Studies.
    notes : tuple of str
        What should be known about all of them.
    """

    rows: tuple[SmallStudyTest, ...]
    measure: str
    k: int
    notes: tuple[str, ...]

    def __getitem__(self, test: str) -> SmallStudyTest:
        for row in self.rows:
            if row.test == test:
                return row
        raise KeyError(
            f"{test!r} was not asked for; there are {', '.join(row.test for row in self.rows)}"
        )

    def to_frame(self) -> pd.DataFrame:
        """Give a tidy frame, one row per test; the fields of `SmallStudyTest` and the measure."""
        names = [field.name for field in fields(SmallStudyTest)]
        frame = pd.DataFrame([[getattr(row, n) for n in names] for row in self.rows], columns=names)
        frame["df"] = frame["df"].astype("Int64")
        frame["notes"] = ["; ".join(row.notes) for row in self.rows]
        frame.insert(0, "measure", self.measure)
        return frame


def small_study_tests(
    studies: StudyTable,
    measure: str,
    *,
    tests: str | Sequence[str] | None = None,
    correction: Correction = "only0",
) -> SmallStudyTests:
    """Test whether small studies show other effects than large ones.

    A small p-value says that the funnel plot leans. Unpublished results are one reason; lower
    quality, other patients or doses, and the tie between an effect and its own standard error
    (odds ratios, standardised mean differences) are others.

    Parameters
    ----------
    studies : StudyTable
        One comparison and one outcome.
    measure : str
        Effect measure, a key of `MEASURES`.
    tests : str or sequence of str, optional
        Keys of `ASYMMETRY_TESTS`. Not given, every test that these data allow.
    correction : {"only0", "all", "none"}
        Where 1/2 is added to the cells of 2x2 tables before effects are computed.

    Returns
    -------
    SmallStudyTests
        A test that these data do not determine keeps its row, with the reason in its notes.

    Raises
    ------
    ModelError
        A test or measure is unknown or does not fit the data.

    References
    ----------
    Sterne et al. (2011), BMJ 343:d4002, on which to use and how to read them.

    Examples
    --------
    >>> from bayesmeta.studies import load
    >>> found = small_study_tests(load("bcg"), "OR", tests=["egger", "harbord"])
    >>> round(found["egger"].p_value, 4), round(found["harbord"].p_value, 4)
    (0.16, 0.235)
    """
    effects = independent_effects(studies, measure, correction=correction)
    names = _chosen([tests] if isinstance(tests, str) else tests, studies, measure)
    tables = Tables.of(studies.two_arm()) if studies.layout == "binary" else None
    funnel = Funnel(study=effects.study, y=effects.y, v=effects.v, tables=tables)
    k = len(effects.y)
    notes = [*effects.notes]
    if LEAST <= k < FEW:
        notes.append(
            f"with {k} studies, fewer than {FEW}, tests for small-study effects have little power: "
            "a large p-value says nothing (Sterne et al. 2011)"
        )
    return SmallStudyTests(
        rows=tuple(_row(name, funnel) for name in names), measure=measure, k=k, notes=tuple(notes)
    )


def _chosen(tests: Sequence[str] | None, studies: StudyTable, measure: str) -> tuple[str, ...]:
    binary = studies.layout == "binary"
    fits = {
        name: not test.counts or (binary and measure in test.counts)
        for name, test in ASYMMETRY_TESTS.items()
    }
    if tests is None:
        return tuple(name for name in ASYMMETRY_TESTS if fits[name])
    for name in tests:
        if name not in ASYMMETRY_TESTS:
            raise ModelError(f"unknown test {name!r}. {did_you_mean(name, ASYMMETRY_TESTS)}")
        if not fits[name]:
            needed = ", ".join(ASYMMETRY_TESTS[name].counts)
            raise ModelError(
                f"Test {name} is for {needed} of 2x2 tables; this is {measure} of a "
                f"{studies.layout} table. Use egger or egger-mixed."
            )
    return tuple(dict.fromkeys(tests))


def _row(name: str, funnel: Funnel) -> SmallStudyTest:
    test = ASYMMETRY_TESTS[name]
    try:
        if len(funnel.y) < LEAST:
            raise NotEstimableError(f"not estimable from fewer than {LEAST} studies")
        found = test.run(funnel)
    except (NotEstimableError, DesignError) as error:
        nan = float("nan")
        found = Asymmetry(
            statistic=nan, distribution="", df=None, p=nan, k=len(funnel.y), notes=(str(error),)
        )
    return SmallStudyTest(
        test=name,
        label=test.label,
        statistic=found.statistic,
        distribution=found.distribution,
        df=found.df,
        p_value=found.p,
        estimate=found.estimate,
        se=found.se,
        intercept=found.intercept,
        k=found.k,
        notes=found.notes,
    )


_COUNTS = ("OR", "RR")

ASYMMETRY_TESTS: dict[str, AsymmetryTest] = {
    "egger": AsymmetryTest(label="Egger, regression on the standard error", run=egger),
    "egger-mixed": AsymmetryTest(label="Egger, with additive tau2 by REML", run=egger_mixed),
    "thompson-sharp": AsymmetryTest(
        label="Thompson and Sharp, additive tau2 by moments", run=thompson_sharp
    ),
    "begg": AsymmetryTest(label="Begg and Mazumdar, rank correlation", run=begg),
    "harbord": AsymmetryTest(label="Harbord, score test", run=harbord, counts=("OR",)),
    "peters": AsymmetryTest(label="Peters, regression on 1/n", run=peters, counts=_COUNTS),
    "macaskill": AsymmetryTest(label="Macaskill, regression on n", run=macaskill, counts=_COUNTS),
}
