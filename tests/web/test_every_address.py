"""Who gets what at every address, in every state of a study: as ``statuses.txt`` says. A new address is missing there.

After a change that is meant: ``WRITE_STATUSES=1 python -m pytest tests/web/test_every_address.py``; read what differs.
"""

import os
from pathlib import Path

import pytest

from tests.web.addresses import Address, addresses
from tests.web.cast import ROLES, STATES, World
from tests.web.odd import Odd, Sent

TABLE = Path(__file__).with_name("statuses.txt")
HEADER = f"""# What GET and POST (of nothing) answer to {", ".join(ROLES)}.
# Address, states of the study; statuses of GET; statuses of POST. "--": not tried. See test_every_address.py.
"""
PUBLIC_TO_READERS = ("/reading/", "/healthz", "/sign-in/", "/sign-out/", "/admin/", "/account/", "/password/")


@pytest.fixture
def odd(db, tmp_path) -> Odd:
    return Odd(World(tmp_path))


def answers(odd: Odd, address: Address, state: str) -> str:
    values = odd.world.values(address.pattern, address.arguments, state)
    path = address.filled(values)
    return " ; ".join(
        " ".join(str(odd.ask(Sent(role, method, path)).status_code) for role in ROLES) for method in ("GET", "POST")
    )


def lines(odd: Odd) -> list[str]:
    """One line per address and per group of states that answer alike."""
    found = []
    for address in addresses():
        if address.pattern.startswith("/admin/"):
            continue
        by_answer: dict[str, list[str]] = {}
        for state in STATES if {"slug", "study_slug"} & set(address.arguments) else ("",):
            by_answer.setdefault(answers(odd, address, state), []).append(state)
        shown = address.pattern.replace("%(", "<").replace(")s", ">")
        for answered, states in by_answer.items():
            found.append(f"{shown} {','.join(states)}".strip() + f" ; {answered}")
    return found


@pytest.mark.slow
def test_every_address_answers_each_role_in_each_state_as_the_table_says(odd):
    found = lines(odd)
    if os.environ.get("WRITE_STATUSES"):
        TABLE.write_text(HEADER + "\n".join(found) + "\n")
    known = [line for line in TABLE.read_text().splitlines() if not line.startswith("#")]
    new, gone = sorted(set(found) - set(known)), sorted(set(known) - set(found))
    assert not new and not gone, "\n".join(["New:", *new, "In the table only:", *gone])
    assert not [line for line in found if " 5" in line.partition(";")[2]]


def test_the_table_lets_no_stranger_and_no_reader_into_the_office():
    """Of the table itself: nobody but readers under /reading/, nobody without an account elsewhere."""
    for line in TABLE.read_text().splitlines():
        path, _, rest = line.partition(" ; ")
        if line.startswith("#") or path.startswith(PUBLIC_TO_READERS):
            continue
        for answered in rest.split(" ; "):
            stranger, reader, other, *_ = answered.split()
            assert "200" not in (stranger, reader, other), line


@pytest.mark.django_db
def test_only_admins_come_into_the_administration(odd):
    inside = [address for address in addresses() if address.pattern.startswith("/admin/")]
    assert len(inside) > 50
    for address in inside:
        path = address.filled(odd.world.values(address.pattern, address.arguments, "open"))
        for role in ROLES[:-1]:
            status = odd.ask(Sent(role, "GET", path)).status_code
            # The administration has no sign-in page of its own: who is signed in and may not come in is refused there.
            refused = address.route == "admin:login" or path == "/admin/login/"
            assert status == 302 or (refused and status == 403), (role, path, status)
