"""What tables of each kind hold: keys of their rows, number columns, and words for them."""

from bayesmeta.studies.layouts import LayoutKind

SETS = ("comparison", "solution")  # columns that tell apart rows of one study, arm and outcome

KEYS: dict[LayoutKind, tuple[str, ...]] = {
    "binary": ("study", "arm", "outcome"),
    "means": ("study", "arm", "outcome"),
    "rates": ("study", "arm", "outcome"),
    "single": ("study", "outcome"),
    "single_rates": ("study", "outcome"),
    "paired": ("study", "outcome"),
    "paired arms": ("study", "arm", "outcome"),
    "correlation": ("study", "outcome"),
    "contrast": ("study", "outcome"),
}
NUMBERS: dict[LayoutKind, tuple[str, ...]] = {
    "binary": ("events", "n"),
    "means": ("mean", "sd", "n"),
    "rates": ("events", "time"),
    "single": ("events", "n"),
    "single_rates": ("events", "time"),
    "paired": ("mean_post", "sd_post", "mean_pre", "sd_pre", "n", "r"),
    "paired arms": ("mean_post", "sd_post", "mean_pre", "sd_pre", "n", "r"),
    "correlation": ("r", "n"),
    "contrast": ("estimate", "se", "variance"),
}
HELD: dict[LayoutKind, str] = {
    "binary": "counts",
    "means": "means",
    "rates": "events and person-time",
    "single": "counts of one group",
    "single_rates": "events and person-time of one group",
    "paired": "two measurements of the same persons",
    "paired arms": "two measurements of the same persons in two arms",
    "correlation": "correlations",
    "contrast": "contrasts",
}
MEASURED_BY: dict[LayoutKind, str] = {
    "binary": "counts, such as OR",
    "means": "means, such as MD",
    "rates": "rates, such as IRR",
    "single": "one group, such as PLO",
    "single_rates": "rates of one group, such as IRLN",
    "paired": "two measurements of the same persons, such as MC",
    "paired arms": "two measurements of the same persons, such as MC",
    "correlation": "correlations, such as ZCOR",
    "contrast": "contrasts, such as GEN",
}
