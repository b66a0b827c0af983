"""The whole map. Readers live under /reading/; everything else asks for a researcher or an admin."""

from django.contrib import admin
from django.urls import include, path

from core.accounts import admin_on_site, admin_sign_in
from core.api import ApiDocs
from study.conduct import front
from study.conduct import help as helping
from study.reading import urls as reading

admin.site.site_header = admin.site.site_title = "Blindspot administration"

urlpatterns = [
    path("", front.home, name="home"),
    path("help/", helping.help_page, name="help"),
    path("help/glossary/", helping.glossary, name="glossary"),
    path("about/", helping.about, name="about"),
    path("", include("core.urls")),
    path("", include("model.urls")),
    path("", include("attacks.urls")),
    path("", include("study.conduct.urls")),
    path("studies/<slug:slug>/results/", include("study.results.urls")),
    path("jobs/", include("jobs.urls")),
    path("reading/", include("study.reading.urls")),
    path("preview/", include((reading.preview, reading.app_name), namespace="preview")),
    path("api/v1/", include("config.api_urls")),
    path("api/", ApiDocs.as_view(url_name="api:schema"), name="api-docs"),
    path("admin/login/", admin_sign_in),
    path("admin/r/<path:rest>", admin.site.admin_view(admin_on_site)),
    path("admin/", admin.site.urls),
]
