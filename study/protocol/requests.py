"""Requests about studies and their readers: what is asked for, and the jobs that building and freezing become."""

import re
import secrets
from datetime import UTC
from typing import Any

from django.conf import settings as site
from django.contrib.auth.models import Group
from django.db.models import F, QuerySet
from rest_framework import serializers

from attacks.models import Attack, PairSet
from core.errors import InvalidInput
from core.languages import LanguageField
from core.models import User, plain_name
from core.requests import SEED_LIMIT, Named, Request, SureRequest, as_json, fields_of
from core.texts import slug_of
from jobs.models import Job
from jobs.services import submit
from study.models import Study
from study.protocol import life
from study.protocol.case_sources import source_of
from study.protocol.chosen import StudySettings
from study.protocol.decided import decided
from study.protocol.schedules import demand_gap
from study.protocol.settings import SettingsRequest

SOURCE = ("attack", "further_attacks", "pairs", "variants")
SHOWN = {"section": "What is shown"}


def finished_attacks() -> QuerySet[Attack]:
    """Those with images to show: natural changes have a table only."""
    rows = Attack.objects.exclude(completed_at=None).exclude(kind=Attack.Kind.NATURAL)
    rows = rows.select_related("classifier").annotate(at_random=F("settings__at_random"))
    return rows.defer("settings", "classifier__split", "classifier__test_probabilities").order_by("-created_at")


def possible_readers() -> QuerySet[User]:
    return User.objects.filter(role=User.Role.READER, is_superuser=False, is_active=True).order_by("username")


class FinishedAttack(Named):
    """A finished attack, offered with what it is, and the number of patches that a study can draw from."""

    def display_value(self, instance: Any) -> str:
        # "gradient descent (eq. 1)" without its equation: a list has little room.
        what = "natural changes at random" if instance.at_random else instance.get_kind_display().partition(" (")[0]
        named = f"{instance.name} ({what}, of {instance.classifier.name})"
        positives = instance.summary.get("flipped_positives")
        if positives is None:
            return named
        negatives = instance.summary.get("flipped", 0) - positives
        groups = instance.summary.get("flipped_groups")
        of, other = (f" ({groups['tumour']} slides or patients)", f" ({groups['no_tumour']})") if groups else ("", "")
        return f"{named}: flips {positives} positive patches{of} and {negatives} negative ones{other}"


class CasesRequest(Request):
    """A study's name, and where its cases come from."""

    name = serializers.CharField(
        max_length=200, help_text="Name of the study, of which its address is made.", style=SHOWN
    )
    attack = FinishedAttack(
        word="finished attack",
        queryset=finished_attacks(),
        required=False,
        allow_null=True,
        help_text="Its flipped patches are the pool; its images are the perturbed arm.",
        style=SHOWN,
    )
    further_attacks = FinishedAttack(
        word="finished attack",
        queryset=finished_attacks(),
        many=True,
        default=list,
        label="Further arms",
        help_text="Other attacks on the same classifier: the same patches under another norm or budget, or under "
        "natural changes at random and at their worst. Each is an arm of its own.",
        style=SHOWN,
    )
    pairs = Named(
        word="set of pairs",
        queryset=PairSet.objects.all(),
        required=False,
        allow_null=True,
        label="Imported pairs",
        help_text="Instead of an attack.",
        style=SHOWN,
    )
    variants = serializers.ListField(
        child=serializers.CharField(max_length=20, allow_blank=True),
        max_length=100,
        default=list,
        label="Variants of the pairs",
        help_text="Each is an arm of its own; all variants of the pairs if left out.",
        style=SHOWN | {"rows": 2},
    )


class StudyRequest(CasesRequest, SettingsRequest):
    """A draft of a study from an attack's flipped patches, or from imported pairs."""

    aliases = SettingsRequest.aliases | {"readers": "--reader", "further_attacks": "--further-attack"}

    readers = Named(
        word="reader",
        slug_field="username",
        queryset=possible_readers(),
        many=True,
        default=list,
        label="Who reads",
        help_text="More can be invited later, also after freezing.",
        style={"section": "Readers"},
    )
    team = Named(
        word="team",
        queryset=Group.objects.order_by("name"),
        required=False,
        allow_null=True,
        help_text="Its researchers and all admins see the study. Your own if left out; everybody if you have none.",
        style={"section": "Readers"},
    )
    seed = serializers.IntegerField(
        min_value=0,
        max_value=SEED_LIMIT,
        allow_null=True,
        default=None,
        help_text="Drawn at random and recorded if left out. Cases are drawn from it; orders also from bits that stay "
        "secret until unblinding.",
        style={"section": "Random seed"},
    )


