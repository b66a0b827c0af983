"""Data, classifiers, attacks, jobs: what researchers and their programs do."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from attacks.models import Attack, PairSet
from model.jobs import services as job_services
from model.models import Classifier, CrossValidation, Dataset, Job
from study import orders
from study.api import serializers as shapes

ORDERED = {202: shapes.JobSerializer}


class Rows(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    """Reading rows; ``ordered`` answers an order with its job."""

    lookup_value_regex = "[0-9]{1,18}"

    def taken(self, shape: type) -> dict[str, Any]:
        given = shape(data=self.request.data, context=self.get_serializer_context())
        given.is_valid(raise_exception=True)
        return given.validated_data

    def ordered(self, job: Job) -> Response:
        data = shapes.JobSerializer(job, context=self.get_serializer_context()).data
        headers = {"Location": reverse("api:jobs-detail", args=[job.pk], request=self.request)}
        return Response(data, status=status.HTTP_202_ACCEPTED, headers=headers)


class Datasets(Rows):
    """Labelled patches. Importing is a job."""

    queryset = Dataset.objects.order_by("pk")
    serializer_class = shapes.DatasetSerializer
    filterset_fields = ["name", "kind"]
    parser_classes = [JSONParser, MultiPartParser, FormParser]

    @extend_schema(request=shapes.FolderOrder, responses=ORDERED)
    def create(self, request: Request) -> Response:
        """Import a folder with labels.csv: uploaded as a zip file, or on the server."""
        return self.ordered(orders.import_folder(by=request.user, **self.taken(shapes.FolderOrder)))

    @extend_schema(request=shapes.PanNukeOrder, responses=ORDERED)
    @action(detail=False, methods=["post"])
    def pannuke(self, request: Request) -> Response:
        """Import one tissue of PanNuke's folders on the server."""
        return self.ordered(orders.import_pannuke(by=request.user, **self.taken(shapes.PanNukeOrder)))


class Classifiers(Rows):
    """Trained networks. Training is a job."""

    queryset = (
        Classifier.objects.select_related("dataset").defer("split", "test_probabilities", "history").order_by("pk")
    )
    serializer_class = shapes.ClassifierSerializer
    filterset_fields = ["name", "dataset__name"]

    @extend_schema(request=shapes.TrainOrder, responses=ORDERED)
    def create(self, request: Request) -> Response:
        """Train a classifier."""
        return self.ordered(orders.train(by=request.user, **self.taken(shapes.TrainOrder)))

    @extend_schema(request=None, responses=ORDERED)
    @action(detail=True, methods=["post"])
    def curves(self, request: Request, pk: str) -> Response:
        """Success against budget for every norm (Fig. 4)."""
        return self.ordered(orders.success_curves(classifier=self.get_object(), by=request.user))


class CrossValidations(Rows):
    """Table 1a, one row per run of runs and folds."""

    queryset = CrossValidation.objects.select_related("dataset").prefetch_related("results").order_by("pk")
    serializer_class = shapes.CrossValidationSerializer
    filterset_fields = ["dataset__name"]

    @extend_schema(request=shapes.CrossValidationOrder, responses=ORDERED)
    def create(self, request: Request) -> Response:
        """Cross-validate a data set; with ``parts``, on so many workers."""
        return self.ordered(orders.cross_validate(by=request.user, **self.taken(shapes.CrossValidationOrder)))


class Attacks(Rows):
    """Recipes run on classifiers."""

    queryset = Attack.objects.select_related("classifier").order_by("pk")
    serializer_class = shapes.AttackSerializer
    filterset_fields = ["name", "classifier__name", "kind", "norm"]

    @extend_schema(request=shapes.AttackOrder, responses=ORDERED)
    def create(self, request: Request) -> Response:
        """Attack a classifier's test patches."""
        return self.ordered(orders.attack(by=request.user, **self.taken(shapes.AttackOrder)))

    @extend_schema(responses=shapes.PerturbationSerializer(many=True), filters=False)
    @action(detail=True)
    def perturbations(self, request: Request, pk: str) -> Response:
        """The result on each patch: verdicts and norms of the displayed bytes."""
        found = self.get_object().perturbations.select_related("patch").order_by("patch__index")
        page = self.paginate_queryset(found)
        return self.get_paginated_response(shapes.PerturbationSerializer(page, many=True).data)


class Pairs(Rows):
    """Originals and altered images that another program made."""

    queryset = PairSet.objects.select_related("classifier").order_by("pk")
    serializer_class = shapes.PairSetSerializer
    filterset_fields = ["name"]
    parser_classes = [JSONParser, MultiPartParser, FormParser]

    @extend_schema(request=shapes.PairsOrder, responses=ORDERED)
    def create(self, request: Request) -> Response:
        """Import a folder with pairs.csv: uploaded as a zip file, or on the server."""
        return self.ordered(orders.import_pairs(by=request.user, **self.taken(shapes.PairsOrder)))


class Jobs(Rows):
    """Work that workers do."""

    queryset = Job.objects.order_by("-pk")
    serializer_class = shapes.JobSerializer
    filterset_fields = ["state", "kind", "parent"]

    def get_queryset(self) -> QuerySet[Job]:
        return super().get_queryset().defer("log")

    @extend_schema(request=None, responses=shapes.JobSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Stop within a chunk. A job that has ended stays as it is."""
        return Response(self.get_serializer(job_services.cancel(job=self.get_object())).data)

    @extend_schema(request=None, responses=shapes.JobSerializer)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Try a failed or cancelled job again; finished chunks are kept."""
        return Response(self.get_serializer(job_services.retry(job=self.get_object())).data)
