"""The model's figures for the report: those of the study's attack and classifier, as they were drawn."""

import shlex
from base64 import b64encode
from typing import Any

from attacks import gallery
from attacks.models import Attack
from study.models import Study

WANTED = ("roc", "calibration", "landscape", "pairs", "saliency", "saliency-mass", "embedding", "universal")


def model_figures(study: Study) -> dict[str, list[dict[str, Any]]]:
    """``drawn``: title, caption and PNG (a data: address) of each; ``missing``: title, and the command that draws it.

    Nothing is drawn here: a web process does not load the network. The attack is found by name and counts only if its
    classifier still has the weights that the study recorded; without it there is nothing to show, and {} is returned.
    """
    described = study.source.get("attack") or {}
    weights = (study.source.get("classifier") or {}).get("weights_sha256")
    attack = Attack.objects.select_related("classifier__dataset").filter(name=described.get("name", "")).first()
    if attack is None or attack.classifier.weights_sha256 != weights:
        return {}
    figures: dict[str, list[dict[str, Any]]] = {"drawn": [], "missing": []}
    for kind, subject in (("classifier", attack.classifier), ("attack", attack)):
        for row in gallery.gallery_rows(kind, subject):
            if row["recipe"].name in WANTED:
                _sort_in(figures, kind, subject, row)
    return figures


def _sort_in(figures: dict[str, list[dict[str, Any]]], kind: str, subject: Any, row: dict[str, Any]) -> None:
    recipe, stored = row["recipe"], row["stored"]
    if stored is not None:
        picture = b64encode(stored.files["png"].read_bytes()).decode()
        address = f"data:image/png;base64,{picture}"
        shown = {"title": recipe.title, "caption": stored.caption, "address": address, "wide": stored.wide}
        figures["drawn"].append(shown)
    elif not row["reason"]:
        command = f"manage.py figure {recipe.name} --{kind} {shlex.quote(subject.name)}"
        figures["missing"].append({"title": recipe.title, "command": command})
