"""Reading batteries back: the table of their attacks, the worst case over all of them, the figure. No torch here."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet

from attacks.models import Attack, Battery
from core.proportions import share_exactly


def rows_of(attacks: Sequence[Attack]) -> list[dict[str, Any]]:
    """One row per attack, in their order, from the stored perturbations.

    ``asked``: the patches that it was run on; ``flipped`` of these; ``first``: those that none before it had flipped;
    ``stand``: those that stand after it; ``withstood``: of the asked, with its exact interval.
    """
    fallen: set[int] = set()
    rows = []
    attacked = attacks[0].summary["attacked"] if attacks else 0
    for attack in attacks:
        flipped = set(attack.perturbations.filter(flipped=True).values_list("patch_id", flat=True))
        new = flipped - fallen
        fallen |= new
        asked = attack.summary["attacked"]
        rows.append(
            {
                "attack": attack.settings["member"],
                "id": attack.pk,
                "asked": asked,
                "flipped": len(flipped),
                "first": len(new),
                "stand": attacked - len(fallen),
                "withstood": share_exactly(asked - len(flipped), asked),
                "passes": attack.summary["passes"],
                "cpu_seconds": attack.summary["cpu_seconds"],
            }
        )
    return rows


def unasked_row(stand: int) -> dict[str, Any]:
    """The row of an attack that was not run, because nothing stood any more."""
    nothing = {"asked": 0, "flipped": 0, "first": 0, "withstood": share_exactly(0, 0), "passes": {}, "cpu_seconds": 0.0}
    return {"id": None, "stand": stand} | nothing


def worst_of(attacks: Sequence[Attack], patches: int) -> dict[str, Any]:
    """The robust accuracy: the share of all patches that are right and that no attack flips."""
    fallen: set[int] = set()
    for attack in attacks:
        fallen |= set(attack.perturbations.filter(flipped=True).values_list("patch_id", flat=True))
    wrong = attacks[0].summary["already_wrong"]
    return share_exactly(patches - wrong - len(fallen), patches) | {"clean": share_exactly(patches - wrong, patches)}


def batteries() -> QuerySet[Battery]:
    return Battery.objects.select_related("classifier").defer(
        "classifier__split", "classifier__test_probabilities", "classifier__history"
    )


def asked_for(battery: Battery) -> dict[str, Any]:
    """The settings that a person chose, without the hashes and lists that only identify the run."""
    words = dict(battery.settings) | {"patches": len(battery.settings.get("patches", [])), "seed": battery.seed}
    return {name: value for name, value in words.items() if not name.endswith("_sha256")}


def crossed(rows: Sequence[dict[str, Any]]) -> tuple[list[str], list[dict[str, Any]]]:
    """A transfer table's sources, and for each target its cells in their order, with ``own`` where the two are one."""
    sources = list(dict.fromkeys(row["source"] for row in rows))
    cells = {(row["target"], row["source"]): row | {"own": row["target"] == row["source"]} for row in rows}
    targets = dict.fromkeys(row["target"] for row in rows)
    return sources, [{"target": target, "cells": [cells[target, source] for source in sources]} for target in targets]


def plot_battery(battery: Battery) -> bytes:
    """An SVG: the share of all patches that stands before, after each attack and in the worst case, with exact 95 %
    intervals. Where every attack was run on every patch, what stands against each alone."""
    from core.plot_style import BLUE, GREY, VERMILION, look, new, render

    worst, alone = battery.summary["worst"], battery.settings.get("every", False)
    lines = [("Before any attack", worst["clean"])]
    for row in battery.summary["rows"]:
        stands = row["asked"] - row["flipped"] if alone else row["stand"]
        if row["asked"]:
            lines.append((row["title"], share_exactly(stands, worst["of"])))
    lines.append(("Worst case over all", worst))
    with look():
        figure = new(8.0, 0.42 * len(lines) + 1.1)
        axes = figure.subplots()
        for place, (_, one) in enumerate(lines):
            colour = {0: GREY, len(lines) - 1: VERMILION}.get(place, BLUE)
            axes.barh(place, one["share"], color=colour, alpha=0.35, height=0.6)
            spread = [[one["share"] - one["low"]], [one["high"] - one["share"]]]
            axes.errorbar(one["share"], place, xerr=spread, fmt="o", color=colour, capsize=3, markersize=4)
            axes.text(1.02, place, f"{one['count']} of {one['of']}", va="center", fontsize=9)
        axes.set_yticks(range(len(lines)), [title for title, _ in lines])
        axes.invert_yaxis()
        what = "alone" if alone else "and those above it"
        axes.set(xlim=(0, 1), xlabel=f"share of all patches that stands against this attack {what}")
        axes.grid(axis="x", alpha=0.3)
        return render(figure)
