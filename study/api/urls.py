"""The interface's addresses, version 1, with its schema and its page."""

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView
from rest_framework.routers import SimpleRouter

from study.api import studies, views

router = SimpleRouter()
router.register("datasets", views.Datasets, basename="datasets")
router.register("classifiers", views.Classifiers, basename="classifiers")
router.register("cross-validations", views.CrossValidations, basename="cross-validations")
router.register("attacks", views.Attacks, basename="attacks")
router.register("pairs", views.Pairs, basename="pairs")
router.register("jobs", views.Jobs, basename="jobs")
router.register("studies", studies.Studies, basename="studies")
router.register(r"studies/(?P<study_slug>[-a-zA-Z0-9_]{1,60})/readers", studies.Readers, basename="readers")

app_name = "api"
urlpatterns = [
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path(  # a file has no slash at its end
        "studies/<slug:slug>/exports/<str:filename>", studies.Studies.as_view({"get": "export"}), name="study-export"
    ),
    path("", include(router.urls)),
]