STUDY_FIELDS = fields_of(StudyRequest)


class PowerQuery(Request):
    """What the power beside the builder depends on: settings of the study, and how many will read it."""

    positives = STUDY_FIELDS["positives"]
    copies = STUDY_FIELDS["copies"]
    task = STUDY_FIELDS["task"]
    arm_order = STUDY_FIELDS["arm_order"]
    further_attacks = STUDY_FIELDS["further_attacks"]
    pairs = STUDY_FIELDS["pairs"]
    variants = STUDY_FIELDS["variants"]
    noise = STUDY_FIELDS["noise"]
    margin = STUDY_FIELDS["margin"]
    alpha = STUDY_FIELDS["alpha"]
    planned_readers = serializers.IntegerField(
        min_value=1,
        max_value=50,
        default=2,
        label="Readers planned",
        help_text="For the power only.",
        style={"section": "Analysis"},
    )


class InviteRequest(Request):
    """A reader who is invited by a link."""

    positional = ("username",)

    username = serializers.RegexField(
        r"^[\w.@+-]+\Z",
        max_length=150,
        label="User name",
        help_text="With which the reader signs in; made if it is new.",
        error_messages={"invalid": "Letters, digits and @ . + - _ only."},
    )

    def validate_username(self, name: str) -> str:
        """As it is stored. Letters such as a ligature of a whole phrase become many, and spaces, in that form."""
        field, plain = self.fields["username"], plain_name(name)
        if len(plain) > field.max_length:
            raise serializers.ValidationError(f"At most {field.max_length} characters.")
        if not re.fullmatch(r"[\w.@+-]+", plain):
            raise serializers.ValidationError(field.error_messages["invalid"])
        return plain

    email = serializers.EmailField(
        allow_blank=True, default="", label="E-mail", help_text="Kept with a user who is new."
    )
    days = serializers.IntegerField(
        min_value=1,
        max_value=365,
        default=14,
        label="Valid for (days)",
        help_text="How long the link can be used.",
    )
    language = LanguageField(
        default=site.LANGUAGE_CODE,
        label="Language",
        help_text="Of the invitation, and of the reader's pages until they choose another one.",
    )
    replaces = serializers.RegexField(
        r"^R\d{2,9}\Z",
        allow_blank=True,
        default="",
        label="In place of",
        help_text="Code of a withdrawn reader, such as R02, in whose place this one reads.",
        error_messages={"invalid": "A reader's code, such as R02."},
    )
    reason = serializers.CharField(
        max_length=200,
        allow_blank=True,
        default="",
        label="Reason for replacing",
        help_text="Needed with a reader's code above: it is logged, and stands in the results.",
    )

    def validate(self, asked: dict[str, Any]) -> dict[str, Any]:
        if bool(asked["replaces"]) != bool(asked["reason"]):
            missing = "reason" if asked["replaces"] else "replaces"
            raise serializers.ValidationError(
                {missing: "A reader is replaced with a code and a reason, or not at all."}
            )
        return asked


class InviteTableRequest(Request):
    """Several readers at once, from a table."""

    not_in_command = ("table",)

    table = serializers.FileField(
        label="Table (CSV)",
        help_text="First line: username, and if wanted email, language, days. One reader per line. If a line is "
        "wrong, nobody is invited.",
        style={"accept": ".csv,text/csv,text/plain"},
    )
    days = serializers.IntegerField(
        min_value=1,
        max_value=365,
        default=14,
        label="Valid for (days)",
        help_text="Where the table has no column of that name.",
    )
    language = LanguageField(
        default=site.LANGUAGE_CODE,
        label="Language",
        help_text="Where the table has no column of that name, or an empty cell.",
    )


class WithdrawRequest(Request):
    """A reader who reads no more."""

    reason = serializers.CharField(
        max_length=200,
        allow_blank=True,
        default="",
        label="Why",
        help_text="Nobody needs to say why they stop; what is written here is logged, and stands in the results.",
    )


def _reason() -> serializers.CharField:
    """Why the protocol is left: it is logged, and told with the results."""
    return serializers.CharField(
        max_length=200, label="Reason", help_text="Why: it is logged, and stands in the results."
    )


class ReopenRequest(Request):
    """A finished set whose last answer may be changed again."""

    reason = _reason()


