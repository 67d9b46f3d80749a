"""How judgements of the risk of bias look: colour, sign and hatch, so that grey print works."""

from bayesmeta.studies.risk_of_bias import Judgement

LOOKS: dict[Judgement, tuple[str, str, str, str]] = {  # colour, sign, hatch, name
    "low": ("#009E73", "+", "", "low"),
    "some": ("#F0E442", "–", "..", "some concerns"),
    "high": ("#D55E00", "×", "xx", "high"),
    "unclear": ("#FFFFFF", "?", "//", "unclear"),
}
