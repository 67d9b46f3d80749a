"""The comparison files that come with the package: all of them can be read and run."""

from pathlib import Path

import pytest

from bayesmeta.run import find_jobs, run_job

MODELS = Path(__file__).parent.parent / "models"
COMPARISONS, OUTCOMES = 15, 133  # counted in the files by [[outcome]]


def test_every_comparison_file_is_read_with_its_data():
    jobs = find_jobs([MODELS])
    assert len(jobs) == COMPARISONS
    assert sum(len(job.studies) for job in jobs) == OUTCOMES


@pytest.mark.slow
def test_every_outcome_has_an_exact_posterior_that_could_be_computed():
    results = [result for job in find_jobs([MODELS]) for result in run_job(job, None, nuts=False)]
    assert len(results) == OUTCOMES
    assert all(len(result.models) > 0 for result in results)
