"""The samplers: a PyMC model and settings in, chains out.

nutpie's compiled models are kept and used again for every model that is the same but for the
numbers of its studies (`reuse`); PyMC's own sampler, on request, compiles each time.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from bayesmeta.errors import ModelError, SamplingError
from bayesmeta.inference.reuse import compile_once
from bayesmeta.scales import FloatArray

if TYPE_CHECKING:
    import pymc as pm
    import xarray as xr

type SamplerName = Literal["nutpie", "pymc"]
type Starts = Mapping[str, FloatArray]
type Run = Callable[["Settings"], Trace]

_STATS = {  # ArviZ's names: those of nutpie; PyMC has ArviZ's, but for acceptance_rate
    "diverging": "diverging",
    "energy": "energy",
    "lp": "logp",
    "acceptance_rate": "mean_tree_accept",
    "n_steps": "n_steps",
    "tree_depth": "depth",
    "reached_max_treedepth": "maxdepth_reached",
    "step_size": "step_size",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a run was asked for; the names are those of `Diagnostics`.

    Raises
    ------
    ModelError
        A number is out of its range, or the seed is not an integer from 0.
    """

    seed: int
    draws: int
    tune: int
    chains: int
    target_accept: float
    sampler: SamplerName = "nutpie"

    def __post_init__(self) -> None:
        for name, least in (("seed", 0), ("draws", 1), ("tune", 1), ("chains", 1)):
            value = getattr(self, name)
            whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
            if not whole or not least <= value < 2**63:
                shown = "rng (the seed)" if name == "seed" else name
                raise ModelError(
                    f"{shown} = {value!r} cannot be used by the sampler. Give a whole number, "
                    f"{least} or larger"
                )
            object.__setattr__(self, name, int(value))
        if not 0 < self.target_accept < 1:
            raise ModelError(
                f"target_accept = {self.target_accept!r} is no acceptance rate. Give a number "
                "between 0 and 1, such as 0.9"
            )
        if self.sampler not in ("nutpie", "pymc"):
            raise ModelError(f'Unknown sampler {self.sampler!r}. Known: "nutpie", "pymc"')

    def longer(self) -> "Settings":
        """Give twice the draws and tuning steps, and a fifth of the rejections."""
        return replace(
            self,
            draws=2 * self.draws,
            tune=2 * self.tune,
            target_accept=1 - (1 - self.target_accept) / 5,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trace:
    """What a sampler gives: variables (chain, draw, ...) and statistics (chain, draw) by name."""

    draws: Mapping[str, NDArray[Any]]
    stats: Mapping[str, NDArray[Any]]


def prepare_sampler(stated: "pm.Model", starts: Starts, sampler: SamplerName) -> Run:
    """Compile a model for a sampler; the result runs it with the settings that it is given.

    Parameters
    ----------
    stated : pm.Model
    starts : mapping
        Where variables begin that must not begin at the middle of their support.
    sampler : {"nutpie", "pymc"}

    Raises
    ------
    SamplingError
        The model could not be compiled, or later: the sampler could not run.
    """
    return {"nutpie": _prepare_nutpie, "pymc": _prepare_pymc}[sampler](stated, starts)


def require_sampler() -> None:
    """Raise where PyMC or nutpie is not installed."""
    try:
        for package in ("pymc", "nutpie"):
            import_module(package)
    except ModuleNotFoundError as missing:
        raise SamplingError(
            f'engine="nuts" needs {missing.name}, which is not installed. Install it with '
            '`pip install "pymc>=6.4,<7" nutpie`; engine="exact" does without'
        ) from missing


def _prepare_nutpie(stated: "pm.Model", starts: Starts) -> Run:
    try:
        compiled = compile_once(stated, starts)
    except Exception as fault:
        raise SamplingError(f"PyMC could not compile the model: {fault}") from fault

    def run(settings: Settings) -> Trace:
        import nutpie

        tree = _guarded(
            lambda: nutpie.sample(
                compiled,
                draws=settings.draws,
                tune=settings.tune,
                chains=settings.chains,
                cores=min(settings.chains, os.cpu_count() or 1),
                seed=settings.seed,
                target_accept=settings.target_accept,
                save_warmup=False,
                progress_bar=False,
            )
        )
        return _trace(tree, _STATS)

    return run


def _prepare_pymc(stated: "pm.Model", starts: Starts) -> Run:
    def run(settings: Settings) -> Trace:
        import pymc as pm

        tree = _guarded(
            lambda: pm.sample(
                model=stated,
                draws=settings.draws,
                tune=settings.tune,
                chains=settings.chains,
                cores=1,  # several fork a process that has threads
                random_seed=settings.seed,
                nuts_sampler="pymc",
                nuts={"target_accept": settings.target_accept},
                initvals=dict(starts),
                compute_convergence_checks=False,
                progressbar=False,
                quiet=True,
            )
        )
        return _trace(tree, {name: name for name in _STATS})

    return run


def _guarded(sample: "Callable[[], xr.DataTree]") -> "xr.DataTree":
    """Run the chains; one BLAS thread each, or the chains' threads fight for the cores."""
    from threadpoolctl import threadpool_limits

    try:
        with threadpool_limits(1):
            return sample()
    except Exception as fault:
        reason = " ".join(str(fault).partition("Stack backtrace")[0].split())
        raise SamplingError(f"The sampler could not run: {reason}") from fault


def _trace(tree: "xr.DataTree", names: Mapping[str, str]) -> Trace:
    """Take own arrays out of a tree, which may be set read-only."""
    draws, stats = (tree[group].to_dataset() for group in ("posterior", "sample_stats"))
    return Trace(
        draws={str(name): np.array(draws[name].values) for name in draws.data_vars},
        stats={name: np.array(stats[theirs].values) for name, theirs in names.items()},
    )
