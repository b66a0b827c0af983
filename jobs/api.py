"""Jobs for programs; and the answer that every request for work gets."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from core.access import in_team
from core.api import Rows
from jobs import services
from jobs.models import Job
from jobs.selectors import arguments_for, may_change, progress_of


class JobSerializer(serializers.ModelSerializer):
    progress = serializers.SerializerMethodField()
    arguments = serializers.SerializerMethodField()

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

    def get_arguments(self, job: Job) -> dict[str, Any]:
        return arguments_for(self.context["request"].user, job)


REQUESTED = {202: JobSerializer}


class RequestedRows(Rows):
    """Rows that come of jobs: ``requested`` answers a request for work with its job."""

    def requested(self, job: Job) -> Response:
        data = JobSerializer(job, context=self.get_serializer_context()).data
        headers = {"Location": reverse("api:jobs-detail", args=[job.pk], request=self.request)}
        return Response(data, status=status.HTTP_202_ACCEPTED, headers=headers)


class Jobs(Rows):
    """Work that workers do."""

    queryset = Job.objects.order_by("-pk")
    serializer_class = JobSerializer
    filterset_fields = ["state", "kind", "parent"]

    def get_queryset(self) -> QuerySet[Job]:
        rows = super().get_queryset().defer("log")
        return rows.none() if getattr(self, "swagger_fake_view", False) else in_team(self.request.user, rows)

    @extend_schema(request=None, responses=JobSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Stop within a chunk. A job that has ended stays as it is. For who asked for it, and admins."""
        return Response(self.get_serializer(services.cancel(job=self._own())).data)

    @extend_schema(request=None, responses=JobSerializer)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Try a failed or cancelled job again; finished chunks are kept. For who asked for it, and admins."""
        return Response(self.get_serializer(services.retry(job=self._own())).data)

    def _own(self) -> Job:
        job = self.get_object()
        if not may_change(self.request.user, job):
            raise PermissionDenied("Only who asked for a job and admins may do that.")
        return job
