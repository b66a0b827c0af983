"""Attacks and imported pairs for programs."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from attacks import requests
from attacks.models import Attack, PairSet, Perturbation
from jobs.api import REQUESTED, RequestedRows
from model.api import SEED
from model.models import Classifier


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


class Attacks(RequestedRows):
    """Recipes run on classifiers."""

    queryset = Attack.objects.select_related("classifier").order_by("pk")
    serializer_class = AttackSerializer
    filterset_fields = ["name", "classifier__name", "kind", "norm"]

    @extend_schema(request=AttackOrder, responses=REQUESTED)
    def create(self, request: Request) -> Response:
        """Attack a classifier's test patches."""
        return self.requested(requests.attack(by=request.user, **self.validated(AttackOrder)))

    @extend_schema(responses=PerturbationSerializer(many=True), filters=False)
    @action(detail=True)
    def perturbations(self, request: Request, pk: str) -> Response:
        """The result on each patch: verdicts and norms of the displayed bytes."""
        found = self.get_object().perturbations.select_related("patch").order_by("patch__index")
        page = self.paginate_queryset(found)
        return self.get_paginated_response(PerturbationSerializer(page, many=True).data)


class Pairs(RequestedRows):
    """Originals and altered images that another program made."""

    queryset = PairSet.objects.select_related("classifier").order_by("pk")
    serializer_class = PairSetSerializer
    filterset_fields = ["name"]
    parser_classes = [JSONParser, MultiPartParser, FormParser]

    @extend_schema(request=PairsOrder, responses=REQUESTED)
    def create(self, request: Request) -> Response:
        """Import a folder with pairs.csv: uploaded as a zip file, or on the server."""
        return self.requested(requests.import_pairs(by=request.user, **self.validated(PairsOrder)))


class Curves(RequestedRows):
    """Success against budget of a classifier (Fig. 4)."""

    queryset = Classifier.objects.order_by("pk")

    @extend_schema(request=None, responses=REQUESTED)
    def create(self, request: Request, pk: str) -> Response:
        """Search the smallest perturbation for every norm."""
        return self.requested(requests.success_curves(classifier=self.get_object(), by=request.user))
