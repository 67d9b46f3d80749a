"""Fit a model to studies by the engine that suits, or by the one that is named."""

import math
from collections.abc import Callable
from dataclasses import replace
from numbers import Real
from typing import Literal, TypedDict, Unpack

from bayesmeta.errors import AccuracyError, ModelError, NotExactError
from bayesmeta.inference.gaussian import fit_gaussian
from bayesmeta.inference.grid import fit_grid
from bayesmeta.inference.nuts import Progress, fit_nuts, silent
from bayesmeta.inference.posterior import EngineName, Posterior
from bayesmeta.inference.sampler import SamplerName
from bayesmeta.likelihoods import NormalLikelihood
from bayesmeta.model import Model
from bayesmeta.priors import Fixed, Flat, Normal
from bayesmeta.random_effects import NormalRandomEffects, UnrelatedEffects
from bayesmeta.studies import StudyTable

type Engine = Literal["exact", "gaussian", "grid", "nuts"]

EXACT: dict[str, Callable[..., Posterior]] = {"gaussian": fit_gaussian, "grid": fit_grid}
TOL = 1e-8
_SECOND = "by the {engine} engine, as the first one did not meet the tolerance for these data"


class NutsOptions(TypedDict, total=False):
    """Options of `fit_nuts`, which has their defaults; `draws` and `tune` are per chain."""

    draws: int
    tune: int
    chains: int
    target_accept: float
    sampler: SamplerName


def fit(
    model: Model,
    studies: StudyTable,
    *,
    engine: Engine = "exact",
    tol: float = TOL,
    rng: int | None = None,
    progress: Progress = silent,
    **options: Unpack[NutsOptions],
) -> Posterior:
    """Fit a model to studies.

    Parameters
    ----------
    model : Model
    studies : StudyTable
        One comparison of one outcome.
    engine : {"exact", "nuts", "gaussian", "grid"}
        "exact" takes the quadrature that suits: "gaussian" or "grid", or the other one where that
        does not meet `tol`. "nuts" samples.
    tol : float
        Accepted numerical error; exact engines only.
    rng : int
        Seed, which "nuts" must be given; exact engines have no use for one.
    progress : Progress
        Told of the stages of a NUTS run.
    **options
        `draws`, `tune` (per chain), `chains`, `target_accept` and `sampler` ("nutpie" or "pymc"),
        for "nuts" only: see `fit_nuts`.

    Returns
    -------
    Posterior

    Raises
    ------
    ModelError
        Unknown engine, options of another engine, no seed, a `tol` that is no error, or a model
        that does not fit the data.
    StudyTableError
        The studies do not have what the likelihood needs.
    ImproperPosteriorError
        The posterior does not integrate.
    NotExactError
        No exact engine covers the model.
    AccuracyError
        An exact engine did not reach `tol`.
    SamplingError
        The sampler could not run.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> model = bm.Model(measure="OR", likelihood=bm.NormalLikelihood(),
    ...                  effect=bm.Normal(0, 2.82), heterogeneity=bm.HalfNormal(0.5))
    >>> posterior = fit(model, bm.load("bcg"))
    >>> posterior.engine, round(float(posterior.mu.mean), 4)
    ('gaussian', -0.7389)
    """
    if not isinstance(tol, Real) or not 0 < tol < math.inf:
        raise ModelError(f"tol = {tol!r} is no accepted error. Give a small number, such as 1e-6")
    if engine == "nuts":
        if rng is None:
            raise ModelError('engine="nuts" needs a seed, for draws that can be had again: rng=1')
        if tol != TOL:
            raise ModelError('tol is of the exact engines. For engine="nuts", give draws=')
        return fit_nuts(model.bind(studies), rng=rng, progress=progress, **options)
    if engine != "exact" and engine not in EXACT:
        known = ", ".join(("exact", "nuts", *EXACT))
        raise ModelError(f"Unknown engine {engine!r}. Known: {known}")
    given = [*options, *(["rng"] if rng is not None else [])]
    if given:
        raise ModelError(
            f'{", ".join(given)} cannot be given to engine="{engine}", which draws nothing. '
            'Leave them out, or use engine="nuts"'
        )
    bound = model.bind(studies)
    if engine != "exact":
        return EXACT[engine](bound, tol=tol)
    refusal: AccuracyError | None = None
    for name in supported_engines(model):
        try:
            if name in EXACT:
                posterior = EXACT[name](bound, tol=tol)
                if refusal is None:
                    return posterior
                return replace(posterior, notes=(*posterior.notes, _SECOND.format(engine=name)))
        except AccuracyError as error:  # the next one has other nodes
            refusal = refusal or error
        except NotExactError:  # of these data
            if refusal is None:
                raise
    assert refusal is not None
    raise refusal


def supported_engines(model: Model) -> tuple[EngineName, ...]:
    """Engines for a model, the first being the choice of "exact".

    The data may still rule one out: the grid needs uncorrelated studies.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> tables = bm.BinomialLikelihood(baseline=bm.Normal(0, 10))
    >>> supported_engines(bm.Model(measure="OR", likelihood=tables, effect=bm.Normal(0, 2.82),
    ...                            heterogeneity=bm.HalfNormal(0.5)))
    ('grid', 'nuts')
    """
    normal = isinstance(model.likelihood, NormalLikelihood)
    if isinstance(model.random_effects, UnrelatedEffects):
        return ("gaussian",)
    if (
        isinstance(model.random_effects, NormalRandomEffects)
        and normal
        and isinstance(model.effect, Normal | Flat | Fixed)
    ):
        return ("gaussian", "grid", "nuts")
    return ("grid", "nuts")
