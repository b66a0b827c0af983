"""The whole map. Readers live under /reading/; everything else asks for a researcher or an admin."""

from django.contrib import admin
from django.urls import include, path

from study.api.docs import ApiDocs
from study.views import accounts

admin.site.site_header = admin.site.site_title = "Blindspot administration"

urlpatterns = [
    path("", accounts.home, name="home"),
    path("sign-in/", accounts.SignIn.as_view(), name="sign_in"),
    path("sign-out/", accounts.SignOut.as_view(), name="sign_out"),
    path("healthz", accounts.healthz, name="healthz"),
    path("reading/", include("study.reading_urls")),
    path("results/", include("study.results_urls")),
    path("plan/", include("study.planning_urls")),
    path("office/", include("study.office_urls")),
    path("attacks/", include("attacks.urls")),
    path("office/figures/", include("study.figure_urls")),
    path("office/preview/", include("study.preview_urls", namespace="preview")),
    path("api/v1/", include("study.api.urls")),
    path("api/", ApiDocs.as_view(url_name="api:schema"), name="api-docs"),
    path("admin/", admin.site.urls),
]
