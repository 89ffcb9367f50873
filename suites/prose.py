"""What the sources state in prose about losses (catalogue, section 3), each as a measurement.

A finding looks only at what it is given: the oracle's numbers, or those of one spelling in one framework.
Inputs are chosen so that float32 holds them exactly wherever the statement is about exact numbers.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from lossbench import evidence

Found = tuple[bool | None, str, str]

ROUNDING: Final = 4 * 2.0**-23
"""Relative distance that float32 arithmetic may leave between two ways to the same number."""

_TRUE: Final = [1.0, 2.0, 3.0, 4.0]
_CLEAN: Final = [1.1, 1.9, 3.2, 3.7]
_OUTLIER: Final = [1.1, 1.9, 5.0, 3.7]
_ROWS: Final = [[0.15, 0.75, 0.1], [0.75, 0.15, 0.1], [0.25, 0.25, 0.5], [0.01, 0.01, 0.98]]
_LABELS: Final = [1, 0, 2, 0]
_ONE_HOT: Final = np.eye(3)[_LABELS].tolist()


def _say(values: Any) -> str:
    """As float32 shows them: enough digits to tell neighbours apart."""
    shown = [str(v) for v in np.asarray(values, np.float32).ravel()]
    return shown[0] if len(shown) == 1 else f"[{', '.join(shown)}]"


def _same(a: Any, b: Any) -> bool:
    return bool(np.allclose(a, b, rtol=ROUNDING, atol=0.0))


def _apart(a: Any, b: Any) -> float:
    """Largest relative distance."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    with np.errstate(all="ignore"):
        return float(np.nan_to_num(np.abs(a - b) / np.maximum(np.abs(a), np.abs(b)), nan=0.0).max())


def _mae_never_negative(ask: Any) -> Found:
    targets, predictions = [0.0, 1.0, -2.0, 3.0, 0.0], [0.0, 1.0, 2.0, 2.5, -1e-30]
    losses = ask("mae", targets, predictions).value
    zero = losses == 0
    perfect = np.equal(targets, np.asarray(predictions, np.float32))
    return (
        bool((losses >= 0).all() and (zero == perfect).all()),
        _say(losses),
        f"least {losses.min():g}; zero at {int(zero.sum())} of {int(perfect.sum())} perfect ones, nowhere else"
        if (zero == perfect).all()
        else f"zero at {int(zero.sum())} places, {int(perfect.sum())} predictions are perfect",
    )


def _mae_gradient_jumps(ask: Any) -> Found:
    slopes = ask("mae", [0.0] * 3, [-(2.0**-60), 0.0, 2.0**-60]).grad
    return bool(slopes[2] - slopes[0] == 2), _say(slopes), f"slope {slopes[0]:g} just below 0, {slopes[2]:g} just above"


def _mae_gradient_fails(ask: Any) -> Found:
    seen = ask("mae", [1.0, 0.0], [1.0, 0.0])
    if seen.slopes is None:
        return True, "", f"no gradient at 0: {seen.error}"
    finite = bool(np.isfinite(seen.slopes).all())
    inside = bool((np.abs(seen.slopes) <= 1).all())
    what = "a subgradient between -1 and 1" if inside else "outside of -1 to 1"
    reason = f"no error at 0: the gradient there is {_say(seen.slopes)}, {what}"
    return not finite, _say(seen.slopes), "; ".join(filter(None, (reason, seen.note)))


def _mse_shape(ask: Any) -> Found:
    errors = np.array([-4.0, -2.5, -1.0, -0.5, 0.0, 0.5, 1.0, 2.5, 4.0])
    at, zeros = ask("mse", np.zeros(9), errors).value, np.zeros(8)
    middle = ask("mse", zeros, (errors[1:] + errors[:-1]) / 2).value
    symmetric = bool((at == at[::-1]).all())
    convex = bool((middle <= (at[1:] + at[:-1]) / 2).all())
    return (
        symmetric and convex and bool((at >= 0).all()),
        _say(at),
        f"least {at.min():g}, {'' if symmetric else 'not '}symmetric, {'' if convex else 'not '}convex at 9 points",
    )


