"""The jobs' addresses."""

from django.urls import path

from jobs import pages

app_name = "jobs"

urlpatterns = [
    path("", pages.jobs, name="jobs"),
    path("<int:pk>/", pages.job, name="job"),
    path("<int:pk>/state", pages.job_state, name="state"),
    path("<int:pk>/cancel", pages.cancel, name="cancel"),
    path("<int:pk>/retry", pages.retry, name="retry"),
]
