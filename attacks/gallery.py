"""Every figure by name, what it is made of, and whether it has been drawn: what pages, jobs and commands share.

Nothing here needs the learning libraries; ``attacks.figures.make`` draws, in a job or a command.
"""

from collections.abc import Mapping
from typing import Any

from django.db.models import Model

from attacks.models import Attack, Comparison
from attacks.selectors import flipped_rows
from core.errors import InvalidInput
from jobs.models import Job
from jobs.services import submit
from model import recipes as of_models
from model.models import Classifier, CrossValidation
from model.recipes import Recipe, StoredFigure

SUBJECTS: dict[str, type[Model]] = {
    "classifier": Classifier,
    "attack": Attack,
    "cross-validation": CrossValidation,
    "comparison": Comparison,
}
"""What figures can be made of, by the name that addresses and jobs use."""
OF_ATTACKS = {
    recipe.name: recipe
    for recipe in (
        Recipe("pairs", "Pairs with probabilities (Fig. 1)", "attack", {"count": 2, "seed": 0}),
        Recipe(
            "embedding",
            "Map of the features (Fig. 2a)",
            "attack",
            {"method": "umap", "neighbours": 15, "k": 10, "tracks": 2, "seed": 0},
        ),
        Recipe(
            "saliency",
            "Saliency before and after (Fig. 3)",
            "attack",
            {"method": "gradient", "count": 4, "seed": 0},
        ),
        Recipe(
            "saliency-mass",
            "Saliency on tumour nuclei",
            "attack",
            {"method": "gradient", "patches": 200, "seed": 0},
        ),
        Recipe("universal", "Universal perturbation (Fig. 5)", "attack", {"count": 3, "seed": 0}),
    )
}
OF_COMPARISONS = {
    recipe.name: recipe
    for recipe in (
        Recipe("twins-saliency", "Where both look, before and under attack", "comparison", {"count": 4, "seed": 0}),
        Recipe("twins-flips", "The same patches under both attacks", "comparison", {"count": 4, "seed": 0}),
    )
}
RECIPES = of_models.RECIPES | OF_ATTACKS | OF_COMPARISONS
ALIASES = {"fig1": "pairs", "fig2a": "embedding", "fig2b": "landscape", "fig3": "saliency", "fig5": "universal"}
FITS: dict[type, tuple[str, ...]] = {
    Attack: ("attack",),
    Classifier: ("classifier", "answers"),
    CrossValidation: ("cross-validation", "answers"),
    Comparison: ("comparison",),
}
"""Which kinds of figure can be made of what."""
OF_POSITIVES = ("saliency", "saliency-mass", "universal")
"""Figures that show flipped positives."""


def recipe_named(name: str) -> Recipe:
    """The figure of that name or alias, or InvalidInput naming all."""
    try:
        return RECIPES[ALIASES.get(name, name)]
    except KeyError:
        known = ", ".join([*RECIPES, *(f"{alias} = {name}" for alias, name in ALIASES.items())])
        raise InvalidInput(f"There is no figure {name!r}. There are: {known}.") from None


def recipe_fitting(name: str, subject: Model) -> Recipe:
    """The figure of that name, or InvalidInput if it is not made of such a subject."""
    recipe = recipe_named(name)
    if recipe.of not in FITS[type(subject)]:
        raise InvalidInput(f"Figure {recipe.name} is made of {_needs(recipe)}, not of {subject}.")
    return recipe


def _needs(recipe: Recipe) -> str:
    if recipe.of == "answers":
        return "a classifier or a cross-validation"
    return "an attack" if recipe.of == "attack" else f"a {recipe.of}"


def figures_of(subject: Model) -> list[Recipe]:
    """The figures that can be made of an attack, a classifier or a cross-validation."""
    return [recipe for recipe in RECIPES.values() if recipe.of in FITS[type(subject)] and _sensible(recipe, subject)]


