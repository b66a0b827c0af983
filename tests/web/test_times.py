"""Every time on every page stands in the zone of who looks: in a <time> that a script turns to it, never bare UTC."""

import re
from collections.abc import Iterator

import lxml.html
import pytest
from django.utils import timezone

from core.models import User
from core.template_tags import instant, instants
from study.models import Study
from study.protocol import audit_log
from tests.web.addresses import addresses
from tests.web.cast import STATES, World
from tests.web.odd import Odd, Sent

BARE = re.compile(r"\bUTC\b|\d{4}-\d\d-\d\d|\b\d\d:\d\d:\d\d\b")
NOT_PAGES = ("/api/", "/admin/", "/healthz")


def bare(page: lxml.html.HtmlElement) -> set[str]:
    """Texts outside <time> that hold a time. What asks for a time in UTC is turned to the zone by the script."""
    left_out = ("time", "script", "style", "label[.//input[@type='datetime-local']]")
    outside = " or ".join(f"ancestor::{one}" for one in left_out)
    return {text.strip() for text in page.xpath(f"//body//text()[not({outside})]") if BARE.search(text)}


def test_a_time_is_shown_as_one_whether_it_is_a_row_s_or_a_log_s():
    assert instant("2026-03-02T09:05:00+00:00") == '<time datetime="2026-03-02T09:05+00:00">2026-03-02 09:05 UTC</time>'
    assert instant("2026-03-02T09:05:00") == "2026-03-02T09:05:00", "no zone: nobody knows when that was"
    said = instants("ended at 2026-03-02T11:05:00+02:00, <not> at 2026-03-02 10:00 UTC & so on")
    assert said.count("<time") == 2 and "2026-03-02 09:05 UTC</time>, &lt;not&gt;" in said and "&amp; so on" in said


def opened(odd: Odd) -> Iterator[tuple[str, lxml.html.HtmlElement]]:
    """Every page as an admin sees it, in every state of a study; the readers' own as a reader does."""
    for address in addresses():
        if address.pattern.startswith(NOT_PAGES):
            continue
        for state in STATES if {"slug", "study_slug"} & set(address.arguments) else ("",):
            path = address.filled(odd.world.values(address.pattern, address.arguments, state))
            for role in ("reader",) if path.startswith("/reading/") else ("admin",):
                answer = odd.ask(Sent(role, "GET", path))
                if answer.get("Content-Type", "").startswith("text/html") and not answer.streaming and answer.content:
                    yield f"{path} {state}", lxml.html.document_fromstring(answer.content)


@pytest.mark.slow
def test_no_page_shows_a_time_without_the_viewers_zone(db, tmp_path):
    world = World(tmp_path)
    now = timezone.now()
    for study in Study.objects.exclude(state="draft"):
        deviation = {"reader": "R01", "set": 1, "completed_at": now, "was_completed_at": now, "reason": "clock"}
        audit_log.record(study=study, actor="admin", action="washout_corrected", **deviation)
        study.assignments.first().sets.filter(number=1).update(completed_at=now)
    User.objects.update(last_login=now)
    found = {path: texts for path, page in opened(Odd(world)) if (texts := bare(page))}
    assert found == {}
