import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
import xarray as xr
from inference.fits import bind_effects, exact_bcg, sampled
from numpy.testing import assert_allclose, assert_array_equal
from tolerances import CLOSED

from bayesmeta.inference.fit import fit
from bayesmeta.inference.gaussian import fit_gaussian
from bayesmeta.inference.nuts import SampledJoint
from bayesmeta.inference.posterior import Posterior
from bayesmeta.likelihoods import (
    BinomialLikelihood,
    ConditionalLikelihood,
    CorrelationLikelihood,
    OneArmLikelihood,
    PoissonLikelihood,
    StudentLikelihood,
)
from bayesmeta.model import Model
from bayesmeta.priors import Fixed, Flat, HalfNormal, Normal
from bayesmeta.studies import load

BINOMIAL = BinomialLikelihood(Normal(0, 10))
Y, V = [0.1, 0.5, 0.9, -0.3], [0.04, 0.1, 0.05, 0.2]


def layout(tree: xr.DataTree) -> dict[str, dict[str, tuple[str, ...]]]:
    """Groups, their variables and the dims of each."""
    return {
        name: {str(key): array.dims for key, array in group.data_vars.items()}
        for name, group in tree.children.items()
    }


def sampled_stand_in(exact: Posterior) -> Posterior:
    """What a NUTS fit holds, made of independent draws."""
    kept = exact.joint.draw(400, np.random.default_rng(1))
    stats = {"energy": np.ones((4, 100)), "diverging": np.zeros((4, 100), dtype=bool)}
    joint = SampledJoint(bound=exact.bound, kept=kept, stats=stats)
    return replace(exact, engine="nuts", joint=joint)


@pytest.mark.parametrize("likelihood", ["normal", "binomial"])
def test_an_exact_tree_has_the_documented_groups(likelihood):
    tree = exact_bcg(likelihood).to_datatree(draws=40, rng=1)
    flat, deep = ("chain", "draw"), ("chain", "draw", "study")
    observed = {"normal": ["y"], "binomial": ["events_treated", "events_control"]}[likelihood]
    known = {"normal": ["se"], "binomial": ["n_treated", "n_control"]}[likelihood]
    assert layout(tree) == {
        "posterior": {"mu": flat, "tau": flat, "theta_new": flat, "theta": deep},
        "log_likelihood": {"studies": deep},
        "log_prior": {"mu": flat, "tau": flat},
        "prior": {"mu": flat, "tau": flat},
        "posterior_predictive": dict.fromkeys(observed, deep),
        "observed_data": dict.fromkeys(observed, ("study",)),
        "constant_data": dict.fromkeys(known, ("study",)),
    }
    assert dict(tree["posterior"].sizes) == {"chain": 4, "draw": 10, "study": 13}
    assert tree["posterior"]["study"].values[0] == "Aronson 1948"


OF_LIKELIHOODS = {  # measure, likelihood, table, what is observed, what is known
    "RR": ("RR", BINOMIAL, "crins2014", ["events_treated", "events_control"],
           ["n_treated", "n_control"]),
    "RD": ("RD", BINOMIAL, "crins2014", ["events_treated", "events_control"],
           ["n_treated", "n_control"]),
    "conditional": ("OR", ConditionalLikelihood(), "crins2014",
                    ["events_treated", "events_control"], ["n_treated", "n_control"]),
    "poisson": ("IRR", PoissonLikelihood(Normal(0, 10)), "nielweise2008",
                ["events_treated", "events_control"], ["time_treated", "time_control"]),
    "one arm": ("PLO", OneArmLikelihood(), "pritz1997", ["events"], ["n"]),
    "correlation": ("ZCOR", CorrelationLikelihood(), "molloy2014", ["r"], ["n"]),
    "means": ("MD", StudentLikelihood(), "normand1999",
              ["mean_treated", "se_treated", "mean_control", "se_control"],
              ["df_treated", "df_control"]),
    "estimates": ("GEN", StudentLikelihood(df=9), "raudenbush1985", ["mean", "se"], ["df"]),
}  # fmt: skip