def _mse_one_large(ask: Any) -> Found:
    small = ask("mse", [1.0, 1.0], [2.0, 0.0], reduction="sum").value
    large = ask("mse", [1.0, 1.0], [3.0, 1.0], reduction="sum").value
    return bool(small == 2 and large == 4), f"{_say(small)} and {_say(large)}", f"{small:g} against {large:g} in sum"


def _shares(ask: Any) -> Found:
    squared, absolute = (ask(name, [1.0, 0.0], [2.0, 3.0]).value for name in ("mse", "mae"))
    shares = squared[1] / squared.sum(), absolute[1] / absolute.sum()
    return shares == (0.9, 0.75), _say(shares), f"{shares[0]:.0%} of the squared, {shares[1]:.0%} of the absolute error"


def _rmse_parallel(ask: Any) -> Found:
    root, square = (ask(name, _TRUE, _OUTLIER, reduction="mean") for name in ("rmse", "mse"))
    factors = root.grad / square.grad
    due = 1 / (2 * float(root.value))
    return (
        _apart(factors, np.full(4, due)) <= 2 * ROUNDING,
        _say(factors),
        f"every slope of RMSE is {factors[0]:.7g} times that of MSE; 1 / (2 RMSE) is {due:.7g}",
    )


def _rmse_at_zero(ask: Any) -> Found:
    root, square = (ask(name, _TRUE, _TRUE, reduction="mean") for name in ("rmse", "mse"))
    finite = bool(np.isfinite(root.grad).all())
    reason = f"at no error the gradient of RMSE is {_say(root.grad)}, of MSE {_say(square.grad)}"
    return finite, _say(root.grad), "; ".join(filter(None, (reason, root.note)))


def _crossentropy_at_one(ask: Any) -> Found:
    loss = ask("categorical_crossentropy", [[0.0, 1.0, 0.0]], [[0.0, 1.0, 0.0]]).value
    return bool((loss == 0).all()), _say(loss), f"{_say(loss)} at probability 1"


def _crossentropy_at_zero(ask: Any) -> Found:
    near = 2.0 ** -np.array([1, 10, 20, 40, 120])
    rows = np.array([[p, 1 - p] for p in (*near, 0.0)])
    losses = ask("categorical_crossentropy", [[1.0, 0.0]] * 6, rows).value
    grows = bool((np.diff(losses[:-1]) > 0).all())
    return (
        grows and bool(np.isposinf(losses[-1])),
        _say(losses),
        f"{'grows' if grows else 'stops growing'} towards 0 (from 2^-1 to 2^-120), and is {losses[-1]:g} at 0",
    )


def _crossentropy_slope(ask: Any) -> Found:
    chances = np.array([0.01, 0.25, 0.5, 0.75, 0.99])
    slopes = ask("categorical_crossentropy", [[1.0, 0.0]] * 5, np.stack([chances, 1 - chances], -1)).grad[:, 0]
    return (
        bool((slopes < 0).all()),
        _say(slopes),
        f"slope by the true class's probability from {slopes[0]:g} to {slopes[-1]:g}",
    )


def _sparse_is_one_hot(ask: Any) -> Found:
    sparse = ask("sparse_categorical_crossentropy", _LABELS, _ROWS).value
    one_hot = ask("categorical_crossentropy", _ONE_HOT, _ROWS).value
    return _same(sparse, one_hot), _say(sparse), f"largest relative distance {_apart(sparse, one_hot):.2g}"


def _binary_is_two_classes(ask: Any) -> Found:
    chances, labels = np.array([0.125, 0.25, 0.5, 0.875]), np.array([0.0, 1.0, 1.0, 1.0])
    binary = ask("binary_crossentropy", labels, chances).value
    pair = ask(
        "categorical_crossentropy", np.stack([1 - labels, labels], -1), np.stack([1 - chances, chances], -1)
    ).value
    return _apart(binary, pair) <= ROUNDING, _say(binary), f"largest relative distance {_apart(binary, pair):.2g}"


