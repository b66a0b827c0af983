"""Every export is opened in R, as its program does it, and gives the analysis's numbers. `make test-r` installs R.

iMRMC, MRMCaov, MRMCbinary and RJafroc take part where they are installed; ``exports.R`` says what it found.
"""

import io
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from django.core.management import call_command

from study.results.exports.mrmc import Readings
from study.results.exports.rscript import r_script
from study.statistics.analysis import analyse
from study.statistics.readers import obuchowski_rockette
from tests.study.answered import answer_all, open_study_of, unblinded
from tests.study.readings import simulate
from tests.study.results.exported import crossover, without, written

pytestmark = pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed: `make test-r` does it")
CLOSE = {"rel": 1e-6, "abs": 1e-9}


def run(folder: Path, script: Path, *folders: Path) -> str:
    command = ["Rscript", "--no-environ", str(script), *map(str, folders)]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def opened(*folders: Path) -> dict[str, dict[str, float]]:
    """By folder: the numbers that R finds in its files."""
    out = run(folders[0], Path(__file__).with_name("exports.R"), *folders)
    found: dict[str, dict[str, float]] = {folder.name: {} for folder in folders}
    for folder, name, value in (line.split("\t") for line in out.splitlines() if line.count("\t") == 2):
        found[folder][name] = float(value)
    return found


def expected(data: Readings) -> dict[str, float]:
    """The analysis of the readings that a file holds, by name as R prints it."""
    rated = data.ratings().set_index(["arm", "reader_id", "patch_id"])["rating"].unstack("patch_id")
    scores = rated.to_numpy().reshape(2, len(data.readers), -1)
    theta = np.nanmean(scores, axis=2)
    numbers = {f"theta.{i + 1}": value for i, value in enumerate(theta.T.ravel())}
    numbers["delta"] = float((theta[1] - theta[0]).mean())
    if len(data.readers) > 1:
        model = obuchowski_rockette(scores)
        both = model.random_both
        numbers |= {"var": model.var, "cov1": model.cov1, "cov2": model.cov2, "cov3": model.cov3, "se": both.se,
                    "df": both.df, "p": both.p, "ci95.1": both.interval()[0], "ci95.2": both.interval()[1]}  # fmt: skip
    return numbers


def compare(found: dict[str, float], file: str, wanted: dict[str, float]) -> int:
    """Every number of ``file``, and of the program that opened it, is the wanted one; how many there were."""
    count = 0
    for name, value in wanted.items():
        for source in ("", "MRMCaov:", "iMRMC:", "RJafroc:", "MRMCbinary:"):
            if f"{source}{file}.{name}" in found:
                assert found[f"{source}{file}.{name}"] == pytest.approx(value, **CLOSE), f"{source}{file}.{name}"
                count += 1
    return count


