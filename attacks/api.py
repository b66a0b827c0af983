"""Attacks, batteries of them and imported pairs for programs."""

from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from attacks import battery_requests, requests
from attacks.battery_requests import BatteryRequest, TransferRequest
from attacks.comparison_requests import ComparisonRequest, compare
from attacks.comparison_table import table_of
from attacks.models import Attack, Battery, Comparison, PairSet, Perturbation, Transfer
from attacks.requests import ATTACKS, CurvesRequest, PairsRequest
from core.incoming import StorableJSON
from jobs.api import REQUESTED, RequestedRows
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
            "steps", "l0", "l1", "l2", "linf", "ciede2000", "ms_ssim_loss", "sha256",
        )  # fmt: skip


class BatterySerializer(serializers.ModelSerializer):
    classifier = serializers.SlugRelatedField(slug_field="name", read_only=True)

    class Meta:
        model = Battery
        fields = (
            "id", "name", "classifier", "norm", "budget", "settings", "seed", "summary", "code_version", "created_at",
            "completed_at",
        )  # fmt: skip


class TransferSerializer(serializers.ModelSerializer):
    classifiers = serializers.SlugRelatedField(slug_field="name", many=True, read_only=True)

    class Meta:
        model = Transfer
        fields = (
            "id", "name", "classifiers", "norm", "budget", "settings", "seed", "summary", "code_version", "created_at",
        )  # fmt: skip


class PairSetSerializer(serializers.ModelSerializer):
    classifier = serializers.SlugRelatedField(slug_field="name", read_only=True)
    count = serializers.IntegerField(source="pairs.count", read_only=True)

    class Meta:
        model = PairSet
        fields = ("id", "name", "classifier", "width", "height", "variants", "count", "sha256", "created_at")


class ComparisonSerializer(serializers.ModelSerializer):
    first = serializers.SlugRelatedField(slug_field="name", read_only=True)
    second = serializers.SlugRelatedField(slug_field="name", read_only=True)
    table = serializers.SerializerMethodField()

    class Meta:
        model = Comparison
        fields = ("id", "name", "first", "second", "settings", "table", "code_version", "created_at", "completed_at")

    def get_table(self, row: Comparison) -> list[dict[str, Any]]:
        return table_of(row)


ANY_ATTACK = PolymorphicProxySerializer(
    component_name="AnyAttack",
    serializers={kind: declared for kind, (_, declared) in ATTACKS.items()},
    resource_type_field_name="kind",
)
"""A request for an attack of any kind."""


class Attacks(RequestedRows):
    """Recipes run on classifiers."""

    queryset = Attack.objects.select_related("classifier").order_by("pk")
    serializer_class = AttackSerializer
    filterset_fields = ["name", "classifier__name", "kind", "norm"]

    @extend_schema(request=ANY_ATTACK, responses=REQUESTED)
    def create(self, request: Request) -> Response:
        """Attack a classifier's test patches. ``kind`` says how."""
        kind = request.data.get("kind", "pgd") if hasattr(request.data, "get") else "pgd"
        if kind not in ATTACKS:
            raise serializers.ValidationError({"kind": [f"Choose one of {', '.join(ATTACKS)}."]})
        return self.requested(requests.attack(by=request.user, **self.validated(ATTACKS[kind][1])))

    @extend_schema(responses=PerturbationSerializer(many=True), filters=False)
    @action(detail=True)
    def perturbations(self, request: Request, pk: str) -> Response:
        """The result on each patch: verdicts and norms of the displayed bytes."""
        found = self.get_object().perturbations.select_related("patch").order_by("patch__index")
        page = self.paginate_queryset(found)
        return self.get_paginated_response(PerturbationSerializer(page, many=True).data)


class Batteries(RequestedRows):
    """Several attacks within one budget, and what stands against all of them."""

    queryset = Battery.objects.select_related("classifier").order_by("pk")
    serializer_class = BatterySerializer
    filterset_fields = ["name", "classifier__name", "norm"]

    @extend_schema(request=BatteryRequest, responses=REQUESTED)
    def create(self, request: Request) -> Response:
        """Attack a classifier's test patches in every way."""
        return self.requested(battery_requests.battery(by=request.user, **self.validated(BatteryRequest)))


class Transfers(RequestedRows):
    """What is made on one classifier, shown to others."""

    queryset = Transfer.objects.prefetch_related("classifiers").order_by("pk")
    serializer_class = TransferSerializer
    filterset_fields = ["name", "norm"]

    @extend_schema(request=TransferRequest, responses=REQUESTED)
    def create(self, request: Request) -> Response:
        """Make perturbations on each of several classifiers, and show them to each."""
        return self.requested(battery_requests.transfer(by=request.user, **self.validated(TransferRequest)))


class Pairs(RequestedRows):
    """Originals and altered images that another program made."""

    queryset = PairSet.objects.select_related("classifier").order_by("pk")
    serializer_class = PairSetSerializer
    filterset_fields = ["name"]
    parser_classes = [StorableJSON, MultiPartParser, FormParser]

    @extend_schema(request=PairsRequest, responses=REQUESTED)
    def create(self, request: Request) -> Response:
        """Import a folder with pairs.csv: uploaded as a zip file, or on the server."""
        return self.requested(requests.import_pairs(by=request.user, **self.validated(PairsRequest)))


class Comparisons(RequestedRows):
    """Two classifiers on the same test patches."""

    queryset = Comparison.objects.select_related("first", "second").defer("answers").order_by("pk")
    serializer_class = ComparisonSerializer
    filterset_fields = ["name"]

    @extend_schema(request=ComparisonRequest, responses=REQUESTED)
    def create(self, request: Request) -> Response:
        """Compare two classifiers."""
        return self.requested(compare(by=request.user, **self.validated(ComparisonRequest)))


class Curves(RequestedRows):
    """Success against budget of a classifier (Fig. 4)."""

    queryset = Classifier.objects.order_by("pk")

    @extend_schema(request=CurvesRequest, responses=REQUESTED)
    def create(self, request: Request, pk: str) -> Response:
        """Search the smallest perturbation for every norm."""
        return self.requested(
            requests.success_curves(classifier=self.get_object(), by=request.user, **self.validated(CurvesRequest))
        )
