"""How long things take, as ratios to a named baseline: ``uv run python -m benchmarks [name]``.

Ratios of candidates that take turns in one process survive a change of machine; the milliseconds
beside them do not.
"""
