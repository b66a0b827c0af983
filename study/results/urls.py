"""Addresses of a study's results, which open with its unblinding."""

from django.urls import path

from study.results import pages

app_name = "results"

urlpatterns = [
    path("", pages.results, name="results"),
    path("predict/", pages.predict, name="predict"),
    path("figure/<slug:name>.<slug:suffix>", pages.figure, name="figure"),
    path("file/<str:filename>", pages.download, name="file"),
]
