"""One real step of every framework against the same step written out in numpy, and what a run keeps and resumes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from lossbench.practice import contributions, layout, order, together
from lossbench.practice.books import Books
from lossbench.practice.causes import Causes
from lossbench.practice.experiments import every
from lossbench.practice.process import Trainee, TrainingFault, at_once
from lossbench.practice.request import Request, sketch
from lossbench.spec.training import Adam, Dense, Experiment, Model, Sets, Term

FRAMEWORKS = ("tensorflow", "torch", "jax")
RATE, BETA_1, BETA_2, EPSILON, L2 = 0.01, 0.9, 0.999, 1e-7, 0.01


def plane(seed: int, images: object) -> Sets:  # noqa: ARG001 - as a suite's functions take it
    """Forty samples of two features; the targets are a line with noise."""
    source = np.random.default_rng(seed)
    x = source.normal(size=(40, 2))
    y = x @ np.array([[1.0], [-2.0]]) + source.normal(size=(40, 1))
    return Sets(x=x[:32], y={"y": y[:32]}, x_test=x[32:], y_test={"y": y[32:]})


LINE = Experiment(
    id="line",
    title="a line",
    source="here",
    make=plane,
    model=Model(inputs=(2,), trunk=(), heads={"y": (Dense(units=1, l2=L2),)}),
    loss=(Term(loss="mse"),),
    epochs=3,
    batch=8,
    metrics=("mae",),
    optimiser=Adam(rate=RATE),
)


@pytest.fixture(scope="module")
def trainees() -> Iterator[dict[str, Trainee]]:
    started = {name: Trainee(name) for name in FRAMEWORKS}
    for trainee in started.values():
        trainee.start()
    yield started
    for trainee in started.values():
        trainee.__exit__(None, None, None)


def by_hand(steps: int) -> np.ndarray:
    """Adam as Kingma and Ba write it, on the mean squared error of a line plus the penalty, in numpy."""
    sets = plane(0, None)
    plan = layout.lay_out(LINE.model)
    kernel, bias = layout.initial(plan, 0)
    theta = np.concatenate([kernel[:, 0], bias])
    m = v = np.zeros(3)
    batches = order.batches(sets, seed=0, epoch=0, size=8, dtype="float64", latent=0)
    for step, batch in enumerate(islice(batches, steps)):
        inputs = np.column_stack([batch.x, np.ones(len(batch.x))])
        slope = 2 * inputs.T @ (inputs @ theta - batch.y["y"][:, 0]) / len(inputs) + 2 * L2 * theta * [1, 1, 0]
        m, v = BETA_1 * m + (1 - BETA_1) * slope, BETA_2 * v + (1 - BETA_2) * slope**2
        theta = theta - RATE * (m / (1 - BETA_1 ** (step + 1))) / (np.sqrt(v / (1 - BETA_2 ** (step + 1))) + EPSILON)
    return np.asarray(theta)


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_with_the_causes_off_a_step_is_the_published_one(name: str, trainees: dict[str, Trainee]) -> None:
    sets = plane(0, None)
    after = together.walk("r", LINE, sets, trainees[name], dtype="float64", causes=Causes.off(), steps=4)[-1]
    assert np.linalg.norm(after - by_hand(4)) <= 1e-13 * np.linalg.norm(by_hand(4))


def test_a_cause_that_is_on_shows(trainees: dict[str, Trainee]) -> None:
    sets = plane(0, None)

    def keras(causes: Causes) -> float:
        after = together.walk("r", LINE, sets, trainees["tensorflow"], dtype="float64", causes=causes, steps=4)
        return float(np.linalg.norm(after[-1] - by_hand(4)))

    for cause in ("epsilon_placement", "bias_correction", "l2_rounding"):
        assert keras(Causes.off().only(cause)) > 1e-12, cause


@pytest.mark.parametrize("name", ["T3", "T4", "T5", "T8-mse-5%", "T8-mae-5%", "T8-huber-5%"])
def test_three_frameworks_agree_to_nine_digits_after_a_hundred_steps(name: str, trainees: dict[str, Trainee]) -> None:
    """In float64 with every named cause off."""
    experiment = every()[name]
    sets = experiment.make(0, None)
    walked = at_once(
        trainees,
        lambda _, t: together.walk("r", experiment, sets, t, dtype="float64", causes=Causes.off(), steps=100),
    )
    ended = {name: walk[99] for name, walk in walked.items()}
    norm = np.linalg.norm(ended["torch"])
    assert max(np.linalg.norm(ended[name] - ended["torch"]) for name in FRAMEWORKS) < 1e-9 * norm
    assert np.linalg.norm(ended["torch"] - layout.flat(layout.initial(layout.lay_out(experiment.model), 0))) > 0.01


def test_convolutions_begin_alike(trainees: dict[str, Trainee]) -> None:
    """Kernels and the order of flattened pixels: one step of a small network of T2's kinds of layers."""
    t2 = every()["T2"]
    source = np.random.default_rng(0)
    sets = Sets(
        x=source.integers(0, 256, size=(16, 28, 28, 1)).astype(np.uint8), y={"y": np.arange(16) % 10},
        x_test=np.zeros((2, 28, 28, 1)), y_test={"y": np.arange(2)}, divisor=255.0,
    )  # fmt: skip
    ended = [
        together.walk("r", t2, sets, t, dtype="float64", causes=Causes.off(), steps=1)[0] for t in trainees.values()
    ]
    norm = np.linalg.norm(ended[0])
    assert all(np.linalg.norm(other - ended[0]) < 1e-12 * norm for other in ended[1:])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda x: x.__setitem__((5, 1), np.nan), "first in the output of layer y_dense_1"),
        (lambda x: x.__setitem__((5, 1), 1e200), "first in the loss"),
    ],
)
def test_a_nan_is_named(spoil: object, said: str, trainees: dict[str, Trainee]) -> None:
    sets = plane(0, None)
    spoil(sets.x)  # type: ignore[operator]
    place = next(
        step
        for step, batch in enumerate(order.batches(sets, seed=0, epoch=0, size=8, dtype="float64", latent=0), 1)
        if 5 in batch.rows
    )
    for trainee in trainees.values():
        trainee.build("nan", LINE, sets, seed=0, dtype="float64", causes=Causes())
        told = trainee.ask("advance", run="nan", epoch=0, first=0, count=4, record=False)
        assert told["lost"].startswith(f"epoch 1, step {place}, batch of samples ")
        assert said in told["lost"]
        assert len(told["losses"]) == place - 1


