"""Drawing the figures of attacks, in jobs and commands only: pairs (Fig. 1), feature map (Fig. 2a), saliency (Fig. 3),
universal perturbation (Fig. 5).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from attacks import comparison_figures, gallery
from attacks.engine import attack as run_attack
from attacks.engine.display import chw, hwc
from attacks.models import Attack, Comparison, Perturbation
from attacks.selectors import attacked_patches, displayed_pixels, flipped_rows, gain_of
from core.errors import InvalidInput, Progress, no_progress
from core.measures import named
from model import figures as of_models
from model.figures import Draw, Drawn
from model.learning import embedding, saliency
from model.learning.plots import interpretation as plots
from model.learning.plots import spaces
from model.learning.plots.interpretation import Pair
from model.models import Patch
from model.recipes import StoredFigure
from model.selectors import dataset_arrays, tumour_masks
from model.stored_network import stored_network

SETTINGS = ("steps", "step_rule", "step_size", "loss", "confidence", "rounding", "random_start")
LONGEST_TRACK = 40
"""Points of a track: each costs an attack of that many steps, for the engine does not keep what it passes through."""


def drawn_lots(rows: Sequence[Any], count: int, seed: int) -> list[Any]:
    """``count`` of the rows by the seed, in their order: shown patches are drawn, not picked."""
    chosen = np.random.default_rng(seed).permutation(len(rows))[:count]
    return [rows[row] for row in sorted(chosen.tolist())]


def pairs_of(attack: Attack, rows: Sequence[Perturbation]) -> list[Pair]:
    originals = dataset_arrays(attack.classifier.dataset, [row.patch_id for row in rows])
    return [
        Pair(
            name=row.patch.name,
            original=original,
            perturbed=displayed_pixels(row),
            before=row.prob_before,
            after=row.prob_after,
            tumour=row.patch.tumour,
        )
        for row, original in zip(rows, originals, strict=True)
    ]


def _row_table(rows: Sequence[Perturbation]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "patch": row.patch.name,
            "tumour": row.patch.tumour,
            "p_tumour_before": row.prob_before,
            "p_tumour_after": row.prob_after,
            **{norm: getattr(row, norm) for norm in ("l0", "l1", "l2", "linf")},
        }
        for row in rows
    )


def _what(attack: Attack) -> str:
    budget = "" if attack.budget is None else f", budget {attack.budget:g}"
    return f"{attack.name} ({named(attack.norm)}{budget}) on {attack.classifier.name}"


def _about_gain(gain: int) -> str:
    return f"Differences are times {gain} around mid-grey, as in every figure of this attack."


# --- Figure 1 ---


def _pairs(attack: Attack, options: Mapping[str, Any], progress: Progress) -> Drawn:
    """Half positives, half negatives where both were flipped."""
    positive, negative = (list(flipped_rows(attack, tumour)) for tumour in (True, False))
    some = min(options["count"] // 2, len(negative))
    rows = drawn_lots(positive, options["count"] - some, options["seed"]) + drawn_lots(negative, some, options["seed"])
    title = _what(attack)
    gain = gain_of(attack)
    figure = plots.pairs_figure(pairs_of(attack, rows), title, gain=gain)
    caption = f"{title}: patches drawn by seed {options['seed']} from {len(positive) + len(negative)} flipped ones. "
    caption += _about_gain(gain)
    return Drawn(figure, _row_table(rows), {"shown": len(rows), "gain": gain}, caption)


# --- Figure 3 ---


def _saliency(attack: Attack, options: Mapping[str, Any], progress: Progress) -> Drawn:
    rows = drawn_lots(list(flipped_rows(attack, True)), options["count"], options["seed"])
    pairs = pairs_of(attack, rows)
    before, after = _maps(attack, pairs, options, progress)
    title = f"{_what(attack)}"
    gain, method = gain_of(attack), METHODS[options["method"]]
    figure = plots.saliency_figure(pairs, before, after, method, "the tumour score", title, gain=gain)
    caption = f"{title}: saliency of the tumour score before and after, one colour scale. {_about_gain(gain)}"
    return Drawn(figure, _row_table(rows), {"shown": len(rows), "gain": gain}, caption)


METHODS = {
    "gradient": "largest |gradient| over channels",
    "smoothgrad": "SmoothGrad, largest |gradient| over channels",
    "gradcam": "Grad-CAM",
}


def _maps(
    attack: Attack, pairs: Sequence[Pair], options: Mapping[str, Any], progress: Progress
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Saliency of the tumour score before and after, each (n, h, w)."""
    network = stored_network(attack.classifier)
    both = np.stack([pair.original for pair in pairs] + [pair.perturbed for pair in pairs])
    maps = saliency.saliency(network, both, 1, method=options["method"], seed=options["seed"], progress=progress)
    return maps[: len(pairs)], maps[len(pairs) :]


