"""A comparison as a file: strict TOML to models and choices, and back."""

from bayesmeta.comparison.comparison import Comparison, Outcome, Sampling
from bayesmeta.comparison.read import read_comparison
from bayesmeta.comparison.write import write_comparison

__all__ = ["Comparison", "Outcome", "Sampling", "read_comparison", "write_comparison"]
