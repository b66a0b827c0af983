"""The plan's addresses."""

from django.urls import path

from study.views import planning

urlpatterns = [
    path("", planning.page, name="plan"),
    path("plan.json", planning.document, name="plan_json"),
]
