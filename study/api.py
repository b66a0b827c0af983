"""Studies and their readers. Nothing here names an image's arm before unblinding."""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from core.access import IsAdminOrReads, in_team, is_admin
from core.api import Conflict, Rows
from core.pages import actor
from core.passwords import demand_password
from jobs.api import REQUESTED, RequestedRows
from study import blinds as selectors
from study.conduct.power import power_of
from study.conduct.reminders import reminder, subject_of
from study.models import Assignment, Invitation, ReadingSet, Study
from study.protocol import audit_log, readers, requests
from study.protocol import documents as protocols
from study.protocol import life as services
from study.protocol.drafts import delete_draft
from study.protocol.preregistration import as_markdown
from study.protocol.reader_table import invitations_in
from study.protocol.readers import invite
from study.protocol.requests import (
    CloseRequest,
    FreezeRequest,
    InviteRequest,
    InviteTableRequest,
    PowerQuery,
    ReopenRequest,
    StudyRequest,
    TeamRequest,
    UnblindRequest,
    WashoutRequest,
    WithdrawRequest,
)
from study.reading import sets
from study.results.analysis import analysis_of
from study.results.exports.registry import Source, find
from study.results.verified import verification_of

ANY = OpenApiTypes.OBJECT


class StudySerializer(serializers.ModelSerializer):
    """A study without any image's arm: what may be known while it is blinded."""

    cases = serializers.IntegerField(source="cases.count", read_only=True)
    arms = serializers.SerializerMethodField()
    seed = serializers.SerializerMethodField(help_text="Null until unblinding.", allow_null=True)
    schedule_secret = serializers.SerializerMethodField(
        help_text="What schedules are drawn from besides the seed; null until unblinding.", allow_null=True
    )
    notes = serializers.SerializerMethodField(
        help_text="What was decided at building where nothing was asked for, and warnings, such as of too few groups."
    )
    progress = serializers.SerializerMethodField()
    team = serializers.CharField(source="team.name", default=None, read_only=True, allow_null=True)

    class Meta:
        model = Study
        fields = (
            "slug", "name", "state", "task", "pair_display", "exposure_ms", "microns_per_pixel", "ladder", "trials",
            "identical", "ladders", "seed", "schedule_secret", "copies", "arm_order", "min_gap", "washout_hours",
            "questions", "criterion", "margin", "margin_rationale", "alpha", "floor_tpf", "floor_d_prime",
            "stopping_rule", "scale", "size_mm",
            "surroundings", "tell_altered", "contact", "cases", "arms", "notes", "progress",
            "protocol_sha256", "code_version", "created_at", "frozen_at", "opened_at", "closed_at", "unblinded_at",
            "unblinded_by", "team",
        )  # fmt: skip

    def get_seed(self, study: Study) -> int | None:
        return study.seed if selectors.arms_open(study) else None

    def get_schedule_secret(self, study: Study) -> str | None:
        return selectors.disclosed_secret(study) if selectors.arms_open(study) else None

    def get_arms(self, study: Study) -> dict[str, int]:
        return protocols.arm_counts(study)

    def get_notes(self, study: Study) -> list[str]:
        return protocols.notes(study)

    def get_progress(self, study: Study) -> dict[str, int]:
        planned, answered = selectors.progress_counts(study)
        return {"planned": planned, "answered": answered}


class ReaderSerializer(serializers.ModelSerializer):
    """A reader in a study: pseudonym, and how far they are."""

    username = serializers.SerializerMethodField(help_text="For admins; null for researchers.")
    sets = serializers.SerializerMethodField()

    class Meta:
        model = Assignment
        fields = ("code", "username", "simulated", "invited_at", "consented_at", "withdrawn_at", "sets")

    def get_username(self, assignment: Assignment) -> str | None:
        return assignment.reader.get_username() if is_admin(self.context["request"].user) else None

    def get_sets(self, assignment: Assignment) -> list[dict[str, Any]]:
        rows = selectors.progress_by_reader(assignment.study)
        return [
            {"set": row["set"], "planned": row["planned"], "answered": row["answered"]}
            for row in rows
            if row["reader"] == assignment.code
        ]


class InvitedSerializer(serializers.Serializer):
    code = serializers.CharField()
    link = serializers.URLField(help_text="Shown this once; only its hash is kept.")
    mailed = serializers.BooleanField()


class MessageSerializer(serializers.Serializer):
    text = serializers.CharField()
    mailed = serializers.BooleanField()


