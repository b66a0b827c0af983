"""What goes in and out as JSON. Orders are checked again by the services that take them."""

from dataclasses import fields
from typing import Any

from rest_framework import serializers

from attacks.models import Attack, PairSet, Perturbation
from model.jobs.selectors import progress_of
from model.models import Classifier, CrossValidation, Dataset, Job
from study import office_selectors, protocols, selectors
from study.models import Assignment, Study, User
from study.study_forms import possible_readers
from study.study_settings import CONSENT, CRITERION, QUESTIONS, StudySettings

SEED = {"min_value": 0, "max_value": 2**32 - 1, "default": 0}


class JobSerializer(serializers.ModelSerializer):
    progress = serializers.SerializerMethodField()

    class Meta:
        model = Job
        fields = (
            "id", "kind", "title", "arguments", "state", "attempt", "lost", "parent", "requester", "code_version",
            "worker", "worker_code_version", "unit", "progress", "result", "error", "created_at", "started_at",
            "finished_at",
        )  # fmt: skip
        read_only_fields = fields

    def get_progress(self, job: Job) -> dict[str, Any]:
        return progress_of(job)


class DatasetSerializer(serializers.ModelSerializer):
    class Meta:
        model = Dataset
        fields = (
            "id", "name", "kind", "size", "positives", "negatives", "excluded", "source", "sha256", "code_version",
            "created_at",
        )  # fmt: skip


class ClassifierSerializer(serializers.ModelSerializer):
    dataset = serializers.SlugRelatedField(slug_field="name", read_only=True)

    class Meta:
        model = Classifier
        fields = (
            "id", "name", "dataset", "arch", "initialisation", "settings", "seed", "metrics", "weights_sha256",
            "code_version", "created_at",
        )  # fmt: skip


class CrossValidationSerializer(serializers.ModelSerializer):
    dataset = serializers.SlugRelatedField(slug_field="name", read_only=True)
    folds_done = serializers.IntegerField(source="results.count", read_only=True)
    table_1a = serializers.SerializerMethodField()

    class Meta:
        model = CrossValidation
        fields = (
            "id", "dataset", "runs", "folds", "seed", "grouped", "settings", "folds_done", "table_1a", "code_version",
            "created_at", "completed_at",
        )  # fmt: skip

    def get_table_1a(self, row: CrossValidation) -> dict[str, Any]:
        return office_selectors.spread_of(row)


class AttackSerializer(serializers.ModelSerializer):
    classifier = serializers.SlugRelatedField(slug_field="name", read_only=True)

    class Meta:
        model = Attack
        fields = (
            "id", "name", "classifier", "kind", "norm", "budget", "settings", "seed", "summary", "code_version",
            "created_at", "completed_at",
        )  # fmt: skip


class PerturbationSerializer(serializers.ModelSerializer):
    patch = serializers.CharField(source="patch.name", read_only=True)
    tumour = serializers.BooleanField(source="patch.tumour", read_only=True)
    group = serializers.CharField(source="patch.group", read_only=True)

    class Meta:
        model = Perturbation
        fields = (
            "id", "patch", "tumour", "group", "already_wrong", "flipped_float", "flipped", "prob_before", "prob_after",
            "steps", "l0", "l1", "l2", "linf", "sha256",
        )  # fmt: skip


class PairSetSerializer(serializers.ModelSerializer):
    classifier = serializers.SlugRelatedField(slug_field="name", read_only=True)
    count = serializers.IntegerField(source="pairs.count", read_only=True)

    class Meta:
        model = PairSet
        fields = ("id", "name", "classifier", "width", "height", "variants", "count", "sha256", "created_at")


class StudySerializer(serializers.ModelSerializer):
    """A study without any image's arm: what may be known while it is blinded."""

    cases = serializers.IntegerField(source="cases.count", read_only=True)
    arms = serializers.SerializerMethodField()
    progress = serializers.SerializerMethodField()

    class Meta:
        model = Study
        fields = (
            "slug", "name", "state", "task", "pair_display", "seed", "copies", "min_gap", "washout_hours", "questions",
            "criterion", "margin", "alpha", "scale", "surroundings", "cases", "arms", "progress", "protocol_sha256",
            "code_version", "created_at", "frozen_at", "opened_at", "closed_at", "unblinded_at", "unblinded_by",
        )  # fmt: skip

    def get_arms(self, study: Study) -> dict[str, int]:
        return protocols.arm_counts(study)

    def get_progress(self, study: Study) -> dict[str, int]:
        planned, answered = selectors.progress_counts(study)
        return {"planned": planned, "answered": answered}


