"""Estimates as papers give them: with an interval, a standard error or a p-value."""