class Studies(RequestedRows):
    """Blinded studies. Researchers look; admins build, freeze, open, close and unblind."""

    queryset = Study.objects.defer("protocol").order_by("pk")
    serializer_class = StudySerializer
    permission_classes = [IsAdminOrReads]
    lookup_field = "slug"
    lookup_value_regex = "[-a-zA-Z0-9_]{1,60}"
    filterset_fields = ["state", "task"]

    def get_queryset(self) -> QuerySet[Study]:
        rows = super().get_queryset()
        return rows.none() if getattr(self, "swagger_fake_view", False) else in_team(self.request.user, rows)

    @extend_schema(request=StudyRequest, responses=REQUESTED)
    def create(self, request: Request) -> Response:
        """Build a draft."""
        return self.requested(requests.study(by=request.user, **self.validated(StudyRequest)))

    def _step(self, move: Any, **more: Any) -> Response:
        study = move(study=self.get_object(), actor=actor(self.request), **more)
        return Response(self.get_serializer(study).data)

    @extend_schema(request=FreezeRequest, responses=REQUESTED)
    @action(detail=True, methods=["post"])
    def freeze(self, request: Request, slug: str) -> Response:
        """Fix the protocol and every reader's order, after every image was read and judged again."""
        demand_password(request, self.validated(FreezeRequest)["password"])
        return self.requested(requests.freeze(study=self.get_object(), by=request.user, actor=actor(request)))

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def open(self, request: Request, slug: str) -> Response:
        """Let readers in."""
        return self._step(services.open_study)

    @extend_schema(request=CloseRequest)
    @action(detail=True, methods=["post"])
    def close(self, request: Request, slug: str) -> Response:
        """End the reading. Where readers are unfinished they are named, and ``unfinished`` must be true."""
        return self._step(services.close_study, **self.validated(CloseRequest))

    @extend_schema(request=TeamRequest)
    @action(detail=True, methods=["post"])
    def team(self, request: Request, slug: str) -> Response:
        """Give the study to another team, or to every researcher (null)."""
        return self._step(services.change_team, **self.validated(TeamRequest))

    @extend_schema(request=StudyRequest, responses=REQUESTED)
    @action(detail=True, methods=["post"])
    def rebuild(self, request: Request, slug: str) -> Response:
        """Build a draft again from other settings. Its address and its readers stay."""
        draft = self.get_object()
        return self.requested(requests.study(by=request.user, draft=draft, **self.validated(StudyRequest)))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, slug: str) -> Response:
        """Delete a draft. The log keeps what was done."""
        delete_draft(study=self.get_object(), actor=actor(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=UnblindRequest)
    @action(detail=True, methods=["post"])
    def unblind(self, request: Request, slug: str) -> Response:
        """Open the arms and results. One-way and logged."""
        asked = self.validated(UnblindRequest)
        demand_password(request, asked["password"])
        if asked["confirm"] != slug:
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
            return Response(protocols.disclosed(study))
        return Response(protocols.sealed(study))

    @extend_schema(responses={(200, "text/markdown"): OpenApiTypes.STR})
    @action(detail=True, methods=["get"], url_path="protocol/text")
    def protocol_text(self, request: Request, slug: str) -> HttpResponse:
        """The frozen protocol as Markdown for a registry, without arms, orders and seeds; 409 for a draft."""
        return HttpResponse(as_markdown(self._whole(slug)), content_type="text/markdown; charset=utf-8")

    @extend_schema(request=None, responses=ANY)
    @action(detail=True, methods=["post"], url_path="protocol/whole")
    def whole_protocol(self, request: Request, slug: str) -> Response:
        """The whole protocol, with arms, also before unblinding. Logged."""
        study = self._whole(slug)
        if not study.protocol_sha256:
            raise Conflict("The study is not frozen.")
        if not selectors.arms_open(study):
            audit_log.record(study=study, actor=actor(request), action="protocol_taken_out")
        return Response({"protocol_sha256": study.protocol_sha256, "protocol": study.protocol})

    @extend_schema(responses=ANY)
    @action(detail=True, methods=["get"])
    def verification(self, request: Request, slug: str) -> Response:
        """Whether the study is what was fixed, answered and logged, and where its log stands.

        Until unblinding a problem's row is named, and not what is wrong with it: that may name an arm.
        """
        study = self._whole(slug)
        return Response(verification_of(study).to_json(blinded=not selectors.arms_open(study)))

    def _whole(self, slug: str) -> Study:
        return get_object_or_404(selectors.studies_for(self.request.user), slug=slug)

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
        return StreamingHttpResponse(Source(study).write(found), content_type=found.content_type, headers=headers)

    @extend_schema(parameters=[PowerQuery], responses=ANY, filters=False)
    @action(detail=False, methods=["get"], pagination_class=None, url_path="power", url_name="power")
    def power(self, request: Request) -> Response:
        """What a study of this size could show; see /plan/ for more."""
        asked = PowerQuery(data=request.query_params)
        asked.is_valid(raise_exception=True)
        return Response(power_of(asked.validated_data))


class Readers(Rows):
    """The readers of one study: invite, remind, withdraw, reopen a set."""

    queryset = Assignment.objects.select_related("reader", "study").order_by("code")
    serializer_class = ReaderSerializer
    permission_classes = [IsAdminOrReads]
    lookup_field = "code"
    lookup_value_regex = "R[0-9]{2,9}"
    filterset_fields: list[str] = []

    def get_queryset(self):
        if getattr(self, "swagger_fake_view", False):
            return self.queryset.none()
        known = selectors.studies_for(self.request.user).only("pk")
        study = get_object_or_404(known, slug=self.kwargs["study_slug"])
        return super().get_queryset().filter(study=study)

    @extend_schema(request=InviteRequest, responses={201: InvitedSerializer})
    def create(self, request: Request, study_slug: str) -> Response:
        """Invite a reader by a single-use link, shown this once."""
        study = get_object_or_404(Study, slug=study_slug)
        made = invite(study=study, actor=actor(request), **self.validated(InviteRequest))
        return Response(self._invited(*made), status=status.HTTP_201_CREATED)

    @extend_schema(request=InviteTableRequest, responses={201: InvitedSerializer(many=True)})
    @action(detail=False, methods=["post"], pagination_class=None)
    def table(self, request: Request, study_slug: str) -> Response:
        """Invite everybody of a CSV file, or nobody where a line is wrong."""
        study = get_object_or_404(Study, slug=study_slug)
        asked, key = self.validated(InviteTableRequest), readers.new_key()
        rows = invitations_in(
            asked["table"].read(), called=asked["table"].name, days=asked["days"], language=asked["language"]
        )
        readers.invite_all(study=study, rows=rows, actor=actor(request), key=key)
        answer = [self._invited(*made) for made in readers.invited_with(study, key)]
        return Response(answer, status=status.HTTP_201_CREATED)

    def _invited(self, invitation: Invitation, secret: str) -> dict[str, Any]:
        """The link, and whether it went out by mail."""
        link = readers.join_link(self.request.build_absolute_uri("/"), secret)
        mailed = readers.send_invitation(invitation=invitation, link=link, actor=actor(self.request))
        return {"code": invitation.assignment.code, "link": link, "mailed": mailed}

    @extend_schema(request=None, responses=MessageSerializer)
    @action(detail=True, methods=["post"])
    def remind(self, request: Request, study_slug: str, code: str) -> Response:
        """Mail a reminder where a mail server is set; its text is returned either way."""
        assignment = self.get_object()
        text = reminder(assignment=assignment, address=request.build_absolute_uri("/"))
        mailed = readers.send(
            assignment=assignment,
            subject=subject_of(assignment),
            text=text,
            actor=actor(request),
            action="reminded",
        )
        return Response({"text": text, "mailed": mailed})

    @extend_schema(request=WithdrawRequest, responses=ReaderSerializer)
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, study_slug: str, code: str) -> Response:
        """The reader reads no more; their data are kept and marked."""
        asked = self.validated(WithdrawRequest)
        assignment = readers.withdraw(assignment=self.get_object(), actor=actor(request), **asked)
        return Response(self.get_serializer(assignment).data)

    @extend_schema(
        request=ReopenRequest,
        responses=ReaderSerializer,
        parameters=[OpenApiParameter("number", int, OpenApiParameter.PATH)],
    )
    @action(detail=True, methods=["post"], url_path=r"sets/(?P<number>[0-9]{1,2})/reopen")
    def reopen(self, request: Request, study_slug: str, code: str, number: str) -> Response:
        """Let the reader change the last answer of a finished set. A deviation: it needs a reason."""
        return self._deviation(sets.reopen_set, ReopenRequest, number)

    @extend_schema(
        request=WashoutRequest,
        responses=ReaderSerializer,
        parameters=[OpenApiParameter("number", int, OpenApiParameter.PATH)],
    )
    @action(detail=True, methods=["post"], url_path=r"sets/(?P<number>[0-9]{1,2})/washout")
    def washout(self, request: Request, study_slug: str, code: str, number: str) -> Response:
        """Say when a set really ended, where the server's clock was wrong. A deviation: it needs a reason."""
        return self._deviation(sets.correct_washout, WashoutRequest, number)

    def _deviation(self, step: Any, asked: Any, number: str) -> Response:
        assignment = self.get_object()
        reading_set = get_object_or_404(ReadingSet, assignment=assignment, number=int(number))
        step(reading_set=reading_set, actor=actor(self.request), **self.validated(asked))
        return Response(self.get_serializer(assignment).data)