def test_a_walk_does_not_end_before_its_steps(trainees: dict[str, Trainee]) -> None:
    sets = plane(0, None)
    sets.x[5, 1] = np.nan
    with pytest.raises(TrainingFault, match="torch: r: not finite, epoch 1, step"):
        together.walk("r", LINE, sets, trainees["torch"], dtype="float64", causes=Causes.off(), steps=4)


class Stop(Exception):  # noqa: N818
    """Stands for a Ctrl-C."""


def test_a_run_that_stops_goes_on_from_its_last_epoch(trainees: dict[str, Trainee], tmp_path: Path) -> None:
    job = together.Job(experiment=LINE, seed=0, dtype="float64", epochs=3, compare=True)
    sets = plane(0, None)
    told: list[str] = []

    def tell(text: str, weight: float) -> None:
        assert weight > 0
        if "epoch" in text:
            told.append(text)

    with Books.create(tmp_path / "whole", {}) as whole:
        together.train(job, sets, trainees, whole, tell)
    told.clear()

    def stop(text: str, weight: float) -> None:
        tell(text, weight)
        if len(told) == 3:
            raise Stop

    with Books.create(tmp_path / "cut", {}) as cut:
        with pytest.raises(Stop):
            together.train(job, sets, trainees, cut, stop)
        assert [row["epoch"] for row in cut.rows("epoch")] == [1, 2]
    told.clear()
    with Books.open(cut.path) as again:
        together.train(job, sets, trainees, again, tell)
        assert told == ["line-float64-s0 epoch 3 of 3"]
        assert list(again.rows("epoch")) == list(whole.rows("epoch"))
        together.train(job, sets, trainees, again, tell)
        assert len(told) == 1
    assert not list((cut.path / "states").iterdir())


def test_a_cause_has_a_number_of_its_own(trainees: dict[str, Trainee], tmp_path: Path) -> None:
    """Keras' rounding of the penalty's factor moves Keras, and no other."""
    two, sets = {name: trainees[name] for name in ("tensorflow", "jax")}, plane(0, None)
    with Books.create(tmp_path, {}) as books:
        contributions.measure(LINE, sets, two, books, dtype="float64", tell=lambda *_: None)
        rows = {row["cause"]: row for row in books.rows("cause")}
        contributions.measure(LINE, sets, two, books, dtype="float64", tell=stop_at_once)
    assert set(rows) == {"none", "all", *Causes.__slots__}
    assert max(rows["none"]["between"].values()) < contributions.BAR < max(rows["all"]["between"].values())
    moved = rows["l2_rounding"]["moved"]
    assert moved["tensorflow"] > 1e-12 > moved["jax"]  # a factor rounded to float32, in a few small weights
    assert len(rows["l2_rounding"]["path"]) == 100
    assert rows["l2_rounding"]["path"][-1] == moved["tensorflow"]


def stop_at_once(text: str, weight: float) -> None:
    raise Stop(f"{text} {weight}")


def test_a_request_survives_the_file() -> None:
    request = Request(only=("T3",), seeds=2, epochs=4)
    assert Request.of(request.stored()) == request
    assert sketch(("jax",)).sketch
    assert not sketch(("jax",)).guided
    assert Request().guided
