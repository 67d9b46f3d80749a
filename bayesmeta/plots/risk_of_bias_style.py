"""How judgements of the risk of bias look: colour, sign and hatch, so that grey print works."""

from bayesmeta.studies.risk_of_bias import Judgement

LOOKS: dict[Judgement, tuple[str, str, str, str]] = {  # colour, marker, hatch, name
    "low": ("#009E73", "+", "", "low"),
    "some": ("#F0E442", "_", "..", "some concerns"),
    "high": ("#D55E00", "x", "xx", "high"),
    "unclear": ("#FFFFFF", "$?$", "//", "unclear"),
}
