"""What every request for work shares: a name that is free, an import's files, and a page whose form asks for a job."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.core import signing
from django.core.files.storage import default_storage
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from core import uploads
from core.errors import InvalidInput
from core.filled import initial_of
from core.pages import show_error
from core.requests import Request, form_class
from jobs import selectors
from jobs.models import Job

KEPT, KEPT_S = "kept-upload", 86_400


def free_name(kind: str, model: type[Model], name: str, word: str) -> str:
    """``name`` without surrounding spaces, if neither a row nor an active job has it; else InvalidInput."""
    name = name.strip()
    if not 1 <= len(name) <= 100:
        raise InvalidInput(f"the {word} needs a name of 1 to 100 characters.", field="name")
    if model._default_manager.filter(name=name).exists():
        raise InvalidInput(f"there is a {word} '{name}' already; choose another name.", field="name")
    for job in Job.objects.filter(kind=kind, state__in=Job.ACTIVE):
        if job.arguments.get("name") == name:
            raise InvalidInput(f"job {job.pk} is making a {word} '{name}'; choose another name.", field="name")
    return name


def import_source(*, upload: Any, folder: str) -> dict[str, str]:
    """The job's arguments for an uploaded zip file, which is stored, or for a folder on the server: one of the two."""
    if bool(upload) == bool(folder):
        raise InvalidInput(
            "choose a zip file, or give the path of a folder on the server; one of the two.", field="upload"
        )
    if upload:
        return {"upload": uploads.keep(upload), "called": upload.name[:200]}
    uploads.allowed_path(folder, field="folder")
    return {"folder": folder}


def request_page(
    request: HttpRequest,
    declared: type[Request],
    ask: Callable[..., Job],
    *,
    template: str = "core/request.html",
    **page: Any,
) -> HttpResponse:
    """The form of a request for a job. Choices in the address fill it in, ``?job=`` with what a job was asked for.

    A file that was sent with a form that has an error is kept, so that it need not be sent again.
    """
    posted = request.method == "POST"
    form_of = form_class(declared)
    kept = _kept(request)
    if posted:
        form = form_of(request.POST, _files(request, kept))
    else:
        form = form_of(initial=request.GET.dict() | initial_of_job(request, declared))
    if posted and form.is_valid():
        try:
            job = ask(by=request.user, **form.cleaned_data)
        except InvalidInput as error:
            show_error(form, error)
        else:
            return redirect("jobs:job", pk=job.pk)
    if "upload" in form.fields:
        page["kept"] = _keep(request, form) or kept
    return render(request, template, {"form": form} | page, status=400 if form.errors else 200)


def initial_of_job(request: HttpRequest, declared: type[Request]) -> dict[str, Any]:
    """What the job that ``?job=`` names was asked for, as a form shows it."""
    job = _job(request)
    return initial_of(declared, selectors.arguments_for(request.user, job)) if job else {}


def _job(request: HttpRequest) -> Job | None:
    number = request.GET.get("job", "")
    return selectors.jobs(request.user).filter(pk=int(number)).first() if re.fullmatch(r"\d{1,9}", number) else None


# --- Uploaded files that are kept while a form is corrected -----------------------------------------------------------


@dataclass(frozen=True)
class Kept:
    """A stored upload, for who sent it alone: ``token`` stands in the form."""

    stored: str
    called: str
    size: int
    token: str


def _token(request: HttpRequest, stored: str, called: str) -> Kept | None:
    if not default_storage.exists(stored):
        return None
    token = signing.dumps([request.user.pk, stored, called], salt=KEPT)
    return Kept(stored, called, default_storage.size(stored), token)


def _kept(request: HttpRequest) -> Kept | None:
    """The file that was sent earlier with this form, or with the job that it is filled in from."""
    if request.method != "POST":
        job = _job(request)
        stored = job.arguments.get("upload", "") if job and selectors.may_change(request.user, job) else ""
        return _token(request, stored, job.arguments.get("called", "")) if job and stored else None
    try:
        user, stored, called = signing.loads(request.POST.get("kept", ""), salt=KEPT, max_age=KEPT_S)
    except (signing.BadSignature, ValueError):
        return None
    return _token(request, stored, called) if user == request.user.pk else None


def _files(request: HttpRequest, kept: Kept | None) -> Any:
    files: Any = request.FILES.copy()
    if kept and "upload" not in files:
        files["upload"] = uploads.StoredUpload(kept.stored, kept.called)
    return files


def _keep(request: HttpRequest, form: Any) -> Kept | None:
    """Store the file of a form that has an error elsewhere."""
    file = request.FILES.get("upload")
    if file is None or form.errors.get("upload"):
        return None
    _forget_abandoned()
    try:
        return _token(request, uploads.keep(file), (file.name or "")[:200])
    except InvalidInput as error:
        show_error(form, error)
        return None


def _forget_abandoned() -> None:
    """Delete uploads that are a day old and that no job waits for: their forms were left."""
    named = Job.objects.exclude(state=Job.State.DONE).values_list("arguments__upload", flat=True)
    uploads.forget_old(KEPT_S, but=set(filter(None, named)))
