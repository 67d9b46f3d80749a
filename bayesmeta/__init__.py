"""Meta-analysis by three independent roads: exact posterior, NUTS and frequentist, side by side.

Names are loaded when they are first used: importing the package costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from bayesmeta import plots as plots

if TYPE_CHECKING:
    from bayesmeta.checks.bridge import Bridge as Bridge
    from bayesmeta.checks.bridge import bridge as bridge
    from bayesmeta.checks.certify import Certificate as Certificate
    from bayesmeta.checks.certify import certify as certify
    from bayesmeta.checks.crosscheck import CrossCheck as CrossCheck
    from bayesmeta.checks.crosscheck import crosscheck as crosscheck
    from bayesmeta.comparison import Comparison as Comparison
    from bayesmeta.comparison import Outcome as Outcome
    from bayesmeta.comparison import Sampling as Sampling
    from bayesmeta.comparison import read_comparison as read_comparison
    from bayesmeta.comparison import write_comparison as write_comparison
    from bayesmeta.effects import MEASURES as MEASURES
    from bayesmeta.effects import Effects as Effects
    from bayesmeta.effects import Measure as Measure
    from bayesmeta.effects import compute_effects as compute_effects
    from bayesmeta.errors import AccuracyError as AccuracyError
    from bayesmeta.errors import BayesmetaError as BayesmetaError
    from bayesmeta.errors import BayesmetaWarning as BayesmetaWarning
    from bayesmeta.errors import ComparisonError as ComparisonError
    from bayesmeta.errors import DesignError as DesignError
    from bayesmeta.errors import ImproperPosteriorError as ImproperPosteriorError
    from bayesmeta.errors import ModelError as ModelError
    from bayesmeta.errors import MomentError as MomentError
    from bayesmeta.errors import NotEstimableError as NotEstimableError
    from bayesmeta.errors import NotExactError as NotExactError
    from bayesmeta.errors import Problem as Problem
    from bayesmeta.errors import PublishedRowError as PublishedRowError
    from bayesmeta.errors import SamplingError as SamplingError
    from bayesmeta.errors import StudyTableError as StudyTableError
    from bayesmeta.frequentist import METHODS as METHODS
    from bayesmeta.frequentist import PooledEstimate as PooledEstimate
    from bayesmeta.frequentist import Reference as Reference
    from bayesmeta.frequentist import pool as pool
    from bayesmeta.frequentist.bias.fail_safe import FailSafeN as FailSafeN
    from bayesmeta.frequentist.bias.fail_safe import fail_safe_n as fail_safe_n
    from bayesmeta.frequentist.bias.report import BiasReport as BiasReport
    from bayesmeta.frequentist.bias.report import look_for_bias as look_for_bias
    from bayesmeta.frequentist.bias.selection import SelectionModel as SelectionModel
    from bayesmeta.frequentist.bias.selection import selection_model as selection_model
    from bayesmeta.frequentist.bias.small_study import ASYMMETRY_TESTS as ASYMMETRY_TESTS
    from bayesmeta.frequentist.bias.small_study import SmallStudyTest as SmallStudyTest
    from bayesmeta.frequentist.bias.small_study import SmallStudyTests as SmallStudyTests
    from bayesmeta.frequentist.bias.small_study import small_study_tests as small_study_tests
    from bayesmeta.frequentist.bias.trim_fill import TrimFill as TrimFill
    from bayesmeta.frequentist.bias.trim_fill import trim_and_fill as trim_and_fill
    from bayesmeta.frequentist.influence.deletion import Refits as Refits
    from bayesmeta.frequentist.influence.deletion import cumulative as cumulative
    from bayesmeta.frequentist.influence.deletion import leave_one_out as leave_one_out
    from bayesmeta.frequentist.influence.measures import Baujat as Baujat
    from bayesmeta.frequentist.influence.measures import Influence as Influence
    from bayesmeta.frequentist.influence.measures import baujat as baujat
    from bayesmeta.frequentist.influence.measures import influence as influence
    from bayesmeta.frequentist.influence.predicted import Blups as Blups
    from bayesmeta.frequentist.influence.predicted import blups as blups
    from bayesmeta.inference.average import ModelAverage as ModelAverage
    from bayesmeta.inference.average import average as average
    from bayesmeta.inference.bayes_factor import BayesFactor as BayesFactor
    from bayesmeta.inference.bayes_factor import bayes_factor as bayes_factor
    from bayesmeta.inference.fit import fit as fit
    from bayesmeta.inference.fit import supported_engines as supported_engines
    from bayesmeta.inference.natural_mean import NaturalMean as NaturalMean
    from bayesmeta.inference.natural_mean import natural_mean as natural_mean
    from bayesmeta.inference.posterior import Posterior as Posterior
    from bayesmeta.likelihoods import LIKELIHOODS as LIKELIHOODS
    from bayesmeta.likelihoods import BinomialLikelihood as BinomialLikelihood
    from bayesmeta.likelihoods import ConditionalLikelihood as ConditionalLikelihood
    from bayesmeta.likelihoods import CorrelationLikelihood as CorrelationLikelihood
    from bayesmeta.likelihoods import NormalLikelihood as NormalLikelihood
    from bayesmeta.likelihoods import OneArmLikelihood as OneArmLikelihood
    from bayesmeta.likelihoods import OwnLikelihood as OwnLikelihood
    from bayesmeta.likelihoods import PoissonLikelihood as PoissonLikelihood
    from bayesmeta.likelihoods import StudentLikelihood as StudentLikelihood
    from bayesmeta.model import Model as Model
    from bayesmeta.printed import Printed as Printed
    from bayesmeta.priors import PRIORS as PRIORS
    from bayesmeta.priors import Cauchy as Cauchy
    from bayesmeta.priors import Exponential as Exponential
    from bayesmeta.priors import Fixed as Fixed
    from bayesmeta.priors import Flat as Flat
    from bayesmeta.priors import HalfCauchy as HalfCauchy
    from bayesmeta.priors import HalfNormal as HalfNormal
    from bayesmeta.priors import HalfStudentT as HalfStudentT
    from bayesmeta.priors import InverseGamma as InverseGamma
    from bayesmeta.priors import LogNormal as LogNormal
    from bayesmeta.priors import Normal as Normal
    from bayesmeta.priors import OnTau2 as OnTau2
    from bayesmeta.priors import Prior as Prior
    from bayesmeta.priors import StudentT as StudentT
    from bayesmeta.priors import Truncated as Truncated
    from bayesmeta.priors import Uniform as Uniform
    from bayesmeta.priors import parse_prior as parse_prior
    from bayesmeta.published.audit import Audit as Audit
    from bayesmeta.published.audit import audit as audit
    from bayesmeta.published.audited import AuditedRow as AuditedRow
    from bayesmeta.published.audited import Finding as Finding
    from bayesmeta.published.audited import read_p as read_p
    from bayesmeta.published.posterior import from_published as from_published
    from bayesmeta.published.publications import audit_publication as audit_publication
    from bayesmeta.published.recompute import recompute as recompute
    from bayesmeta.published.reconstruct import reconstruct as reconstruct
    from bayesmeta.published.reconstruction import Reconstruction as Reconstruction
    from bayesmeta.published.results import PublishedResult as PublishedResult
    from bayesmeta.published.results import available_published as available_published
    from bayesmeta.published.results import load_published as load_published
    from bayesmeta.published.row import PublishedRow as PublishedRow
    from bayesmeta.random_effects import NormalRandomEffects as NormalRandomEffects
    from bayesmeta.random_effects import OutlierRandomEffects as OutlierRandomEffects
    from bayesmeta.random_effects import StudentRandomEffects as StudentRandomEffects
    from bayesmeta.random_effects import UnrelatedEffects as UnrelatedEffects
    from bayesmeta.run import run_comparison as run_comparison
    from bayesmeta.studies import Reading as Reading
    from bayesmeta.studies import StudyTable as StudyTable
    from bayesmeta.studies import available as available
    from bayesmeta.studies import load as load
    from bayesmeta.studies import load_frame as load_frame
    from bayesmeta.studies import read_studies as read_studies

__version__ = "0.1.0"

_NAMES = {
    "bayesmeta.checks.bridge": (
        "Bridge",
        "bridge",
    ),
    "bayesmeta.checks.certify": (
        "Certificate",
        "certify",
    ),
    "bayesmeta.checks.crosscheck": (
        "CrossCheck",
        "crosscheck",
    ),
    "bayesmeta.published.recompute": ("recompute",),
    "bayesmeta.published.reconstruct": ("reconstruct",),
    "bayesmeta.published.reconstruction": ("Reconstruction",),
    "bayesmeta.published.audit": (
        "Audit",
        "audit",
    ),
    "bayesmeta.published.audited": (
        "AuditedRow",
        "Finding",
        "read_p",
    ),
    "bayesmeta.published.publications": ("audit_publication",),
    "bayesmeta.published.results": (
        "PublishedResult",
        "available_published",
        "load_published",
    ),
    "bayesmeta.published.posterior": ("from_published",),
    "bayesmeta.published.row": ("PublishedRow",),
    "bayesmeta.comparison": (
        "Comparison",
        "Outcome",
        "Sampling",
        "read_comparison",
        "write_comparison",
    ),
    "bayesmeta.effects": (
        "MEASURES",
        "Effects",
        "Measure",
        "compute_effects",
    ),
    "bayesmeta.errors": (
        "AccuracyError",
        "BayesmetaError",
        "BayesmetaWarning",
        "ComparisonError",
        "DesignError",
        "ImproperPosteriorError",
        "ModelError",
        "MomentError",
        "NotEstimableError",
        "NotExactError",
        "Problem",
        "PublishedRowError",
        "SamplingError",
        "StudyTableError",
    ),
    "bayesmeta.frequentist": (
        "METHODS",
        "PooledEstimate",
        "Reference",
        "pool",
    ),
    "bayesmeta.frequentist.bias.report": (
        "BiasReport",
        "look_for_bias",
    ),
    "bayesmeta.frequentist.influence.deletion": (
        "Refits",
        "cumulative",
        "leave_one_out",
    ),
    "bayesmeta.frequentist.bias.fail_safe": (
        "FailSafeN",
        "fail_safe_n",
    ),
    "bayesmeta.frequentist.influence.measures": (
        "Baujat",
        "Influence",
        "baujat",
        "influence",
    ),
    "bayesmeta.frequentist.influence.predicted": (
        "Blups",
        "blups",
    ),
    "bayesmeta.frequentist.bias.selection": (
        "SelectionModel",
        "selection_model",
    ),
    "bayesmeta.frequentist.bias.small_study": (
        "ASYMMETRY_TESTS",
        "SmallStudyTest",
        "SmallStudyTests",
        "small_study_tests",
    ),
    "bayesmeta.frequentist.bias.trim_fill": (
        "TrimFill",
        "trim_and_fill",
    ),
    "bayesmeta.inference.average": (
        "ModelAverage",
        "average",
    ),
    "bayesmeta.inference.bayes_factor": (
        "BayesFactor",
        "bayes_factor",
    ),
    "bayesmeta.inference.fit": (
        "fit",
        "supported_engines",
    ),
    "bayesmeta.inference.natural_mean": (
        "NaturalMean",
        "natural_mean",
    ),
    "bayesmeta.inference.posterior": ("Posterior",),
    "bayesmeta.likelihoods": (
        "LIKELIHOODS",
        "BinomialLikelihood",
        "ConditionalLikelihood",
        "CorrelationLikelihood",
        "NormalLikelihood",
        "OneArmLikelihood",
        "OwnLikelihood",
        "PoissonLikelihood",
        "StudentLikelihood",
    ),
    "bayesmeta.model": ("Model",),
    "bayesmeta.printed": ("Printed",),
    "bayesmeta.priors": (
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
    ),
    "bayesmeta.random_effects": (
        "NormalRandomEffects",
        "OutlierRandomEffects",
        "StudentRandomEffects",
        "UnrelatedEffects",
    ),
    "bayesmeta.run": ("run_comparison",),
    "bayesmeta.studies": (
        "Reading",
        "StudyTable",
        "available",
        "load",
        "load_frame",
        "read_studies",
    ),
}
_HOMES = {name: home for home, names in _NAMES.items() for name in names}

__all__ = sorted([*_HOMES, "plots"])


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'bayesmeta' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
