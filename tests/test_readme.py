"""What the README shows is what there is."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_engine_in_ten_lines_runs_as_it_stands(capsys):
    [code] = [block for block in PYTHON if "attacks.engine" in block]
    assert len(code.splitlines()) <= 10
    names: dict = {}
    exec(code, names)
    assert names["result"].displayed.dtype == names["torch"].uint8
    assert capsys.readouterr().out


def test_the_example_of_the_api_is_the_file_that_is_tested():
    assert (ROOT / "docs" / "api_example.py").read_text() in PYTHON


def test_every_file_and_command_that_it_names_exists():
    for path in re.findall(r"\b(docs/[\w/.-]+\.(?:md|py|png))", README):
        assert (ROOT / path).exists(), path
    commands = {file.stem for file in ROOT.glob("*/management/commands/*.py")}
    named = set(re.findall(r"^manage (\w+)", README, re.MULTILINE)) | set(re.findall(r"`manage (\w+)", README))
    assert named and named <= commands