def _poisson_log_of_target(ask: Any) -> Found:
    y, p = np.array([2.0, 4.0]), np.array([3.0, 1.0])
    loss = ask("poisson", y, p).value
    stated, usual = p - y * np.log(y), p - y * np.log(p)
    return (
        _apart(loss, stated) <= 1e-5,
        _say(loss),
        f"{_say(loss)} measured; with log y_true it would be {_say(stated)}, with log y_pred {_say(usual)}",
    )


def _outlier_factor(ask: Any, loss: str) -> float:
    with_one, without = (float(ask(loss, _TRUE, p, reduction="mean").value) for p in (_OUTLIER, _CLEAN))
    return with_one / without


def _mae_more_sensitive(ask: Any) -> Found:
    mae, mse = _outlier_factor(ask, "mae"), _outlier_factor(ask, "mse")
    return mae > mse, f"{mae:.4g} and {mse:.4g}", f"one outlier multiplies MAE by {mae:.4g}, MSE by {mse:.4g}"


def _mse_very_sensitive(ask: Any) -> Found:
    mse, mae = _outlier_factor(ask, "mse"), _outlier_factor(ask, "mae")
    return mse > mae, f"{mse:.4g} and {mae:.4g}", f"one outlier multiplies MSE by {mse:.4g}, MAE by {mae:.4g}"


def _huber_more_robust(ask: Any) -> Found:
    far = ([0.0, 0.0], [2.0, 200.0])
    huber, mse = (ask(name, *far) for name in ("huber", "mse"))
    pull = huber.grad[1] / huber.grad[0], mse.grad[1] / mse.grad[0]
    return (
        bool(pull[0] < pull[1]),
        _say(pull),
        f"an error 100 times as large pulls {pull[0]:g} times as hard under Huber, {pull[1]:g} times under MSE",
    )


def _cosine_range(ask: Any) -> Found:
    grid = np.array([[a, b, c] for a in (-3.0, 0.1, 7.0) for b in (-1.0, 1.0) for c in (0.3, 1e3)])
    pairs = np.repeat(grid, 12, 0), np.tile(grid, (12, 1))
    seen = ask("cosine_similarity", *pairs).value
    most = float(np.abs(seen).max())
    beyond = int((np.abs(seen) > 1).sum())
    reason = f"largest magnitude of {seen.size} pairs {most:.9g}, {beyond} of them beyond 1"
    return (True if most <= 1 else None if most <= 1 + ROUNDING else False), f"{most:.9g}", reason


def _cosine_ends(ask: Any) -> Found:
    across, along = ask("cosine_similarity", [[3.0, 4.0], [3.0, 4.0]], [[-4.0, 3.0], [6.0, 8.0]]).value
    return (
        bool(abs(across) <= ROUNDING and abs(along + 1) <= ROUNDING),
        _say([across, along]),
        f"{across:g} for orthogonal vectors, {along:g} for parallel ones",
    )


def _huber_pieces(ask: Any) -> Found:
    losses = ask("huber", np.zeros(6), [0.25, 0.5, 1.0, 2.0, 3.0, 4.0]).value
    quadratic = bool(losses[1] == 4 * losses[0] and losses[2] == 16 * losses[0])
    linear = bool(losses[4] - losses[3] == losses[5] - losses[4])
    return (
        quadratic and linear,
        _say(losses),
        f"twice the error costs {losses[1] / losses[0]:g} times within delta, a step past it {losses[4] - losses[3]:g}",
    )


def _huber_without_half(ask: Any) -> Found:
    at, above = ask("huber_s4", [0.0, 0.0], [1.0, 1.0 + 2.0**-23]).value
    return bool(abs(at - above) < 1e-6), _say([at, above]), f"{at:g} at the threshold and {above:g} just above it"