def _sensible(recipe: Recipe, subject: Any) -> bool:
    """Leaves out what this very subject can never give."""
    if recipe.name == "universal":
        return subject.kind == Attack.Kind.UNIVERSAL
    if recipe.name == "training":
        return _was_trained(subject)
    if recipe.name == "landscape":
        return "trajectory" in subject.settings
    if recipe.name == "saliency-mass":
        return subject.classifier.dataset.patches.exclude(tumour_mask="").exists()
    return True


def _was_trained(subject: Classifier | CrossValidation) -> bool:
    """Imported networks were not trained here; folds of earlier versions did not keep their epochs."""
    if isinstance(subject, CrossValidation):
        return subject.results.filter(details__has_key="history").exists()
    return bool(subject.history)


def lacking(recipe: Recipe, subject: Any) -> str:
    """Why the figure cannot be drawn of this yet; empty where it can."""
    if isinstance(subject, Comparison):
        return "" if subject.completed_at else f"Comparison {subject} is not finished."
    if not isinstance(subject, Attack):
        return of_models.lacking(subject)
    if recipe.name in OF_POSITIVES and not flipped_rows(subject, tumour=True).exists():
        return f"Attack {subject} flipped no positive patch: there is nothing to show."
    return "" if flipped_rows(subject).exists() else f"Attack {subject} flipped no patch: there is nothing to show."


def content_of(subject: Any) -> dict[str, Any]:
    """What identifies the subject of a figure, and with its options every byte of it."""
    if isinstance(subject, Comparison):
        weights = [subject.first.weights_sha256, subject.second.weights_sha256]
        names = [subject.first.name, subject.second.name]
        return {"comparison": subject.settings_sha256, "weights": weights, "names": names}
    if not isinstance(subject, Attack):
        return of_models.content_of(subject)
    rows = subject.perturbations.order_by("patch__index").values_list("patch__sha256", "sha256", "flipped")
    return {
        "weights": subject.classifier.weights_sha256,
        "dataset": subject.classifier.dataset.sha256,
        "attack": subject.settings_sha256 or subject.settings,
        "rows": list(rows),
        "name": subject.name,
    }


def stored_figure(
    name: str, subject: Model, *, content: Mapping[str, Any] | None = None, **options: Any
) -> StoredFigure | None:
    """The figure if it has been drawn. ``content``: that of the subject, where it is at hand already."""
    recipe = recipe_named(name)
    chosen = of_models.settle_options(recipe, options)
    return of_models.stored(subject, of_models.key_of(recipe, content or content_of(subject), chosen))


def figure_jobs(kind: str, subject: Model) -> dict[str, Job]:
    """The latest job for each figure of the subject, by the figure's name; those with other options left out."""
    jobs = Job.objects.filter(kind="figure", arguments__of=kind, arguments__pk=subject.pk).defer("log").order_by("pk")
    return {job.arguments["name"]: job for job in jobs if job.arguments.keys() == {"name", "of", "pk"}}


def request_figure(*, name: str, kind: str, subject: Model, by: Any) -> Job:
    """Ask for a figure: a new job, or the one that has been asked for and has not ended."""
    waiting = figure_jobs(kind, subject).get(name)
    if waiting is not None and waiting.is_active:
        return waiting
    title = f"{RECIPES[name].title}: {subject}"
    return submit(kind="figure", arguments={"name": name, "of": kind, "pk": subject.pk}, requested_by=by, title=title)


def gallery_rows(kind: str, subject: Model) -> list[dict[str, Any]]:
    """One row per figure: ``recipe`` and ``stored``; where that is None ``reason`` (it cannot be drawn) and ``job``."""
    content, jobs = content_of(subject), figure_jobs(kind, subject)
    rows = []
    for recipe in figures_of(subject):
        row: dict[str, Any] = {"recipe": recipe, "stored": stored_figure(recipe.name, subject, content=content)}
        if row["stored"] is None:
            row |= {"reason": lacking(recipe, subject), "job": jobs.get(recipe.name)}
        rows.append(row)
    return rows
