"""One cast for all tests; what a single wing needs lives beside its tests."""

import os
from pathlib import Path

import pytest
from django.core.cache import cache
from hypothesis import settings as hypothesis_settings

from tests.emptying import emptied_between_tests  # noqa: F401  a fixture of the whole suite
from tests.trust import sizes

SHARED = Path(__file__).resolve().parent.parent.parent / "shared" / "data"

# A busy machine is no failure: properties are tested, not how long they take. `make test` tries the same examples every
# time, so that it passes or fails for a change alone; `make fuzz` looks for new ones.
hypothesis_settings.register_profile("blindspot", deadline=None, derandomize="FUZZ" not in os.environ)
hypothesis_settings.load_profile("blindspot")


@pytest.fixture(autouse=True)
def quick_passwords(settings):
    """Real hashing is slow on purpose; tests sign in hundreds of times."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def plans_are_waited_for(monkeypatch):
    """A page says "being calculated" after half a second, which a busy machine may need for anything."""
    from study.conduct import planner

    monkeypatch.setattr(planner, "WAIT_S", 300)


@pytest.fixture(autouse=True)
def nothing_is_kept_from_other_tests():
    """Rows that are taken back leave their keys free: what was kept of one test would be taken for another's."""
    cache.clear()


SECRET = "00112233445566778899aabbccddeeff"


@pytest.fixture(autouse=True)
def fixed_secret(monkeypatch):
    """Every study of the tests has this secret, so that equal seeds give equal schedules."""
    monkeypatch.setattr("study.protocol.secret.new_secret", lambda: SECRET)


@pytest.fixture
def own_files(settings, tmp_path) -> Path:
    """The stored files, and all else that is written, of one test in a folder of its own; where the files lie."""
    settings.HOME = tmp_path
    place = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path / "files"}}
    settings.STORAGES = settings.STORAGES | {"default": place}
    return tmp_path / "files"


@pytest.fixture(scope="session")
def own_postgresql():
    """A PostgreSQL server of the tests' own; installed where it is missing by ``make trust`` alone."""
    from tests import own_postgresql

    if not sizes.FULL and not own_postgresql.is_here():
        pytest.skip("PostgreSQL is not on this machine")
    with own_postgresql.postgresql() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def own_database(request):
    """Each call: the address of a new database for programs of their own; None: the SQLite file of their home."""
    if request.param == "sqlite":
        return lambda: None
    return request.getfixturevalue("own_postgresql").new_database


def _shared(name: str) -> Path:
    folder = SHARED / name
    if not folder.exists():
        pytest.skip(f"the real data set {name} is not on this machine")
    return folder


@pytest.fixture
def real_pannuke() -> Path:
    """25 real PanNuke breast patches, where they are at hand."""
    return _shared("pannuke-breast-25")


@pytest.fixture
def real_prostate() -> Path:
    """1,304 real prostate patches with slides, where they are at hand."""
    return _shared("prostate-gleason")