class SeatSerializer(serializers.ModelSerializer):
    """A reader in a study: pseudonym, and how far they are."""

    username = serializers.CharField(source="reader.username", read_only=True)
    sets = serializers.SerializerMethodField()

    class Meta:
        model = Assignment
        fields = ("code", "username", "simulated", "invited_at", "consented_at", "withdrawn_at", "sets")

    def get_sets(self, seat: Assignment) -> list[dict[str, Any]]:
        rows = selectors.progress_by_reader(seat.study)
        return [
            {"set": row["set"], "planned": row["planned"], "answered": row["answered"]}
            for row in rows
            if row["reader"] == seat.code
        ]


# --- Orders -----------------------------------------------------------------------------------------------------------


class FolderOrder(serializers.Serializer):
    """Patches of a folder with labels.csv: an uploaded zip file, or a folder on the server."""

    name = serializers.CharField(max_length=100)
    size = serializers.IntegerField(min_value=32, max_value=4096, default=224)
    upload = serializers.FileField(required=False)
    folder = serializers.CharField(max_length=500, default="", allow_blank=True)


class PanNukeOrder(serializers.Serializer):
    """One tissue of PanNuke's folders on the server."""

    name = serializers.CharField(max_length=100)
    folds = serializers.ListField(child=serializers.CharField(max_length=500), min_length=1, max_length=20)
    tissue = serializers.CharField(max_length=50, default="Breast")
    size = serializers.IntegerField(min_value=32, max_value=256, default=224)


class TrainOrder(serializers.Serializer):
    name = serializers.CharField(max_length=100)
    dataset = serializers.SlugRelatedField(slug_field="name", queryset=Dataset.objects.all())
    preset_name = serializers.ChoiceField(choices=["quick", "paper"], default="quick")
    init = serializers.ChoiceField(choices=["auto", "imagenet", "random"], default="auto")
    seed = serializers.IntegerField(**SEED)


class CrossValidationOrder(serializers.Serializer):
    dataset = serializers.SlugRelatedField(slug_field="name", queryset=Dataset.objects.all())
    preset_name = serializers.ChoiceField(choices=["quick", "paper"], default="quick")
    init = serializers.ChoiceField(choices=["auto", "imagenet", "random"], default="auto")
    runs = serializers.IntegerField(min_value=1, max_value=100, default=5)
    folds = serializers.IntegerField(min_value=2, max_value=20, default=3)
    seed = serializers.IntegerField(**SEED)
    parts = serializers.IntegerField(min_value=1, max_value=64, default=1)


class AttackOrder(serializers.Serializer):
    """``parts`` deals the patches to so many workers."""

    name = serializers.CharField(max_length=100)
    classifier = serializers.SlugRelatedField(slug_field="name", queryset=Classifier.objects.all())
    kind = serializers.ChoiceField(choices=["pgd", "minimal", "universal", "natural"], default="pgd")
    norm = serializers.ChoiceField(choices=["none", "l0", "l1", "l2", "linf"], default="linf")
    budget = serializers.FloatField(min_value=0, max_value=255, allow_null=True, default=None)
    steps = serializers.IntegerField(min_value=1, max_value=10_000, default=50)
    confidence = serializers.FloatField(min_value=0, max_value=0.999999, default=0.0)
    positives_only = serializers.BooleanField(default=False)
    paper = serializers.BooleanField(default=False)
    seed = serializers.IntegerField(**SEED)
    parts = serializers.IntegerField(min_value=1, max_value=64, default=1)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if given["kind"] not in ("pgd", "universal"):
            return given | {"budget": None}
        if (given["norm"] == "none") != (not given["budget"]):
            raise serializers.ValidationError({"budget": ["A norm needs a budget above 0; 'none' has no budget."]})
        if given["norm"] == "l0" and given["budget"] > 1:
            raise serializers.ValidationError({"budget": ["For l0 the budget is a share of pixels, up to 1."]})
        return given


class PairsOrder(serializers.Serializer):
    """Pairs of a folder with pairs.csv: an uploaded zip file, or a folder on the server."""

    name = serializers.CharField(max_length=100)
    upload = serializers.FileField(required=False)
    folder = serializers.CharField(max_length=500, default="", allow_blank=True)
    classifier = serializers.SlugRelatedField(
        slug_field="name", queryset=Classifier.objects.all(), required=False, allow_null=True
    )


