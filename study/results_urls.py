"""The results' addresses."""

from django.urls import path

from study.views import results

urlpatterns = [
    path("<slug:slug>/", results.results, name="results"),
    path("<slug:slug>/figure/<slug:name>.svg", results.figure, name="results_figure"),
    path("<slug:slug>/file/<str:filename>", results.download, name="results_file"),
]
