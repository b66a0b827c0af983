"""Progress of several stages, and what a row without a file answers."""

import pytest

from core.errors import InvalidInput, stage
from core.images import read_bytes, read_pixels


def test_stages_of_equal_length_add_up_to_one_progress():
    calls = []
    for number in range(3):
        told = stage(lambda done, total: calls.append((done, total)), number, 3)
        told(0, 10)
        told(10, 10)
    assert calls == [(0, 30), (10, 30), (10, 30), (20, 30), (20, 30), (30, 30)]


@pytest.mark.parametrize("name", ["", None])
@pytest.mark.parametrize("read", [read_bytes, read_pixels])
def test_a_row_without_a_file_is_named_as_such(name, read):
    with pytest.raises(InvalidInput, match="No file was stored"):
        read(name, sha256="0" * 64)
