"""Small-study effects: tests, trim and fill, selection models, fail-safe N."""
