"""Training on pictures small enough to learn in a second."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from core.errors import InvalidInput
from model.learning import evaluation
from model.learning.network import Network
from model.learning.prediction import predict
from model.learning.training import PRESETS, TrainSettings, preset, settle, train, window

FAST = TrainSettings(preset="test", optimiser="adamw", learning_rate=5e-3, epochs=6, batch_size=8)


def tiny(seed=0):
    """A convolution, BatchNorm and a head: a network in miniature."""
    torch.manual_seed(seed)
    body = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)
    )
    return Network(body, "tiny").eval()


def dots(n=48, size=24, seed=0):
    """Noise without (0) and with (1) dark dots."""
    rng = np.random.default_rng(seed)
    images = rng.integers(150, 256, (n, size, size, 3)).astype(np.uint8)
    labels = np.arange(n) % 2
    for row in np.flatnonzero(labels):
        for y, x in rng.integers(0, size - 3, (6, 2)):
            images[row, y : y + 3, x : x + 3] = 30
    return images, labels


def test_the_paper_preset_is_the_papers_recipe():
    paper = PRESETS["paper"]
    assert (paper.optimiser, paper.learning_rate, paper.epochs, paper.schedule) == ("adadelta", 0.01, 25, "constant")
    assert paper.crop == 0 and paper.weight_decay == 0 and not paper.settle


def test_it_learns_what_can_be_learned():
    images, labels = dots()
    trained = train(tiny(), images, labels, replace(FAST, epochs=25), seed=1)
    unseen, truth = dots(seed=9)
    found = evaluation.metrics(truth, predict(trained.network, unseen))
    assert found["auc"] > 0.95
    assert trained.history[-1]["loss"] < trained.history[0]["loss"]
    assert [row["epoch"] for row in trained.history] == list(range(1, 26))
    assert not trained.network.training and trained.images_per_second > 0


def test_equal_seeds_give_equal_weights_and_others_do_not():
    images, labels = dots()
    settings = replace(FAST, epochs=2, crop=16, settle=True)
    one, same, other = (train(tiny(), images, labels, settings, seed=seed).network for seed in (1, 1, 2))
    for key, value in one.state_dict().items():
        assert torch.equal(value, same.state_dict()[key]), key
    assert not torch.equal(one.head.weight, other.head.weight)


def test_training_leaves_the_callers_random_state_alone():
    images, labels = dots()
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    train(tiny(0), images, labels, replace(FAST, epochs=1), seed=1)
    torch.manual_seed(3)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_every_image_is_seen_once_an_epoch_in_batches_that_differ_by_at_most_one():
    images, labels = dots(n=35)
    seen = []
    network = tiny()
    network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    train(network, images, labels, replace(FAST, epochs=1, augment=False), seed=0)
    sizes = [len(batch) for batch in seen]
    assert sum(sizes) == 35 and max(sizes) - min(sizes) <= 1 and max(sizes) <= FAST.batch_size
    shown = (torch.cat(seen) * 255).round().byte().permute(0, 2, 3, 1).numpy()
    assert sorted(image.tobytes() for image in shown) == sorted(image.tobytes() for image in images)


def test_progress_counts_every_batch():
    images, labels = dots(n=20)
    calls = []
    train(
        tiny(),
        images,
        labels,
        replace(FAST, epochs=2),
        seed=0,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls == [(n, 6) for n in range(1, 7)]


def test_the_trajectory_begins_with_the_start_and_ends_with_the_result():
    images, labels = dots()
    network = tiny(4)
    start = network.head.weight.detach().clone()
    trained = train(network, images, labels, replace(FAST, epochs=3), seed=0, keep_weights=True)
    assert len(trained.weights) == 4
    assert torch.equal(trained.weights[0]["5.weight"], start)
    assert torch.equal(trained.weights[-1]["5.weight"], trained.network.head.weight.cpu())


def symmetries(image):
    """The eight turned and mirrored pictures of a square one."""
    turned = [np.rot90(image, quarter) for quarter in range(4)]
    return [picture.tobytes() for picture in turned + [np.fliplr(picture) for picture in turned]]


def test_augmentation_draws_all_eight_symmetries_and_nothing_else():
    image = np.random.default_rng(0).integers(0, 256, (1, 6, 6, 3)).astype(np.uint8)
    rows, draw = torch.zeros(400, dtype=torch.long), torch.Generator().manual_seed(0)
    batch = window(torch.from_numpy(image), rows, draw, crop=0, augment=True, device=torch.device("cpu"))
    assert batch.is_contiguous(memory_format=torch.channels_last)
    shown = (batch * 255).round().byte().permute(0, 2, 3, 1).numpy()
    found = {picture.tobytes() for picture in shown}
    assert found == set(symmetries(image[0]))


def test_a_window_is_a_part_of_the_patch_at_its_own_scale():
    image = np.random.default_rng(0).integers(0, 256, (1, 9, 9, 3)).astype(np.uint8)
    rows, draw = torch.zeros(200, dtype=torch.long), torch.Generator().manual_seed(0)
    batch = window(torch.from_numpy(image), rows, draw, crop=5, augment=False, device=torch.device("cpu"))
    shown = {picture.tobytes() for picture in (batch * 255).round().byte().permute(0, 2, 3, 1).numpy()}
    parts = {image[0, y : y + 5, x : x + 5].tobytes() for y in range(5) for x in range(5)}
    assert shown <= parts and len(shown) > 20


def test_without_augmentation_a_batch_is_the_patches_as_they_are():
    images, _ = dots(n=4)
    batch = window(
        torch.from_numpy(images),
        torch.tensor([2, 0]),
        torch.Generator(),
        crop=0,
        augment=False,
        device=torch.device("cpu"),
    )
    expected = torch.from_numpy(images[[2, 0]]).permute(0, 3, 1, 2).float() / 255
    torch.testing.assert_close(batch, expected)


def test_settling_measures_the_statistics_of_whole_patches():
    images, _ = dots(n=32)
    network = tiny()
    weights = network.head.weight.detach().clone()
    settle(network, torch.from_numpy(images), torch.device("cpu"))
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        convolved = network.body[0]((pixels - network.mean) / network.std)
    torch.testing.assert_close(network.body[1].running_mean, convolved.mean((0, 2, 3)), atol=1e-4, rtol=1e-4)
    assert torch.equal(network.head.weight, weights) and network.body[1].momentum == 0.1


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((4, 8, 8, 3), np.float32), [0, 1, 0, 1], "uint8"),
        (np.zeros((4, 3, 8, 8), np.uint8), [0, 1, 0, 1], "uint8"),
        (np.zeros((4, 8, 8, 3), np.uint8), [0, 1], "4 images but 2 labels"),
        (np.zeros((4, 8, 8, 3), np.uint8), [0, 0, 0, 0], "both classes"),
        (np.zeros((4, 8, 8, 3), np.uint8), [0, 1, 2, 1], "labels"),
    ],
)
def test_unusable_patches_are_refused(images, labels, message):
    with pytest.raises(InvalidInput, match=message):
        train(tiny(), images, np.array(labels), FAST, seed=0)


def test_a_loss_that_leaves_the_numbers_is_reported():
    images, labels = dots(n=16)
    network = tiny()
    with torch.no_grad():
        network.head.weight.fill_(torch.inf)
    with pytest.raises(InvalidInput, match="learning rate"):
        train(network, images, labels, replace(FAST, epochs=1), seed=0)


def test_a_preset_can_be_changed_field_by_field_and_bad_fields_are_named():
    assert preset("quick", epochs=3, crop=None).epochs == 3
    assert preset("quick", crop=None).crop == PRESETS["quick"].crop
    with pytest.raises(InvalidInput, match="epochs"):
        preset("quick", epochs=0)
    with pytest.raises(InvalidInput, match="preset"):
        preset("slow")
