"""Studies and their readers. Nothing here names an image's arm before unblinding."""

from typing import Any

from django.http import Http404, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from core.access import IsAdminOrReads
from core.api import Conflict
from jobs.api import REQUESTED, RequestedRows
from study import blinds as selectors
from study import shapes
from study.conduct.power import power_of
from study.conduct.reminders import reminder
from study.models import Assignment, ReadingSet, Study
from study.protocol import audit_log, readers
from study.protocol import documents as protocols
from study.protocol import life as services
from study.protocol import requests as orders
from study.protocol.readers import invite
from study.reading import answers as reading
from study.results.analysis import analysis_of
from study.results.exports.registry import Source, find

CODE = OpenApiParameter("code", str, OpenApiParameter.PATH, description="The reader's pseudonym.")
ANY = OpenApiTypes.OBJECT


def _actor(request: Request) -> str:
    return request.user.get_full_name() or request.user.get_username()


class Studies(RequestedRows):
    """Blinded studies. Researchers look; admins build, freeze, open, close and unblind."""

    queryset = Study.objects.defer("protocol", "source").order_by("pk")
    serializer_class = shapes.StudySerializer
    permission_classes = [IsAdminOrReads]
    lookup_field = "slug"
    lookup_value_regex = "[-a-zA-Z0-9_]{1,60}"
    filterset_fields = ["state", "task"]

    @extend_schema(request=shapes.StudyOrder, responses=REQUESTED)
    def create(self, request: Request) -> Response:
        """Build a draft."""
        given = self.validated(shapes.StudyOrder)
        given.setdefault("settings", shapes.StudySettings())
        return self.requested(orders.study(by=request.user, **given))

    def _step(self, move: Any, **more: Any) -> Response:
        study = move(study=self.get_object(), actor=_actor(self.request), **more)
        return Response(self.get_serializer(study).data)

    @extend_schema(request=None, responses=REQUESTED)
    @action(detail=True, methods=["post"])
    def freeze(self, request: Request, slug: str) -> Response:
        """Fix the protocol and every reader's order, after every image was read and judged again."""
        return self.requested(orders.freeze(study=self.get_object(), by=request.user, actor=_actor(request)))

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def open(self, request: Request, slug: str) -> Response:
        """Let readers in."""
        return self._step(services.open_study)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def close(self, request: Request, slug: str) -> Response:
        """End the reading."""
        return self._step(services.close_study)

    @extend_schema(request=shapes.UnblindOrder)
    @action(detail=True, methods=["post"])
    def unblind(self, request: Request, slug: str) -> Response:
        """Open the arms and results. One-way and logged."""
        if self.validated(shapes.UnblindOrder)["confirm"] != slug:
            raise Conflict(f"Nothing was unblinded: confirm must be '{slug}'.")
        return self._step(services.unblind_study)

    @extend_schema(responses=ANY)
    @action(detail=True, methods=["get"])
    def protocol(self, request: Request, slug: str) -> Response:
        """The frozen protocol; without cases and orders, which name arms, until unblinding."""
        study = self._whole(slug)
        if not study.protocol_sha256:
            raise Conflict("The study is not frozen.")
        if selectors.arms_open(study):
            return Response({"protocol_sha256": study.protocol_sha256, "protocol": study.protocol})
        return Response(protocols.sealed(study))

    @extend_schema(request=None, responses=ANY)
    @action(detail=True, methods=["post"], url_path="protocol/whole")
    def whole_protocol(self, request: Request, slug: str) -> Response:
        """The whole protocol, with arms, also before unblinding. Logged."""
        study = self._whole(slug)
        if not study.protocol_sha256:
            raise Conflict("The study is not frozen.")
        if not selectors.arms_open(study):
            audit_log.record(study=study, actor=_actor(request), action="protocol_taken_out")
        return Response({"protocol_sha256": study.protocol_sha256, "protocol": study.protocol})

    def _whole(self, slug: str) -> Study:
        return get_object_or_404(Study, slug=slug)

    @extend_schema(responses=ANY)
    @action(detail=True, methods=["get"])
    def analysis(self, request: Request, slug: str) -> Response:
        """Every number of the analysis; 409 until the study is closed and unblinded."""
        return Response(analysis_of(self._whole(slug)).to_json())

    @extend_schema(
        responses={(200, "*/*"): OpenApiTypes.BINARY},
        parameters=[OpenApiParameter("filename", str, OpenApiParameter.PATH)],
    )
    def export(self, request: Request, slug: str, filename: str) -> StreamingHttpResponse:
        """One file, such as presentations.csv; 409 until the study is closed and unblinded."""
        study = self._whole(slug)
        selectors.demand_arms_open(study)
        found = find(study, filename)
        if found is None:
            raise Http404
        headers = {"Content-Disposition": f'attachment; filename="{study.slug}-{filename}"'}
        return StreamingHttpResponse(found.write(Source(study)), content_type=found.content_type, headers=headers)

    @extend_schema(parameters=[shapes.PowerQuery], responses=ANY, filters=False)
    @action(detail=False, methods=["get"], pagination_class=None, url_path="power", url_name="power")
    def power(self, request: Request) -> Response:
        """What a study of this size could show; see /plan/ for more."""
        asked = shapes.PowerQuery(data=request.query_params)
        asked.is_valid(raise_exception=True)
        return Response(power_of(asked.validated_data))


