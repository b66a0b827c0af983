"""The whole main job on generated patches: data, classifier, attack, blinded study, one rehearsed reader, results.

Three studies come of it: `demo`, in which a simulated reader answers through the real pages and which is then closed
and unblinded, so that the results page has something to show; `demo-live`, open, for a visitor to read; and
`demo-visibility`, in which six simulated readers whose thresholds are known compare pairs on a ladder of levels.
"""

import io
import json
import secrets
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from django.core.management import call_command

from core.commands import JsonCommand
from core.errors import InvalidInput
from core.models import User
from model.models import Dataset
from study.models import Study

PEOPLE = {
    "reader1": User.Role.READER,
    "reader2": User.Role.READER,
    "researcher": User.Role.RESEARCHER,
    "admin": User.Role.ADMIN,
}
VISIBILITY: dict[str, Any] = {
    "threshold": ["perturbed=2.5", "noise=3"],
    "slope": 4.5,
    "threshold_sd": 0.3,
    "threshold_patch_sd": 0.4,
    "lapse": 0.02,
}
"""What is planted in the readers of `demo-visibility`: its results can be compared with it."""
FIGURES = {
    "classifier": ("demo", ("roc", "precision-recall", "calibration", "confusion")),
    "dataset": ("demo", ("roc", "precision-recall", "calibration", "confusion", "folds")),
    "attack": ("demo-linf-8", ("pairs", "saliency")),
}
"""What the demo's galleries and report show, by option of ``figure``. The slow figures of an attack, which would take
longer than these together, are left to the buttons of its gallery."""


class Command(JsonCommand):
    help = __doc__

    def add_arguments(self, parser):
        parser.add_argument("--patches", type=int, default=240)
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--port", type=int, default=8000)

    def run(self, *, patches: int, seed: int, port: int, **options: Any) -> dict[str, Any]:
        made: dict[str, Any] = {"seed": seed, "seconds": {}}
        if not Study.objects.filter(slug="demo-live").exists():
            self._compute(made, patches, seed)
        made["study"] = self._stage(made, "analyse", "analyse", "demo", quiet=True)
        address = f"http://127.0.0.1:{port}"
        made["logins"] = [
            {"name": name, "password": _password(name), "address": address + path}
            for name, path in (("reader2", "/reading/"), ("researcher", "/"), ("admin", "/"))
        ]
        return made

    def _compute(self, made: dict[str, Any], patches: int, seed: int) -> None:
        if Dataset.objects.filter(name="demo").exists():
            raise InvalidInput(
                "A data set 'demo' is left from an interrupted demo: remove var/ (or BLINDSPOT_HOME) first."
            )
        for name, role in PEOPLE.items():
            is_admin = role == User.Role.ADMIN
            User.objects.get_or_create(
                username=name, defaults={"role": role, "is_staff": is_admin, "is_superuser": is_admin}
            )
        with tempfile.TemporaryDirectory() as folder:
            made["dataset"] = self._stage(
                made, "synthesise", "synthesise", str(Path(folder) / "fold"), patches=patches, seed=seed, name="demo"
            )
        made["classifier"] = self._stage(made, "train", "train", "demo", name="demo", preset="quick", seed=seed)
        made["cross_validation"] = self._stage(
            made, "cross_validate", "cross_validate", "demo", runs=1, folds=2, epochs=8, preset="quick", seed=seed
        )
        made["attack"] = self._stage(
            made, "attack", "attack", "demo", norm="linf", budget=8, name="demo-linf-8", seed=seed
        )
        for subject, (name, figures) in FIGURES.items():
            chosen: dict[str, Any] = {subject: name}
            for figure in figures:
                self._stage(made, "figures", "figure", figure, **chosen)
        common: dict[str, Any] = {
            "attack": "demo-linf-8",
            "cases": 20,
            "copies": 2,
            "washout_hours": 0,
            "seed": seed,
            "by": "demo",
            "note": [f"This is a demonstration: its seed, {seed}, is public. Schedules depend on secret bits as well."],
        }
        made["build"] = self._stage(
            made, "build_study", "build_study", name="Demo", reader=["reader1", "reader2"], **common
        )
        made["rehearsal"] = self._stage(made, "rehearse", "rehearse", "demo", reader=["reader1"], seed=seed)
        call_command("close_study", "demo", unfinished=True, unblind=True, by="demo", json=True, stdout=io.StringIO())
        self._stage(made, "build_live", "build_study", name="Demo live", reader=["reader2"], **common)
        self._visibility(made, seed)
        self._stage(made, "measures", "measures")

    def _visibility(self, made: dict[str, Any], seed: int) -> None:
        """How small a change do readers see, and which one fools the model already?"""
        made["minimal"] = self._stage(
            made,
            "minimal",
            "minimal",
            "demo",
            norm="l2",
            name="demo-minimal-l2",
            patches=24,
            positives_only=True,
            steps=30,
            seed=seed,
        )
        cases = min(16, made["minimal"]["flipped_positives"])
        planted = f"{', '.join(VISIBILITY['threshold'])}, SD {VISIBILITY['threshold_sd']} between readers and "
        said = (
            "Its readers are simulated. Their thresholds are known (root mean squared grey levels, on the logarithm "
            f"normal): {planted}{VISIBILITY['threshold_patch_sd']} between patches."
        )
        made["visibility"] = self._stage(
            made, "build_visibility", "build_study", name="Demo visibility", attack="demo-minimal-l2", task="pair",
            ladder="adaptive", noise=True, levels=6, trials=40, cases=cases, negatives=0, copies=1, washout_hours=0,
            seed=seed, by="demo", note=[said],
        )  # fmt: skip
        self._stage(made, "rehearse_visibility", "rehearse", "demo-visibility", readers=6, seed=seed, **VISIBILITY)

    def _stage(
        self, made: dict[str, Any], title: str, command: str, *args: str, quiet: bool = False, **kwargs: Any
    ) -> dict[str, Any]:
        """Run a command as a user would, with its bars on stderr; keep its JSON and the time the stage took so far."""
        if not quiet and title not in made["seconds"]:
            print(f"== {title}", file=sys.stderr)  # noqa: T201
        started = time.perf_counter()
        out = io.StringIO()
        call_command(command, *args, json=True, stdout=out, **kwargs)
        seconds = made["seconds"].get(title, 0.0) + time.perf_counter() - started
        made["seconds"][title] = round(seconds, 1)
        return json.loads(out.getvalue())

    def as_text(self, result: dict[str, Any]) -> str:
        lines = ["", "Ready. Sign in as:"]
        for login in result["logins"]:
            lines.append(f"  {login['name']:<11} password {login['password']}   {login['address']}")
        lines.append("The researcher finds the rehearsed study's results, the reader a study to read.")
        return "\n".join(lines)


def _password(name: str) -> str:
    """A new password at every run: nothing to leak from documentation."""
    user = User.objects.get(username=name)
    password = secrets.token_urlsafe(9)
    user.set_password(password)
    user.save(update_fields=["password"])
    return password
