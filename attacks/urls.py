"""Addresses of attacks with their tables and curves, batteries, transfer, imported pairs, and galleries of figures."""

from django.urls import path

from attacks import battery_pages, comparison_pages, gallery_pages, measure_pages, pages, pair_pages, viewer

app_name = "attacks"

urlpatterns = [
    path("attacks/", pages.attacks, name="attacks"),
    path("attacks/new/", pages.new_attack, name="attack_new"),
    path("attacks/compare/", pages.compare_page, name="compare"),
    path("attacks/compare.csv", pages.compare_csv, name="compare_csv"),
    path("attacks/compare.<str:suffix>", pages.compare_picture, name="compare_picture"),
    path("attacks/<int:pk>/", pages.overview, name="attack"),
    path("attacks/<int:pk>/patches/", pages.perturbations, name="perturbations"),
    path("attacks/<int:pk>/measure/", measure_pages.of_attack, name="measure"),
    path("attacks/<int:pk>/perturbations.csv", pages.table_csv, name="table_csv"),
    path("attacks/<int:pk>/worst.<str:suffix>", pages.worst_picture, name="worst_picture"),
    path("batteries/", battery_pages.batteries, name="batteries"),
    path("batteries/new/", battery_pages.new_battery, name="battery_new"),
    path("batteries/<int:pk>/", battery_pages.battery, name="battery"),
    path("batteries/<int:pk>/standing.svg", battery_pages.battery_svg, name="battery_svg"),
    path("transfers/", battery_pages.transfers, name="transfers"),
    path("transfers/new/", battery_pages.new_transfer, name="transfer_new"),
    path("transfers/<int:pk>/", battery_pages.transfer, name="transfer"),
    path("attacks/<int:pk>/curve.<str:suffix>", pages.curve_picture, name="curve"),
    path("attacks/<int:pk>/patches/<int:row>/", viewer.pair_viewer, name="pair_viewer"),
    path("perturbed/<int:pk>/difference.png", viewer.difference, name="difference"),
    path("perturbed/<int:pk>.png", pages.perturbed_image, name="perturbed"),
    path("classifiers/<int:pk>/curves/", pages.curves_page, name="curves"),
    path("classifiers/<int:pk>/curves/new/", pages.request_curves, name="curves_new"),
    path("classifiers/<int:pk>/curves.csv", pages.curves_csv, name="curves_csv"),
    path("classifiers/<int:pk>/curves.<str:suffix>", pages.curves_picture, name="curves_picture"),
    path("comparisons/", comparison_pages.comparisons, name="comparisons"),
    path("comparisons/new/", comparison_pages.new_comparison, name="comparison_new"),
    path("comparisons/<int:pk>/", comparison_pages.comparison, name="comparison"),
    path("comparisons/<int:pk>.csv", comparison_pages.comparison_csv, name="comparison_csv"),
    path("comparisons/<int:pk>.<str:suffix>", comparison_pages.comparison_picture, name="comparison_picture"),
    path("pairs/", pair_pages.pair_sets, name="pairs"),
    path("pairs/new/", pair_pages.new_pairs, name="pairs_new"),
    path("pairs/<int:pk>/", pair_pages.pair_set, name="pair_set"),
    path("pairs/<int:pk>/measure/", measure_pages.of_pairs, name="pairs_measure"),
    path("pairs/<int:pk>/<int:row>/", viewer.imported_pair, name="imported_pair"),
    path("pair-images/<int:pk>/difference.png", viewer.pair_difference, name="pair_difference"),
    path("pair-images/<int:pk>/<str:which>.png", pair_pages.pair_image, name="pair_image"),
    path("figures/<str:kind>/<int:pk>/", gallery_pages.gallery_page, name="gallery"),
    path("figures/<str:kind>/<int:pk>/make/", gallery_pages.request_figures, name="figures_new"),
    path("figures/<str:kind>/<int:pk>/<slug:name>/make/", gallery_pages.request_figure, name="figure_new"),
    path("figures/<str:kind>/<int:pk>/<slug:name>.<str:suffix>", gallery_pages.figure_file, name="figure_file"),
]
