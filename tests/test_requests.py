"""A setting is declared once: page, API and command have the same ones, with the same limits, defaults and choices."""

import io
import itertools
import json
from dataclasses import dataclass

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command, get_commands, load_command_class
from django.core.management.base import BaseCommand
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator
from knox.models import AuthToken
from lxml import html
from PIL import Image
from rest_framework import serializers

from attacks import battery_requests
from attacks import requests as attacks
from attacks.comparison_requests import ComparisonRequest
from attacks.engine import natural, norms, recipe
from attacks.models import Attack
from attacks.sweeps import SEARCHES
from core.images import encode_png, sha256_of
from core.requests import Request, fields_of, form_class
from jobs.models import Job
from jobs.running import run_attempt
from model import requests as model
from model.import_requests import ACTIVATIONS, ImportClassifierRequest
from model.learning import forms, reading
from model.learning.network import Init
from model.learning.training import PRESETS
from study.blinding.requests import RehearseRequest
from study.design.sampling import STRATIFY_BY
from study.models import ReadingSet, Stimulus, Study
from study.protocol import requests as study
from tests import factories
from tests.attacks.pair_files import pixels
from tests.pool import attacked_pool

pytestmark = pytest.mark.django_db
ONLY_FOR_POWER = {"planned_readers"}
"""A field of the builder that is no setting of the study."""


@dataclass(frozen=True)
class Where:
    """Where a request can be made: ``form`` is a page and the path of the form in it."""

    form: tuple[str, str]
    api: str
    command: str = ""
    own: frozenset[str] = frozenset()
    """Options of the command that are no settings of the work."""


def sheet(address: str) -> tuple[str, str]:
    return address, "//form[contains(@class, 'sheet')]"


WHERE = {
    model.PatchesRequest: Where(sheet("/datasets/new/folder/"), "datasets/", "import_patches"),
    model.PanNukeRequest: Where(sheet("/datasets/new/pannuke/"), "datasets/pannuke/", "import_pannuke"),
    model.TrainRequest: Where(sheet("/classifiers/new/"), "classifiers/", "train"),
    ImportClassifierRequest: Where(sheet("/classifiers/import/"), "classifiers/import/", "import_classifier"),
    model.CrossValidationRequest: Where(
        sheet("/cross-validations/new/"), "cross-validations/", "cross_validate", frozenset({"part"})
    ),
    attacks.GradientAttackRequest: Where(sheet("/attacks/new/"), "attacks/", "attack"),
    attacks.MinimalAttackRequest: Where(sheet("/attacks/new/?kind=minimal"), "attacks/", "minimal"),
    attacks.UniversalAttackRequest: Where(sheet("/attacks/new/?kind=universal"), "attacks/", "universal"),
    attacks.NaturalChangesRequest: Where(sheet("/attacks/new/?kind=natural"), "attacks/", "corruptions"),
    attacks.WorstCaseRequest: Where(sheet("/attacks/new/?kind=worst"), "attacks/", "worst_case"),
    battery_requests.BatteryRequest: Where(sheet("/batteries/new/"), "batteries/", "battery"),
    battery_requests.TransferRequest: Where(sheet("/transfers/new/"), "transfers/", "transfer"),
    attacks.CurvesRequest: Where(
        sheet("/classifiers/{classifier}/curves/new/"), "classifiers/{id}/curves/", "success_curves", frozenset({"out"})
    ),
    ComparisonRequest: Where(sheet("/comparisons/new/"), "comparisons/", "compare", frozenset({"out"})),
    attacks.PairsRequest: Where(sheet("/pairs/new/"), "pairs/", "import_pairs"),
    study.StudyRequest: Where(sheet("/new-study/"), "studies/", "build_study", frozenset({"draft", "note", "by"})),
    study.InviteRequest: Where(
        ("/studies/small/readers/", "//form[contains(@class, 'sheet')][not(@enctype)]"),
        "studies/{study_slug}/readers/",
        "invite_reader",
        frozenset({"study", "address", "by"}),
    ),
    study.InviteTableRequest: Where(
        ("/studies/small/readers/", "//form[contains(@class, 'sheet')][@enctype]"),
        "studies/{study_slug}/readers/table/",
        "invite_readers",
        frozenset({"study", "file", "address", "by"}),
    ),
    study.CloseRequest: Where(
        sheet("/studies/small/close/"),
        "studies/{slug}/close/",
        "close_study",
        frozenset({"study", "unblind", "unverified", "by"}),
    ),
    study.TeamRequest: Where(sheet("/studies/draft/team/"), "studies/{slug}/team/"),
    study.WithdrawRequest: Where(
        ("/studies/small/readers/", "//details/form[contains(@action, 'withdraw')]"),
        "studies/{study_slug}/readers/{code}/withdraw/",
    ),
    study.ReopenRequest: Where(
        ("/studies/small/readers/", "//details/form[contains(@action, 'reopen')]"),
        "studies/{study_slug}/readers/{code}/sets/{number}/reopen/",
    ),
    study.WashoutRequest: Where(
        ("/studies/small/readers/", "//details/form[contains(@action, 'washout')]"),
        "studies/{study_slug}/readers/{code}/sets/{number}/washout/",
    ),
    study.FreezeRequest: Where(sheet("/studies/draft/freeze/"), "studies/{slug}/freeze/"),
    study.UnblindRequest: Where(sheet("/studies/closed/unblind/"), "studies/{slug}/unblind/"),
}
each_request = pytest.mark.parametrize("declared", WHERE, ids=lambda declared: declared.__name__)
with_command = pytest.mark.parametrize(
    "declared", [declared for declared, where in WHERE.items() if where.command], ids=lambda declared: declared.__name__
)


