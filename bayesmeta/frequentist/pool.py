"""Pool the studies of a table by the methods of published meta-analyses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import partial
from typing import get_args

from bayesmeta.effects import Correction, compute_effects, get_measure
from bayesmeta.errors import ModelError, NotEstimableError
from bayesmeta.frequentist.counts import MANTEL_HAENSZEL, REVMAN
from bayesmeta.frequentist.glmm_rows import GLMMS, pool_glmm
from bayesmeta.frequentist.intervals import require_level
from bayesmeta.frequentist.reference import (
    IntervalMethod,
    PooledEstimate,
    PredictionMethod,
    Reference,
)
from bayesmeta.frequentist.rows import (
    Task,
    pool_common,
    pool_mantel_haenszel,
    pool_peto,
    pool_random,
    pool_revman,
    pool_revman_random,
    undefined_row,
)
from bayesmeta.studies import StudyTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A way to pool.

    Attributes
    ----------
    label : str
        What a table's reader sees.
    pool : callable
        Fills a row from a `Task`, or raises `NotEstimableError`.
    counts : tuple of str
        Measures it has, where it needs the counts themselves; empty where it does not.
    intervals : tuple of str
        Interval methods it has.
    default : bool
        Whether `pool` includes it where no method is named.
    """

    label: str
    pool: Callable[[PooledEstimate, Task], PooledEstimate]
    counts: tuple[str, ...] = ()
    intervals: tuple[IntervalMethod, ...] = ("wald", "t", "hksj", "hksj-adhoc")
    default: bool = True


def pool(
    studies: StudyTable,
    measure: str,
    *,
    methods: str | Sequence[str] | None = None,
    interval: IntervalMethod = "wald",
    level: float = 0.95,
    correction: Correction = "only0",
    pi: PredictionMethod = "metafor",
    keep: bool = False,
) -> Reference:
    """Pool the studies of a table as RevMan, Stata or metafor would.

    Parameters
    ----------
    studies : StudyTable
        One comparison and one outcome.
    measure : str
        Effect measure: "OR", "RR", "RD", or "GEN" for effects taken as they are.
    methods : str or sequence of str, optional
        Keys of `METHODS`. Not given, every method that these data allow, without the mixed models
        UM.FS, UM.RS, CM.EL, CM.AL and GLMM, which must be named; one that has no estimate for them
        keeps its row, with the reason in its notes.
    interval : {"wald", "t", "hksj", "hksj-adhoc"}
        Normal quantile; t(k - 1) quantile; t(k - 1) and the standard error of Hartung, Knapp,
        Sidik and Jonkman; the same, never below the plain standard error. Mantel-Haenszel and
        Peto have "wald" only.
    level : float
        Coverage of all intervals, in (0.5, 1).
    correction : {"only0", "all", "none"}
        Where 1/2 is added to the cells of 2x2 tables before the effects of single studies are
        computed. The Mantel-Haenszel sums have their own rule.
    pi : {"metafor", "hts"}
        Quantile of the prediction intervals: metafor's default, which is the one of `interval`
        (normal for "wald", else t(k - 1)); or t(k - 2), after Higgins, Thompson and
        Spiegelhalter. Every row names its own in `pi_method`.
    keep : bool
        Whether methods that were named are treated as the others: one without an estimate keeps
        its row, with the reason in its notes.

    Returns
    -------
    Reference
        One `PooledEstimate` per method, on the analysis scale.

    Raises
    ------
    ModelError
        A method, interval, prediction interval, level or measure is unknown or does not fit the
        data.
    NotEstimableError
        A method asked for by name has no estimate for these data.
    StudyTableError
        The table does not hold one comparison of one outcome; or, without correction, the effect
        of a study is infinite.

    References
    ----------
    Viechtbauer (2010), Journal of Statistical Software 36(3), whose program metafor these numbers
    agree with; Higgins, Thompson and Spiegelhalter (2009), JRSS A 172:137.

    Examples
    --------
    >>> import pandas as pd
    >>> from bayesmeta.studies import read_studies
    >>> trials = pd.DataFrame(
    ...     {"study": ["A", "B", "C"], "estimate": [0.1, 0.5, 0.9], "se": [0.2, 0.2, 0.2]}
    ... )
    >>> reference = pool(read_studies(trials), "GEN")
    >>> reference.methods
    ('EE', 'DL', 'REML', 'ML', 'PM', 'EB', 'SJ', 'HE', 'HS', 'DL2')
    >>> round(reference["REML"].tau2, 6)
    0.12
    """
    require_level(level)
    _require_known(interval, get_args(IntervalMethod.__value__), "interval")
    _require_known(pi, get_args(PredictionMethod.__value__), "prediction interval")
    get_measure(measure)  # an unknown one is told first
    by_name = methods is not None and not keep
    names = _chosen([methods] if isinstance(methods, str) else methods, studies, measure)
    effects = compute_effects(studies, measure, correction=correction)
    task = Task(
        studies=studies, effects=effects, measure=measure, interval=interval, level=level, pi=pi
    )
    rows = tuple(_row(name, task, by_name=by_name) for name in names)
    return Reference(rows=rows, measure=measure, notes=tuple(effects.notes))


