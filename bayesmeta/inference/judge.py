"""How a NUTS run is judged."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayesmeta.inference.posterior import Diagnostics
from bayesmeta.inference.sampler import Settings
from bayesmeta.scales import FloatArray

RHAT_LIMIT = 1.01  # Vehtari et al. (2021)
ESS_LIMIT = 400.0  # the same: 100 for each of 4 chains
BFMI_LIMIT = 0.3  # Betancourt (2016)
TAILS = (0.05, 0.95)  # quantiles that the tail ESS is about


def judge_run(
    chains: Mapping[str, FloatArray],
    stats: Mapping[str, NDArray[Any]],
    *,
    settings: Settings,
    seconds: float,
) -> Diagnostics:
    """Judge a run by the usual limits; what cannot be computed has failed.

    Parameters
    ----------
    chains : mapping
        Name of each unknown -> its draws (chain, draw).
    stats : mapping
        The sampler's `diverging`, `energy` and `reached_max_treedepth`, (chain, draw).

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021), rank-normalised split R-hat and ESS;
    Betancourt (2016), BFMI.
    """
    from arviz_stats.base import array_stats

    names, values = list(chains), np.stack(list(chains.values()))
    with np.errstate(all="ignore"):  # 0/0 of a stuck chain: nan, which fails
        rhat = array_stats.rhat(values, chain_axis=1, draw_axis=2, method="rank")
        bulk = array_stats.ess(values, chain_axis=1, draw_axis=2, method="bulk")
        tail = array_stats.ess(values, chain_axis=1, draw_axis=2, method="tail", prob=TAILS)
        energy = stats["energy"]
        bfmi = float(np.min((np.diff(energy) ** 2).mean(axis=1) / energy.var(axis=1)))
    divergences, deep = (int(stats[k].sum()) for k in ("diverging", "reached_max_treedepth"))
    failures = []
    worst = int(np.argmax(rhat))  # nan counts as the largest, and as the smallest below
    if values.shape[1] == 1:
        failures.append("one chain cannot show that it has converged (no R-hat): give 2 or more")
    elif not np.isfinite(rhat[worst]):
        failures.append(f"the chains of {names[worst]} are stuck or not finite (no R-hat)")
    elif rhat[worst] > RHAT_LIMIT:
        failures.append(f"R-hat {rhat[worst]:.3f} of {names[worst]} is above {RHAT_LIMIT}")
    for kind, ess in (("bulk", bulk), ("tail", tail)):
        least = int(np.argmin(ess))
        if not ess[least] >= ESS_LIMIT:
            failures.append(f"{kind} ESS {ess[least]:.0f} of {names[least]} is below {ESS_LIMIT:g}")
    if not bfmi >= BFMI_LIMIT:
        failures.append(f"BFMI {bfmi:.2f} is below {BFMI_LIMIT}: the tails are not well explored")
    if divergences:
        failures.append(f"{divergences} divergent transitions; a larger target_accept may help")
    if deep:
        failures.append(f"{deep} transitions reached the greatest tree depth")
    return Diagnostics(
        rhat=float(rhat[worst]),
        ess_bulk=float(np.min(bulk)),
        ess_tail=float(np.min(tail)),
        bfmi=bfmi,
        divergences=divergences,
        max_depth=deep,
        seconds=seconds,
        failures=tuple(failures),
        **asdict(settings),
    )