def on_page(client, declared: type[Request]) -> set[str]:
    """The names of the fields of the request's form, as a browser would send them."""
    attack = attacked_pool()
    ReadingSet.objects.filter(assignment__study=factories.open_study(), number=1).update(completed_at=timezone.now())
    factories.open_study(slug="closed", readers=())
    factories.draft_study(slug="draft")
    Study.objects.filter(slug="closed").update(state=Study.State.CLOSED)
    client.force_login(factories.user("ada", "admin"))
    address, path = WHERE[declared].form
    answer = client.get(address.format(classifier=attack.classifier_id))
    assert answer.status_code == 200
    [form] = html.fromstring(answer.content.decode()).xpath(path)
    return {name for name in form.xpath(".//*[@name]/@name") if name != "csrfmiddlewaretoken"}


def in_schema(declared: type[Request]) -> dict[str, dict]:
    """The properties of what the API takes at the request's address."""
    schema = SchemaGenerator().get_schema(request=None, public=True)
    content = schema["paths"][f"/api/v1/{WHERE[declared].api}"]["post"]["requestBody"]["content"]
    components, name = schema["components"]["schemas"], content["application/json"]["schema"]["$ref"].split("/")[-1]
    if "oneOf" in components[name]:
        kind = fields_of(declared)["kind"].default
        name = components[name]["discriminator"]["mapping"][kind].split("/")[-1]
    return components[name]["properties"]


def options_of(command: str) -> dict[str, object]:
    """The command's own options, by the name under which it gets them."""
    common = {action.dest for action in BaseCommand().create_parser("manage.py", command)._actions} | {"json"}
    parser = load_command_class(get_commands()[command], command).create_parser("manage.py", command)
    return {action.dest: action for action in parser._actions if action.dest not in common}


def every_request() -> set[type[Request]]:
    """All requests that no other builds upon."""
    found, todo = set(), [Request]
    while todo:
        children = todo.pop().__subclasses__()
        found |= {child for child in children if not child.__subclasses__()}
        todo += children
    return {declared for declared in found if declared.__module__.split(".")[0] in ("model", "attacks", "study")}


def test_every_request_is_among_those_that_are_tested_here():
    assert every_request() == {*WHERE, study.PowerQuery, RehearseRequest}  # a rehearsal has a command alone


@each_request
def test_page_api_and_command_ask_for_the_same(client, declared):
    where, page = WHERE[declared], on_page(client, declared)
    if declared is study.StudyRequest:
        assert page >= ONLY_FOR_POWER
        page -= ONLY_FOR_POWER
    assert page == set(in_schema(declared)) == set(fields_of(declared))
    if where.command:
        options = set(options_of(where.command)) - where.own
        assert options == (page - set(declared.not_in_command)) | set(declared.command_only)


@with_command
def test_options_are_named_as_fields_and_say_limits_default_and_choices(declared):
    options = options_of(WHERE[declared].command)
    for name, field in fields_of(declared, command=True).items():
        option = options[name]
        if name in declared.positional:
            assert not option.option_strings
            continue
        assert f"--{name.replace('_', '-')}" in option.option_strings
        if isinstance(field, serializers.ChoiceField):
            assert list(option.choices) == list(field.choices)
        elif getattr(field, "max_value", None) is not None:
            assert f"{field.min_value} to {field.max_value}" in option.help