def _hinge_maps_labels(ask: Any) -> Found:
    scores = [0.5, -0.75, 2.0, 0.25]
    zero_one, signs = (ask("hinge", labels, scores).value for labels in ([0.0, 1.0, 1.0, 0.0], [-1.0, 1.0, 1.0, -1.0]))
    return (
        bool((zero_one == signs).all()),
        _say(zero_one),
        f"labels 0 and 1 give {_say(zero_one)}, labels -1 and 1 give {_say(signs)}",
    )


def _squared_hinge(ask: Any, reduction: str) -> Found:
    labels, scores = [-1.0, 1.0, 1.0, -1.0], [0.5, -0.75, 2.0, 0.25]
    squared, plain = (ask(name, labels, scores, reduction=reduction).value for name in ("squared_hinge", "hinge"))
    return (
        _apart(squared, plain**2) <= ROUNDING,
        _say(squared),
        f"{_say(squared)} against the square {_say(plain**2)} of {_say(plain)}",
    )


def _squared_hinge_elements(ask: Any) -> Found:
    return _squared_hinge(ask, "none")


def _squared_hinge_mean(ask: Any) -> Found:
    return _squared_hinge(ask, "mean")


def _three_times(ask: Any) -> Found:
    under, over = ask("asymmetric_mse", [3.0, 3.0], [1.0, 5.0]).value
    return (
        bool(under == 3 * over),
        f"{_say(under)} and {_say(over)}",
        f"2 too low costs {under / over:g} times 2 too high",
    )


def _kl_with_minus(ask: Any) -> Found:
    y, p = (np.asarray(rows, np.float32) for rows in ([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]], _ROWS[:2]))
    loss, wide = ask("kl_divergence", y, p).value, (y.astype(np.float64), p.astype(np.float64))
    stated = -(wide[0] * np.log(wide[1] / wide[0])).sum(-1)
    return (
        _apart(loss, stated) <= 1e-5,
        _say(loss),
        f"with the minus sign {_say(stated)}, relative distance {_apart(loss, stated):.1g}",
    )


def _penalty_is_added(ask: Any) -> Found:
    weights = np.array([[1.0, -2.0], [0.5, 4.0]])
    whole = float(ask("mse_plus_l2", _TRUE, _OUTLIER, reduction="mean", weights=weights, l2=0.01).value)
    data = float(ask("mse", _TRUE, _OUTLIER, reduction="mean").value)
    due = 0.01 * float((weights**2).sum())
    return (
        abs(whole - data - due) <= ROUNDING * whole,
        _say(whole),
        f"{_say(whole)} reported, {_say(data)} without; 0.01 times the sum of squared weights is {due:g}",
    )


_TAKES_01: Final = {"tf.compat": "takes labels 0 and 1 by its own convention, and is given (y + 1) / 2 here"}