@pytest.mark.parametrize(
    "name", [pytest.param(x, marks=[pytest.mark.slow] * (x == "RD")) for x in OF_LIKELIHOODS]
)
def test_the_tree_of_every_likelihood_has_every_group_with_named_dims(name):
    measure, likelihood, table, observed, known = OF_LIKELIHOODS[name]
    studies = load(table)
    studies = studies.select(arms=("IL-2RA", "control")) if table == "crins2014" else studies
    unit = {"MD": 30.0, "RD": 0.3}.get(measure, 1.0)
    model = Model(measure=measure, likelihood=likelihood, effect=Normal(0, unit),
                  heterogeneity=HalfNormal(unit / 3))  # fmt: skip
    tree = fit(model, studies.drop(*studies.studies[2:])).to_datatree(draws=40, rng=1)
    flat, deep = ("chain", "draw"), ("chain", "draw", "study")
    assert layout(tree) == {
        "posterior": {"mu": flat, "tau": flat, "theta_new": flat, "theta": deep},
        "log_likelihood": {"studies": deep},
        "log_prior": {"mu": flat, "tau": flat},
        "prior": {"mu": flat, "tau": flat},
        "posterior_predictive": dict.fromkeys(observed, deep),
        "observed_data": dict.fromkeys(observed, ("study",)),
        "constant_data": dict.fromkeys(known, ("study",)),
    }
    assert tuple(tree["posterior_predictive"]["study"].values) == studies.studies[:2]


@pytest.mark.parametrize("likelihood", ["normal", "binomial"])
def test_sampled_and_exact_trees_differ_by_the_sampler_only(likelihood):
    exact = exact_bcg(likelihood)
    of_exact = layout(exact.to_datatree(draws=40, rng=1))
    of_sampled = layout(sampled_stand_in(exact).to_datatree())
    assert set(of_sampled.pop("sample_stats")) == {"energy", "diverging"}
    assert of_sampled == of_exact


@pytest.mark.slow
@pytest.mark.nuts
@pytest.mark.parametrize("likelihood", ["normal", "binomial"])
def test_nuts_and_exact_trees_differ_by_the_sampler_only(likelihood):
    of_exact = layout(exact_bcg(likelihood).to_datatree(draws=40, rng=1))
    of_nuts = layout(sampled("bcg", likelihood).to_datatree())
    stats = set(of_nuts.pop("sample_stats"))
    assert {"diverging", "energy", "lp", "tree_depth", "reached_max_treedepth"} <= stats
    assert of_nuts == of_exact


@pytest.mark.slow
@pytest.mark.nuts
def test_a_nuts_tree_survives_a_file(tmp_path):
    tree = sampled("bcg", "normal").to_datatree()
    tree.to_netcdf(tmp_path / "posterior.nc", engine="h5netcdf")
    assert xr.load_datatree(tmp_path / "posterior.nc", engine="h5netcdf").identical(tree)
    assert tree.attrs["seed"] == "20"
    assert "nutpie" in tree.attrs["versions"]


@pytest.mark.parametrize("likelihood", ["normal", "binomial"])
def test_an_exact_tree_survives_a_file(likelihood, tmp_path):
    tree = exact_bcg(likelihood).to_datatree(draws=40, rng=1)
    tree.to_netcdf(tmp_path / "posterior.nc", engine="h5netcdf")
    assert xr.load_datatree(tmp_path / "posterior.nc", engine="h5netcdf").identical(tree)


def test_a_seed_gives_the_same_tree_again():
    exact = exact_bcg("normal")
    assert exact.to_datatree(draws=40, rng=3).identical(exact.to_datatree(draws=40, rng=3))
    other = exact.to_datatree(draws=40, rng=4)
    assert not exact.to_datatree(draws=40, rng=3).equals(other)


def test_the_root_says_what_was_fitted():
    attrs = exact_bcg("binomial").to_datatree(draws=4, rng=7).attrs
    assert attrs["model_heterogeneity"] == "half_normal(0.5)"
    assert attrs["model_baseline"] == "normal(0, 10)"
    assert (attrs["engine"], attrs["seed"], attrs["scale"]) == ("grid", "7", "log OR")
    assert json.loads(attrs["accuracy"])["tol"] == 1e-8
    assert attrs["versions"].startswith("bayesmeta ")
    evidence = exact_bcg("binomial").log_marginal_likelihood
    assert float(attrs["log_marginal_likelihood"]) == evidence


