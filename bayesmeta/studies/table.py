"""The validated study table, and the arrays that computations take from it."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayesmeta.errors import Problem
from bayesmeta.scales import FloatArray
from bayesmeta.studies.layouts import LayoutKind
from bayesmeta.studies.refusal import did_you_mean, listed, refusal

type IntArray = NDArray[np.int64]

_KEYS = {"binary": ["study", "arm", "outcome"], "contrast": ["study", "outcome"]}
_NUMBERS = {"binary": ["events", "n"], "contrast": ["estimate", "se", "variance"]}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TwoArmCounts:
    """Counts of two-arm studies; all arrays are read-only.

    Attributes
    ----------
    study : tuple of str
        Labels, in the order of the table.
    events_treated, n_treated, events_control, n_control : (study,)
        Patients with the event, and all patients, of each arm.
    """

    study: tuple[str, ...]
    events_treated: IntArray
    n_treated: IntArray
    events_control: IntArray
    n_control: IntArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contrasts:
    """One estimate per study; all arrays are read-only.

    Attributes
    ----------
    study : tuple of str
        Labels, in the order of the table.
    estimate : (study,)
        Estimates, on the analysis scale.
    variance : (study,)
        Sampling variances, in squared units of `estimate`.
    """

    study: tuple[str, ...]
    estimate: FloatArray
    variance: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StudyTable:
    """What was observed: validated once, never changed.

    Made by `read_studies` and `load`. Every method gives a new table.

    Attributes
    ----------
    layout : {"binary", "contrast"}
        "binary": one row per study and arm (and outcome). "contrast": one row per study (and
        outcome).
    source : str
        File name, bundled name, or "DataFrame".
    arms : (str, str) or None
        Treated and control arm, once chosen. Wide tables have them: ("treated", "control").
    notes : tuple of str
        How the table was read.
    citation : str
        Where bundled data come from.
    measure : str or None
        Measure of the estimates of a contrast-level table, where it is known.

    Examples
    --------
    >>> from bayesmeta.studies import load
    >>> table = load("crins2014").select(arms=("IL-2RA", "control"))
    >>> table.k, table.two_arm().events_treated.tolist()
    (6, [14, 16, 3, 9, 4, 0])
    """

    layout: LayoutKind
    source: str
    arms: tuple[str, str] | None = None
    notes: tuple[str, ...] = ()
    citation: str = ""
    measure: str | None = None
    _frame: pd.DataFrame = field(repr=False)
    _printed: pd.DataFrame | None = field(default=None, repr=False)

    @property
    def frame(self) -> pd.DataFrame:
        """Copy of the data.

        Binary: study, arm, outcome, events, n. Contrast: study, outcome, estimate, se, variance.
        Covariates follow. The outcome is "" where the table names none.
        """
        return self._frame.copy()

    @property
    def printed(self) -> pd.DataFrame | None:
        """Copy of the contrast numbers as their author wrote them, on the rows of `frame`.

        None where the text is not known: counts, and frames of floats.
        """
        return None if self._printed is None else self._printed.copy()

    @property
    def studies(self) -> tuple[str, ...]:
        """Study labels, in order of first appearance."""
        return _distinct(self._frame["study"])

    @property
    def k(self) -> int:
        """Number of studies."""
        return len(self.studies)

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Named outcomes, in order of first appearance; none where the table names none."""
        return tuple(name for name in _distinct(self._frame["outcome"]) if name)

    @property
    def arm_names(self) -> tuple[str, ...]:
        """Names of the arms, in order of first appearance; none in a contrast-level table."""
        return _distinct(self._frame["arm"]) if self.layout == "binary" else ()

    @property
    def covariates(self) -> tuple[str, ...]:
        """Columns that were kept and are not used unless asked for."""
        known = (*_KEYS[self.layout], *_NUMBERS[self.layout])
        return tuple(name for name in self._frame.columns if name not in known)

    def select(
        self, *, outcome: str | None = None, arms: tuple[str, str] | None = None
    ) -> "StudyTable":
        """Keep one outcome, two arms, or both.

        Parameters
        ----------
        outcome : str, optional
            Name of the outcome to keep; studies that do not report it are left out.
        arms : (str, str), optional
            Treated arm, control arm. The sign of every effect follows from it.

        Returns
        -------
        StudyTable
            The rows asked for.

        Raises
        ------
        StudyTableError
            No such outcome or arm, twice the same arm, or a study without one of the two.

        Examples
        --------
        >>> from bayesmeta.studies import load
        >>> load("crins2014").select(arms=("IL-2RA", "control")).arms
        ('IL-2RA', 'control')
        """
        frame = self._frame
        if outcome is not None:
            if outcome not in self.outcomes:
                self._refuse(
                    Problem(
                        column="outcome",
                        value=outcome,
                        what="no such outcome",
                        fix=did_you_mean(outcome, self.outcomes),
                    )
                )
            frame = frame[frame["outcome"] == outcome]
        if arms is not None:
            self._refuse(*self._arm_problems(arms))
            self._refuse(*_unpaired(frame, arms))
            frame = frame[frame["arm"].isin(arms)]
        return self._with_rows(frame.index, arms=self.arms if arms is None else (arms[0], arms[1]))

    def drop(self, *studies: str) -> "StudyTable":
        """Leave studies out, and note it.

        Parameters
        ----------
        *studies : str
            Labels.

        Returns
        -------
        StudyTable
            The other studies.

        Raises
        ------
        StudyTableError
            No such study, or none would be left.

        Examples
        --------
        >>> from bayesmeta.studies import load
        >>> load("bcg").drop("Aronson 1948").k
        12
        """
        self._refuse(
            *(
                Problem(study=name, what="no such study", fix=did_you_mean(name, self.studies))
                for name in studies
                if name not in self.studies
            )
        )
        frame = self._frame[~self._frame["study"].isin(studies)]
        if len(frame) == 0:
            self._refuse(Problem(what="no study would be left", fix="Keep at least one."))
        note = f"left out: {', '.join(studies)}"
        return replace(self._with_rows(frame.index), notes=(*self.notes, note))

    def append(self, other: "StudyTable") -> "StudyTable":
        """Add the studies of another table of the same kind.

        Parameters
        ----------
        other : StudyTable
            Same layout, arms and measure; no row of a study that this table has already.

        Returns
        -------
        StudyTable
            The rows of both, this table's first. A covariate that only one table has is missing
            in the rows of the other.

        Raises
        ------
        StudyTableError
            The tables do not fit together.

        Examples
        --------
        >>> from bayesmeta.studies import load
        >>> bcg = load("bcg")
        >>> bcg.drop("Aronson 1948").append(bcg.drop(*bcg.studies[1:])).k
        13
        """
        self._refuse(*_misfits(self, other))
        printed = None
        if self._printed is not None and other._printed is not None:
            printed = pd.concat([self._printed, other._printed], ignore_index=True)
        return replace(
            self,
            source=f"{self.source} + {other.source}",
            notes=tuple(dict.fromkeys((*self.notes, *other.notes))),
            citation="; ".join(dict.fromkeys(filter(None, (self.citation, other.citation)))),
            _frame=pd.concat([self._frame, other._frame], ignore_index=True),
            _printed=printed,
        )

    def two_arm(self) -> TwoArmCounts:
        """Give the counts of the treated and the control arm, study by study.

        Returns
        -------
        TwoArmCounts
            Read-only arrays, studies in the order of the table.

        Raises
        ------
        StudyTableError
            Contrast-level data, arms not chosen, or several outcomes.
        """
        if self.layout != "binary":
            what = "the table holds contrasts, not counts"
            self._refuse(Problem(what=what, fix="Use a measure for contrasts, such as GEN."))
        problems = self._outcome_problems()
        if self.arms is None:
            what = "it is not said which arm is treated and which is control"
            fix = (
                "Choose them with select(arms=(TREATED, CONTROL)), or --arms TREATED CONTROL; "
                f"the arms are {listed(self.arm_names)}."
            )
            problems.append(Problem(column="arm", what=what, fix=fix))
        self._refuse(*problems)
        counts = [
            self._frame[self._frame["arm"] == arm].set_index("study").loc[list(self.studies)]
            for arm in self.arms or ()
        ]
        (treated, control) = counts
        return TwoArmCounts(
            study=self.studies,
            events_treated=_integers(treated["events"]),
            n_treated=_integers(treated["n"]),
            events_control=_integers(control["events"]),
            n_control=_integers(control["n"]),
        )

    def contrast(self) -> Contrasts:
        """Give the estimates and their variances, study by study.

        Returns
        -------
        Contrasts
            Read-only arrays, studies in the order of the table.

        Raises
        ------
        StudyTableError
            Counts instead of contrasts, or several outcomes.
        """
        if self.layout != "contrast":
            what = "the table holds counts, not contrasts"
            self._refuse(Problem(what=what, fix="Use a measure for counts, such as OR."))
        self._refuse(*self._outcome_problems())
        return Contrasts(
            study=self.studies,
            estimate=_floats(self._frame["estimate"]),
            variance=_floats(self._frame["variance"]),
        )

    def _refuse(self, *problems: Problem) -> None:
        if problems:
            raise refusal(self.source, problems)

    def _with_rows(self, rows: pd.Index, arms: tuple[str, str] | None = None) -> "StudyTable":
        printed = self._printed
        return replace(
            self,
            arms=self.arms if arms is None else arms,
            _frame=self._frame.loc[rows].reset_index(drop=True),
            _printed=None if printed is None else printed.loc[rows].reset_index(drop=True),
        )

    def _arm_problems(self, arms: tuple[str, str]) -> list[Problem]:
        if self.layout != "binary":
            what = "a contrast-level table has no arms to choose"
            return [Problem(what=what, fix="Leave arms out; the estimates carry their direction.")]
        if isinstance(arms, str) or len(arms) != 2:
            return [Problem(what="two arms are needed", fix="Give (TREATED, CONTROL).")]
        problems = [
            Problem(
                column="arm",
                value=name,
                what="no such arm",
                fix=did_you_mean(name, self.arm_names),
            )
            for name in dict.fromkeys(arms)
            if name not in self.arm_names
        ]
        if arms[0] == arms[1]:
            fix = f"Give two of: {listed(self.arm_names)}."
            what = "treated and control are the same arm"
            problems.append(Problem(column="arm", value=arms[0], what=what, fix=fix))
        return problems

    def _outcome_problems(self) -> list[Problem]:
        outcomes = _distinct(self._frame["outcome"])
        if len(outcomes) < 2:
            return []
        what = f"there are {len(outcomes)} outcomes"
        fix = f"Choose one with select(outcome=NAME), or --outcome NAME: {listed(outcomes)}."
        return [Problem(column="outcome", what=what, fix=fix)]


