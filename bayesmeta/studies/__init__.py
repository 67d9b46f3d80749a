"""What was observed: study tables, read and validated."""

from bayesmeta.studies.arrays import (
    Contrasts,
    Correlations,
    Pairs,
    SingleCounts,
    TwoArmCounts,
    TwoArmMeans,
    TwoArmRates,
)
from bayesmeta.studies.kinds import HELD
from bayesmeta.studies.library import available, load, load_frame
from bayesmeta.studies.read import read_studies
from bayesmeta.studies.reading import Reading
from bayesmeta.studies.table import StudyTable

__all__ = [
    "HELD",
    "Contrasts",
    "Correlations",
    "Pairs",
    "Reading",
    "SingleCounts",
    "StudyTable",
    "TwoArmCounts",
    "TwoArmMeans",
    "TwoArmRates",
    "available",
    "load",
    "load_frame",
    "read_studies",
]
