"""The simulations of the secondary results run, and their lines say what they are."""

from benchmarks.lib.validity_secondary import cells


def test_every_line_has_its_rate_and_its_monte_carlo_error():
    found = cells(replications=8, seed=1)
    assert {"name", "what", "nominal", "rate", "monte_carlo_error", "replications"} <= set(found[0])
    assert len({(row["name"], row["what"]) for row in found}) == len(found) > 60
    assert all(0 <= row["rate"] <= 1 and row["monte_carlo_error"] > 0 for row in found if row["replications"])
    for topic in ("response time", "odds ratio", "Bang's index", "forced choice", "change of d'", "control arms"):
        assert any(topic in row["name"] for row in found)
