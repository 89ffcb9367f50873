"""Defects and losses of digits or range known in the pinned versions, reviewed, each with its cause: a run that sees a
defect beside them fails, as does one that misses any.

Only what no definition explains stands here. A pattern may list alternatives: `keras|tf.nn`.
"""

from __future__ import annotations

from typing import Final

from lossbench import evidence

_COMPAT: Final = "casts labels and predictions to float32 before it computes anything"
_COMPAT_SOURCE: Final = "tensorflow 2.21, python/ops/losses/losses_impl.py: math_ops.cast(..., dtypes.float32)"
_ONE_SIDE: Final = "1 - p rounds to 1 for a small p, so that the focal factor 1 - p_t is 0 (Keras also clips p to 1e-7)"
_BOUND: Final = (
    "an input equal to 1 - 1e-7 lies on the clip's bound as float64 rounds it and beyond the exact one, "
    "so the slope passes where it should be cut"
)
_ZERO_LOGIT: Final = (
    "at a logit of exactly 0 the slopes chosen for max(-x, 0) and for |x| do not add up to that of the sum, "
    "which is smooth there"
)
_FLUSHED: Final = "subnormal numbers count as zero, and what they would have decided is decided as for a tie"
_CPU: Final = "jaxlib 0.10.2 (XLA) and tensorflow 2.21 (Eigen) on CPU: denormals are zero in their kernels' threads"
_FLOOR: Final = "the floor under the norm (1e-6, 1e-7 or 1e-8) decides the slope and value of vectors that short"
_FLOOR_SOURCE: Final = (
    "keras 3.15 src/utils/numerical_utils.py normalize; tensorflow 2.21 nn_impl.py l2_normalize(epsilon); "
    "torch 2.13 nn.functional.cosine_similarity(eps)"
)

