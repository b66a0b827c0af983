"""The planning page and command: who may come in, what is shown, what is refused."""

import json
import os
import re
import signal

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from core.models import User
from study.conduct import planner

QUICK = {"readers": 2, "patches": 12, "sets": 1, "largest": 100, "difference": -20, "margin": 20}


@pytest.fixture
def researcher(client, db):
    user = User.objects.create_user("rita", password="x", role=User.Role.RESEARCHER)
    client.force_login(user)
    return client


def test_the_page_opens_with_the_papers_design_and_a_plan(researcher):
    page = researcher.get(reverse("study:plan"), QUICK).content.decode()
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert text.index("What the paper’s own design could have shown") < text.index("Your design")
    for shown in ("193 joint patterns", "15.3 to 22.2 points", "18.8 to 26.6 points", "±12.8 points", "0.12"):
        assert shown in text
    assert "2 readers, 12 patches, 1 set" in text
    assert page.count("data:image/svg+xml;base64,") == 2
    assert "<script>" not in page
    assert not re.search(r"\s(style|on[a-z]+)=", page)


def test_the_page_and_the_command_say_the_same(researcher, capsys):
    document = researcher.get(reverse("study:plan_json"), QUICK).json()
    call_command(
        "plan_study", "--json", readers=2, patches=12, sets=1, largest=100, difference=-0.2, margin=0.2,
        studies=document["assumptions"]["studies"],
    )  # fmt: skip
    printed = json.loads(capsys.readouterr().out)
    assert printed == document


def test_the_commands_text_has_the_same_numbers(capsys):
    call_command("plan_study", readers=2, patches=12, sets=1, largest=60, studies=200)
    text = capsys.readouterr().out
    assert "193" in text
    assert "15.3 to 22.2 points (90 %); 18.8 to 26.6 (95 %)" in text
    assert (
        "2 reader(s) x 12 patches x 1 set(s) (200 simulated studies; the rule of the verdict: Obuchowski-Rockette for a"
        in text
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"patches": "many"}, "Enter a whole number."),
        ({"patches": 4}, "greater than or equal to 5"),
        ({"tpf": 95, "difference": 10}, "is not between 0.005 and"),
    ],
)
def test_what_cannot_be_planned_is_said_beside_the_form(researcher, change, words):
    page = researcher.get(reverse("study:plan"), QUICK | change)
    assert page.status_code == 200
    assert words in page.content.decode()
    assert b"Nothing was calculated" in page.content
    assert researcher.get(reverse("study:plan_json"), QUICK | change).status_code == 400


def test_the_command_names_the_field(capsys):
    with pytest.raises(CommandError, match="readers: 0 is out of range; choose from 1 to 50"):
        call_command("plan_study", readers=0)


@pytest.mark.django_db
def test_readers_and_strangers_do_not_plan(client):
    assert client.get(reverse("study:plan")).status_code == 302
    client.force_login(User.objects.create_user("ann", password="x", role=User.Role.READER))
    assert client.get(reverse("study:plan")).status_code == 403
    assert client.get(reverse("study:plan_json")).status_code == 403


def test_nothing_is_written_by_asking(researcher):
    assert researcher.post(reverse("study:plan"), QUICK).status_code == 405


def test_a_plan_is_computed_by_another_process_and_the_page_says_so_at_once(researcher, monkeypatch):
    monkeypatch.setattr(planner, "WAIT_S", 0)
    asked = {**QUICK, "patches": 15}
    first = researcher.get(reverse("study:plan"), asked).content.decode()
    assert "The plan is being calculated." in first and "data-calculating" in first and "http-equiv" in first
    assert researcher.get(reverse("study:plan_json"), asked).status_code == 202
    monkeypatch.setattr(planner, "WAIT_S", 300)
    page = researcher.get(reverse("study:plan"), asked).content.decode()
    assert "2 readers, 15 patches, 1 set" in page and "data-calculating" not in page


def test_no_plan_is_computed_in_this_process(researcher, monkeypatch):
    def here(*arguments):
        raise AssertionError("computed in the web process")

    monkeypatch.setattr("study.design.planning.crossed", here)
    monkeypatch.setattr("study.design.paper_design.joint_patterns", here)
    assert researcher.get(reverse("study:plan_json"), {**QUICK, "patches": 16}).status_code == 200


def test_only_one_request_waits_and_a_killed_process_is_replaced():
    own = planner.Planner()
    with own._one_waits:  # somebody else does
        assert own.ask(os.getpid) is None
    first = own.ask(os.getpid)
    assert first not in (None, os.getpid())
    os.kill(first, signal.SIGKILL)
    answers = [own.ask(os.getppid) for _ in range(3)]
    assert answers[-1] == os.getpid(), "one answer may be lost, and the next process gives it"


LADDER = {"task": "ladder", "readers": 3, "patches": 10, "trials": 30}
BIAS = {"task": "bias", "pairs": 30, "readers": 2}


def test_a_ladder_is_planned_by_page_and_command_alike(researcher, capsys):
    page = researcher.get(reverse("study:plan"), LADDER).content.decode()
    assert "3 readers, 10 patches, 30 pairs each" in page and "What the paper’s own design" not in page
    assert 'name="task" value="ladder"' in page and page.count("data:image/svg+xml;base64,") == 1
    document = researcher.get(reverse("study:plan_json"), LADDER).json()
    low, high = (f"{100 * document['expected']['index'][end]:.0f}" for end in ("low", "high"))
    assert re.search(rf"interval of {low}.*? to {high}", page)
    call_command("plan_study", "--json", task="ladder", readers=3, patches=10, trials=30)
    assert json.loads(capsys.readouterr().out) == document


def test_a_bias_is_planned_by_page_and_command_alike(researcher, capsys):
    page = researcher.get(reverse("study:plan"), BIAS).content.decode()
    assert "2 readers, 30 pairs, 1 set" in page and "Power to find a bias of 55" in page
    document = researcher.get(reverse("study:plan_json"), BIAS).json()
    call_command("plan_study", "--json", task="bias", pairs=30, readers=2)
    assert json.loads(capsys.readouterr().out) == document
    call_command("plan_study", task="bias", pairs=30, readers=2)
    text = capsys.readouterr().out
    assert f"power to find a bias of 55%          {document['power']:.2f}" in text and "Note: With 2 readers" in text


def test_a_tab_of_each_task_and_a_wrong_one_is_labelling(researcher):
    page = researcher.get(reverse("study:plan"), QUICK | {"task": "x"}).content.decode()
    assert "2 readers, 12 patches, 1 set" in page
    assert 'href="/plan/?task=ladder"' in page and 'href="/plan/?task=bias"' in page


def test_what_a_ladder_cannot_be_planned_with_is_said_beside_the_field(researcher):
    page = researcher.get(reverse("study:plan"), LADDER | {"patches": 5}).content.decode()
    assert "greater than or equal to 10" in page and "Nothing was calculated" in page


def test_an_option_of_another_task_is_refused(capsys):
    with pytest.raises(CommandError, match="--margin is no setting of the task bias"):
        call_command("plan_study", task="bias", margin=0.1)
    with pytest.raises(CommandError, match="--sd-patch is no setting of the task ladder"):
        call_command("plan_study", task="ladder", sd_patch=0.1)