def _mass(attack: Attack, options: Mapping[str, Any], progress: Progress) -> Drawn:
    """The number beside Fig. 3: does saliency leave the tumour nuclei?"""
    rows = drawn_lots(list(flipped_rows(attack, True)), options["patches"], options["seed"])
    masks = tumour_masks(attack.classifier.dataset, [row.patch_id for row in rows])
    before, after = _maps(attack, pairs_of(attack, rows), options, progress)
    summary = saliency.mass_shift(before, after, masks, seed=options["seed"])
    was, now = saliency.mass_inside(before, masks), saliency.mass_inside(after, masks)
    table = pd.DataFrame(
        {
            "patch": [row.patch.name for row in rows],
            "inside_before": was,
            "inside_after": now,
            "area_inside": masks.mean((1, 2)),
        }
    )
    title = _what(attack)
    caption = (
        f"{title}: share of the map's total ({METHODS[options['method']]}) inside the nuclei that the reference masks "
        f"outline, {summary['n']} flipped positives; 95 % bootstrap interval over patches, seed {options['seed']}."
    )
    return Drawn(plots.mass_figure(was, now, summary, title), table, summary, caption)


# --- Figure 2a ---


def _embedding(attack: Attack, options: Mapping[str, Any], progress: Progress) -> Drawn:
    """The test patches, what became of the flipped ones, and the tracks that some of them took."""
    network = stored_network(attack.classifier)
    dataset, ids = attack.classifier.dataset, attack.classifier.split["test"]
    truth = dict(Patch.objects.filter(pk__in=ids).values_list("id", "tumour"))
    positive = np.array([truth[patch] for patch in ids])
    rows = list(flipped_rows(attack))
    moved_positive = np.array([row.patch.tumour for row in rows])
    images = np.concatenate([dataset_arrays(dataset, ids), np.stack([displayed_pixels(row) for row in rows])])
    vectors = embedding.features(network, images, progress=progress)
    originals, moved = vectors[: len(ids)], vectors[len(ids) :]
    called = embedding.called_positive(network, originals)  # the paper's four kinds are the model's
    projection = embedding.Projection(
        vectors, method=options["method"], seed=options["seed"], neighbours=options["neighbours"]
    )
    place, place_moved = projection.points[: len(ids)], projection.points[len(ids) :]
    groups = {
        "true positive": place[positive & called],
        "true negative": place[~positive & ~called],
        "false positive": place[~positive & called],
        "false negative": place[positive & ~called],
        "adversarial negative": place_moved[moved_positive],
        "adversarial positive": place_moved[~moved_positive],
    }
    tracks = []
    for row in drawn_lots(_trackable(attack, rows), options["tracks"], options["seed"]):
        steps = embedding.features(network, track_images(attack, row))
        tracks.append((row.patch.name, projection.project(steps)))
    numbers: dict[str, Any] = {"explained_variance": projection.explained} if projection.explained else {}
    if moved_positive.any():
        numbers["company"] = embedding.company(
            moved[moved_positive], originals, ~positive & ~called, k=options["k"], seed=options["seed"]
        )
    title = _what(attack)
    figure = spaces.embedding_figure(
        groups, [track for _, track in tracks], method=options["method"], explained=projection.explained, title=title
    )
    return Drawn(figure, _embedding_table(groups, tracks), numbers, _embedding_caption(title, options, numbers))


def _embedding_table(groups: Mapping[str, Any], tracks: Sequence[tuple[str, Any]]) -> pd.DataFrame:
    frames = [pd.DataFrame(points, columns=["x", "y"]).assign(kind=name) for name, points in groups.items()]
    for name, track in tracks:
        frames.append(pd.DataFrame(track, columns=["x", "y"]).assign(kind="track", patch=name, step=range(len(track))))
    return pd.concat(frames, ignore_index=True)


def _embedding_caption(title: str, options: Mapping[str, Any], numbers: Mapping[str, Any]) -> str:
    found = numbers.get("company")
    words = f"{title}: {options['method'].upper()} of the features that enter the head, seed {options['seed']}."
    if found:
        words += (
            f" Of the {found['k']} nearest unperturbed patches of an adversarial negative, on average "
            f"{100 * found['true_negatives_nearby']:.0f} % are true negatives (95 % interval "
            f"{100 * found['low']:.0f} to {100 * found['high']:.0f}; {100 * found['chance']:.0f} % of all are)."
        )
    return words


