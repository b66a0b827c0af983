"""A page per attack with its table and curve, and curves side by side, for researchers."""

from django.urls import path

from attacks import views

app_name = "attacks"

urlpatterns = [
    path("<int:pk>/", views.attack_page, name="attack"),
    path("<int:pk>/perturbations.csv", views.table_csv, name="table_csv"),
    path("<int:pk>/curve.svg", views.curve_svg, name="curve"),
    path("compare/", views.compare_page, name="compare"),
    path("compare.svg", views.compare_svg, name="compare_svg"),
    path("compare.csv", views.compare_csv, name="compare_csv"),
    path("classifiers/<int:pk>/curves/", views.curves_page, name="curves"),
    path("classifiers/<int:pk>/curves.svg", views.curves_svg, name="curves_svg"),
    path("classifiers/<int:pk>/curves.csv", views.curves_csv, name="curves_csv"),
]
