"""Prior distributions: of an effect (`mu`, any real number) and of a heterogeneity SD (`tau` >= 0).

Priors are written the same way in Python, on the command line and in comparison files::

    normal(mean, sd)  student_t(df, location, scale)  cauchy(location, scale)  flat  fixed(value)
    uniform(low, high)  half_normal(scale)  half_cauchy(scale)  half_student_t(df, scale)
    exponential(scale)  log_normal(meanlog, sdlog)  inverse_gamma(shape, scale)
    truncated(prior, low, high)  on_tau2(prior)

A prior of heterogeneity is on tau, never silently on tau^2: `on_tau2` puts one on tau^2, with its
Jacobian. Text is parsed, never evaluated.
"""

from bayesmeta.priors.compound import OnTau2, Truncated
from bayesmeta.priors.line import Cauchy, Fixed, Flat, Normal, StudentT, Uniform
from bayesmeta.priors.parse import PRIORS, parse_prior
from bayesmeta.priors.positive import (
    Exponential,
    HalfCauchy,
    HalfNormal,
    HalfStudentT,
    InverseGamma,
    LogNormal,
)
from bayesmeta.priors.protocol import Prior

__all__ = [
    "PRIORS",
    "Cauchy",
    "Exponential",
    "Fixed",
    "Flat",
    "HalfCauchy",
    "HalfNormal",
    "HalfStudentT",
    "InverseGamma",
    "LogNormal",
    "Normal",
    "OnTau2",
    "Prior",
    "StudentT",
    "Truncated",
    "Uniform",
    "parse_prior",
]
