"""Addresses of data sets, classifiers and cross-validations."""

from django.urls import path

from model import pages, side_by_side

app_name = "model"

urlpatterns = [
    path("datasets/", pages.datasets, name="datasets"),
    path("datasets/new/<str:source>/", pages.new_dataset, name="dataset_new"),
    path("datasets/<int:pk>/", pages.dataset, name="dataset"),
    path("patches/<int:pk>.png", pages.patch_image, name="patch"),
    path("classifiers/", pages.classifiers, name="classifiers"),
    path("classifiers/new/", pages.new_classifier, name="classifier_new"),
    path("classifiers/side-by-side/", side_by_side.page, name="classifiers_compared"),
    path("classifiers/side-by-side.csv", side_by_side.table, name="classifiers_compared_csv"),
    path("classifiers/import/", pages.import_classifier, name="classifier_import"),
    path("classifiers/<int:pk>/", pages.classifier, name="classifier"),
    path("cross-validations/new/", pages.new_cross_validation, name="cross_validation_new"),
]
