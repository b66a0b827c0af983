"""A server on either database, and how a test tells what it tried."""

import pytest

from tests.own_server import OwnServer
from tests.trust.ledger import Verdict


@pytest.fixture
def own_server(own_database, tmp_path):
    """Not started yet."""
    home = tmp_path / "home"
    home.mkdir()
    server = OwnServer(home, own_database() or "")
    yield server
    server.kill()


@pytest.fixture
def tell(record_property):
    """``scripts/trust.py`` reads what is told from pytest's report and makes its table of it."""

    def tell(tried: str, times: int, *, lost: int = 0, wrong: int = 0, **more: object) -> None:
        for name, value in {"tried": tried, "times": times, "lost": lost, "wrong": wrong, **more}.items():
            record_property(name, value)

    return tell


@pytest.fixture
def judge(tell):
    """Tell of acknowledged answers, and fail where one is lost, doubled or invented."""

    def judge(tried: str, times: int, verdict: Verdict, **more: object) -> None:
        wrong = len(verdict.doubled) + len(verdict.invented) + len(verdict.wrong)
        tell(tried, times, lost=len(verdict.lost), wrong=wrong, answers=verdict.acknowledged, **more)
        assert verdict.acknowledged, "nothing was tried"
        assert verdict.good, str({name: getattr(verdict, name)[:5] for name in verdict._fields[1:]})

    return judge
