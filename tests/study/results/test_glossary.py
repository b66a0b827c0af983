"""A statistical word on a page is explained where it stands, and in the glossary."""

import re

import pytest
from django.core.cache import cache
from django.utils.html import strip_tags

from core.models import User
from study.statistics.glossary import GLOSSARY, explained
from tests import factories
from tests.study.answered import answer_all, open_study_of, unblinded

STATISTICAL = {
    "VIF",
    "n_eff",
    "AC1",
    "GEE",
    "CR2",
    "kappa",
    "McNemar",
    "Bang",
    "Tango",
    "Newcombe",
    "Obuchowski",
    "alpha",
}
"""Words that a pathologist has not learned."""


@pytest.mark.django_db
def test_every_statistical_word_of_the_results_is_explained_on_their_page(client):
    cache.clear()  # an analysis is kept by its study's number
    made = open_study_of(readers=2, positives=8, negatives=4, questions=["perturbed_response"])
    answer_all(made)
    study = unblinded(made)
    client.force_login(factories.user("ada", User.Role.RESEARCHER))
    answer = client.get(f"/studies/{study.slug}/results/")
    assert answer.status_code == 200, answer.text
    page = answer.text
    used = {word for word in STATISTICAL if re.search(rf"\b{word}\b", strip_tags(page))}
    told = " ".join(re.findall(r'<p class="explained">.*?</p>', page, re.S))
    assert used >= {"AC1", "McNemar", "kappa"}
    assert not {word for word in used if not re.search(rf"<strong>[^<]*{word}", told)}


@pytest.mark.django_db
def test_the_glossary_holds_one_line_for_each_word(client):
    client.force_login(factories.user("ada", User.Role.RESEARCHER))
    page = client.get("/help/glossary/").text
    assert page.count("<dt>") == len(GLOSSARY)
    assert all(len(line) < 160 and line.endswith((".", "none.")) for line in GLOSSARY.values())
    with pytest.raises(KeyError):
        explained("vibes")