def _trackable(attack: Attack, rows: Sequence[Perturbation]) -> list[Perturbation]:
    """Flipped positives of gradient descent with a few steps; a single step makes no track."""
    if attack.kind != Attack.Kind.PGD:
        return []
    positives = [row for row in rows if row.patch.tumour and row.steps >= 1]
    return [row for row in positives if 3 <= row.steps <= LONGEST_TRACK] or positives


def track_images(attack: Attack, row: Perturbation) -> NDArray[np.uint8]:
    """What the attack showed the network on the way, uint8 (steps, h, w, 3): the original first, the stored bytes last.

    Descent is deterministic, so that an attack cut off after k steps stands where the whole one stood after k.
    """
    original = dataset_arrays(attack.classifier.dataset, [row.patch_id])
    images, labels = chw(original), [int(row.patch.tumour)]
    network = stored_network(attack.classifier)
    settings = {name: attack.settings[name] for name in SETTINGS if name in attack.settings}
    limit = settings.pop("steps", row.steps)
    counts = range(1, min(row.steps, limit))
    if settings.get("step_rule") == "sparse":  # its steps depend on how many there may be: cut off, it walks elsewhere
        counts = range(0)
    patches = attacked_patches(attack.classifier, positives_only=attack.settings.get("positives_only", False))
    first = [patch.pk for patch in patches].index(row.patch_id)  # a random start is that of the image's number
    if len(counts) > LONGEST_TRACK:
        counts = np.unique(np.linspace(1, row.steps - 1, LONGEST_TRACK).round().astype(int)).tolist()
    between = [
        hwc(
            run_attack(
                network,
                images,
                labels,
                norm=attack.norm,
                budget=attack.budget,
                seed=attack.seed,
                steps=int(count),
                first=first,
                warn=False,
                **settings,
            ).displayed
        )[0]
        for count in counts
    ]
    return np.stack([original[0], *between, displayed_pixels(row)])


# --- Figure 5 ---


def universal_delta(pairs: Sequence[Pair]) -> NDArray[np.int16]:
    """The one perturbation, int16 (h, w, 3), from patches that carry it.

    Where a pixel is near black or white its change is cut short, never lengthened: the largest change is the whole one.
    """
    changes = np.stack([pair.perturbed.astype(np.int16) - pair.original for pair in pairs])
    largest = np.abs(changes).argmax(0)
    return np.take_along_axis(changes, largest[None], 0)[0]


def _universal(attack: Attack, options: Mapping[str, Any], progress: Progress) -> Drawn:
    if attack.kind != Attack.Kind.UNIVERSAL:
        raise InvalidInput(f"Attack {attack} is not universal. Make one with: universal {attack.classifier}")
    rows = list(flipped_rows(attack))
    delta = universal_delta(pairs_of(attack, rows[:64]))
    shown = drawn_lots(list(flipped_rows(attack, True)), options["count"], options["seed"])
    title = _what(attack)
    figure = plots.universal_figure(delta, pairs_of(attack, shown), title)
    numbers = {"max": int(np.abs(delta).max()), "rms": float(np.sqrt(np.mean(np.square(delta, dtype=float))))}
    caption = f"{title}: one perturbation on patches that it was not made on, drawn by seed {options['seed']}."
    return Drawn(figure, _row_table(shown), numbers, caption)


DRAW: dict[str, Draw] = {
    "pairs": _pairs,
    "embedding": _embedding,
    "saliency": _saliency,
    "saliency-mass": _mass,
    "universal": _universal,
}
"""How each figure of ``attacks.gallery.OF_ATTACKS`` is drawn."""


def make(name: str, subject: Any, *, progress: Progress = no_progress, **options: Any) -> StoredFigure:
    """The files of any figure, as they are stored or drawn now; InvalidInput if it cannot be drawn of this."""
    recipe = gallery.recipe_fitting(name, subject)
    reason = gallery.lacking(recipe, subject)
    if reason:
        raise InvalidInput(reason)
    if isinstance(subject, Attack):
        content = gallery.content_of(subject)
        return of_models.stored_or_drawn(recipe, DRAW[recipe.name], subject, content, progress=progress, **options)
    if isinstance(subject, Comparison):
        draw, content = comparison_figures.DRAW[recipe.name], gallery.content_of(subject)
        return of_models.stored_or_drawn(recipe, draw, subject, content, progress=progress, **options)
    return of_models.make(recipe.name, subject, progress=progress, **options)
