"""Data sets, classifiers and cross-validations for programs."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from core.incoming import StorableJSON
from jobs.api import REQUESTED, RequestedRows
from model import requests
from model.import_requests import ImportClassifierRequest, import_network
from model.models import Classifier, CrossValidation, Dataset
from model.requests import CrossValidationRequest, PanNukeRequest, PatchesRequest, TrainRequest
from model.selectors import accuracy_and_auc, cross_validations


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


class Datasets(RequestedRows):
    """Labelled patches. Importing is a job."""

    queryset = Dataset.objects.order_by("pk")
    serializer_class = DatasetSerializer
    filterset_fields = ["name", "kind"]
    parser_classes = [StorableJSON, MultiPartParser, FormParser]

    @extend_schema(request=PatchesRequest, responses=REQUESTED)
    def create(self, request: Request) -> Response:
        """Import a folder with labels.csv: uploaded as a zip file, or on the server."""
        return self.requested(requests.import_folder(by=request.user, **self.validated(PatchesRequest)))

    @extend_schema(request=PanNukeRequest, responses=REQUESTED)
    @action(detail=False, methods=["post"])
    def pannuke(self, request: Request) -> Response:
        """Import one tissue of PanNuke's folders on the server."""
        return self.requested(requests.import_pannuke(by=request.user, **self.validated(PanNukeRequest)))


class Classifiers(RequestedRows):
    """Trained networks, and imported ones. Training and importing are jobs."""

    queryset = (
        Classifier.objects.select_related("dataset").defer("split", "test_probabilities", "history").order_by("pk")
    )
    serializer_class = ClassifierSerializer
    filterset_fields = ["name", "dataset__name"]
    parser_classes = [StorableJSON, MultiPartParser, FormParser]

    @extend_schema(request=TrainRequest, responses=REQUESTED)
    def create(self, request: Request) -> Response:
        """Train a classifier."""
        return self.requested(requests.train(by=request.user, **self.validated(TrainRequest)))

    @extend_schema(request=ImportClassifierRequest, responses=REQUESTED)
    @action(detail=False, methods=["post"], url_path="import", url_name="import")
    def import_(self, request: Request) -> Response:
        """Import a network: its file is uploaded, with what the file does not say. Nothing is unpickled."""
        return self.requested(import_network(by=request.user, **self.validated(ImportClassifierRequest)))


class CrossValidations(RequestedRows):
    """Table 1a, one row per run of runs and folds."""

    queryset = cross_validations().order_by("pk")
    serializer_class = CrossValidationSerializer
    filterset_fields = ["dataset__name"]

    @extend_schema(request=CrossValidationRequest, responses=REQUESTED)
    def create(self, request: Request) -> Response:
        """Cross-validate a data set; with ``parts``, on so many workers."""
        return self.requested(requests.cross_validate(by=request.user, **self.validated(CrossValidationRequest)))
