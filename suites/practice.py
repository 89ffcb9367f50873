"""Losses in practice: the training runs T1 to T9 of the sources and an autoencoder, as data.

`documented` is what a source prints, to be tested. Where a source gives no data, they are drawn here by numpy.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from lossbench import evidence

training = evidence.training
Adam, Conv, Dense, Flatten, Pool = training.Adam, training.Conv, training.Dense, training.Flatten, training.Pool
Model, Outcome, Sample, Sets, Term = training.Model, training.Outcome, training.Sample, training.Sets, training.Term

CLASSES: Final = 10
FEATURES: Final = 20
S1_SEED: Final = 42  # S1, "Using Loss Functions in Model Training": np.random.seed(42)
NO_WEIGHT_SEED: Final = "the seed of the initial weights and of the shuffling"
NO_DATA_SEED: Final = "the seed of the data (an earlier listing sets 42, this one draws on)"


def _halves(x: Any, y: dict[str, Any], kept: int) -> Any:
    """The first `kept` samples train, the rest test: as Keras' validation_split does."""
    train = {name: values[:kept] for name, values in y.items()}
    test = {name: values[kept:] for name, values in y.items()}
    return Sets(x=x[:kept], y=train, x_test=x[kept:], y_test=test)


# --- T1, T2: handwritten digits ---------------------------------------------------------------------


def flat_digits(seed: int, images: Any) -> Any:  # noqa: ARG001 - the data are fixed
    return Sets(
        x=images.train.reshape(len(images.train), -1),
        y={"y": images.train_labels},
        x_test=images.test.reshape(len(images.test), -1),
        y_test={"y": images.test_labels},
    )


def square_digits(seed: int, images: Any) -> Any:  # noqa: ARG001 - the data are fixed
    return Sets(
        x=images.train[..., None], y={"y": images.train_labels},
        x_test=images.test[..., None], y_test={"y": images.test_labels}, divisor=float(images.white),
    )  # fmt: skip


T1: Final = training.Experiment(
    id="T1",
    title="Digits, unscaled pixels, one hidden layer",
    source="S0, S3, Loss functions in practice",
    make=flat_digits,
    images=True,
    model=Model(
        inputs=(784,),
        trunk=(Dense(units=84, activation="relu"),),
        heads={"y": (Dense(units=CLASSES, activation="softmax"),)},
    ),
    loss=(Term(loss="sparse_categorical_crossentropy"),),
    batch=256,
    epochs=10,
    short=1,
    metrics=("accuracy",),
    documented=(
        Outcome(epoch=10, quantity="loss", value=0.1455),
        Outcome(epoch=10, quantity="accuracy", value=0.9597),
        Outcome(epoch=10, quantity="val_loss", value=0.4151),
        Outcome(epoch=10, quantity="val_accuracy", value=0.9344),
    ),
)

T2: Final = training.Experiment(
    id="T2",
    title="Digits, a small convolutional network",
    source="S1, Real-World Example: Image Classification",
    make=square_digits,
    images=True,
    model=Model(
        inputs=(28, 28, 1),
        trunk=(
            Conv(filters=32, activation="relu"),
            Pool(),
            Conv(filters=64, activation="relu"),
            Pool(),
            Flatten(),
            Dense(units=128, activation="relu"),
        ),
        heads={"y": (Dense(units=CLASSES, activation="softmax"),)},
    ),
    loss=(Term(loss="sparse_categorical_crossentropy"),),
    batch=128,
    epochs=2,
    metrics=("accuracy",),
    documented=(
        Outcome(epoch=1, quantity="loss", value=0.1456),
        Outcome(epoch=1, quantity="val_accuracy", value=0.9825),
        Outcome(epoch=2, quantity="loss", value=0.0470),
        Outcome(epoch=2, quantity="val_loss", value=0.0396),
        Outcome(epoch=2, quantity="val_accuracy", value=0.9873),
    ),
)


# --- T3 to T5: nothing to learn ---------------------------------------------------------------------


def random_labels_s1(seed: int, images: Any) -> Any:  # noqa: ARG001 - the source seeds its data
    """As S1 draws them, to the last digit; the last fifth is the validation split."""
    source = np.random.RandomState(S1_SEED)
    x = source.normal(size=(1000, FEATURES))
    return _halves(x, {"y": source.randint(0, 2, size=(1000, 1)).astype(np.float64)}, 800)


def random_targets(seed: int, images: Any) -> Any:  # noqa: ARG001
    source = np.random.default_rng([4, seed])
    return _halves(source.normal(size=(1200, FEATURES)), {"y": source.normal(size=(1200, 1))}, 1000)