def _unpaired(frame: pd.DataFrame, arms: tuple[str, str]) -> Iterable[Problem]:
    """Find studies (and outcomes) without one of the two arms."""
    for (study, outcome), rows in frame.groupby(["study", "outcome"], sort=False):
        there = set(rows["arm"])
        for arm in arms:
            if arm not in there:
                of = f" for outcome {outcome!r}" if outcome else ""
                what = f"no arm {arm!r}{of} (it has {listed(rows['arm'])})"
                yield Problem(study=str(study), what=what, fix=f"Leave it out: drop({study!r}).")


def _misfits(one: StudyTable, other: StudyTable) -> list[Problem]:
    """Say why two tables cannot be joined."""
    for name in ("layout", "arms", "measure"):
        mine, theirs = getattr(one, name), getattr(other, name)
        if mine != theirs:
            what = f"the {name} of {other.source} is {theirs}, here it is {mine}"
            return [Problem(column=name, what=what, fix="Join tables of one kind only.")]
    if bool(one.outcomes) != bool(other.outcomes):
        what = "one table names its outcome and the other does not"
        return [Problem(column="outcome", what=what, fix="Name it in both.")]
    key = _KEYS[one.layout]
    mine = set(one._frame[key].itertuples(index=False, name=None))
    rows = [row for row in other._frame[key].itertuples(index=False, name=None) if row in mine]
    fix = "Rename it, or drop it from one of them."
    return [
        Problem(study=study, what=f"also in {other.source}", fix=fix)
        for study in dict.fromkeys(row[0] for row in rows)
    ]


def _distinct(labels: pd.Series) -> tuple[str, ...]:
    return tuple(dict.fromkeys(labels.tolist()))


def _integers(column: pd.Series) -> IntArray:
    array = column.to_numpy(dtype=np.int64, copy=True)
    array.setflags(write=False)
    return array


def _floats(column: pd.Series) -> FloatArray:
    array = column.to_numpy(dtype=np.float64, copy=True)
    array.setflags(write=False)
    return array
