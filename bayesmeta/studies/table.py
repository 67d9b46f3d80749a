"""The validated study table."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import pandas as pd

from bayesmeta.errors import Problem
from bayesmeta.studies import choices
from bayesmeta.studies.arrays import Contrasts, TwoArmCounts, floats, integers
from bayesmeta.studies.layouts import LayoutKind
from bayesmeta.studies.refusal import refusal

KEYS = {"binary": ("study", "arm", "outcome"), "contrast": ("study", "outcome")}
NUMBERS = {"binary": ("events", "n"), "contrast": ("estimate", "se", "variance")}


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
        return self._labels("study")

    @property
    def k(self) -> int:
        """Number of studies."""
        return len(self.studies)

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Named outcomes, in order of first appearance; none where the table names none."""
        return tuple(name for name in self._labels("outcome") if name)

    @property
    def arm_names(self) -> tuple[str, ...]:
        """Names of the arms, in order of first appearance; none in a contrast-level table."""
        return self._labels("arm") if self.layout == "binary" else ()

    @property
    def covariates(self) -> tuple[str, ...]:
        """Columns that were kept and are not used unless asked for."""
        known = (*KEYS[self.layout], *NUMBERS[self.layout])
        return tuple(name for name in self._frame.columns if name not in known)

    def select(
        self, *, outcome: str | None = None, arms: tuple[str, str] | None = None
    ) -> "StudyTable":
        """Keep one outcome, two arms, or both.

        Parameters
        ----------
        outcome : str, optional
            Name of the outcome to keep; studies that do not report it are left out and noted.
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
        frame, notes = self._frame, self.notes
        if outcome is not None:
            self._refuse(choices.unknown_outcome(outcome, self.outcomes))
            frame = frame[frame["outcome"] == outcome]
            without = [name for name in self.studies if name not in set(frame["study"])]
            if without:
                notes = (*notes, f"without outcome {outcome!r}: {', '.join(without)}")
        if arms is None:
            return self._with_rows(frame.index, notes=notes)
        self._refuse(choices.unfit_arms(arms, self.arm_names))
        self._refuse(choices.unpaired_studies(frame, arms))
        rows = frame.index[frame["arm"].isin(arms)]
        return replace(self._with_rows(rows, notes=notes), arms=(arms[0], arms[1]))

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
        self._refuse(choices.unknown_studies(studies, self.studies))
        rows = self._frame.index[~self._frame["study"].isin(studies)]
        if len(rows) == 0:
            self._refuse([Problem(what="no study would be left", fix="Keep at least one.")])
        return self._with_rows(rows, notes=(*self.notes, f"left out: {', '.join(studies)}"))

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
        self._refuse(self._misfits(other))
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
            self._refuse([Problem(what=what, fix="Use a measure for contrasts, such as GEN.")])
        left_open = list(choices.left_open(self._labels("outcome"), self.arms, self.arm_names))
        if self.arms is None or left_open:
            raise refusal(self.source, left_open)
        by_study = {name: rows.set_index("study") for name, rows in self._frame.groupby("arm")}
        treated, control = (by_study[name].loc[list(self.studies)] for name in self.arms)
        return TwoArmCounts(
            study=self.studies,
            events_treated=integers(treated["events"]),
            n_treated=integers(treated["n"]),
            events_control=integers(control["events"]),
            n_control=integers(control["n"]),
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
            self._refuse([Problem(what=what, fix="Use a measure for counts, such as OR.")])
        self._refuse(choices.left_open(self._labels("outcome"), None, ()))
        return Contrasts(
            study=self.studies,
            estimate=floats(self._frame["estimate"]),
            variance=floats(self._frame["variance"]),
        )

    def _labels(self, column: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._frame[column].tolist()))

    def _refuse(self, problems: Iterable[Problem]) -> None:
        found = list(problems)
        if found:
            raise refusal(self.source, found)

    def _with_rows(self, rows: pd.Index, *, notes: tuple[str, ...]) -> "StudyTable":
        printed = self._printed
        return replace(
            self,
            notes=notes,
            _frame=self._frame.loc[rows].reset_index(drop=True),
            _printed=None if printed is None else printed.loc[rows].reset_index(drop=True),
        )

    def _misfits(self, other: "StudyTable") -> list[Problem]:
        for name in ("layout", "arms", "measure"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                what = f"the {name} of {other.source} is {theirs}, here it is {mine}"
                return [Problem(column=name, what=what, fix="Join tables of one kind only.")]
        if bool(self.outcomes) != bool(other.outcomes):
            what = "one table names its outcome and the other does not"
            return [Problem(column="outcome", what=what, fix="Name it in both.")]
        key = list(KEYS[self.layout])
        mine, theirs = (
            table[key].itertuples(index=False, name=None) for table in (self._frame, other._frame)
        )
        return list(choices.repeated_rows(mine, theirs, other.source))
