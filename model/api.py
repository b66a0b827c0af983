"""Data sets, classifiers and cross-validations for programs."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api import REQUESTED, RequestedRows
from model import requests
from model.models import Classifier, CrossValidation, Dataset
from model.selectors import accuracy_and_auc, cross_validations

SEED = {"min_value": 0, "max_value": 2**32 - 1, "default": 0}


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
        return accuracy_and_auc(row)


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


class Datasets(RequestedRows):
    """Labelled patches. Importing is a job."""

    queryset = Dataset.objects.order_by("pk")
    serializer_class = DatasetSerializer
    filterset_fields = ["name", "kind"]
    parser_classes = [JSONParser, MultiPartParser, FormParser]

    @extend_schema(request=FolderOrder, responses=REQUESTED)
    def create(self, request: Request) -> Response:
        """Import a folder with labels.csv: uploaded as a zip file, or on the server."""
        return self.requested(requests.import_folder(by=request.user, **self.validated(FolderOrder)))

    @extend_schema(request=PanNukeOrder, responses=REQUESTED)
    @action(detail=False, methods=["post"])
    def pannuke(self, request: Request) -> Response:
        """Import one tissue of PanNuke's folders on the server."""
        return self.requested(requests.import_pannuke(by=request.user, **self.validated(PanNukeOrder)))


class Classifiers(RequestedRows):
    """Trained networks. Training is a job."""

    queryset = (
        Classifier.objects.select_related("dataset").defer("split", "test_probabilities", "history").order_by("pk")
    )
    serializer_class = ClassifierSerializer
    filterset_fields = ["name", "dataset__name"]

    @extend_schema(request=TrainOrder, responses=REQUESTED)
    def create(self, request: Request) -> Response:
        """Train a classifier."""
        return self.requested(requests.train(by=request.user, **self.validated(TrainOrder)))


class CrossValidations(RequestedRows):
    """Table 1a, one row per run of runs and folds."""

    queryset = cross_validations().order_by("pk")
    serializer_class = CrossValidationSerializer
    filterset_fields = ["dataset__name"]

    @extend_schema(request=CrossValidationOrder, responses=REQUESTED)
    def create(self, request: Request) -> Response:
        """Cross-validate a data set; with ``parts``, on so many workers."""
        return self.requested(requests.cross_validate(by=request.user, **self.validated(CrossValidationOrder)))
