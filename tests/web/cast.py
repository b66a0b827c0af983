# ruff: noqa: E501
"""One of everything, in every state: what all addresses are tried on."""

import os
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.utils import timezone

from attacks.models import Attack, Battery, Comparison, Pair, PairSet, Perturbation, Transfer
from core.models import User
from jobs.models import Job
from model.models import Classifier, CrossValidation, Dataset, Patch
from study.models import Assignment, GuideImage, Presentation, Study
from study.protocol.life import close_study, unblind_study
from study.protocol.readers import invite
from study.results.exports.registry import exports
from tests import factories
from tests.attacks.compared import made_comparison
from tests.attacks.pair_files import pair_folder
from tests.model.judged import cross_validation, judged_classifier
from tests.pool import attacked_pool, told_battery, told_transfer

ROLES = ("stranger", "reader", "other_reader", "researcher", "admin")
STATES = ("draft", "frozen", "open", "closed", "unblinded")
"""Also the short names of five studies, none of which has an answer."""


def people() -> dict[str, User | None]:
    """One person of each role; the stranger has not signed in."""
    made: dict[str, User | None] = {"stranger": None}
    for name in ROLES[1:-1]:
        made[name] = factories.user(name, name.removeprefix("other_"))
    made["admin"] = factories.user("admin", "admin", is_staff=True, is_superuser=True)
    return made


class World:
    """Rows to name in addresses, and the people who do."""

    def __init__(self, folder: Path):
        self.people = people()
        self.secret = ""
        self._studies()
        classifier = judged_classifier()
        cross_validation(classifier)
        pool = attacked_pool(name="pool", positives=4, negatives=2)
        told_battery(pool)
        told_transfer(pool)
        made_comparison(classifier)
        call_command("import_pairs", pair_folder(folder), name="pairs", json=True, stdout=open(os.devnull, "w"))  # noqa: PTH123, SIM115
        for state in ("done", "running", "failed"):
            Job.objects.create(
                kind="figure", title="A figure", code_version="t", state=state, heartbeat_at=timezone.now(),
                arguments={"name": "roc", "of": "classifier", "pk": classifier.pk}, result=None,
            )  # fmt: skip
        self.known = self._known()
        self.keys = self._keys()

    def _studies(self) -> None:
        reader = self.people["reader"]
        assert reader is not None
        for state in STATES:
            study = factories.draft_study(slug=state, name=f"A study that is {state}", cases=3, guides=1)
            factories.services.assign_reader(study=study, reader=reader, actor="test")
            if state == "draft":
                _, self.secret = invite(study=study, username="invited", actor="test")
                continue
            factories.services.freeze_study(study=study, actor="test")
            if state == "frozen":
                continue
            factories.services.open_study(study=study, actor="test")
            now = timezone.now()
            Assignment.objects.filter(study=study).update(consented_at=now, practised_at=now)
            if state == "open":
                continue
            close_study(study=study, actor="test")
            if state == "unblinded":
                unblind_study(study=Study.objects.get(pk=study.pk), actor="Dr Test")

    def _known(self) -> dict[str, list[Any]]:
        """Values of an address's arguments that lead somewhere, the most telling one first."""
        keys = {table: list(table.objects.values_list("pk", flat=True)[:3]) for table in (
            Job, Dataset, Classifier, CrossValidation, Attack, Perturbation, Patch, PairSet, Pair, Comparison,
            Battery, Transfer,
        )}  # fmt: skip
        opened = Presentation.objects.filter(reading_set__assignment__study__slug="open")
        guide = GuideImage.objects.filter(study__slug="open").first()
        files = [export.filename for export in exports(Study.objects.get(slug="unblinded"))]
        assert guide is not None
        return {
            "pk": sorted({key for found in keys.values() for key in found}),
            "slug": list(STATES),
            "study_slug": list(STATES),
            "token": [*opened.order_by("reading_set__number", "position").values_list("token", flat=True)[:3], guide.token],
            "guide": [guide.token],
            "secret": [self.secret],
            "source": ["folder", "pannuke"],
            "which": ["original", "altered"],
            "code": ["R01"],
            "number": [1, 2],
            "kind": ["classifier", "attack", "cross-validation"],
            "name": ["open", "close", "forest", "flow", "roc", "pairs", "folds"],
            "suffix": ["svg", "png", "pdf", "csv"],
            "filename": files,
            "app_label": ["core", "study"],
            "url": ["core/"],
            "object_id": [1],
            "id": [1],
            "content_type_id": [1],
            "uidb64": ["MQ"],
        }  # fmt: skip

    def _keys(self) -> dict[str, Any]:
        """By the beginning of an address: the row that belongs there."""
        job, dataset, classifier = Job.objects.first(), Dataset.objects.first(), Classifier.objects.get(name="judged")
        attack = Attack.objects.get(name="pool")
        return {
            "/jobs/": job, "/api/v1/jobs/": job, "/datasets/": dataset, "/api/v1/datasets/": dataset,
            "/classifiers/": classifier, "/api/v1/classifiers/": classifier, "/figures/": classifier,
            "/attacks/": attack, "/api/v1/attacks/": attack, "/patches/": Patch.objects.first(),
            "/batteries/": Battery.objects.first(), "/api/v1/batteries/": Battery.objects.first(),
            "/transfers/": Transfer.objects.first(), "/api/v1/transfers/": Transfer.objects.first(),
            "/perturbed/": Perturbation.objects.first(), "/pairs/": PairSet.objects.get(),
            "/api/v1/pairs/": PairSet.objects.get(), "/pair-images/": Pair.objects.first(),
            "/api/v1/cross-validations/": CrossValidation.objects.get(),
            "/people/": self.people["reader"],
            "/comparisons/": Comparison.objects.get(), "/api/v1/comparisons/": Comparison.objects.get(),
        }  # fmt: skip

    def values(self, pattern: str, arguments: list[str], state: str) -> dict[str, Any]:
        """Arguments that show something: a study in this state, the row that belongs to the address."""
        chosen = {name: self.known.get(name, [1])[0] for name in arguments} | {"slug": state, "study_slug": state}
        if "guide/" in pattern:
            chosen["token"] = self.known["guide"][0]
        if "/results/figure/" in pattern:
            chosen["name"] = "forest"
        elif "/figures/" in pattern:
            chosen["name"] = "roc"
        row = next((row for start, row in self.keys.items() if pattern.startswith(start)), None)
        if "row" in chosen:
            inner = Pair.objects.first() if pattern.startswith("/pairs/") else self._attacked
            chosen["row"] = inner.pk if inner is not None else 1
        return chosen | ({"pk": row.pk} if row is not None else {})

    @property
    def _attacked(self) -> Perturbation | None:
        return Perturbation.objects.filter(attack__name="pool").exclude(image="").order_by("pk").first()
