"""Pool the studies of a table by the methods of published meta-analyses."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache, partial
from typing import get_args

from bayesmeta.effects import Correction, compute_effects, get_measure
from bayesmeta.errors import ModelError, NotEstimableError
from bayesmeta.frequentist.counts.person_time import PersonTime
from bayesmeta.frequentist.counts.rows import (
    POOLED_COUNTS,
    pool_mantel_haenszel,
    pool_peto,
    pool_revman,
    pool_revman_random,
)
from bayesmeta.frequentist.counts.tables import REVMAN, Tables
from bayesmeta.frequentist.glmm.rows import GLMMS, pool_glmm
from bayesmeta.frequentist.intervals.simple import require_level
from bayesmeta.frequentist.reference import (
    IntervalMethod,
    PooledEstimate,
    PredictionMethod,
    Reference,
    Tau2IntervalMethod,
)
from bayesmeta.frequentist.rows import Spread, Task, pool_common, pool_random, undefined_row
from bayesmeta.frequentist.rule import Rule, is_rule, parse_rule
from bayesmeta.frequentist.software import name_methods
from bayesmeta.studies import StudyTable

_OF_ESTIMATE: tuple[IntervalMethod, ...] = ("wald", "t", "hksj", "hksj-adhoc")


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
        Measures it has, where it needs the counts themselves (2x2 tables, or events in
        person-time, as the measure has it); empty where it does not.
    intervals : tuple of str
        Interval methods it has; the first is shown where another was asked for of all methods.
    common : bool
        Whether it has one effect common to all studies, tau2 = 0.
    default : bool
        Whether `pool` includes it where no method is named.
    """

    label: str
    pool: Callable[[PooledEstimate, Task], PooledEstimate]
    counts: tuple[str, ...] = ()
    intervals: tuple[IntervalMethod, ...] = _OF_ESTIMATE
    common: bool = False
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
    tau2_interval: Tau2IntervalMethod = "q-profile",
    keep: bool = False,
) -> Reference:
    """Pool the studies of a table as RevMan, Stata or metafor would.

    Parameters
    ----------
    studies : StudyTable
        One comparison and one outcome.
    measure : str
        Effect measure, a key of `bayesmeta.effects.MEASURES` for the layout of the table: "OR" of
        2x2 tables, "SMD" of means, "IRR" of person-time, "GEN" for effects taken as they are.
    methods : str or sequence of str, optional
        Keys of `METHODS`, or rules that choose between two of them, such as "DL if Q p < 0.1 or
        I2 > 50% else MH" (see `parse_rule`). In a rule "random" stands for DL, and "fixed" for MH
        where the data are counts that it takes, else for EE. Not given, every method that these
        data allow, without the mixed models UM.FS, UM.RS, CM.EL, CM.AL and GLMM, which must be
        named; one that has no estimate for them keeps its row, with the reason in its notes.
    interval : {"wald", "t", "hksj", "hksj-adhoc", "henmi-copas", "profile"}
        Normal quantile; t(k - 1) quantile; t(k - 1) and the standard error of Hartung, Knapp,
        Sidik and Jonkman; the same, never below the plain standard error; Henmi and Copas's, about
        the common-effect estimate (DL only); profile likelihood (ML only). Mantel-Haenszel and
        Peto have "wald" only. `Method.intervals` says which method has which.
    level : float
        Coverage of all intervals, in (0.5, 1).
    correction : {"only0", "all", "none"}
        Where 1/2 is added to the cells of 2x2 tables before the effects of single studies are
        computed. The Mantel-Haenszel sums have their own rule.
    pi : {"metafor", "hts", "nagashima"}
        Prediction interval: metafor's default, with the quantile of `interval` (normal for "wald"
        and "profile", else t(k - 1)); with t(k - 2), after Higgins, Thompson and Spiegelhalter; or
        Nagashima's over the confidence distribution of tau2, which is one for all rows. Every row
        names its own in `pi_method`.
    tau2_interval : {"q-profile", "generalised-q"}
        Interval of tau2, and of the I2 and H2 that follow from it: Viechtbauer's, or Jackson's with
        DerSimonian and Laird's weights.
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
        A method asked for by name has no estimate for these data (a rule keeps its row, and the
        row says why).
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
    _require_known(tau2_interval, get_args(Tau2IntervalMethod.__value__), "interval of tau2")
    get_measure(measure)  # an unknown one is told first
    by_name = methods is not None and not keep
    names = _chosen([methods] if isinstance(methods, str) else methods, studies, measure)
    effects = compute_effects(studies, measure, correction=correction)
    task = Task(
        studies=studies,
        effects=effects,
        measure=measure,
        interval=interval,
        level=level,
        pi=pi,
        tau2_interval=tau2_interval,
        spread=Spread.of(effects.y, effects.S, tau2_interval=tau2_interval, level=level),
        cells=cache(partial(_read_cells, studies)),
    )
    rows = tuple(_row(name, task, by_name=by_name) for name in names)
    return Reference(rows=rows, measure=measure, notes=tuple(effects.notes))


def normal_name(method: str) -> str:
    """Give a method's name in its normal form: a key of `METHODS`, or a rule with usual spacing.

    The words "random" and "fixed" stay: what they stand for depends on the data.

    Raises
    ------
    ModelError
        There is no such method, and it is no rule.

    Examples
    --------
    >>> normal_name("DL if I2>50% else MH-RM")
    'DL if I2 > 50% else MH-RM'
    """
    if is_rule(method):
        return str(parse_rule(method, tuple(METHODS)))
    _require_known(method, tuple(METHODS), "method")
    return method


def fitting_methods(studies: StudyTable, measure: str) -> tuple[str, ...]:
    """Name the methods of `METHODS` that a table's data allow, those to be named included."""
    counted = studies.layout == get_measure(measure).layout
    return tuple(
        name
        for name, method in METHODS.items()
        if not method.counts or (counted and measure in method.counts)
    )