def random_labels(seed: int, images: Any) -> Any:  # noqa: ARG001
    source = np.random.default_rng([5, seed])
    x = source.normal(size=(1200, FEATURES))
    return _halves(x, {"y": source.integers(0, 2, size=(1200, 1)).astype(np.float64)}, 1000)


T3: Final = training.Experiment(
    id="T3",
    title="Random labels: nothing to learn",
    source="S1, Using Loss Functions in Model Training",
    make=random_labels_s1,
    model=Model(
        inputs=(FEATURES,),
        trunk=(Dense(units=10, activation="relu"),),
        heads={"y": (Dense(units=1, activation="sigmoid"),)},
    ),
    loss=(Term(loss="binary_crossentropy"),),
    batch=32,
    epochs=5,
    short=2,
    metrics=("binary_accuracy",),
    documented=(
        Outcome(epoch=1, quantity="loss", value=0.6932),
        Outcome(epoch=5, quantity="loss", value=0.6912),
        Outcome(epoch=5, quantity="val_loss", value=0.6917),
        Outcome(epoch=5, quantity="val_binary_accuracy", value=0.5050),
    ),
)

T4: Final = training.Experiment(
    id="T4",
    title="Random targets, the asymmetric loss",
    source="S1, Creating Custom Loss Functions",
    make=random_targets,
    model=Model(inputs=(FEATURES,), trunk=(Dense(units=10, activation="relu"),), heads={"y": (Dense(units=1),)}),
    loss=(Term(loss="asymmetric_mse"),),
    batch=32,
    epochs=3,
    metrics=("mae", "rmse"),
    documented=(
        Outcome(epoch=1, quantity="loss", value=0.8353),
        Outcome(epoch=2, quantity="loss", value=0.8221),
        Outcome(epoch=3, quantity="loss", value=0.8024),
    ),
    unsaid=(NO_DATA_SEED, NO_WEIGHT_SEED),
)

T5: Final = training.Experiment(
    id="T5",
    title="Random labels, L2 penalty on the hidden layers",
    source="S1, Using Loss Functions with Regularization",
    make=random_labels,
    model=Model(
        inputs=(FEATURES,),
        trunk=(Dense(units=10, activation="relu", l2=0.01), Dense(units=10, activation="relu", l2=0.01)),
        heads={"y": (Dense(units=1, activation="sigmoid"),)},
    ),
    loss=(Term(loss="binary_crossentropy"),),
    batch=32,
    epochs=3,
    metrics=("binary_accuracy",),
    documented=(
        Outcome(epoch=1, quantity="loss", value=0.7834),
        Outcome(epoch=2, quantity="loss", value=0.7775),
        Outcome(epoch=3, quantity="loss", value=0.7756),
    ),
    unsaid=(NO_DATA_SEED, NO_WEIGHT_SEED),
)


# --- T6: few positives ------------------------------------------------------------------------------


def few_positives(seed: int, images: Any) -> Any:  # noqa: ARG001
    """About one positive in twenty, apart from the negatives by 1.5 standard deviations along one direction."""
    source = np.random.default_rng([6, seed])
    y = (source.random(4000) < 0.05).astype(np.float64)
    x = source.normal(size=(4000, 10))
    x[:, 0] += 1.5 * y
    x[:, 1] += 1.0 * y
    return _halves(x, {"y": y[:, None]}, 2000)


def _imbalanced(name: str, title: str, term: Any) -> Any:
    return training.Experiment(
        id=f"T6-{name}",
        title=f"Few positives, {title}",
        source="S1, Exercises 3 and 5",
        make=few_positives,
        model=Model(
            inputs=(10,),
            trunk=(Dense(units=16, activation="relu"),),
            heads={"y": (Dense(units=1, activation="sigmoid"),)},
        ),
        loss=(term,),
        batch=64,
        epochs=10,
        short=3,
        metrics=("binary_accuracy", "precision", "recall"),
    )


T6: Final = (
    _imbalanced("plain", "plain cross-entropy", Term(loss="binary_crossentropy_logits")),
    _imbalanced(
        "weighted",
        "positives weighted 19 times",
        Term(loss="weighted_binary_crossentropy_logits", params={"pos_weight": 19.0}),
    ),
    _imbalanced("focal", "focal loss", Term(loss="binary_focal_logits", params={"gamma": 2.0})),
)


# --- T7: two outputs --------------------------------------------------------------------------------


