"""What was observed: study tables, read and validated."""

from bayesmeta.studies.arrays import Contrasts, TwoArmCounts
from bayesmeta.studies.library import available, load
from bayesmeta.studies.read import read_studies
from bayesmeta.studies.table import StudyTable

__all__ = ["Contrasts", "StudyTable", "TwoArmCounts", "available", "load", "read_studies"]
