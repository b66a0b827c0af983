"""What every request for work shares: a name that is free, an import's files, and a page whose form asks for a job."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
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
    keep: Callable[..., str] = uploads.keep,
    **page: Any,
) -> HttpResponse:
    """The form of a request for a job. Choices in the address fill it in, ``?job=`` with what a job was asked for, and
    why it failed.

    Files that were sent with a form that has an error are kept, by ``keep``, so that they need not be sent again.
    """
    posted = request.method == "POST"
    form_of = form_class(declared)
    names = [name for name, field in form_of.base_fields.items() if isinstance(field, forms.FileField)]
    kept = {name: found for name in names if (found := _kept(request, name))}
    if posted:
        form = form_of(request.POST, _files(request, kept))
    else:
        form = form_of(initial=request.GET.dict() | initial_of_job(request, declared))
        page["failed"] = _why_failed(request, form)
    if posted and form.is_valid():
        try:
            job = ask(by=request.user, **form.cleaned_data)
        except InvalidInput as error:
            show_error(form, error)
        else:
            return redirect("jobs:job", pk=job.pk)
    page["kept"] = list((kept | _keep(request, form, names, keep)).values())
    return render(request, template, {"form": form} | page, status=400 if form.errors else 200)


def initial_of_job(request: HttpRequest, declared: type[Request]) -> dict[str, Any]:
    """What the job that ``?job=`` names was asked for, as a form shows it."""
    job = _job(request)
    return initial_of(declared, selectors.arguments_for(request.user, job)) if job else {}


def _job(request: HttpRequest) -> Job | None:
    number = request.GET.get("job", "")
    return selectors.jobs(request.user).filter(pk=int(number)).first() if re.fullmatch(r"\d{1,9}", number) else None


def _why_failed(request: HttpRequest, form: forms.Form) -> str:
    """The error of the job that ``?job=`` names, with the label of the field that it is about."""
    job = _job(request)
    if job is None or job.state != Job.State.FAILED:
        return ""
    name, _, message = job.error.partition(": ")
    return f"{form.fields[name].label}: {message}" if name in form.fields else job.error


# --- Uploaded files that are kept while a form is corrected -----------------------------------------------------------


@dataclass(frozen=True)
class Kept:
    """A stored upload, for who sent it alone: ``token`` stands in the form, in the hidden field ``name``."""

    stored: str
    called: str
    size: int
    token: str
    name: str


def called(field: str) -> str:
    """The job's argument with the name that the file of ``field`` was sent with: "called", "head_called"."""
    return field.replace("upload", "called")


def _hidden(field: str) -> str:
    return field.replace("upload", "kept")


def _token(request: HttpRequest, field: str, stored: str, name: str) -> Kept | None:
    if not default_storage.exists(stored):
        return None
    token = signing.dumps([request.user.pk, stored, name], salt=KEPT)
    return Kept(stored, name, default_storage.size(stored), token, _hidden(field))


def _kept(request: HttpRequest, field: str) -> Kept | None:
    """The file that was sent earlier with this form, or with the job that it is filled in from."""
    if request.method != "POST":
        job = _job(request)
        stored = job.arguments.get(field, "") if job and selectors.may_change(request.user, job) else ""
        return _token(request, field, stored, job.arguments.get(called(field), "")) if job and stored else None
    try:
        user, stored, name = signing.loads(request.POST.get(_hidden(field), ""), salt=KEPT, max_age=KEPT_S)
    except (signing.BadSignature, ValueError):
        return None
    return _token(request, field, stored, name) if user == request.user.pk else None


def _files(request: HttpRequest, kept: dict[str, Kept]) -> Any:
    files: Any = request.FILES.copy()
    for name, one in kept.items():
        if name not in files:
            files[name] = uploads.StoredUpload(one.stored, one.called)
    return files


def _keep(request: HttpRequest, form: Any, names: list[str], keep: Callable[..., str]) -> dict[str, Kept]:
    """Store the files of a form that has an error elsewhere."""
    files: Any = request.FILES
    sent = {name: files[name] for name in names if name in files and not form.errors.get(name)}
    if sent:
        _forget_abandoned()
    found: dict[str, Kept] = {}
    for name, file in sent.items():
        try:
            one = _token(request, name, keep(file, field=name), (file.name or "")[:200])
        except InvalidInput as error:
            show_error(form, error)
        else:
            found |= {name: one} if one else {}
    return found


def _forget_abandoned() -> None:
    """Delete uploads that are a day old and that no job waits for: their forms were left."""
    waiting = Job.objects.exclude(state=Job.State.DONE).values_list("arguments", flat=True)
    uploads.forget_old(KEPT_S, but={name for arguments in waiting for name in uploads.stored_in(arguments)})
