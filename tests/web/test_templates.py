"""Every template can be read: a filter that was not loaded is otherwise noticed by who opens that very page."""

import pytest
from django.conf import settings
from django.template.loader import get_template

ROOT = settings.BASE_DIR / "templates"


@pytest.mark.parametrize("name", sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*.html")))
def test_it_loads_what_it_uses(name):
    get_template(name)
