"""A study from its draft to its results, over HTTP, with every log kept: nothing that is kept holds a secret."""

import json
import re
from itertools import count

import httpx
import pytest

from study.blinding.browser import Browser, Page
from tests import factories
from tests.own_server import OwnServer

pytestmark = [pytest.mark.trust, pytest.mark.slow]

SEED = 7160934482317605
TYPED = {
    "the admin's password": factories.PASSWORD,
    "a wrong password": "Wr0ng-and-typed-1",
    "a weak password": "weakweak",
    "a reader's password": "violet-harbour-41-lamp",
    "a repeated password with an error": "violet-harbour-41-lamb",
    "a changed password": "amber-orchard-58-kite",
}
KEPT_IN = {"django_session", "study_study", "study_schedulesecret"}  # there to keep a secret
PROXY = "proxy.log"


class Story:
    """Everybody's browsers, and every secret that has come up."""

    def __init__(self, server: OwnServer):
        self.server = server
        self.secrets = dict(TYPED)
        self.numbers = count(1)
        self.done: list[str] = []

    def browser(self) -> Browser:
        """A proxy in front would log each request's address and where it came from: so does this."""
        browser = Browser(self.server.address)
        browser._client.event_hooks = {"request": [self.log]}
        return browser

    def log(self, request: httpx.Request) -> None:
        with (self.server.home.parent / PROXY).open("a") as file:
            file.write(f"{request.method} {request.url.raw_path.decode()} {request.headers.get('Referer')}\n")

    def keep(self, what: str, value: str | None) -> None:
        if value and len(value) >= 8:
            self.secrets[f"{what} {next(self.numbers)}"] = value

    def keep_cookies(self, browser: Browser) -> None:
        self.keep("a session cookie", browser.cookies.get("sessionid"))
        self.keep("a form's token", browser.cookies.get("csrftoken"))

    def sign_in(self, browser: Browser, name: str, password: str) -> Page:
        page = browser.get("/sign-in/")
        page = browser.submit(page, page.form_with("password"), username=name, password=TYPED["a wrong password"])
        page = browser.submit(page, page.form_with("password"), username=name, password=password)
        assert page.form_with("username") is None, "not signed in"
        self.keep_cookies(browser)
        self.done.append("sign in")
        return page

    def sure(self, browser: Browser, name: str, **fields: str) -> Page:
        """A step of the study, first with a wrong password where one is asked for."""
        for password in (TYPED["a wrong password"], factories.PASSWORD):
            page = browser.get("/studies/secret/" if name == "open" else f"/studies/secret/{name}/")
            form = page.form_to(f"/studies/secret/{name}/")
            assert form is not None, f"the page offers no '{name}'"
            page = browser.submit(page, form, password=password, **fields)
            if not form.xpath(".//*[@name='password']"):
                break
        self.done.append(name)
        return page

    def token(self, admin: Browser) -> None:
        page = admin.get("/token/")
        page = admin.submit(page, page.form_with("what"), what="new")
        found = page.tree.xpath("//input[@id='token']/@value") or re.findall(rb"[0-9a-f]{40,}", page.content)
        assert found, "no token was shown"
        token = found[0] if isinstance(found[0], str) else found[0].decode()
        self.keep("an API token", token)
        for sent, path in ((token, "studies/"), (token[:-1] + "x", "studies/"), (token, "nothing/")):
            self.keep("an API token", sent)
            httpx.get(
                f"{self.server.address}/api/v1/{path}", headers={"Authorization": f"Token {sent}"}, trust_env=False
            )
        self.done.append("token")

    def invite(self, admin: Browser) -> Browser:
        page = admin.get("/studies/secret/readers/")
        page = admin.submit(page, page.form_with("username"), username="dr-novak")
        link = page.tree.xpath("//input[@id='link']/@value")[0]
        secret = re.split(r"[/#]", link.rstrip("/"))[-1]
        self.keep("an invitation", secret)
        reader = self.browser()
        for code in (secret[:-2] + "zz", secret):
            page = reader.get(link.partition("#")[0].replace(secret, code))
            if (form := page.form_with("code")) is not None:
                page = reader.submit(page, form, code=code)
        for first, again in (
            (TYPED["a weak password"], TYPED["a weak password"]),
            (TYPED["a reader's password"], TYPED["a repeated password with an error"]),
            (TYPED["a reader's password"], TYPED["a reader's password"]),
        ):
            page = reader.submit(page, page.form_with("again"), password=first, again=again)
        assert page.form_with("again") is None, "the invitation was not accepted"
        self.keep_cookies(reader)
        self.done.append("join")
        return reader

    def read(self, reader: Browser) -> None:
        base = "/reading/study/secret/"
        page = reader.get(base + "consent/")
        reader.submit(page, page.form_with("agree"), agree="on")
        page = reader.get(base + "viewing/")
        reader.submit(page, page.form_with("viewing"))
        for password in (TYPED["a wrong password"], TYPED["a reader's password"]):
            again = {"username": "dr-novak", "password": password, "code": "R01"}
            reader.document("sign-in", base + "sign-in/", again)
            self.keep_cookies(reader)
        reader.exchange("sign-in", base + "sign-in/", json.dumps({"password": TYPED["a wrong password"]}).encode()[:-1])
        state = json.loads(reader.exchange("state", base + "state/").body)["state"]
        while state["stage"] in ("reading", "set_done"):
            if state["stage"] == "set_done":
                reader.form(base + "finish/", set=state["set"])
            else:
                document = {"token": state["current"]["first"], "replaces": 0, "answer": "tumour", "rt_ms": 9}
                reader.document("answer", base + "answers/", document | {"key": "short"})  # refused
                key = f"key-of-answer-{next(self.numbers)}"
                assert reader.document("answer", base + "answers/", document | {"key": key}).status == 200
            state = json.loads(reader.exchange("state", base + "state/").body)["state"]
        self.done.append("read")

    def change_password(self, browser: Browser) -> None:
        page = browser.get("/account/password/")
        if page.status == 404:
            return
        form = next(form for form in page.tree.forms if form.xpath(".//input[@type='password']"))
        names = form.xpath(".//input[@type='password']/@name")
        for new in (TYPED["a weak password"], TYPED["a changed password"]):
            chosen = {name: new if number else TYPED["a reader's password"] for number, name in enumerate(names)}
            page = browser.submit(page, form, **chosen)
        assert not page.tree.xpath("//input[@type='password']"), "the password was not changed"
        self.keep_cookies(browser)
        self.done.append("change a password")

    def odd_requests(self) -> None:
        """What servers like to log: forms without a token, unknown hosts and addresses, odd bodies."""
        wrong = TYPED["a wrong password"]
        with httpx.Client(base_url=self.server.address, trust_env=False) as client:
            client.post("/sign-in/", data={"username": "admin", "password": wrong})
            client.post("/sign-in/", content=b"username=admin\0&password=" + wrong.encode())
            client.post("/reading/study/secret/sign-in/", content=b"{" + wrong.encode())
            client.get("/", headers={"Host": "elsewhere.example.org", "Cookie": f"sessionid={wrong}"})
            client.get("/", headers={"Authorization": f"Basic {wrong}"})
            client.get("/api/v1/studies/", headers={"Authorization": f"Token {wrong}"})

    def keep_the_database_s(self) -> None:
        """Sessions of all, the study's seed and secret, and the installation's key."""
        for key, _ in self.server.rows("SELECT session_key, 1 FROM django_session"):
            self.keep("a session", key)
        self.keep("the study's seed", str(self.server.rows("SELECT seed FROM study_study")[0][0]))
        if self.server.rows("SELECT name FROM sqlite_master WHERE name = 'study_schedulesecret'"):
            self.keep("the study's secret", self.server.rows("SELECT value FROM study_schedulesecret")[0][0])
            self.done.append("the study's secret")
        self.keep("the installation's key", (self.server.home / "secret_key").read_text())

    def found(self, text: str) -> list[str]:
        return [what for what, value in self.secrets.items() if value in text]