@pytest.mark.parametrize("declared", [model.TrainRequest, study.StudyRequest, attacks.GradientAttackRequest])
def test_a_field_that_is_added_to_a_request_is_on_the_page_in_the_schema_and_in_the_help(client, declared, monkeypatch):
    field = serializers.IntegerField(min_value=3, max_value=9, default=4, label="Amount", help_text="Cups of coffee.")
    monkeypatch.setitem(declared._declared_fields, "cups", field)
    assert "cups" in on_page(client, declared)
    shown = html.fromstring(client.get(WHERE[declared].form[0]).content.decode())
    [cups] = shown.xpath("//*[@name='cups']")
    assert (cups.get("min"), cups.get("max"), cups.get("value")) == ("3", "9", "4")
    assert "Cups of coffee." in shown.text_content()
    described = in_schema(declared)["cups"]
    assert (described["minimum"], described["maximum"], described["default"]) == (3, 9, 4)
    parser = load_command_class(get_commands()[WHERE[declared].command], WHERE[declared].command)
    text = " ".join(parser.create_parser("manage.py", "x").format_help().split())
    assert "--cups CUPS Amount. Cups of coffee (3 to 9; default: 4)" in text


def test_an_imports_choices_and_defaults_are_those_of_the_reading():
    shown = form_class(ImportClassifierRequest)()
    mean, std = (tuple(map(float, shown[name].initial.split())) for name in ("mean", "std"))
    assert (mean, std) == (reading.MEAN, reading.STD)
    assert set(ACTIVATIONS) == set(forms.ACTIVATIONS)


def test_old_names_of_options_are_still_taken():
    for name, old in (("positives", "--cases"), ("questions", "--question"), ("readers", "--reader")):
        assert old in options_of("build_study")[name].option_strings


def test_choices_are_those_of_the_engine():
    for choices, engine in (
        (attacks.NORMS, norms.NORMS),
        (attacks.MEASURED, norms.MEASURED),
        (attacks.LOSSES, recipe.LOSSES),
        (attacks.STEP_RULES, recipe.STEP_RULES),
        (attacks.ROUNDINGS, recipe.ROUNDINGS),
        (attacks.CHANGES, natural.LADDER),
        (attacks.AXES, SEARCHES),
        (model.PRESETS, PRESETS),
        (model.STARTS, Init.__args__),
        (study.SettingsRequest().fields["stratify"].choices, STRATIFY_BY),
    ):
        assert set(dict(choices)) == set(engine)
    assert set(attacks.ATTACKS) | {"battery"} == set(Attack.Kind.values)


@pytest.mark.parametrize(
    ("changes", "field", "told"),
    [
        ({"positives": 500}, "positives", "^--positives: the pool has 12 eligible positives"),
        ({"copies": 11}, "copies", "^--copies: "),
        ({"catch": 9, "arm_order": "paper"}, "catch", "^--catch: 9 is more than the 8 cases"),
        ({"catch": 30}, "catch", "^--catch: where twins lie in different sets, .* 15 with tumour are needed, .* has 8"),
        ({"arm_order": "twin-split", "copies": 3}, "copies", "^--copies: 3 sets are no multiple of 2"),
        ({"arm_order": "twin-split", "task": "pair"}, "arm_order", "^--arm-order: A pair comparison shows both"),
        ({"margin": 7}, "margin", "^--margin: "),
        ({"positives": 0}, "positives", "^--positives: "),
        ({"pairs": "elsewhere"}, "pairs", "^--pairs: No set of pairs called 'elsewhere'"),
        ({"stratify": "height"}, "stratify", "--stratify: invalid choice"),
        ({"name": "!?"}, "name", "^--name: "),
    ],
)
def test_what_is_wrong_is_named_alike_on_the_page_in_the_api_and_by_the_command(client, changes, field, told):
    attacked_pool()
    ada = factories.user("ada", "admin")
    settings = {"name": "Wrong", "attack": "pool", "positives": 4, "min_gap": 2, "practice": 0} | changes
    headers = {"Authorization": f"Token {AuthToken.objects.create(user=ada)[1]}"}
    answer = client.post("/api/v1/studies/", settings, content_type="application/json", headers=headers)
    assert answer.status_code == 400 and list(answer.json()) == [field]
    words = ((f"--{name.replace('_', '-')}", str(value)) for name, value in settings.items())
    with pytest.raises(CommandError, match=told):
        run("build_study", *itertools.chain.from_iterable(words))
    client.force_login(ada)
    points = {name: 100 * settings[name] for name in ("margin",) if name in settings}  # pages have points
    page = client.post("/new-study/", settings | points | {"attack": Attack.objects.get().pk})
    wrong = html.fromstring(page.content.decode()).xpath("//*[@class='field wrong']/@id")
    assert page.status_code == 400 and wrong == [f"field-{field}"]
    assert not Study.objects.exists() and not Job.objects.exists()


