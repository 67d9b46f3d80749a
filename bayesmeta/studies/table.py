"""The validated study table."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import cast

import pandas as pd

from bayesmeta.errors import Problem
from bayesmeta.once import Taken, once
from bayesmeta.studies import choices, extract
from bayesmeta.studies.arrays import (
    Contrasts,
    Correlations,
    Pairs,
    SingleCounts,
    SingleRates,
    TwoArmCounts,
    TwoArmMeans,
    TwoArmRates,
)
from bayesmeta.studies.kinds import HELD, KEYS, MEASURED_BY, NUMBERS, SETS
from bayesmeta.studies.layouts import LayoutKind
from bayesmeta.studies.reading import SharedControl
from bayesmeta.studies.refusal import refusal
from bayesmeta.studies.trial_design import DESIGN_COLUMNS, TrialDesign, trial_design


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StudyTable:
    """What was observed: validated once, never changed.

    Made by `read_studies` and `load`. `select`, `drop` and `append` give a new table; `two_arm`,
    `means`, `rates`, `paired`, `single`, `correlations` and `contrast` give read-only arrays,
    studies in the order of the table, and raise StudyTableError for a table of other data, with
    several outcomes, or whose arms are not chosen.

    Attributes
    ----------
    layout : LayoutKind
        "binary", "means", "rates", "paired arms": one row per study and arm (and outcome).
        "single", "single_rates", "paired", "correlation", "contrast": one row per study (and
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
    ratios : bool
        The estimates of a contrast-level table were ratios, and are logarithms here.
    shared : {"split", "covariance"} or None
        What is done about a control arm that several studies share.

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
    ratios: bool = False
    shared: SharedControl | None = None
    _frame: pd.DataFrame = field(repr=False)
    _printed: pd.DataFrame | None = field(default=None, repr=False)
    _provenance: pd.DataFrame | None = field(default=None, repr=False)
    _taken: Taken = field(default_factory=Taken, init=False, repr=False)

    @property
    def frame(self) -> pd.DataFrame:
        """Copy of the data.

        Binary: study, arm, outcome, events, n. Means: study, arm, outcome, mean, sd, n. Rates:
        study, arm, outcome, events, time. Single: study, outcome, events, n (or time). Paired:
        study, (arm,) outcome, mean_post, sd_post, mean_pre, sd_pre, n, r. Correlation: study,
        outcome, r, n.
        Contrast: study, outcome, estimate, se, variance.
        Covariates follow, then, where there is something to say, `derived` (what was made out of
        other columns), `design_effect` and `shared_control`. The outcome is "" where the table
        names none.
        """
        return self._frame.copy()

    @property
    def printed(self) -> pd.DataFrame | None:
        """Copy of the contrast numbers as their author wrote them, on the rows of `frame`.

        None where the text is not known: counts, and frames of floats.
        """
        return None if self._printed is None else self._printed.copy()

    @property
    def provenance(self) -> pd.DataFrame | None:
        """Copy of where the standard errors of contrasts come from, on the rows of `frame`.

        Columns: ``how`` (in words), ``se_low`` and ``se_high`` (between which the printed digits
        leave the standard error; NaN where the author's text is not known) and ``note`` (what to
        know of the row; "" for a standard error that was given and is precise enough). None for
        other data than contrasts.
        """
        return None if self._provenance is None else self._provenance.copy()

    @property
    @once
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
        """Names of the arms, in order of first appearance; none where a study is one row."""
        return self._labels("arm") if "arm" in KEYS[self.layout] else ()

    @property
    def covariates(self) -> tuple[str, ...]:
        """Columns that were kept and are not used unless asked for."""
        known = (*KEYS[self.layout], *NUMBERS[self.layout], *DESIGN_COLUMNS)
        return tuple(name for name in self._frame.columns if name not in known)

    @property
    def solutions(self) -> tuple[str, ...]:
        """Alternatives of which one must be taken: what the column `solution` holds, if any.

        Counts that were worked out of a printed result may have several: fit each.
        """
        return tuple(map(str, self._labels("solution"))) if "solution" in self._frame else ()

    def select(
        self,
        *,
        outcome: str | None = None,
        arms: tuple[str, str] | None = None,
        comparison: str | None = None,
        solution: str | int | None = None,
    ) -> "StudyTable":
        """Keep one outcome, two arms, one comparison, one solution.

        Parameters
        ----------
        outcome : str, optional
            Name of the outcome to keep; studies that do not report it are left out and noted.
        arms : (str, str), optional
            Treated arm, control arm. The sign of every effect follows from it. In a table with a
            column `comparison`, comparisons without these arms are left out and noted.
        comparison : str, optional
            What the rows to keep have in the column `comparison`.
        solution : str or int, optional
            One of `solutions`.

        Returns
        -------
        StudyTable
            The rows asked for.

        Raises
        ------
        StudyTableError
            No such outcome, arm, comparison or solution, twice the same arm, or a study without
            one of the two.

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
        for column, kept in (("comparison", comparison), ("solution", solution)):
            if kept is not None:
                self._refuse(choices.unknown_label(frame, column, str(kept)))
                frame = frame[frame[column].astype(str) == str(kept)]
        if arms is None:
            return self._with_rows(frame.index, notes=notes)
        self._refuse(choices.unfit_arms(arms, self.arm_names))
        frame, left = choices.without_other_comparisons(frame, arms)
        notes = (*notes, *left)
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
            Same layout, arms and measure; no row of a study that this table has already; shared
            control arms, if both have some, treated alike.

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
        return replace(
            self,
            source=f"{self.source} + {other.source}",
            notes=tuple(dict.fromkeys((*self.notes, *other.notes))),
            ratios=self.ratios or other.ratios,
            shared=self.shared or other.shared,
            citation="; ".join(dict.fromkeys(filter(None, (self.citation, other.citation)))),
            _frame=pd.concat([self._frame, other._frame], ignore_index=True),
            _printed=_joined(self._printed, other._printed),
            _provenance=_joined(self._provenance, other._provenance),
        )

    @once
    def two_arm(self) -> TwoArmCounts:
        """Give the counts of the treated and the control arm, study by study."""
        return extract.two_arm_counts(self.studies, *self._two_arms("binary"), self.design())

    @once
    def means(self) -> TwoArmMeans:
        """Give means, standard deviations and sizes of the two arms, study by study."""
        return extract.two_arm_means(self.studies, *self._two_arms("means"), self.design())

    @once
    def rates(self) -> TwoArmRates:
        """Give events and person-time of the two arms, study by study."""
        return extract.two_arm_rates(self.studies, *self._two_arms("rates"), self.design())

    @once
    def paired(self) -> tuple[Pairs, ...]:
        """Give two measurements of the same persons: of one group, or of treated and control."""
        two = self.layout == "paired arms"
        groups = self._two_arms("paired arms") if two else [self._rows("paired")]
        return tuple(extract.pairs(self.studies, group) for group in groups)

    @once
    def design(self) -> TrialDesign:
        """Give what the effects need to know of the design of each trial: one outcome only."""
        return trial_design(self._frame, self.studies, self.shared)

    @once
    def single(self) -> SingleCounts:
        """Give the counts of studies of one group."""
        return extract.single_counts(self.studies, self._rows("single"))

    @once
    def single_rates(self) -> SingleRates:
        """Give events and person-time of studies of one group."""
        return extract.single_rates(self.studies, self._rows("single_rates"))

    @once
    def correlations(self) -> Correlations:
        """Give the correlations, study by study."""
        return extract.correlations(self.studies, self._rows("correlation"))

    @once
    def contrast(self) -> Contrasts:
        """Give the estimates and their variances, study by study."""
        frame = self._rows("contrast")
        came = cast("pd.DataFrame", self._provenance)  # every table of contrasts has it
        return extract.contrasts(self.studies, frame, came)

    def _two_arms(self, layout: LayoutKind) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Give the rows of the treated and of the control arm, one per study."""
        self._require(layout)
        left_open = list(choices.left_open(self._labels("outcome"), self.arms, self.arm_names))
        left_open += choices.left_repeated(self._frame, KEYS[layout])
        if self.arms is None or left_open:
            raise refusal(self.source, left_open)
        by_study = {name: rows.set_index("study") for name, rows in self._frame.groupby("arm")}
        treated, control = (by_study[name].loc[list(self.studies)] for name in self.arms)
        return treated, control

    def _rows(self, layout: LayoutKind) -> pd.DataFrame:
        """Give the rows of a table with one row per study."""
        self._require(layout)
        self._refuse(choices.left_open(self._labels("outcome"), None, ()))
        self._refuse(choices.left_repeated(self._frame, KEYS[layout]))
        return self._frame

    def _require(self, layout: LayoutKind) -> None:
        if self.layout != layout:
            what = f"the table holds {HELD[self.layout]}, not {HELD[layout]}"
            self._refuse([Problem(what=what, fix=f"Use a measure for {MEASURED_BY[self.layout]}.")])

    def _labels(self, column: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._frame[column].tolist()))

    def _refuse(self, problems: Iterable[Problem]) -> None:
        found = list(problems)
        if found:
            raise refusal(self.source, found)

    def _with_rows(self, rows: pd.Index, *, notes: tuple[str, ...]) -> "StudyTable":
        return replace(
            self,
            notes=notes,
            _frame=self._frame.loc[rows].reset_index(drop=True),
            _printed=_kept(self._printed, rows),
            _provenance=_kept(self._provenance, rows),
        )

    def _misfits(self, other: "StudyTable") -> list[Problem]:
        for name in ("layout", "arms", "measure", "shared"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs and not (name == "shared" and None in (mine, theirs)):
                what = f"the {name} of {other.source} is {theirs}, here it is {mine}"
                return [Problem(column=name, what=what, fix="Join tables of one kind only.")]
        if bool(self.outcomes) != bool(other.outcomes):
            what = "one table names its outcome and the other does not"
            return [Problem(column="outcome", what=what, fix="Name it in both.")]
        for label in sorted(_shared_labels(self) & _shared_labels(other)):
            what = f"a control arm of this label is in {other.source} too"
            fix = "Give different control arms different labels."
            return [Problem(column="shared_control", value=label, what=what, fix=fix)]
        key = [*KEYS[self.layout], *(name for name in SETS if name in self._frame)]
        mine, theirs = (
            table[key].itertuples(index=False, name=None) for table in (self._frame, other._frame)
        )
        return list(choices.repeated_rows(mine, theirs, other.source))


def _kept(frame: pd.DataFrame | None, rows: pd.Index) -> pd.DataFrame | None:
    return None if frame is None else frame.loc[rows].reset_index(drop=True)


def _joined(one: pd.DataFrame | None, other: pd.DataFrame | None) -> pd.DataFrame | None:
    if one is None or other is None:
        return None
    return pd.concat([one, other], ignore_index=True)


def _shared_labels(table: StudyTable) -> set[str]:
    """Give the labels of control arms that rows may share."""
    frame = table.frame
    return set(frame["shared_control"].dropna()) - {""} if "shared_control" in frame else set()
