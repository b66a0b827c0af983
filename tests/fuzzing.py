"""How hard properties are tried: briefly in `make test`, FUZZ times as often in `make fuzz`."""

import os
from typing import Any

from hypothesis import HealthCheck, settings

TIMES = int(os.environ.get("FUZZ", "1"))


def tried(examples: int) -> Any:
    """Settings of a property: so many examples in an ordinary run."""
    unhealthy = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=examples * TIMES, deadline=None, suppress_health_check=unhealthy)
