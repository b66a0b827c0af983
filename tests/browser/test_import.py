"""In Chromium: a network's file goes from a researcher's disk to its classifier's page."""

import pytest
from safetensors.torch import save_file

from core.models import User
from model.models import Classifier
from tests import factories
from tests.browser.conftest import follow, no_fault, sign_in
from tests.browser.test_stories import told, work_off
from tests.model.datasets import small_dataset
from tests.model.test_any_form import SIDE, shufflenet


@pytest.mark.slow
def test_a_network_is_imported_and_a_slip_costs_nothing(window, transactional_db, own_files, tmp_path):
    factories.user("rex", User.Role.RESEARCHER)
    small_dataset("Mini", n=24, size=SIDE)
    save_file(shufflenet().state_dict(), tmp_path / "lab.safetensors")
    page = window()
    sign_in(page, "rex")
    follow(page, "header >> text=Classifiers")
    follow(page, "text=Import a classifier")
    no_fault(page, "import-empty")
    page.set_viewport_size({"width": 1920, "height": 1080})
    no_fault(page, "import-empty")
    page.set_viewport_size({"width": 1280, "height": 720})

    page.select_option("select[name=dataset]", label="Mini")
    page.set_input_files("input[name=upload]", tmp_path / "lab.safetensors")
    page.select_option("select[name=tumour_output]", value="0")
    page.fill("input[name=microns_per_pixel]", "0.5")
    page.click("main form button[type=submit]")  # the slip: weights of what?
    page.wait_for_selector(".field.wrong")
    assert "The file lab.safetensors holds weights alone" in page.inner_text("#field-arch")
    assert "lab.safetensors" in page.inner_text("form .note") and "need not be sent again" in told(page)
    no_fault(page, "import-wrong")
    page.fill("input[name=arch]", "shufflenet_v2_x0_5")
    follow(page, "main form button[type=submit]")
    work_off("failed")  # and the classes are the other way round
    page.wait_for_selector("#state.failed")
    assert "The classes look swapped" in page.inner_text("#job")
    follow(page, "text=Edit and try again")
    assert "Order of the classes: The classes look swapped" in told(page)
    assert page.input_value("input[name=arch]") == "shufflenet_v2_x0_5"
    no_fault(page, "import-swapped")
    page.select_option("select[name=tumour_output]", value="1")
    follow(page, "main form button[type=submit]")
    work_off()
    page.wait_for_selector("#state.done")
    follow(page, ".results-of-job a")
    said = told(page)
    assert "brought along as lab.safetensors" in said and "fits better as given" in said
    made = Classifier.objects.get()
    assert made.metrics["auc"] > 0.85 and made.settings["microns_per_pixel"] == 0.5
    no_fault(page, "import-classifier")
    page.set_viewport_size({"width": 1920, "height": 1080})
    no_fault(page, "import-classifier")
