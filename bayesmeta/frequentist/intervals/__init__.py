"""Intervals of the effect, and of the effect of a new study."""
