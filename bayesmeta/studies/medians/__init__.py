"""Means and standard deviations out of medians, quartiles and ranges."""
