"""The addresses of the interface for programs, version 1, with its schema."""

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView
from rest_framework.routers import SimpleRouter

from attacks import api as attacks
from jobs import api as jobs
from model import api as model
from study import api as study

router = SimpleRouter()
router.register("datasets", model.Datasets, basename="datasets")
router.register("classifiers", model.Classifiers, basename="classifiers")
router.register("cross-validations", model.CrossValidations, basename="cross-validations")
router.register("attacks", attacks.Attacks, basename="attacks")
router.register("batteries", attacks.Batteries, basename="batteries")
router.register("transfers", attacks.Transfers, basename="transfers")
router.register("comparisons", attacks.Comparisons, basename="comparisons")
router.register("pairs", attacks.Pairs, basename="pairs")
router.register("jobs", jobs.Jobs, basename="jobs")
router.register("studies", study.Studies, basename="studies")
router.register(r"studies/(?P<study_slug>[-a-zA-Z0-9_]{1,60})/readers", study.Readers, basename="readers")

app_name = "api"
urlpatterns = [
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("classifiers/<int:pk>/curves/", attacks.Curves.as_view({"post": "create"}), name="classifiers-curves"),
    path(  # a file has no slash at its end
        "studies/<slug:slug>/exports/<str:filename>", study.Studies.as_view({"get": "export"}), name="study-export"
    ),
    path("", include(router.urls)),
]
