"""What every response goes through that the libraries' own middleware does more slowly."""

from dataclasses import asdict
from typing import Any

from csp.constants import HEADER
from csp.middleware import CSPMiddleware
from csp.utils import build_policy
from django.http import HttpRequest, HttpResponse


class ConstantPolicy(CSPMiddleware):
    """One Content-Security-Policy for all, written once: no page of ours has a nonce or a policy of its own."""

    def __init__(self, get_response: Any) -> None:
        super().__init__(get_response)
        self.policy = build_policy(**asdict(self.get_policy_parts(HttpRequest(), HttpResponse())))

    def process_request(self, request: HttpRequest) -> None:
        """Without a nonce there is nothing to prepare."""

    def process_response(self, request: HttpRequest, response: Any) -> Any:
        response.headers[HEADER] = self.policy
        return response
