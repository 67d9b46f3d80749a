"""Examples of every prior, by its name in the registry."""

from bayesmeta.priors import PRIORS, parse_prior

FORMULA = 1e-12  # the same formula in another program: rounding, and nothing else

EXAMPLES = {
    "normal": ("normal(0, 2.82)", "normal(-1.5, 0.1)"),
    "student_t": ("student_t(4, 0.3, 2)", "student_t(1, 0, 1)", "student_t(1000, 0, 1)"),
    "cauchy": ("cauchy(0.5, 0.4)",),
    "flat": ("flat",),
    "fixed": ("fixed(0)", "fixed(-0.3)"),
    "uniform": ("uniform(0, 5)", "uniform(-1, 0.5)"),
    "half_normal": ("half_normal(0.5)",),
    "half_cauchy": ("half_cauchy(0.3)",),
    "half_student_t": ("half_student_t(3, 0.7)", "half_student_t(0.5, 1)"),
    "exponential": ("exponential(0.4)",),
    "log_normal": ("log_normal(-1.07, 0.87)",),
    "inverse_gamma": ("inverse_gamma(2.5, 0.3)", "inverse_gamma(0.5, 1)"),
    "truncated": (
        "truncated(normal(0, 1), 0, inf)",
        "truncated(normal(0, 1), 8, inf)",
        "truncated(cauchy(1, 1), -inf, -0.5)",
        "truncated(student_t(3, 0, 1), -1, 2)",
        "truncated(half_student_t(3, 1), 0.5, inf)",
        "truncated(log_normal(0, 1), -1, 3)",
    ),
    "on_tau2": (
        "on_tau2(log_normal(-2.14, 1.74))",
        "on_tau2(uniform(3, 5))",
        "on_tau2(truncated(student_t(3, 0, 1), 0, inf))",
        "on_tau2(flat)",
        "on_tau2(fixed(3))",
    ),
}
PRIOR_TEXTS = [text for name in PRIORS for text in EXAMPLES[name]]
CONTINUOUS = [text for text in PRIOR_TEXTS if "flat" not in text and "fixed" not in text]


def bulk(text):
    """Six points of the bulk of a continuous prior, from its quantiles."""
    return parse_prior(text).quantile([1e-3, 0.1, 0.4, 0.6, 0.9, 0.999])