CLAIMS: Final[tuple[evidence.Claim, ...]] = (
    evidence.Claim(
        id="P1a",
        loss="mae",
        source="S0 S3",
        claimed="never negative, zero only at a perfect match",
        finds=_mae_never_negative,
    ),
    evidence.Claim(id="P1b", loss="mae", source="S0 S3", claimed="the gradient jumps at 0", finds=_mae_gradient_jumps),
    evidence.Claim(
        id="P1c", loss="mae", source="S4", claimed="the gradient at 0 ends in an error", finds=_mae_gradient_fails
    ),
    evidence.Claim(id="P2a", loss="mse", source="S4", claimed="convex, symmetric, never negative", finds=_mse_shape),
    evidence.Claim(
        id="P2b",
        loss="mse",
        source="S0 S3",
        claimed="two errors of 1 cost 2, one error of 2 costs 4",
        finds=_mse_one_large,
    ),
    evidence.Claim(
        id="P3", loss="mse", source="S0 S3", claimed="the second sample makes 90% of MSE, 75% of MAE", finds=_shares
    ),
    evidence.Claim(
        id="P4a",
        loss="rmse",
        source="S0 S3",
        claimed="as an objective the same as MSE: same direction",
        finds=_rmse_parallel,
    ),
    evidence.Claim(
        id="P4b", loss="rmse", source="S0 S3", claimed="the same as MSE at zero error too", finds=_rmse_at_zero
    ),
    evidence.Claim(
        id="P5a",
        loss="categorical_crossentropy",
        source="S0 S3",
        claimed="exactly 0 at probability 1",
        finds=_crossentropy_at_one,
    ),
    evidence.Claim(
        id="P5b",
        loss="categorical_crossentropy",
        source="S0 S3",
        claimed="tends to infinity as the probability tends to 0",
        finds=_crossentropy_at_zero,
    ),
    evidence.Claim(
        id="P5c",
        loss="categorical_crossentropy",
        source="S0 S3",
        claimed="the gradient is negative",
        finds=_crossentropy_slope,
    ),
    evidence.Claim(
        id="P6a",
        loss="sparse_categorical_crossentropy",
        source="S0 S1 S2 S3",
        claimed="integer labels give what one-hot labels give",
        finds=_sparse_is_one_hot,
    ),
    evidence.Claim(
        id="P6b",
        loss="binary_crossentropy",
        source="S4",
        claimed="binary is categorical with two classes",
        finds=_binary_is_two_classes,
    ),
    evidence.Claim(
        id="P7", loss="poisson", source="S2", claimed="y_pred - y_true log(y_true)", finds=_poisson_log_of_target
    ),
    evidence.Claim(
        id="P8a", loss="mae", source="S2", claimed="MAE is the more sensitive to outliers", finds=_mae_more_sensitive
    ),
    evidence.Claim(
        id="P8b", loss="mse", source="S1 S4", claimed="MSE is the very sensitive one", finds=_mse_very_sensitive
    ),
    evidence.Claim(
        id="P8c", loss="huber", source="S1", claimed="Huber is more robust than MSE", finds=_huber_more_robust
    ),
    evidence.Claim(
        id="P9a", loss="cosine_similarity", source="S2", claimed="lies between -1 and 1", finds=_cosine_range
    ),
    evidence.Claim(
        id="P9b",
        loss="cosine_similarity",
        source="S2",
        claimed="0 for orthogonal vectors, -1 for the most similar",
        finds=_cosine_ends,
    ),
    evidence.Claim(
        id="P10a",
        loss="huber",
        source="S2 S4",
        claimed="quadratic for small errors, linear for large ones",
        finds=_huber_pieces,
    ),
    evidence.Claim(
        id="P10b",
        loss="huber_s4",
        source="S4",
        claimed="the square without its half meets the linear part",
        finds=_huber_without_half,
    ),
    evidence.Claim(
        id="P11a",
        loss="hinge",
        source="S2",
        claimed="labels 0 and 1 become -1 and 1",
        finds=_hinge_maps_labels,
        unfit=_TAKES_01,
    ),
    evidence.Claim(
        id="P11b",
        loss="squared_hinge",
        source="S2",
        claimed="the square of hinge, element by element",
        finds=_squared_hinge_elements,
    ),
    evidence.Claim(
        id="P11c",
        loss="squared_hinge",
        source="S2",
        claimed="the square of hinge, after the mean",
        finds=_squared_hinge_mean,
    ),
    evidence.Claim(
        id="P12", loss="asymmetric_mse", source="S1", claimed="too low costs three times too high", finds=_three_times
    ),
    evidence.Claim(
        id="P13",
        loss="kl_divergence",
        source="S2",
        claimed="-sum P log(Q / P) is the usual divergence",
        finds=_kl_with_minus,
    ),
    evidence.Claim(
        id="P14",
        loss="mse_plus_l2",
        source="S1",
        claimed="the L2 term is added to the reported loss",
        finds=_penalty_is_added,
    ),
)