TABLES = {
    "two sets": lambda: simulate(readers=3, patches=24, sets=2, right=(0.9, 0.75)),
    "one reader": lambda: simulate(readers=1, patches=24, sets=2, right=(0.9, 0.75)),
    "three sets": lambda: simulate(readers=3, patches=24, sets=3, right=(0.9, 0.75)),
    "crossed over": lambda: crossover(readers=4, patches=24, sets=2),
    "crossed over, two readings": lambda: crossover(readers=3, patches=24, sets=4),
    "crossed over, three readings": lambda: crossover(readers=3, patches=24, sets=6),
    "holes": lambda: without(simulate(readers=3, patches=24, sets=2, right=(0.9, 0.75)), 6),
    "names": lambda: simulate(readers=3, patches=12, sets=1).replace(
        {"reader_id": {"R1": "007", "R2": "Dr A, B", "R3": "NA"},
         "patch_id": {"p001": 'a,"b"', "p002": "a;'b'", "p003": "dummy1", "p004": "T", "p005": "=1+1"}}
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def in_r(tmp_path_factory) -> dict[str, tuple[Readings, dict[str, float]]]:
    """By name of the table: the readings written, and the numbers that R finds in their files (one R for all)."""
    folder = tmp_path_factory.mktemp("exports")
    data = {name: written(make(), folder / name) for name, make in TABLES.items()}
    found = opened(*(folder / name for name in TABLES))
    return {name: (data[name], found[name]) for name in TABLES}


@pytest.mark.parametrize("name", [name for name in TABLES if name != "holes"])
def test_every_file_gives_the_analysis_its_numbers_in_r(in_r, name):
    data, found = in_r[name]
    for suffix, part in data.split():
        wanted = expected(part)
        for file in (f"study{suffix}.imrmc", f"mrmcaov{suffix}.csv", f"rjafroc{suffix}.xlsx"):
            assert compare(found, file, wanted) >= len(wanted), file
    for suffix, part in data.per_reading():
        assert compare(found, f"mrmcbinary{suffix}.csv", expected(part)) >= 2 * len(data.readers)


@pytest.mark.parametrize("name", ["two sets", "crossed over", "crossed over, two readings"])
def test_the_files_of_a_whole_study_give_what_analysis_json_says(in_r, name):
    _, found = in_r[name]
    crossed = analyse(TABLES[name]()).to_json()["crossed"]
    wanted = {key: crossed[key] for key in ("delta", "se", "df", "p")}
    wanted |= {"ci95.1": crossed["ci95"][0], "ci95.2": crossed["ci95"][1]}
    wanted |= {key: crossed["components"][key] for key in ("cov1", "cov2", "cov3")}
    for file in ("study.imrmc", "mrmcaov.csv", "rjafroc.xlsx"):
        assert compare(found, file, wanted) >= len(wanted), file


def test_of_unbalanced_readings_every_program_gets_what_it_takes(in_r):
    data, found = in_r["holes"]
    assert compare(found, "rjafroc.xlsx", expected(data.complete("RJafroc")))
    [(_, first), _] = data.per_reading()
    assert found["mrmcbinary-reading1.csv.patches"] == len(first.complete("MRMCbinary").patches) < 24
    every = {name: value for name, value in expected(data).items() if name.startswith(("theta", "delta"))}
    assert every["delta"] == pytest.approx(analyse(TABLES["holes"]()).to_json()["primary"]["delta"])
    for file in ("study.imrmc", "mrmcaov.csv"):
        assert compare(found, file, every) >= len(every)


def script_of(table, folder: Path) -> str:
    written(table, folder)
    (folder / "analysis.R").write_text(r_script("A study", {"perturbed_arm": "perturbed"}))
    return run(folder, folder / "analysis.R")


@pytest.mark.parametrize("readers", [1, 4])
def test_the_exported_script_runs_for_one_reader_and_for_several(tmp_path, readers):
    said = script_of(simulate(readers=readers, patches=16, sets=2, right=(0.85, 0.7), seed=2), tmp_path)
    assert "stopped" not in said
    assert "Odds ratio of a correct answer" in said or "lme4 is not installed" in said


def test_the_exported_script_gives_slides_random_slopes_where_patches_share_them(tmp_path):
    table = simulate(readers=3, patches=24, sets=2, right=(0.8, 0.6), seed=1)
    table["group"] = table["patch_id"].str[-1].radd("slide ")
    said = script_of(table, tmp_path)
    assert "stopped" not in said
    assert "slopes of readers and groups" in said or "| unit)" in said or "lme4 is not installed" in said


def test_the_exported_script_says_where_no_odds_ratio_exists(tmp_path):
    said = script_of(simulate(readers=2, patches=8, sets=1, right=(1.0, 0.7)), tmp_path)
    assert "the odds ratio is infinite" in said or "lme4 is not installed" in said


def test_the_exported_script_pairs_readings_where_arms_cross_over(tmp_path):
    table = crossover(readers=2, patches=12, sets=4)
    said = script_of(table, tmp_path)
    for reader in ("R1", "R2"):
        for reading in (1, 2):
            own = table[table["reader_id"] == reader]
            wide = own.pivot(index=["patch_id", "set"], columns="arm", values="label").reset_index()
            first, second = (wide.dropna(subset=[arm]).groupby("patch_id")[arm].nth(reading - 1).to_numpy()
                             for arm in ("original", "perturbed"))  # fmt: skip
            b, c = int(((first == 1) & (second == 0)).sum()), int(((first == 0) & (second == 1)).sum())
            assert f"{reader} reading {reading}: b = {b}, c = {c}," in said


@pytest.mark.django_db
@pytest.mark.parametrize("arm_order", ["paper", "twin-split"])
def test_a_study_is_exported_and_opened_in_r(tmp_path, own_files, arm_order):
    arms = 2 if arm_order == "paper" else 1
    study = open_study_of(readers=2, negatives=4, arm_order=arm_order)
    answer_all(study, skip=2, amend=3)
    folder = tmp_path / "out"
    call_command("export_study", unblinded(study).slug, str(folder), stdout=io.StringIO(), stderr=io.StringIO())
    found = opened(folder)["out"]
    rows = 2 * 2 * 10 * arms
    assert [found[f"{name}.rows"] for name in ("presentations", "readers.csv", "stimuli.csv", "responses.csv")] == [
        rows, 2, 20, rows - 2 + 3,
    ]  # fmt: skip
    assert {file.name for file in folder.glob("mrmcbinary*")} == {
        f"mrmcbinary-reading{number + 1}.csv" for number in range(arms)
    }
    said = run(folder, folder / "analysis.R")
    assert "stopped" not in said.replace("MRMCbinary stopped", "")
    for row in json.loads((folder / "analysis.json").read_text())["per_set"]:
        line = f"{row['reader']} reading {row['set']}: b = {row['b']}, c = {row['c']}, exact McNemar p = "
        assert f"{line}{row['mcnemar_exact_p']:.4f}" in said
