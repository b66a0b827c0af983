"""figure NAME --out FILE: the figures of the paper, of a classifier, a cross-validation, an attack, a comparison."""

import shutil
from pathlib import Path
from typing import Any

from attacks import figures, gallery
from attacks.selectors import attack_named, classifier_named, comparison_named
from core.commands import JsonCommand
from core.errors import InvalidInput
from model.recipes import KINDS
from model.selectors import dataset_named, latest_cross_validation

OPTIONS: dict[str, dict[str, Any]] = {
    "method": {"help": "saliency: gradient, smoothgrad, gradcam; embedding: umap, pca"},
    "count": {"type": int, "help": "patches shown (pairs, saliency, universal, twins)"},
    "patches": {"type": int, "help": "patches measured (landscape, saliency-mass)"},
    "tracks": {"type": int, "help": "attacks whose way is drawn (embedding)"},
    "neighbours": {"type": int, "help": "UMAP's neighbours (embedding)"},
    "k": {"type": int, "help": "neighbours that are counted (embedding)"},
    "steps": {"type": int, "help": "points along each side of the grid (landscape)"},
    "edge": {"type": int, "help": "centre crop that the loss is taken on, 0: whole patches (landscape)"},
    "buffers": {"help": "BatchNorm's statistics: batch or final (landscape)"},
    "seed": {"type": int, "help": "of everything that is drawn (default: 0)"},
}


class Command(JsonCommand):
    help = f"Make a figure: {', '.join(gallery.RECIPES)} ({', '.join(gallery.ALIASES)} are the paper's). Made once."

    def add_arguments(self, parser):
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--attack", help="name of the attack it is about")
        parser.add_argument("--classifier", help="name of the classifier it is about")
        parser.add_argument("--comparison", help="name of the comparison it is about")
        parser.add_argument("--dataset", help="name of the data set whose last cross-validation it is about")
        parser.add_argument("--out", type=Path, help="file to write: .svg, .png or .pdf (default: only the cache)")
        parser.add_argument("--data", type=Path, help="file for the data behind it, as CSV")
        for name, option in OPTIONS.items():
            parser.add_argument(f"--{name}", **option)

    def run(
        self,
        *,
        name: str,
        attack: str | None,
        classifier: str | None,
        comparison: str | None,
        dataset: str | None,
        out: Path | None,
        data: Path | None,
        **options: Any,
    ) -> dict[str, Any]:
        kind = "png" if out is None else out.suffix.lstrip(".").lower()
        if kind not in KINDS:
            raise InvalidInput(f"--out {out}: the file's name must end in {', '.join(f'.{kind}' for kind in KINDS)}.")
        for path in (out, data):
            if path is not None and not path.resolve().parent.is_dir():
                raise InvalidInput(f"{path}: there is no folder {path.parent}.")
        subject = _subject(attack, classifier, comparison, dataset)
        chosen = {option: options[option] for option in OPTIONS}
        drawn = figures.make(name, subject, progress=self.progress(name), **chosen)
        for target, source in ((out, kind), (data, "csv")):
            if target is not None:
                shutil.copyfile(drawn.files[source], target)
        return {
            "figure": gallery.recipe_named(name).name,
            "out": str(out or drawn.files[kind]),
            "data": str(data or drawn.files["csv"]),
            "cached": not drawn.fresh,
            "caption": drawn.caption,
            "numbers": drawn.numbers,
        }


def _subject(attack: str | None, classifier: str | None, comparison: str | None, dataset: str | None) -> Any:
    if sum(value is not None for value in (attack, classifier, comparison, dataset)) != 1:
        raise InvalidInput("Name what the figure is about: one of --attack, --classifier, --comparison, --dataset.")
    if comparison is not None:
        return comparison_named(comparison)
    if attack is not None:
        return attack_named(attack)
    if classifier is not None:
        return classifier_named(classifier)
    validation = latest_cross_validation(dataset_named(str(dataset)))
    if validation is None:
        raise InvalidInput(f"No cross-validation of {dataset} is finished. Run: cross_validate {dataset}")
    return validation
