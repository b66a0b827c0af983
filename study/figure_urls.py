"""The galleries' addresses: the figures of a classifier, of an attack, of a data set's cross-validation."""

from django.urls import path

from study.views import figures

app_name = "figures"

urlpatterns = [
    path("<str:kind>/<int:pk>/", figures.gallery_page, name="gallery"),
    path("<str:kind>/<int:pk>/<slug:name>/make/", figures.order, name="make"),
    path("<str:kind>/<int:pk>/<slug:name>.<str:suffix>", figures.figure_file, name="file"),
]
