"""What the design of a trial does to its precision: clusters, and control arms that rows share."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from bayesmeta.scales import FloatArray
from bayesmeta.studies.reading import SharedControl

DESIGN_COLUMNS = ("derived", "design_effect", "shared_control")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrialDesign:
    """What the effects of a table need to know of its trials, study by study.

    Attributes
    ----------
    design_effect : (study,)
        Factor of the sampling variance; 1 where persons were randomised one by one.
    control : (study,)
        Number of the control arm: studies with the same one share it.
    shared : {"split", "covariance"} or None
        What is done about a control arm that several studies share.
    told : tuple of str
        Per study, what was made of further columns; "" where nothing was.
    """

    design_effect: FloatArray
    control: FloatArray
    shared: SharedControl | None = None
    told: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        for array in (self.design_effect, self.control):
            array.setflags(write=False)

    @property
    def clustered(self) -> bool:
        """Some variance is not that of persons randomised one by one."""
        return bool((self.design_effect != 1).any())

    @property
    def rows_of_control(self) -> FloatArray:
        """How many studies have the control arm of each, (study,)."""
        out: FloatArray = (self.control[:, None] == self.control).sum(axis=1).astype(np.float64)
        return out

    @property
    def control_share(self) -> FloatArray:
        """Part of the control arm that a study keeps, (study,); 1 unless it is split."""
        return 1 / self.rows_of_control if self.shared == "split" else np.ones(len(self.control))

    @property
    def correlated(self) -> bool:
        """Some effects share a control arm that is not split."""
        return self.shared == "covariance" and bool((self.rows_of_control > 1).any())


def trial_design(
    frame: pd.DataFrame, studies: tuple[str, ...], shared: SharedControl | None
) -> TrialDesign:
    """Take the design of the trials from the frame of a table of one outcome."""
    if not set(DESIGN_COLUMNS) & set(frame.columns):
        alone = np.arange(len(studies), dtype=np.float64)
        return TrialDesign(
            design_effect=np.ones(len(alone)), control=alone, told=("",) * len(alone)
        )
    first = frame.drop_duplicates("study").set_index("study").loc[list(studies)]
    effect = np.ones(len(first))
    if "design_effect" in first:
        effect = first["design_effect"].fillna(1.0).to_numpy(np.float64)
    control = np.arange(len(first), dtype=np.float64)
    if "shared_control" in first:
        labels = first["shared_control"].fillna("").tolist()
        control = np.array([labels.index(x) if x else i for i, x in enumerate(labels)], float)
    told = ("",) * len(first)
    if "derived" in frame:
        arm = frame["arm"] if "arm" in frame else [""] * len(frame)
        rows: dict[str, list[tuple[str, str]]] = {}
        for study, label, text in zip(
            frame["study"], arm, frame["derived"].fillna(""), strict=True
        ):
            rows.setdefault(study, []).append((label, text))
        told = tuple(_joined(rows[study]) for study in studies)
    return TrialDesign(design_effect=effect, control=control, shared=shared, told=told)


def _joined(rows: list[tuple[str, str]]) -> str:
    """Join what was made in the arms of a study: once, where it is said of the whole row."""
    texts = {text for _, text in rows}
    if len(texts) == 1:
        return texts.pop()
    return "; ".join(f"{arm}: {text}" for arm, text in rows if text)