LEDGER: Final[tuple[evidence.KnownDefect, ...]] = (
    evidence.KnownDefect(
        loss="mae|mse|unsupervised_mse|huber", backend="tensorflow", binding="tf.compat", klass="defect",
        dtype="float64", regime="tiny", quantity="grad", reason=_COMPAT, reference=_COMPAT_SOURCE,
    ),
    evidence.KnownDefect(
        loss="log_loss_add|hinge", backend="tensorflow", binding="tf.compat", klass="api",
        dtype="float64", regime="saturated|kink", quantity="grad", reason=_COMPAT, reference=_COMPAT_SOURCE,
    ),
    evidence.KnownDefect(
        loss="log_cosh", backend="tensorflow", binding="keras", klass="accuracy",
        dtype="float64", regime="tiny", quantity="value",
        reason="log 2 is formed in float32 and then cast, so that every value is 1.9e-9 too small",
        reference="keras 3.15, src/losses/losses.py log_cosh: ops.convert_to_tensor(ops.log(2.0), dtype=...)",
    ),
    evidence.KnownDefect(
        loss="log_cosh", backend="*", binding="keras|softplus|optax", klass="accuracy",
        dtype="bfloat16|float16", regime="tiny|typical", quantity="grad",
        reason="the slope is a difference of numbers near 1 (1 - 2 sigmoid(-2 e)), which loses a small error",
        reference="keras 3.15 losses.py log_cosh: softplus(-2 x) + x; optax 0.2.8 _regression.py log_cosh: logaddexp",
    ),
    evidence.KnownDefect(
        loss="weighted_binary_crossentropy_logits", backend="tensorflow", binding="tf.nn", klass="defect",
        regime="zeros", quantity="grad", reason=_ZERO_LOGIT,
        reference="tensorflow 2.21, python/ops/nn_impl.py weighted_cross_entropy_with_logits_v2: relu and abs",
    ),
    evidence.KnownDefect(
        loss="binary_focal|binary_focal_keras", backend="*", binding="keras|formula", klass="accuracy",
        regime="tiny", quantity="grad", reason=_ONE_SIDE,
        reference="keras 3.15, src/losses/losses.py binary_focal_crossentropy: p_t, then power(1.0 - p_t, gamma)",
    ),
    evidence.KnownDefect(
        loss="binary_crossentropy_keras|log_loss_clip_add|binary_focal_keras", backend="*", binding="keras|formula",
        klass="defect", dtype="float64", regime="kink|saturated", quantity="grad", reason=_BOUND,
        reference="keras 3.15, src/backend/tensorflow/nn.py binary_crossentropy: clip_by_value(eps, 1.0 - eps)",
    ),
    evidence.KnownDefect(
        loss="categorical_crossentropy_keras|sparse_categorical_crossentropy_keras", backend="*",
        binding="keras|formula", klass="accuracy", dtype="float64|float16", regime="saturated", quantity="grad",
        reason=_BOUND,
        reference="keras 3.15, src/backend/tensorflow/nn.py categorical_crossentropy: clip_by_value(eps, 1.0 - eps)",
    ),
    evidence.KnownDefect(
        loss="mae|mape_keras", backend="jax", binding="formula", klass="range",
        regime="kink|subnormal", quantity="grad", reason=_FLUSHED, reference=_CPU,
    ),
    evidence.KnownDefect(
        loss="categorical_hinge|categorical_hinge_crammer_singer", backend="tensorflow|jax", binding="*",
        klass="range", regime="subnormal", quantity="grad", reason=_FLUSHED, reference=_CPU,
    ),
    evidence.KnownDefect(
        loss="categorical_hinge_crammer_singer", backend="jax", binding="optax", klass="accuracy",
        regime="tiny", quantity="grad",
        reason="adds 1 to scores before it compares them: scores closer than an eps tie and share the slope",
        reference="optax 0.2.8, losses/_classification.py multiclass_hinge_loss",
    ),
    evidence.KnownDefect(
        loss="huber|smooth_l1", backend="jax", binding="optax", klass="accuracy",
        dtype="bfloat16", regime="tiny", quantity="grad",
        reason="the slope is delta - (delta - e): an error below an eps of delta is lost to the subtraction",
        reference="optax 0.2.8, losses/_regression.py huber_loss: linear = abs_errors - quadratic",
    ),
    evidence.KnownDefect(
        loss="rmse", backend="tensorflow|jax", binding="stable", klass="defect",
        dtype="float64|float16", regime="huge", quantity="grad",
        reason="scales by the largest error, whose own slope cancels only up to rounding and is shared at a tie",
        reference="suites/regression.py, the stable formula of rmse",
    ),
    evidence.KnownDefect(
        loss="generalized_crossentropy", backend="torch|jax", binding="stable", klass="defect",
        dtype="float32|bfloat16|float16", quantity="grad", regime="typical|one_sided|unnormalised",
        reason="the derivative of expm1 is taken as its result plus 1, which is 0 where the result rounds to -1",
        reference="torch 2.13 tools/autograd/derivatives.yaml expm1; jax 0.10.2 lax.expm1_p jvp",
    ),
    evidence.KnownDefect(
        loss="poisson", backend="*", binding="keras|functional", klass="accuracy", dtype="float32|bfloat16",
        regime="tiny", quantity="grad", reason="adds 1e-7 (Keras) or 1e-8 (torch) to a prediction of that size",
        reference="keras 3.15 losses.py poisson: epsilon(); torch 2.13 nn.functional.poisson_nll_loss: eps=1e-8",
    ),
    evidence.KnownDefect(
        loss="poisson_keras", backend="torch|jax", binding="formula", klass="range", dtype="float16",
        regime="subnormal", quantity="grad", reason="float16 holds 1e-7 as 1.2e-7",
        reference="keras 3.15 losses.py poisson, epsilon() cast to the predictions' dtype",
    ),
    evidence.KnownDefect(
        loss="cosine_similarity", backend="*", binding="keras|tf.nn|tf.compat|functional|stable", klass="range",
        regime="subnormal", reason=_FLOOR, reference=_FLOOR_SOURCE,
    ),
    evidence.KnownDefect(
        loss="cosine_similarity", backend="tensorflow", binding="keras|tf.nn|tf.compat", klass="accuracy",
        regime="tiny", quantity="grad",
        reason="the slope between nearly parallel vectors is a difference of normalised ones, which cancels",
        reference="tensorflow 2.21, python/ops/nn_impl.py l2_normalize: x * rsqrt(max(sum(x^2), epsilon))",
    ),
    evidence.KnownDefect(
        loss="circle", backend="tensorflow", binding="keras", klass="accuracy", regime="tiny", quantity="grad",
        reason="what two log-sum-exp terms leave of each other is below the rounding of either",
        reference="keras 3.15, src/losses/losses.py circle: logsumexp of positive and of negative pairs",
    ),
    evidence.KnownDefect(
        loss="ctc", backend="tensorflow", binding="keras|tf.nn", klass="defect", regime="saturated|scales",
        quantity="value",
        reason="an impossible path costs 707 only, less than possible ones where logits are in the thousands",
        reference="tensorflow 2.21, python/ops/ctc_ops.py ctc_state_log_probs: log(0 + 1e-307)",
    ),
)  # fmt: skip