def test_variables_carry_measure_and_scale():
    tree = exact_bcg("normal").to_datatree(draws=4, rng=1)
    for name in ("mu", "tau", "theta_new", "theta"):
        assert tree["posterior"][name].attrs["measure"] == "OR"
        assert tree["posterior"][name].attrs["scale"] == "log OR"


def test_log_priors_are_the_priors_densities():
    tree = exact_bcg("normal").to_datatree(draws=40, rng=1)
    for name, prior in (("mu", Normal(0, 2.82)), ("tau", HalfNormal(0.5))):
        want = prior.logpdf(tree["posterior"][name].values)
        assert_allclose(tree["log_prior"][name], want, rtol=CLOSED)


def test_prior_draws_follow_the_prior():
    prior = exact_bcg("normal").to_datatree(draws=4000, rng=1)["prior"]
    for name, want in (("mu", Normal(0, 2.82)), ("tau", HalfNormal(0.5))):
        share = [(want.cdf(prior[name].values) < p).mean() for p in (0.1, 0.5, 0.9)]
        assert_allclose(share, [0.1, 0.5, 0.9], atol=4 * 0.5 / 4000**0.5)


def test_an_improper_prior_has_a_log_density_but_no_draws():
    tree = fit_gaussian(bind_effects(Flat(), HalfNormal(0.5), Y, V)).to_datatree(draws=40, rng=1)
    assert set(tree["prior"].data_vars) == {"tau"}
    assert_array_equal(tree["log_prior"]["mu"], np.zeros((4, 10)))


def test_two_improper_priors_leave_the_prior_out():
    tree = fit_gaussian(bind_effects(Flat(), Flat(), Y, V)).to_datatree(draws=40, rng=1)
    assert "prior" not in tree.children
    assert {"posterior", "log_likelihood", "log_prior", "observed_data"} < set(tree.children)


def test_known_values_are_constants_of_probability_one():
    tree = fit_gaussian(bind_effects(Fixed(0.2), Fixed(0.3), Y, V)).to_datatree(draws=40, rng=1)
    for name, value in (("mu", 0.2), ("tau", 0.3)):
        assert_array_equal(tree["posterior"][name], np.full((4, 10), value))
        assert_array_equal(tree["prior"][name], np.full((4, 10), value))
        assert_array_equal(tree["log_prior"][name], np.zeros((4, 10)))


def test_correlated_effects_have_no_log_likelihood_group_and_the_root_says_why():
    S = np.diag(V) + 0.01
    tree = fit_gaussian(bind_effects(Normal(0, 1), HalfNormal(0.5), Y, S)).to_datatree(draws=40)
    assert "log_likelihood" not in tree.children
    assert "correlated" in tree.attrs["log_likelihood"]


@pytest.mark.slow
def test_arviz_takes_the_tree():
    import arviz_plots
    import arviz_stats
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    mpl.use("Agg")
    tree = exact_bcg("normal").to_datatree(draws=4000, rng=1)
    summary = arviz_stats.summary(
        tree, var_names=["mu", "tau"], ci_prob=0.95, ci_kind="eti", round_to="none"
    )
    assert_allclose(
        summary.loc["mu", "eti95_lb"], exact_bcg("normal").mu.quantile(0.025), atol=0.05
    )
    loo = arviz_stats.loo(tree, reff=1.0)
    assert_allclose(loo.elpd, -14.737, atol=0.1)  # leave-one-out by 13 exact fits
    assert loo.elpd_i.dims == ("study",)
    plot = arviz_plots.plot_forest(
        tree, var_names=["mu", "theta"], combined=True, ci_probs=(0.5, 0.95), ci_kind="eti"
    )
    plt.close(plot.get_viz("figure"))


@dataclass(frozen=True, slots=True)
class WithoutReplicates:
    """A normal likelihood that draws no replicates."""

    name = "normal"

    def __str__(self) -> str:
        return "plain"


def test_a_likelihood_without_replicates_has_all_numbers_observed_and_says_so():
    exact = exact_bcg("normal")
    bound = replace(exact.bound, model=replace(exact.bound.model, likelihood=WithoutReplicates()))
    tree = replace(exact, bound=bound).to_datatree(draws=40, rng=1)
    assert "posterior_predictive" not in tree.children
    assert "constant_data" not in tree.children
    assert set(tree["observed_data"].data_vars) == {"y", "se"}
    assert "plain likelihood draws no replicates" in tree.attrs["posterior_predictive"]
