"""Every figure by name, and what it can be made of: the one list that the command, the pages and the jobs share."""

from typing import Any

from attacks import figures as of_attacks
from attacks.models import Attack
from core.errors import InvalidInput, Progress, no_progress
from model import figures as of_models
from model.figures import Made, Recipe
from model.models import Classifier, CrossValidation

RECIPES = {recipe.name: recipe for recipe in [*of_models.RECIPES, *of_attacks.RECIPES]}
ALIASES = {"fig1": "pairs", "fig2a": "embedding", "fig2b": "landscape", "fig3": "saliency", "fig5": "universal"}
FITS: dict[type, tuple[str, ...]] = {
    Attack: ("attack",),
    Classifier: ("classifier", "answers"),
    CrossValidation: ("cross-validation", "answers"),
}
"""Which kinds of figure can be made of what. "answers" needs labels and probabilities only."""


def recipe_named(name: str) -> Recipe:
    """The figure of that name or alias, or InvalidInput naming all."""
    try:
        return RECIPES[ALIASES.get(name, name)]
    except KeyError:
        known = ", ".join([*RECIPES, *(f"{alias} = {name}" for alias, name in ALIASES.items())])
        raise InvalidInput(f"There is no figure {name!r}. There are: {known}.") from None


def figures_of(subject: Any) -> list[Recipe]:
    """The figures that can be made of an attack, a classifier or a cross-validation."""
    return [recipe for recipe in RECIPES.values() if recipe.of in FITS[type(subject)] and _sensible(recipe, subject)]


def make(name: str, subject: Any, *, progress: Progress = no_progress, **options: Any) -> Made:
    """The files of a figure, from the cache or drawn now; InvalidInput if it cannot be made of this."""
    recipe = recipe_named(name)
    if recipe.of not in FITS[type(subject)]:
        raise InvalidInput(f"Figure {recipe.name} is made of {_needs(recipe)}, not of {subject}.")
    return of_models.make(recipe, subject, content_of(subject), progress=progress, **options)


def made(name: str, subject: Any, **options: Any) -> Made | None:
    """The figure if it has been made already."""
    recipe = recipe_named(name)
    chosen = of_models.settle_options(recipe, options)
    return of_models.stored(of_models.key_of(recipe, content_of(subject), chosen))


def content_of(subject: Any) -> dict[str, Any]:
    if isinstance(subject, Attack):
        return of_attacks.content_of_attack(subject)
    if isinstance(subject, Classifier):
        return of_models.content_of_classifier(subject)
    return of_models.content_of_cross_validation(subject)


def _needs(recipe: Recipe) -> str:
    if recipe.of == "answers":
        return "a classifier or a cross-validation"
    return "an attack" if recipe.of == "attack" else f"a {recipe.of}"


def _sensible(recipe: Recipe, subject: Any) -> bool:
    """Leaves out what this very subject cannot give."""
    if recipe.name == "universal":
        return subject.kind == Attack.Kind.UNIVERSAL
    if recipe.name == "landscape":
        return "trajectory" in subject.settings
    if recipe.name == "saliency-mass":
        return subject.classifier.dataset.patches.exclude(tumour_mask="").exists()
    return True
