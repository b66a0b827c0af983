"""Lists on pages: searched, filtered, sorted and in pages, all of it in the address; what is odd is left out."""

import re

import pytest

from core.lists import Column, Filter, listed, yes_no
from core.models import User
from jobs.models import Job
from model.models import Patch
from tests import factories
from tests.pool import attacked_pool

pytestmark = pytest.mark.django_db
COLUMNS = [Column("Job", "title", key="job"), Column("No.", "pk", number=True, key="number"), Column("Progress")]
STATE = Filter("state", "State", "state", Job.State.choices)
PART = yes_no("part", "Part", "parent__isnull", yes="no", no="yes")


@pytest.fixture
def asked(rf):
    for number in range(120):
        state = "done" if number % 2 else "failed"
        Job.objects.create(kind="train", title=f"Job {number:03} Ä", state=state, code_version="x")

    def ask(query: str = "", **more):
        rows = Job.objects.order_by("-pk")
        return listed(rf.get(f"/jobs/{query}"), rows, columns=COLUMNS, search=("title",), filters=[STATE, PART], **more)

    return ask


def titles(shown) -> list[str]:
    return [row.title[4:7] for row in shown.page]


def test_a_list_is_searched_filtered_sorted_and_in_pages(asked):
    assert len(asked().page) == 50 and asked().page.paginator.num_pages == 3 and asked().total == 120
    assert titles(asked("?search=07&sort=job")) == ["007", *(f"07{n}" for n in range(10)), "107"]
    assert titles(asked("?search=07&state=done&sort=-job")) == ["107", "079", "077", "075", "073", "071", "007"]
    assert titles(asked("?page=3&sort=number"))[0] == "100"
    assert titles(asked(order="job"))[0] == "000" and asked().count == 120


def test_links_keep_what_was_asked_for(asked):
    shown = asked("?search=0&state=done&sort=-job&page=1")
    assert shown.query == "search=0&state=done&sort=-job&"
    [job, number, progress] = shown.headings
    assert (job["link"], job["order"]) == ("?search=0&state=done&sort=job", "descending")
    assert (number["link"], number["order"]) == ("?search=0&state=done&sort=number", "") and progress["link"] == ""
    assert shown.narrowed and not asked("?sort=job").narrowed


@pytest.mark.parametrize(
    "query", ["?sort=password", "?sort=-", "?state=odd", "?search=a%00b", "?page=999999999999", "?page=-1", "?part=2"]
)
def test_what_a_list_does_not_have_is_left_out(asked, query):
    assert asked(query).count == 120


def test_a_search_of_any_length_is_no_fault(asked):
    assert asked("?search=" + "x" * 5_000).count == 0


def test_a_short_list_has_no_tools(rf):
    Job.objects.create(kind="train", title="One", code_version="x")
    shown = listed(rf.get("/"), Job.objects.all(), columns=COLUMNS, search=("title",))
    assert not shown.tools and listed(rf.get("/?search=z"), Job.objects.all(), search=("title",)).tools


LISTS = {
    "/datasets/": ("pool", "?search=pool&kind=folder&sort=-imported"),
    "/classifiers/": ("pool", "?search=pool&sort=accuracy"),
    "/attacks/": ("pool", "?search=pool&kind=pgd&norm=linf&state=finished&sort=-flipped"),
    "/studies/": ("A small study", "?search=small&state=draft&sort=-built"),
    "/jobs/": ("Train it", "?search=train&state=queued&kind=train&sort=requested"),
    "/people/": ("ada", "?search=ada&role=admin&sort=seen"),
}


@pytest.mark.parametrize("address", LISTS)
def test_every_list_of_the_office_is_searched_filtered_and_sorted(client, own_files, address):
    attacked_pool()
    factories.draft_study()
    Job.objects.create(kind="train", title="Train it", code_version="x")
    client.force_login(factories.user("ada", User.Role.ADMIN))
    word, query = LISTS[address]
    main = re.compile(r"<main.*</main>", re.DOTALL)
    for asked, there in (("", True), (query, True), ("?search=nothing-like-it", False)):
        text = main.search(client.get(address + asked).content.decode())[0]
        assert (f">{word}<" in text) is there, (address, asked)
        assert not asked or 'class="list-tools"' in text
    for heading in client.get(address).context["list"].headings:
        assert not heading["link"] or client.get(address + heading["link"]).status_code == 200, heading


def test_every_patch_of_a_data_set_can_be_reached(client, own_files):
    attack = attacked_pool(positives=40, negatives=20)
    client.force_login(factories.user("rex", User.Role.RESEARCHER))
    address, seen = f"/datasets/{attack.classifier.dataset_id}/", set()
    for page in (1, 2):
        seen |= set(re.findall(r'src="/patches/(\d+).png"', client.get(f"{address}?page={page}").content.decode()))
    assert seen == {str(pk) for pk in Patch.objects.values_list("pk", flat=True)}
    only = client.get(f"{address}?tumour=no&search=slide-1").context["list"]
    assert {(row.tumour, row.group) for row in only.page} == {(False, "slide-1")}