class WashoutRequest(Request):
    """When a set really ended, where the server's clock was wrong."""

    finished_at = serializers.DateTimeField(
        label="Finished at (UTC)",
        help_text="When the set really ended. The wash-out runs from then.",
        default_timezone=UTC,
    )
    reason = _reason()


class CloseRequest(Request):
    """The end of the reading, after which no answer is taken."""

    unfinished = serializers.BooleanField(
        default=False,
        label="Close although readers are unfinished",
        help_text="Without it a study is closed only when every reader has answered everything or was withdrawn.",
    )


class TeamRequest(Request):
    """To whom a study belongs."""

    team = Named(
        word="team",
        queryset=Group.objects.order_by("name"),
        allow_null=True,
        help_text="Its researchers and all admins see the study; every researcher does where there is none.",
        style={"empty": "none: every researcher"},
    )


class FreezeRequest(SureRequest):
    """Fixing the protocol and every reader's order, which cannot be undone."""


class UnblindRequest(SureRequest):
    """Opening the arms and results, which cannot be undone."""

    confirm = serializers.CharField(
        max_length=60,
        label="Type the study’s short name to confirm",
        help_text="The study's short name: unblinding cannot be undone.",
    )


def study(*, by: Any, draft: Study | None = None, **chosen: Any) -> Job:
    """A draft of a study, to be looked at and frozen. ``chosen`` are validated settings of ``StudyRequest``.

    Args:
        draft: one that is built again with these settings; its address and its readers stay.

    Raises:
        InvalidInput: naming the field.
    """
    if draft is not None:
        life.demand_state(draft, Study.State.DRAFT)
    slug = draft.slug if draft else life.free_slug(chosen["name"])
    for job in Job.objects.filter(kind="build_study", state__in=Job.ACTIVE):
        if job.arguments.get("draft") == slug or slug_of(job.arguments.get("name", ""), word="study") == slug:
            raise InvalidInput(f"job {job.pk} is building a study '{slug}'; choose another name.", field="name")
    source = source_of(**{name: chosen[name] for name in SOURCE if name in chosen})
    pool = source.pool()
    settings, _ = decided(StudySettings.of(chosen), source=source, pool=pool)  # what cannot be built is told at once
    demand_gap(settings, arms=source.arm_count)
    chosen = chosen | {"team": chosen.get("team") or (draft.team if draft else _own_team(by))}
    chosen = chosen | {"seed": _seed(chosen)}  # in the job's settings, so that a second attempt builds the same study
    title = f"{'Build again' if draft else 'Build study'}: {chosen['name']}"[:200]
    arguments = as_json(StudyRequest, chosen) | ({"draft": draft.slug} if draft else {})
    return submit(kind="build_study", arguments=arguments, requested_by=by, title=title, team=chosen["team"])


def _own_team(by: Any) -> Group | None:
    """The team of who builds a study; None if they have none.

    Raises:
        InvalidInput: they are in several.
    """
    teams = list(by.groups.order_by("name")) if by is not None else []
    if len(teams) > 1:
        raise InvalidInput(f"you are in several teams; choose one of {', '.join(map(str, teams))}.", field="team")
    return teams[0] if teams else None


def for_builder(chosen: dict[str, Any]) -> dict[str, Any]:
    """Validated settings of ``StudyRequest`` as arguments of ``study.protocol.building.build_study``."""
    names = ("name", *SOURCE, "readers", "team")
    given = {name: chosen[name] for name in names if name in chosen}
    return given | {"seed": _seed(chosen), "settings": StudySettings.of(chosen)}


def _seed(chosen: dict[str, Any]) -> int:
    """The seed asked for, or one that nobody can guess: there is no default."""
    seed = chosen.get("seed")
    return secrets.randbelow(SEED_LIMIT + 1) if seed is None else seed


def freeze(*, study: Study, by: Any, actor: str) -> Job:
    """Fix a draft's protocol. A job: every image is read again, and the classifier asked again.

    Raises:
        InvalidInput: the study is not a draft, or is being frozen.
    """
    life.demand_state(study, Study.State.DRAFT)
    for job in Job.objects.filter(kind="freeze_study", state__in=Job.ACTIVE):
        if job.arguments.get("study") == study.slug:
            raise InvalidInput(f"Study '{study.slug}' is being frozen by job {job.pk}.")
    arguments, title = {"study": study.slug, "actor": actor}, f"Freeze study: {study.name}"[:200]
    return submit(kind="freeze_study", arguments=arguments, requested_by=by, title=title, team=study.team)