def logs(server: OwnServer) -> dict[str, str]:
    """Every file that is a log, and the rows of every other table: jobs, the log of a study, attempts to sign in ..."""
    files = [server.log, *server.home.parent.glob("*.log"), *server.home.rglob("*.log")]
    texts = {str(file): file.read_text(errors="replace") for file in files}
    assert "/sign-in/" in texts[str(server.home.parent / PROXY)], "nothing was logged"
    assert "django.request" in texts[str(server.log)], "the server logged nothing"
    tables = server.rows("SELECT name, 1 FROM sqlite_master WHERE type = 'table'")
    for table in (name for name, _ in tables if name not in KEPT_IN):
        texts[table] = "\n".join(map(str, server.rows(f'SELECT * FROM "{table}"')))
    return texts


def test_no_log_holds_a_secret(tmp_path, tell):
    folder = tmp_path / "logs"
    folder.mkdir()
    (tmp_path / "logs" / "home").mkdir()
    options = ("--access-logfile", str(folder / "access.log"), "--log-level", "debug")
    server = OwnServer(folder / "home", more={"LOG_LEVEL": "DEBUG"}, options=options)
    server.prepare(draft=True, slug="secret", seed=SEED, cases=3, guides=0, min_gap=2)
    server.start()
    story = Story(server)
    try:
        admin = story.browser()
        story.sign_in(admin, "admin", factories.PASSWORD)
        story.token(admin)
        reader = story.invite(admin)
        story.odd_requests()
        story.sure(admin, "freeze")
        work(server)
        story.sure(admin, "open")
        story.read(reader)
        story.keep_the_database_s()
        leaks = {(where, what) for where, text in logs(server).items() for what in story.found(text)}
        story.sure(admin, "close", unfinished="on")
        story.sure(admin, "unblind", confirm="secret")
        admin.get("/studies/secret/results/")
        work(server)
        story.change_password(reader)
        assert server.rows("SELECT state FROM study_study") == [("unblinded",)]
        # The schedule's secret is disclosed by unblinding, in the log of the study, too; nothing else ever is.
        for where, text in logs(server).items():
            found = story.found(text)
            leaks |= {(where, what) for what in found if "the study's" not in what or where.endswith(".log")}
    finally:
        server.kill()
    tell(
        "secrets looked for in logs and all that is stored", len(story.secrets), wrong=len(leaks),
        story=", ".join(story.done),
    )  # fmt: skip
    assert not leaks, sorted(leaks)


def work(server: OwnServer) -> None:
    """A worker, with a log of its own, until nothing is queued."""
    done = server.manage("run_worker", "--burst", "--verbosity", "3")
    (server.home.parent / "worker.log").write_text(done.stdout + done.stderr)
    assert done.returncode == 0, done.stderr