class Readers(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    """The readers of one study: invite, remind, withdraw, reopen a set."""

    queryset = Assignment.objects.select_related("reader", "study").order_by("code")
    serializer_class = shapes.SeatSerializer
    permission_classes = [IsAdminOrReads]
    lookup_field = "code"
    lookup_value_regex = "R[0-9]{2,9}"
    filterset_fields: list[str] = []

    def get_queryset(self):
        if getattr(self, "swagger_fake_view", False):
            return self.queryset.none()
        study = get_object_or_404(Study.objects.only("pk"), slug=self.kwargs["study_slug"])
        return super().get_queryset().filter(study=study)

    def _taken(self, shape: type) -> dict[str, Any]:
        given = shape(data=self.request.data)
        given.is_valid(raise_exception=True)
        return given.validated_data

    @extend_schema(request=shapes.InviteOrder, responses={201: shapes.InvitedSerializer})
    def create(self, request: Request, study_slug: str) -> Response:
        """Invite a reader by a single-use link, shown this once."""
        study = get_object_or_404(Study, slug=study_slug)
        given = self._taken(shapes.InviteOrder)
        invitation, secret = invite(study=study, actor=_actor(request), **given)
        link = request.build_absolute_uri(reverse("reading:join", args=[secret]))
        mailed = readers.send(
            assignment=invitation.assignment,
            subject=f"Invitation: {study.name}",
            text=readers.invitation_text(assignment=invitation.assignment, link=link, days=given["days"]),
            actor=_actor(request),
            action="invitation_written",
        )
        answer = {"code": invitation.assignment.code, "link": link, "mailed": mailed}
        return Response(answer, status=status.HTTP_201_CREATED)

    @extend_schema(request=None, responses=shapes.MessageSerializer)
    @action(detail=True, methods=["post"])
    def remind(self, request: Request, study_slug: str, code: str) -> Response:
        """Mail a reminder where a mail server is set; its text is returned either way."""
        seat = self.get_object()
        text = reminder(assignment=seat, address=request.build_absolute_uri("/"))
        mailed = readers.send(
            assignment=seat,
            subject=f"Reminder: {seat.study.name}",
            text=text,
            actor=_actor(request),
            action="reminded",
        )
        return Response({"text": text, "mailed": mailed})

    @extend_schema(request=shapes.WithdrawOrder, responses=shapes.SeatSerializer)
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, study_slug: str, code: str) -> Response:
        """The reader reads no more; their data are kept and marked."""
        given = self._taken(shapes.WithdrawOrder)
        seat = readers.withdraw(assignment=self.get_object(), actor=_actor(request), **given)
        return Response(self.get_serializer(seat).data)

    @extend_schema(
        request=None,
        responses=shapes.SeatSerializer,
        parameters=[OpenApiParameter("number", int, OpenApiParameter.PATH)],
    )
    @action(detail=True, methods=["post"], url_path=r"sets/(?P<number>[0-9]{1,2})/reopen")
    def reopen(self, request: Request, study_slug: str, code: str, number: str) -> Response:
        """Let the reader change the last answer of a finished set."""
        seat = self.get_object()
        reading.reopen_set(
            reading_set=get_object_or_404(ReadingSet, assignment=seat, number=int(number)), actor=_actor(request)
        )
        return Response(self.get_serializer(seat).data)
