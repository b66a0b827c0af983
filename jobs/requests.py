"""What every request for work shares: a name that is free, an import's files, and a page whose form asks for a job."""

from collections.abc import Callable
from typing import Any

from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from core import uploads
from core.errors import InvalidInput
from core.pages import show_error
from core.requests import Request, form_class
from jobs.models import Job


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
    """The form of a request for a job. Choices in the address fill it in."""
    posted = request.method == "POST"
    form_of = form_class(declared)
    form = form_of(request.POST, request.FILES) if posted else form_of(initial=request.GET.dict())
    if posted and form.is_valid():
        try:
            job = ask(by=request.user, **form.cleaned_data)
        except InvalidInput as error:
            show_error(form, error)
        else:
            return redirect("jobs:job", pk=job.pk)
    return render(request, template, {"form": form} | page, status=400 if form.errors else 200)
