"""How the true effects vary between studies: the slot for normal, t and outlier forms."""

from dataclasses import dataclass

from bayesmeta.errors import ModelError


@dataclass(frozen=True, slots=True)
class NormalRandomEffects:
    """True effects are normal about their mean with SD tau.

    Examples
    --------
    >>> str(NormalRandomEffects())
    'normal'
    """

    def __str__(self) -> str:
        return "normal"


type RandomEffects = NormalRandomEffects

RANDOM_EFFECTS: dict[str, type[RandomEffects]] = {"normal": NormalRandomEffects}


def parse_random_effects(text: str) -> RandomEffects:
    """Read the form of the random effects from its text.

    Raises
    ------
    ModelError
        The form is not known.

    Examples
    --------
    >>> parse_random_effects("normal")
    NormalRandomEffects()
    """
    if text not in RANDOM_EFFECTS:
        known = ", ".join(RANDOM_EFFECTS)
        raise ModelError(f"Unknown form of random effects {text!r}. Known: {known}")
    return RANDOM_EFFECTS[text]()
