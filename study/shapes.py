"""What goes in and out of the interface as JSON."""

from dataclasses import fields
from typing import Any

from rest_framework import serializers

from attacks.models import Attack, PairSet
from core.models import User
from model.api import SEED
from study import blinds as selectors
from study.conduct.forms import possible_readers
from study.models import Assignment, Study
from study.protocol import documents as protocols
from study.protocol.settings import CONSENT, CRITERION, QUESTIONS, StudySettings


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