def run(command: str, *arguments: str) -> dict:
    out = io.StringIO()
    call_command(command, *arguments, "--json", stdout=out, stderr=io.StringIO())
    return json.loads(out.getvalue())


def test_a_field_that_was_emptied_is_an_error_and_one_that_was_not_sent_takes_its_default(client):
    attack = attacked_pool()
    client.force_login(factories.user("rita", "researcher"))
    sent = {"classifier": attack.classifier_id, "budget": 4}
    assert client.post("/attacks/new/", sent | {"confidence": ""}).status_code == 400
    assert client.post("/attacks/new/", sent).status_code == 302
    assert Job.objects.get().arguments["confidence"] == 0


def test_a_command_builds_a_study_of_pairs_with_controls_and_texts_from_a_file(tmp_path):
    rows = ["original,perturbed,label,attack"]
    for number, attack in itertools.product(range(4), ("blur", "JPEG")):
        shift = np.uint8(3 if attack == "blur" else 5)
        Image.fromarray(pixels(number)).save(tmp_path / f"o{number}.png")
        Image.fromarray(pixels(number) + shift).save(tmp_path / f"{attack}{number}.png")
        rows.append(f"o{number}.png,{attack}{number}.png,1,{attack}")
    (tmp_path / "pairs.csv").write_text("\n".join(rows))
    (tmp_path / "criterion.txt").write_text("Look for mitoses.")
    first, second = run("import_pairs", str(tmp_path), "--name", "Theirs")["variants"]
    report = run(
        "build_study", "--pairs", "Theirs", "--variants", second, first, "--name", "Texts", "--cases", "3",
        "--min-gap", "1", "--practice", "0", "--examples", "1", "--margin", "none", "--question", "--noise",
        "--catch", "1", "--task", "pair", "--pair-display", "alternating", "--break-every", "7",
        "--criterion", f"@{tmp_path}/criterion.txt", "--draft",
    )  # fmt: skip
    built = Study.objects.get()
    assert report["cases"] == 3 and (built.margin, built.questions, built.break_every) == (None, [], 7)
    assert (built.criterion, built.pair_display) == ("Look for mitoses.", "alternating")
    arms = {arm for case in built.cases.all() for arm in case.stimuli.values_list("arm", flat=True)}
    assert arms == {"original", "perturbed", f"perturbed-{first}", "noise", "catch"}
    with pytest.raises(CommandError, match=r"none\.txt cannot be read"):
        run("build_study", "--pairs", "Theirs", "--name", "No", "--criterion", f"@{tmp_path}/none.txt")


@pytest.mark.django_db(transaction=True)
def test_a_study_with_a_further_arm_is_the_same_by_page_api_and_command(client):
    attack = attacked_pool()
    further = Attack.objects.create(
        name="further", classifier=attack.classifier, norm="l2", budget=2, seed=0, code_version="t",
        completed_at=attack.completed_at,
    )  # fmt: skip
    for row in attack.perturbations.select_related("patch"):
        pixels_before = np.asarray(Image.open(row.patch.image))
        body = encode_png(pixels_before ^ np.uint8(1))
        row.pk, row._state.adding, row.attack, row.sha256 = None, True, further, sha256_of(body)
        row.image.save("further.png", ContentFile(body))
    ada = factories.user("ada", "admin")
    settings = {
        "attack": "pool",
        "further_attacks": ["further"],
        "positives": 3,
        "min_gap": 2,
        "practice": 0,
        "seed": 5,
    }
    headers = {"Authorization": f"Token {AuthToken.objects.create(user=ada)[1]}"}
    body = settings | {"name": "By API"}
    assert client.post("/api/v1/studies/", body, content_type="application/json", headers=headers).status_code == 202
    client.force_login(ada)
    chosen = settings | {"name": "By page", "attack": attack.pk, "further_attacks": [further.pk]}
    assert client.post("/new-study/", chosen).status_code == 302
    for job in Job.objects.all():
        assert run_attempt(job.pk, 1) == "done", Job.objects.get(pk=job.pk).error
    run(
        "build_study", "--name", "By command", "--attack", "pool", "--further-attack", "further", "--cases", "3",
        "--min-gap", "2", "--practice", "0", "--seed", "5", "--draft",
    )  # fmt: skip
    columns = ("case__patch_id", "arm", "attack", "budget", "sha256")
    by_page, by_api, by_command = (
        sorted(Stimulus.objects.filter(case__study__slug=slug).values_list(*columns))
        for slug in ("by-page", "by-api", "by-command")
    )
    assert by_page == by_api == by_command
    assert {row[1:4] for row in by_page} == {
        ("original", "", None), ("perturbed", "pool", 4.0), ("perturbed-l2-2", "further", 2.0),
    }  # fmt: skip
