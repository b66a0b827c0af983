"""The model's figures for the report: those of the study's attack and classifier that have been made already."""

from base64 import b64encode
from typing import Any

from attacks.models import Attack
from study.models import Study

WANTED = ("roc", "calibration", "pairs", "saliency", "saliency-mass", "embedding", "universal", "landscape")


def model_figures(study: Study) -> list[dict[str, str]]:
    """Title, caption and PNG (a data: address) of each; nothing is computed here, for a report must not take minutes.

    The attack is found by name and counts only if its classifier still has the weights that the study recorded.
    """
    described = study.source.get("attack") or {}
    weights = (study.source.get("classifier") or {}).get("weights_sha256")
    attack = Attack.objects.select_related("classifier__dataset").filter(name=described.get("name", "")).first()
    if attack is None or attack.classifier.weights_sha256 != weights:
        return []
    from attacks import gallery  # brings torch

    found = []
    for name in WANTED:
        recipe = gallery.RECIPES[name]
        subject: Any = attack if recipe.of == "attack" else attack.classifier
        made = gallery.made(name, subject)
        if made is not None:
            picture = b64encode(made.files["png"].read_bytes()).decode()
            found.append(
                {"title": recipe.title, "caption": made.caption, "address": f"data:image/png;base64,{picture}"}
            )
    return found