class SettingsSerializer(serializers.Serializer):
    """``study.study_settings.StudySettings``, with its defaults."""

    positives = serializers.IntegerField(min_value=0, max_value=100_000, default=20)
    negatives = serializers.IntegerField(min_value=0, max_value=100_000, default=0)
    copies = serializers.IntegerField(min_value=1, max_value=10, default=2)
    min_gap = serializers.IntegerField(min_value=1, max_value=10_000, default=5)
    washout_hours = serializers.FloatField(min_value=0, max_value=100_000, default=336.0)
    task = serializers.ChoiceField(choices=Study.Task.values, default=Study.Task.LABELLING)
    pair_display = serializers.ChoiceField(choices=Study.PairDisplay.values, default=Study.PairDisplay.SIDE)
    questions = serializers.ListField(child=serializers.ChoiceField(choices=QUESTIONS), default=["confidence"])
    margin = serializers.FloatField(min_value=0.001, max_value=0.999, allow_null=True, default=0.10)
    alpha = serializers.FloatField(min_value=0.0001, max_value=0.4999, default=0.025)
    scale = serializers.IntegerField(min_value=1, max_value=8, default=2)
    surroundings = serializers.ChoiceField(choices=Study.Surroundings.values, default=Study.Surroundings.DARK)
    practice = serializers.IntegerField(min_value=0, max_value=1000, default=4)
    examples = serializers.IntegerField(min_value=0, max_value=1000, default=4)
    break_every = serializers.IntegerField(min_value=0, max_value=1000, default=40)
    stratify = serializers.ChoiceField(choices=["group", "tumour_cells", "margin"], allow_null=True, default=None)
    noise = serializers.BooleanField(default=False)
    catch = serializers.IntegerField(min_value=0, max_value=1000, default=0)
    criterion = serializers.CharField(max_length=5000, default=CRITERION)
    consent_text = serializers.CharField(max_length=20_000, allow_blank=True, default=CONSENT)

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        given = super().to_internal_value(data)
        return {field.name: given[field.name] for field in fields(StudySettings)}


class StudyOrder(serializers.Serializer):
    """A draft of a study from an attack's flipped patches, or from imported pairs."""

    name = serializers.CharField(max_length=200)
    attack = serializers.SlugRelatedField(
        slug_field="name", queryset=Attack.objects.all(), required=False, allow_null=True
    )
    further_attacks = serializers.SlugRelatedField(
        slug_field="name", queryset=Attack.objects.all(), many=True, required=False
    )
    pairs = serializers.SlugRelatedField(
        slug_field="name", queryset=PairSet.objects.all(), required=False, allow_null=True
    )
    variants = serializers.ListField(child=serializers.CharField(max_length=20, allow_blank=True), required=False)
    readers = serializers.SlugRelatedField(
        slug_field="username", queryset=User.objects.none(), many=True, required=False
    )
    seed = serializers.IntegerField(**SEED)
    settings = SettingsSerializer(required=False)

    def get_fields(self) -> dict[str, Any]:
        found = super().get_fields()
        found["readers"].child_relation.queryset = possible_readers()
        return found

    def validate_settings(self, given: dict[str, Any]) -> StudySettings:
        return StudySettings(**given | {"questions": tuple(given["questions"])})


class InviteOrder(serializers.Serializer):
    username = serializers.RegexField(r"^[\w.@+-]+\Z", max_length=150)
    email = serializers.EmailField(allow_blank=True, default="")
    days = serializers.IntegerField(min_value=1, max_value=365, default=14)


class InvitedSerializer(serializers.Serializer):
    code = serializers.CharField()
    link = serializers.URLField(help_text="Shown this once; only its hash is kept.")
    mailed = serializers.BooleanField()


class WithdrawOrder(serializers.Serializer):
    reason = serializers.CharField(max_length=200, allow_blank=True, default="")


class UnblindOrder(serializers.Serializer):
    confirm = serializers.CharField(max_length=60, help_text="The study's short name: unblinding cannot be undone.")


class PowerQuery(serializers.Serializer):
    positives = serializers.IntegerField(min_value=4, max_value=2000, default=20)
    planned_readers = serializers.IntegerField(min_value=1, max_value=50, default=2)
    copies = serializers.IntegerField(min_value=1, max_value=10, default=2)
    margin = serializers.FloatField(min_value=0.01, max_value=0.5, default=0.10)
    alpha = serializers.FloatField(min_value=0.0005, max_value=0.25, default=0.025)


class MessageSerializer(serializers.Serializer):
    text = serializers.CharField()
    mailed = serializers.BooleanField()