def _chosen(methods: Sequence[str] | None, studies: StudyTable, measure: str) -> tuple[str, ...]:
    """Give the methods asked for, or those that these data allow."""
    counted = studies.layout == get_measure(measure).layout
    fits = {
        name: not method.counts or (counted and measure in method.counts)
        for name, method in METHODS.items()
    }
    if methods is None:
        return tuple(name for name in METHODS if fits[name] and METHODS[name].default)
    for name in methods:
        _require_known(name, tuple(METHODS), "method")
        if not fits[name]:
            raise ModelError(
                f"Method {name} pools {_COUNTS[name in GLMMS]} by "
                f"{', '.join(METHODS[name].counts)}; this is {measure} of a {studies.layout} "
                "table. Use EE, the inverse-variance form."
            )
    return tuple(dict.fromkeys(methods))


def _row(name: str, task: Task, *, by_name: bool) -> PooledEstimate:
    method = METHODS[name]
    notes: tuple[str, ...] = ()
    if task.interval not in method.intervals:
        what = f"{name} has no {task.interval} interval, only {', '.join(method.intervals)}"
        if by_name:
            raise ModelError(f"{what}. Choose one of these, or EE, DL or REML.")
        notes = (f"{what}, which is shown",)
        task = replace(task, interval=method.intervals[0])
    blank = undefined_row(name, method.label, task, notes)
    try:
        return method.pool(blank, task)
    except NotEstimableError as error:
        if by_name:
            raise
        return replace(blank, notes=(*notes, str(error)))


def _require_known(name: str, known: Sequence[str], what: str) -> None:
    if name not in known:
        close = {key.lower(): key for key in known}
        near = get_close_matches(name.lower(), close, n=1)
        hint = f"Did you mean {close[near[0]]!r}? " if near else ""
        raise ModelError(f"Unknown {what} {name!r}. {hint}There are {', '.join(known)}.")


def _random(estimator: str, whose: str) -> Method:
    return Method(label=f"{whose}, random effects", pool=partial(pool_random, estimator=estimator))


_COUNTS = ("2x2 tables", "counts")

METHODS: dict[str, Method] = {
    "EE": Method(label="inverse variance, common effect", pool=pool_common),
    "MH": Method(
        label="Mantel-Haenszel, common effect",
        pool=pool_mantel_haenszel,
        counts=tuple(MANTEL_HAENSZEL),
        intervals=("wald",),
    ),
    "MH-RM": Method(
        label="Mantel-Haenszel, common effect, as in RevMan 5",
        pool=pool_revman,
        counts=tuple(REVMAN),
        intervals=("wald",),
    ),
    "DL": _random("DL", "DerSimonian-Laird"),
    "REML": _random("REML", "REML"),
    "ML": _random("ML", "maximum likelihood"),
    "PM": _random("PM", "Paule-Mandel"),
    "EB": _random("EB", "empirical Bayes"),
    "SJ": _random("SJ", "Sidik-Jonkman"),
    "HE": _random("HE", "Hedges"),
    "HS": _random("HS", "Hunter-Schmidt"),
    "DL2": _random("DL2", "DerSimonian-Laird, two steps"),
    "DL-MH": Method(
        label="DerSimonian-Laird, random effects, about Mantel-Haenszel as in RevMan 5",
        pool=pool_revman_random,
        counts=tuple(REVMAN),
    ),
    "PETO": Method(
        label="Peto, common effect", pool=pool_peto, counts=("OR",), intervals=("wald",)
    ),
} | {
    name: Method(
        label=kind.label,
        pool=partial(pool_glmm, kind=name),
        counts=kind.measures,
        intervals=("wald", "t"),
        default=False,
    )
    for name, kind in GLMMS.items()
}