def two_targets(seed: int, images: Any) -> Any:  # noqa: ARG001
    source = np.random.default_rng([7, seed])
    x = source.normal(size=(1500, 8))
    amount = np.tanh(x[:, :1]) + 0.5 * x[:, 1:2] * x[:, 2:3] + 0.1 * source.normal(size=(1500, 1))
    sign = (x[:, 3:4] - x[:, 1:2] + 0.5 * source.normal(size=(1500, 1)) > 0).astype(np.float64)
    return _halves(x, {"amount": amount, "sign": sign}, 1000)


T7: Final = training.Experiment(
    id="T7",
    title="Two outputs, two losses",
    source="S1, Exercise 4",
    make=two_targets,
    model=Model(
        inputs=(8,),
        trunk=(Dense(units=32, activation="relu"),),
        heads={"amount": (Dense(units=1),), "sign": (Dense(units=1, activation="sigmoid"),)},
    ),
    loss=(Term(loss="mse", head="amount"), Term(loss="binary_crossentropy", head="sign", weight=0.5)),
    batch=32,
    epochs=5,
    short=2,
    metrics=("amount_rmse", "sign_binary_accuracy"),
)


# --- T8: outliers -----------------------------------------------------------------------------------

SHARES: Final = (0.0, 0.05, 0.2)
"""Of the training targets that are outliers."""


def contaminated(share: float) -> Any:
    """A linear law with noise 0.5; a share of the training targets is lifted by 10 to 30. The test has none."""

    def make(seed: int, images: Any) -> Any:  # noqa: ARG001
        source = np.random.default_rng([8, seed])
        x = source.normal(size=(1500, 5))
        y = x @ np.array([[1.5], [-2.0], [0.5], [0.0], [1.0]]) + 1.0 + 0.5 * source.normal(size=(1500, 1))
        hit = source.permutation(1000)[: round(share * 1000)]
        y[hit] += source.uniform(10.0, 30.0, size=(len(hit), 1))
        return _halves(x, {"y": y}, 1000)

    return make


def _outliers(loss: str, share: float) -> Any:
    return training.Experiment(
        id=f"T8-{loss}-{share * 100:g}%",
        title=f"Regression under {loss}, {share * 100:g}% outliers",
        source="S1, Exercise 1 and Choosing the Right Loss Function",
        make=contaminated(share),
        model=Model(inputs=(5,), trunk=(Dense(units=16, activation="relu"),), heads={"y": (Dense(units=1),)}),
        loss=(Term(loss=loss),),
        batch=32,
        epochs=20,
        short=4,
        optimiser=Adam(rate=0.01),
        metrics=("mae", "rmse"),
    )


T8: Final = tuple(_outliers(loss, share) for loss in ("mse", "mae", "huber") for share in SHARES)


# --- T9 and the autoencoder -------------------------------------------------------------------------


def small_pictures(seed: int, images: Any) -> Any:  # noqa: ARG001
    """Pictures of 8 by 8 pixels in [0, 1]: one bright spot of varying place and width, a little noise."""
    source = np.random.default_rng([9, seed])
    centre, width = source.uniform(1.5, 5.5, size=(1200, 2, 1, 1)), source.uniform(0.8, 1.8, size=(1200, 1, 1))
    rows, columns = np.mgrid[0:8, 0:8]
    distance = (rows - centre[:, 0]) ** 2 + (columns - centre[:, 1]) ** 2
    picture = np.clip(np.exp(-distance / (2 * width**2)) + 0.02 * source.normal(size=distance.shape), 0.0, 1.0)
    flat = picture.reshape(1200, 64)
    return _halves(flat, {"y": flat}, 1000)


T9: Final = training.Experiment(
    id="T9",
    title="A small variational auto-encoder",
    source="S4, Custom Losses",
    make=small_pictures,
    model=Model(
        inputs=(64,),
        trunk=(Dense(units=32, activation="relu"), Sample(units=4), Dense(units=32, activation="relu")),
        heads={"y": (Dense(units=64, activation="sigmoid"),)},
    ),
    loss=(Term(loss="vae_total", params={"beta": 0.01}, latents=True),),
    batch=50,
    epochs=10,
    short=2,
    metrics=("rmse",),
)

AUTOENCODER: Final = training.Experiment(
    id="AE",
    title="An autoencoder: its own input is the target",
    source="S4, Image Generation",
    make=small_pictures,
    model=Model(
        inputs=(64,),
        trunk=(Dense(units=32, activation="relu"), Dense(units=4), Dense(units=32, activation="relu")),
        heads={"y": (Dense(units=64, activation="sigmoid"),)},
    ),
    loss=(Term(loss="unsupervised_mse"),),
    batch=50,
    epochs=10,
    short=2,
    metrics=("rmse",),
)

EXPERIMENTS: Final = (T1, T2, T3, T4, T5, *T6, T7, *T8, T9, AUTOENCODER)