def _chosen(methods: Sequence[str] | None, studies: StudyTable, measure: str) -> tuple[str, ...]:
    """Give the methods asked for, or those that these data allow."""
    fitting = fitting_methods(studies, measure)
    if methods is None:
        return tuple(name for name in fitting if METHODS[name].default)
    spelled = (name_methods(normal_name(method), "metafor", fitting) for method in methods)
    names = tuple(dict.fromkeys(spelled))
    for text in names:
        rule = parse_rule(text, tuple(METHODS)) if is_rule(text) else None
        for name in (text,) if rule is None else (rule.chosen, rule.otherwise):
            if name not in fitting:
                raise ModelError(
                    f"Method {name} pools counts by {', '.join(METHODS[name].counts)}; this is "
                    f"{measure} of a {studies.layout} table. Use EE, the inverse-variance form."
                )
    return names


def _read_cells(studies: StudyTable) -> Tables | PersonTime:
    if studies.layout == "rates":
        return PersonTime.of(studies.rates(), studies.design())
    return Tables.of(studies.two_arm())


def _row(name: str, task: Task, *, by_name: bool) -> PooledEstimate:
    if is_rule(name):
        return _row_by_rule(parse_rule(name, tuple(METHODS)), task)
    method = METHODS[name]
    notes: tuple[str, ...] = ()
    if task.interval not in method.intervals:
        what = f"{name} has no {task.interval} interval, only {', '.join(method.intervals)}"
        if by_name:
            others = ", ".join(
                key for key, one in METHODS.items() if task.interval in one.intervals
            )
            raise ModelError(f"{what}. Choose one of these, or {others}.")
        notes = (f"{what}: {method.intervals[0]} is shown",)
        task = replace(task, interval=method.intervals[0])
    blank = undefined_row(name, method.label, task, notes)
    try:
        return method.pool(blank, task)
    except NotEstimableError as error:
        if by_name:
            raise
        return replace(blank, notes=(*notes, str(error)))


def _row_by_rule(rule: Rule, task: Task) -> PooledEstimate:
    """Fill the row of the method that a rule takes; Q and I2 are those of its common-effect row."""
    pair = (rule.otherwise, rule.chosen)
    rows = {name: _row(name, task, by_name=False) for name in pair}
    common = next((name for name in pair if METHODS[name].common), "EE")
    random = next((name for name in pair if not METHODS[name].common), common)
    about = rows.get(common) or _row(common, task, by_name=False)
    values = {"Q p": about.q_p, "I2": about.i2, "k": float(about.k), "tau2": rows[random].tau2}
    owner = {"Q p": common, "I2": common, "k": common, "tau2": random}
    taken = rule.choose(values)
    seen = [f"{name} {_shown(name, values[name])} (of {owner[name]})" for name in rule.quantities]
    row = replace(rows[taken], method=str(rule), label=f"{rows[taken].label}, chosen by a rule")
    return replace(row, notes=(f"{', '.join(seen)}: the rule takes {taken}", *row.notes))


def _shown(quantity: str, value: float) -> str:
    if math.isnan(value):
        return "undefined"
    return f"= {value:.1f}%" if quantity == "I2" else f"= {value:.4g}"


def _require_known(name: str, known: Sequence[str], what: str) -> None:
    if name not in known:
        close = {key.lower(): key for key in known}
        near = get_close_matches(name.lower(), close, n=1)
        hint = f"Did you mean {close[near[0]]!r}? " if near else ""
        raise ModelError(f"Unknown {what} {name!r}. {hint}There are {', '.join(known)}.")


def _random(estimator: str, whose: str, *further: IntervalMethod) -> Method:
    return Method(
        label=f"{whose}, random effects",
        pool=partial(pool_random, estimator=estimator),
        intervals=(*_OF_ESTIMATE, *further),
    )


METHODS: dict[str, Method] = {
    "EE": Method(label="inverse variance, common effect", pool=pool_common, common=True),
    "MH": Method(
        label="Mantel-Haenszel, common effect, as in metafor",
        pool=pool_mantel_haenszel,
        counts=tuple(POOLED_COUNTS),
        intervals=("wald",),
        common=True,
    ),
    "MH-RM": Method(
        label="Mantel-Haenszel, common effect, as in RevMan 5",
        pool=pool_revman,
        counts=tuple(REVMAN),
        intervals=("wald",),
        common=True,
    ),
    "DL": _random("DL", "DerSimonian-Laird", "henmi-copas"),
    "REML": _random("REML", "REML"),
    "ML": _random("ML", "maximum likelihood", "profile"),
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
        label="Peto, common effect",
        pool=pool_peto,
        counts=("OR",),
        intervals=("wald",),
        common=True,
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
