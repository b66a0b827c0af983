"""The served page of the interface: Swagger UI from the sidecar, within the policy (no inline script or style)."""

from drf_spectacular.views import SpectacularSwaggerSplitView


class ApiDocs(SpectacularSwaggerSplitView):
    template_name = "office/api.html"
