"""Every address of the project opened once, by a process of its own that serves pages and does nothing else.

``python -m tests.every_page prepare`` fills a home with something to show; ``... open`` opens every address of
``config.urls`` there and prints what each answered and which modules the process holds by then.
"""

import importlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

HEAVY = ("torch", "torchvision", "umap", "numba", "sklearn")
"""What only workers and commands load."""


def prepare() -> None:
    """One of everything: data sets, classifiers, attacks with curves and figures, pairs, jobs, studies."""
    from django.core.management import call_command
    from django.utils import timezone

    from attacks import figures
    from attacks.models import Attack
    from attacks.selectors import summarise
    from jobs.models import Job
    from study.protocol.life import close_study
    from study.protocol.readers import invite
    from tests import factories
    from tests.attacks.compared import made_comparison, made_worst_case
    from tests.attacks.pair_files import pair_folder
    from tests.model.judged import cross_validation, finish_folds, judged_classifier
    from tests.pool import attacked_pool, told_battery, told_transfer
    from tests.study.answered import answer_all, open_study_of, unblinded

    call_command("migrate", verbosity=0)
    factories.user("boss", "admin", is_staff=True, is_superuser=True)
    classifier = judged_classifier()
    validation = cross_validation(classifier)
    finish_folds(validation, classifier)
    searched = attacked_pool(name="searched")
    searched.kind, searched.settings, searched.summary = Attack.Kind.MINIMAL, {"search": "linf"}, summarise(searched)
    searched.save()
    told_battery(searched)
    told_transfer(searched)
    for name, subject in (("roc", classifier), ("folds", validation), ("pairs", searched)):
        figures.make(name, subject)
    made_comparison(classifier)
    made_worst_case(classifier)
    with tempfile.TemporaryDirectory() as folder:
        call_command("import_pairs", pair_folder(Path(folder)), name="pairs", json=True, stdout=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    for state, kind, arguments, result in (
        ("done", "train", {"name": "judged"}, {"classifier": "judged"}),
        ("done", "figure", {"name": "roc", "of": "classifier", "pk": classifier.pk}, {"figure": "roc"}),
        ("running", "figure", {"name": "confusion", "of": "classifier", "pk": classifier.pk}, None),
        ("failed", "figure", {"name": "calibration", "of": "classifier", "pk": classifier.pk}, None),
    ):
        Job.objects.create(
            kind=kind, title=kind, code_version="t", state=state, arguments=arguments, result=result,
            heartbeat_at=timezone.now(),
        )  # fmt: skip
    factories.open_study()
    close_study(study=factories.open_study(slug="closed", readers=()), actor="test")
    answered = open_study_of(name="Answered")
    figures.make("pairs", Attack.objects.get(name="Answered"))
    answer_all(answered)
    unblinded(answered)
    invite(study=factories.draft_study(slug="draft"), username="invited", actor="test")


def routes(patterns: Any, spaces: tuple[str, ...] = (), outer: tuple[str, ...] = ()) -> Iterator[tuple[str, list[str]]]:
    """(name with its name space, names of its arguments) of every address that has a name."""
    from django.urls import URLPattern

    for entry in patterns:
        regex = getattr(entry.pattern, "regex", None)
        arguments = (*outer, *(regex.groupindex if regex else entry.pattern.converters))
        if not isinstance(entry, URLPattern):
            yield from routes(entry.url_patterns, (*spaces, entry.namespace) if entry.namespace else spaces, arguments)
        elif entry.name:
            yield ":".join([*spaces, entry.name]), list(arguments)


class Values:
    """Arguments for each address that show something."""

    def __init__(self) -> None:
        from attacks.models import Attack, Battery, Comparison, Pair, PairSet, Perturbation, Transfer
        from core.models import User
        from jobs.models import Job
        from model.models import Classifier, CrossValidation, Dataset, Patch
        from study.models import GuideImage, Presentation

        attack = Attack.objects.get(name="searched")
        self.by_kind = {
            "classifier": Classifier.objects.get(name="judged").pk,
            "attack": attack.pk,
            "cross-validation": CrossValidation.objects.get().pk,
        }
        self.drawn = {"classifier": "roc", "attack": "pairs", "cross-validation": "folds"}
        jobs = list(Job.objects.values_list("pk", flat=True))
        datasets, classifiers, attacks = (
            list(table.objects.values_list("pk", flat=True)) for table in (Dataset, Classifier, Attack)
        )
        self.pk = {
            "model:dataset": datasets, "model:patch": [Patch.objects.first().pk], "model:classifier": classifiers,
            "attacks:difference": [Perturbation.objects.first().pk], "attacks:pair_viewer": [attack.pk],
            "attacks:imported_pair": [PairSet.objects.get().pk], "attacks:pair_difference": [Pair.objects.first().pk],
            "attacks:perturbed": [Perturbation.objects.first().pk], "attacks:pair_set": [PairSet.objects.get().pk],
            "attacks:measure": [attack.pk], "attacks:pairs_measure": [PairSet.objects.get().pk],
            "attacks:pair_image": [Pair.objects.first().pk], "attacks:curve": [attack.pk],
            "attacks:curves": classifiers, "attacks:curves_new": classifiers,
            "attacks:curves_picture": [attack.classifier_id], "attacks:curves_csv": [attack.classifier_id],
            "attacks:attack": attacks, "attacks:perturbations": attacks, "attacks:table_csv": attacks,
            "people_second_factor": [User.objects.filter(is_active=True).order_by("pk").first().pk],
            "people_link": [User.objects.filter(is_active=True).order_by("pk").first().pk],
            "jobs": jobs, "api:jobs": jobs, "api:datasets": datasets,
            "api:classifiers": classifiers, "api:cross-validations": [CrossValidation.objects.get().pk],
            "attacks:worst_picture": [Attack.objects.get(name="worst").pk],
            **{f"attacks:comparison{part}": [Comparison.objects.get().pk] for part in ("", "_picture", "_csv")},
            "api:comparisons": [Comparison.objects.get().pk],
            "api:attacks": attacks,
            "attacks:battery": [Battery.objects.get().pk], "attacks:battery_svg": [Battery.objects.get().pk],
            "api:batteries": [Battery.objects.get().pk],
            "attacks:transfer": [Transfer.objects.get().pk], "api:transfers": [Transfer.objects.get().pk],
            "api:pairs": [PairSet.objects.get().pk],
        }  # fmt: skip
        first = Presentation.objects.filter(reading_set__assignment__study__slug="small").order_by("pk").first()
        self.query = {
            "attacks:compare": f"?classifier={attack.classifier_id}",
            "study:power": "?positives=20&copies=2&margin=10&alpha=0.05&planned_readers=2",
        }
        for route, beside in {
            "attacks:side_by_side": [("attack", key) for key in attacks[:3]],
            "model:classifiers_compared": [("classifier", key) for key in classifiers[:3]],
            "study:compare": [("study", slug) for slug in ("answered", "small", "draft")],
        }.items():
            self.query |= {name: f"?{urlencode(beside)}" for name in (route, f"{route}_csv")}
        self.query |= {f"attacks:compare_{kind}": self.query["attacks:compare"] for kind in ("picture", "csv")}
        self.query |= {f"attacks:{kind}difference": "?gain=4" for kind in ("", "pair_")}
        self.row = {
            "attacks:pair_viewer": Attack.objects.get(pk=attack.pk).perturbations.first().pk,
            "attacks:imported_pair": Pair.objects.first().pk,
        }
        self.presentation, self.guide = first.token, GuideImage.objects.filter(study__slug="small").first().token

    def of(self, route: str, arguments: list[str]) -> list[dict[str, Any]]:
        """Every set of arguments to open this address with."""
        if "kind" in arguments:
            return list(self._figures(arguments))
        if route.startswith("admin:"):
            return self._admin(route, arguments)
        sets: list[dict[str, Any]] = [{}]
        for argument in arguments:
            sets = [given | {argument: value} for given in sets for value in self._values(route, argument)]
        if "filename" in arguments:
            from study.models import Study
            from study.results.exports.registry import exports

            names = [export.filename for export in exports(Study.objects.get(slug="answered"))]
            sets = [{"slug": "answered", "filename": name} for name in names]
        return sets

    def _values(self, route: str, argument: str) -> list[Any]:
        if argument == "pk":
            keys = (route, route.rpartition("-")[0], route.partition(":")[0])
            return next(self.pk[key] for key in keys if key in self.pk)
        if argument == "token":
            return [self.guide if route.endswith(":guide") else self.presentation]
        studies = ["answered"] if route.startswith("results:") else ["small", "answered", "draft", "closed"]
        if route.startswith(("reading:", "preview:")):
            studies = ["small"]
        return {
            "slug": studies,
            "study_slug": ["small"],
            "source": ["folder", "pannuke"],
            "which": ["original", "altered"],
            "suffix": ["svg", "png", "pdf"],
            "row": [self.row.get(route)],
            "code": ["R01"],
            "number": [1],
            "name": ["forest", "flow"] if route == "results:figure" else ["open"],
            "filename": [""],
        }[argument]

    def _figures(self, arguments: list[str]) -> Iterator[dict[str, Any]]:
        for kind, pk in self.by_kind.items():
            given = {"kind": kind, "pk": pk}
            if "name" in arguments:
                given["name"] = self.drawn[kind]
            for suffix in ("svg", "png", "pdf", "csv") if "suffix" in arguments else ("",):
                yield given | ({"suffix": suffix} if suffix else {})

    def _admin(self, route: str, arguments: list[str]) -> list[dict[str, Any]]:
        from django.apps import apps

        if "app_label" in arguments:
            return [{"app_label": label} for label in ("core", "model", "attacks", "study")]
        if "pk" in arguments:
            return []  # pages of a package's own, for rows that are not here
        if not {"object_id", "id"} & set(arguments):
            return [{}]
        if "content_type_id" in arguments:
            return []  # leads to a page of its own only where rows have one
        password = route == "admin:auth_user_password_change"
        table = "core_user" if password else route.removeprefix("admin:").rpartition("_")[0]
        row = apps.get_model(*table.rsplit("_", 1)).objects.first()
        return [{arguments[0]: row.pk}] if row is not None else []


def open_all() -> dict[str, Any]:
    """``statuses``: what each address answered, by its route; ``heavy``: modules that ought to be absent."""
    from django.test import Client
    from django.urls import get_resolver, reverse

    from core.models import User
    from study.conduct import planner

    planner.WAIT_S = 300  # the plan itself, and not that it is being calculated
    values, people = Values(), {}
    for name in ("boss", "reader"):
        people[name] = Client(SERVER_NAME="localhost", raise_request_exception=False)
        people[name].force_login(User.objects.get(username=name))
    statuses: dict[str, dict[str, int]] = {}
    for route, arguments in routes(get_resolver().url_patterns):
        for given in values.of(route, arguments):
            address = reverse(route, kwargs=given) + values.query.get(route, "")
            who = "reader" if address.startswith("/reading/") else "boss"
            if "logout" in address or "sign-out" in address:
                continue
            answer = people[who].get(address)
            _ = answer.getvalue()  # a file is written while it is read
            answer.close()
            statuses.setdefault(route, {})[address] = answer.status_code
    return {"statuses": statuses, "heavy": sorted({name.partition(".")[0] for name in sys.modules} & set(HEAVY))}


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if sys.argv[1] == "prepare":
        import django

        django.setup()
        prepare()
    else:
        importlib.import_module("config.wsgi")  # as gunicorn does
        print(json.dumps(open_all()))  # noqa: T201
