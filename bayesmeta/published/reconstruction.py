"""What a search for the counts behind a printed result found."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayesmeta.errors import Problem, StudyTableError
from bayesmeta.frequentist import METHODS
from bayesmeta.frequentist.counts.sums import PooledRatios, RatioMeasure, SumMethod
from bayesmeta.frequentist.rule import parse_rule
from bayesmeta.studies.refusal import did_you_mean

type IntArray = NDArray[np.int64]
type BoolArray = NDArray[np.bool_]
type Known = Mapping[str, tuple[int | None, int | None]]

_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reconstruction:
    """Counts that give every printed digit of a result.

    Attributes
    ----------
    arms : dict of str to (int, int)
        Patients of the treated and of the control arm of each trial.
    measure, method : str
        How the trials were pooled.
    events : (solution, study, 2) array
        Events of the treated and of the control arm.
    pooled : PooledRatios
        What each solution gives, to all digits.
    found : int
        Solutions that the search found, before any was left out by `keep`.
    folded : int
        The same, mirror images counted once.
    reasons : tuple of str
        What `keep` was told.
    """

    arms: dict[str, tuple[int, int]]
    measure: RatioMeasure
    method: SumMethod
    events: IntArray
    pooled: PooledRatios
    found: int
    folded: int
    reasons: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        events: IntArray,
        pooled: PooledRatios,
        *,
        arms: dict[str, tuple[int, int]],
        measure: RatioMeasure,
        method: SumMethod,
    ) -> Self:
        """Make the result of a search out of all that it found."""
        fresh = cls(
            arms=arms,
            measure=measure,
            method=method,
            events=events,
            pooled=pooled,
            found=len(events),
            folded=0,
        )
        return replace(fresh, folded=len(set(fresh.mirror_classes.tolist())))

    @property
    def kept(self) -> int:
        """Number of solutions."""
        return len(self.events)

    @property
    def unique(self) -> bool:
        """One solution is left."""
        return self.kept == 1

    @property
    def mirror_classes(self) -> IntArray:
        """Number (solution,) that solutions share which are mirror images of each other.

        In a trial with n patients in either arm (a, c) and (n - c, n - a) have one odds ratio with
        one variance. Risk ratios have no such images.
        """
        folded = self.events.copy()
        if self.measure == "OR":
            for i, (n_t, n_c) in enumerate(self.arms.values()):
                if n_t == n_c:
                    own = self.events[:, i]
                    image = n_t - own[:, ::-1]
                    first = (own[:, 0] < image[:, 0]) | (
                        (own[:, 0] == image[:, 0]) & (own[:, 1] <= image[:, 1])
                    )
                    folded[:, i] = np.where(first[:, None], own, image)
        flat = folded.reshape(len(folded), 2 * len(self.arms))
        return np.asarray(np.unique(flat, axis=0, return_inverse=True)[1], dtype=np.int64).ravel()

    @property
    def frame(self) -> pd.DataFrame:
        """All solutions as a study table, for `read_studies`: solution, study, arm, events, n."""
        rows = [
            {"solution": number, "study": study, "arm": arm, "events": int(x), "n": n}
            for number, counts in enumerate(self.events, start=1)
            for (study, sizes), pair in zip(self.arms.items(), counts, strict=True)
            for arm, x, n in zip(("treated", "control"), pair, sizes, strict=True)
        ]
        return pd.DataFrame(rows, columns=["solution", "study", "arm", "events", "n"])

    @property
    def results(self) -> pd.DataFrame:
        """What each solution gives: ratio, limits, P, Q, I2, tau2, and its mirror class."""
        columns = {one.name: getattr(self.pooled, one.name) for one in fields(self.pooled)}
        number = np.arange(1, self.kept + 1)
        return pd.DataFrame({"solution": number, "mirror_class": self.mirror_classes, **columns})

    def keep(
        self,
        *,
        known: Known | None = None,
        at_least: Known | None = None,
        at_most: Known | None = None,
        rare: bool = False,
        rule: str | None = None,
    ) -> Self:
        """Keep the solutions that other facts allow.

        Parameters
        ----------
        known, at_least, at_most : mapping of str to (int or None, int or None), optional
            Events of the arms of a trial, or their bounds: complete remissions are at most the
            total ones of the same arm.
        rare : bool
            The events are the minority, both arms together, in every trial with equal arms: this
            chooses among mirror images.
        rule : str, optional
            The rule by which the publication chose its model, such as "random if Q p < 0.1 else
            fixed" (see `parse_rule`): solutions for which it takes the other one are left out.

        Returns
        -------
        Reconstruction
            Fewer solutions; `found` and `folded` stay.

        Raises
        ------
        StudyTableError
            No such trial.
        ModelError
            The rule cannot be read.

        Examples
        --------
        >>> import bayesmeta as bm
        >>> rows = {row.row_id: row for row in bm.load_published("zhou_2019_lupus_nephritis")}
        >>> found = bm.reconstruct(rows["zhou-3-16"].printed, [(9, 7), (20, 20)],
        ...                        measure="OR", method="DL-MH")
        >>> found.kept, found.folded, found.keep(rare=True).events.tolist()
        (2, 1, [[[4, 1], [3, 8]]])
        """
        keep = np.ones(self.kept, dtype=bool)
        reasons = []
        bounds = (("known", known), ("at least", at_least), ("at most", at_most))
        for what, told in bounds:
            for study, pair in (told or {}).items():
                keep &= self._bounded(study, pair, what)
                shown = " v ".join("any" if x is None else str(x) for x in pair)
                reasons.append(f"{study} {what} {shown}")
        if rare:
            keep &= self._rare()
            reasons.append("events are the minority in trials with equal arms")
        if rule is not None:
            keep &= self._follows(rule)
            reasons.append(f"the model follows the rule: {rule}")
        pooled = {one.name: getattr(self.pooled, one.name)[keep] for one in fields(self.pooled)}
        return replace(
            self,
            events=self.events[keep],
            pooled=PooledRatios(**pooled),
            reasons=(*self.reasons, *reasons),
        )

    def __str__(self) -> str:
        if self.found == 0:
            return (
                "No set of tables gives every printed digit: the arms, the method or a printed "
                "number are not what was taken."
            )
        if self.reasons:
            head = (
                f"{self.kept} of {self.found} sets of tables are left ({'; '.join(self.reasons)})"
            )
        elif self.found == 1:
            head = "One set of tables gives every printed digit"
        else:
            head = f"{self.found} sets of tables give every printed digit"
            if self.folded < self.found:
                head += f", {self.folded} without mirror images"
        shown = [
            ", ".join(f"{a} v {c}" for a, c in counts) for counts in self.events[:_SHOWN].tolist()
        ]
        if self.kept > _SHOWN:
            shown.append("...")
        return f"{head}: {' | '.join(shown)}." if shown else f"{head}."

    def _bounded(self, study: str, pair: tuple[int | None, int | None], what: str) -> BoolArray:
        if study not in self.arms:
            problem = Problem(study=study, what="no such trial", fix=did_you_mean(study, self.arms))
            raise StudyTableError("Nothing was left out.", [problem])
        events = self.events[:, list(self.arms).index(study)]
        held = np.ones(self.kept, dtype=bool)
        for arm, bound in enumerate(pair):
            if bound is not None:
                x = events[:, arm]
                held &= {"known": x == bound, "at least": x >= bound, "at most": x <= bound}[what]
        return held

    def _rare(self) -> BoolArray:
        sizes = np.array(list(self.arms.values()))
        equal = sizes[:, 0] == sizes[:, 1]
        return np.asarray((~equal | (2 * self.events.sum(-1) <= sizes.sum(-1))).all(-1))

    def _follows(self, rule: str) -> BoolArray:
        """Mark the solutions for which a rule takes the model by which they were pooled."""
        parsed = parse_rule(rule, tuple(METHODS))
        used = "fixed" if METHODS[self.method].common else "random"
        taken = [
            parsed.choose({"Q p": q_p, "I2": i2, "k": float(len(self.arms)), "tau2": tau2})
            for q_p, i2, tau2 in zip(self.pooled.q_p, self.pooled.i2, self.pooled.tau2, strict=True)
        ]
        models = [
            one if one not in METHODS else "fixed" if METHODS[one].common else "random"
            for one in taken
        ]
        return np.array([one == used for one in models], dtype=bool)
