"""Losses of a sequence of labels that is not aligned with the frames it was predicted from.

Blank is class 0 throughout, and a label of 0 pads a shorter sequence: Keras' convention, to which every
binding is adapted. y_pred holds logits of shape (batch, frames, classes), y_true labels (batch, length).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final

from lossbench import Binding, Definition, Domain, Loss, domains

from ._native import formula, keras_call

IMPOSSIBLE: Final = -3e4
"""Stands for log 0: its exponential is 0 in every format, and it is finite in float16."""


def exact_ctc(x: Any, y_true: Any, y_pred: Any) -> Any:
    """The forward algorithm on probabilities: only products and sums of positive numbers, so nothing cancels."""
    frames, length = y_pred.shape[1], y_true.shape[1]
    p = x.softmax(y_pred)
    blank = [x.index(p, (slice(None), t, 0)) for t in range(frames)]
    emitted = [
        [x.take_class(x.index(p, (slice(None), t)), x.index(y_true, (slice(None), n))) for t in range(frames)]
        for n in range(length)
    ]
    # alpha[s]: after the first s / 2 labels, in a blank where s is even and in the last of them where it is odd
    alpha: list[Any] = [blank[0], emitted[0][0]] + [None] * (2 * length - 1)
    for t in range(1, frames):
        alpha = [
            _exact_step(x, alpha, s, y_true, blank[t] if s % 2 == 0 else emitted[s // 2][t])
            for s in range(2 * length + 1)
        ]
    lengths = (y_true != 0).sum(axis=-1)
    likelihood = blank[0] * 0.0
    for n in range(length + 1):
        ends = [a for a in (alpha[2 * n], alpha[2 * n - 1] if n else None) if a is not None]
        if ends:
            likelihood = x.where(lengths == n, sum(ends[1:], ends[0]), likelihood)
    return -x.log(likelihood)


def _exact_step(x: Any, alpha: list[Any], s: int, labels: Any, probability: Any) -> Any:
    reached = [a for a in (alpha[s], alpha[s - 1] if s else None) if a is not None]
    if s % 2 and s > 1 and alpha[s - 2] is not None:
        differ = labels[:, s // 2] != labels[:, s // 2 - 1]
        reached.append(x.where(differ, alpha[s - 2], 0.0))
    return sum(reached[1:], reached[0]) * probability if reached else None


def ctc_formula(m: Any, y_true: Any, y_pred: Any) -> Any:
    """The forward algorithm on logarithms of probabilities; states as in `exact_ctc`, on the last axis."""
    frames, length = y_pred.shape[1], y_true.shape[1]
    log_p = m.log_softmax(y_pred, axis=-1)
    blank = m.index(log_p, (slice(None), slice(None), 0))
    labels = [m.index(y_true, (slice(None), n)) for n in range(length)]
    states = [blank]
    for label in labels:
        states += [m.take_class(log_p, m.stack([label] * frames, axis=1)), blank]
    emitted = m.stack(states, axis=-1)
    never = m.cast(labels[0] * 0, log_p) + IMPOSSIBLE
    before = m.expand_dims(never, -1)
    skips = [never, never, never]  # into a label from the label before it, unless the two are equal
    for earlier, label in pairwise(labels):
        skips += [m.where(label != earlier, never - IMPOSSIBLE, never), never]
    skip = m.stack(skips, axis=-1)
    first = m.index(emitted, (slice(None), 0))
    alpha = m.concat(
        [
            m.index(first, (slice(None), slice(0, 2))),
            m.minimum(m.index(first, (slice(None), slice(2, None))), IMPOSSIBLE),
        ],
        axis=-1,
    )
    for t in range(1, frames):
        shifted = m.concat([before, m.index(alpha, (slice(None), slice(0, -1)))], axis=-1)
        skipped = m.concat([before, m.index(shifted, (slice(None), slice(0, -1)))], axis=-1) + skip
        alpha = m.logsumexp(m.stack([alpha, shifted, skipped], axis=-1), axis=-1)
        alpha = alpha + m.index(emitted, (slice(None), t))
    return _ending(m, alpha, y_true)


def _ending(m: Any, alpha: Any, y_true: Any) -> Any:
    """Minus the log-likelihood of ending in the last label or in the blank after it, by each sample's own length."""
    count = m.sum(m.cast(y_true != 0, alpha), axis=-1)
    losses = -m.index(alpha, (slice(None), 0))
    for n in range(1, y_true.shape[1] + 1):
        ends = m.index(alpha, (slice(None), slice(2 * n - 1, 2 * n + 1)))
        losses = m.where(count == float(n), -m.logsumexp(ends, axis=-1), losses)
    return losses


def keras_ctc(m: Any, y_true: Any, y_pred: Any, *, reduction: str = "mean") -> Any:
    return keras_call("CTC", unit="row")(m, y_true, y_pred, reduction=reduction)


def tf_ctc(m: Any, y_true: Any, y_pred: Any) -> Any:
    tf = m.tf
    batch, frames = y_pred.shape[0], y_pred.shape[1]
    return tf.nn.ctc_loss(
        labels=y_true,
        logits=y_pred,
        label_length=tf.reduce_sum(tf.cast(y_true != 0, tf.int32), axis=-1),
        logit_length=tf.fill([batch], frames),
        logits_time_major=False,
        blank_index=0,
    )


def torch_ctc(m: Any, y_true: Any, y_pred: Any, *, reduction: str = "mean") -> Any:
    batch, frames = y_pred.shape[0], y_pred.shape[1]
    return m.F.ctc_loss(
        m.F.log_softmax(y_pred, dim=-1).transpose(0, 1),
        y_true.long(),
        input_lengths=m.torch.full((batch,), frames, dtype=m.torch.long),
        target_lengths=(y_true != 0).sum(dim=-1),
        blank=0,
        reduction=reduction if reduction in ("mean", "sum") else "none",
    )


def optax_ctc(m: Any, y_true: Any, y_pred: Any) -> Any:
    jnp = m.jnp
    return m.optax.losses.ctc_loss(
        y_pred, jnp.zeros(y_pred.shape[:2], y_pred.dtype), y_true, (y_true == 0).astype(y_pred.dtype), blank_id=0
    )


def per_label(x: Any, y_true: Any, y_pred: Any) -> Any:
    """Each sample's loss over the number of its labels."""
    counts = (y_true != 0).sum(axis=-1)
    return exact_ctc(x, y_true, y_pred) / x.maximum(x.cast(counts), 1.0)


ctc = Loss(
    name="ctc",
    title="Connectionist temporal classification",
    summary="Negative log-likelihood of a label sequence, summed over all its alignments with the frames.",
    formula=r"\ell(y, z) = -\log \sum_{\pi \in B^{-1}(y)} \prod_t \mathrm{softmax}(z_t)_{\pi_t}",
    source="A. Graves, S. Fernandez, F. Gomez and J. Schmidhuber, Connectionist temporal classification: labelling "
    "unsegmented sequence data with recurrent neural networks, ICML 2006",
    aliases=("CTC", "ctc_loss", "CTCLoss"),
    documented_in=("S4",),
    inputs={
        "y_true": Domain(kind="class_index", extent="labels", note="0 is the blank and pads shorter sequences"),
        "y_pred": domains.LOGITS,
    },
    reference=exact_ctc,
    unit="row",
    shapes={"small": (4, 8, 6), "large": (16, 12, 16)},
    definitions=(
        Definition(
            name="per_label",
            reference=per_label,
            where="the mean of torch.nn.functional.ctc_loss divides each loss by its number of labels first",
        ),
    ),
    bindings=(
        Binding(
            backend="tensorflow",
            name="keras",
            call=keras_ctc,
            docs=("tf.keras.losses.CTC", "tf.keras.losses.ctc"),
            unit="row",
            accepts=("reduction",),
            differs="computes in float32 whatever the inputs' dtype",
        ),
        Binding(
            backend="tensorflow",
            name="tf.nn",
            call=tf_ctc,
            docs=("tf.nn.ctc_loss",),
            unit="row",
            differs="takes no float64",
        ),
        Binding(
            backend="torch",
            name="functional",
            call=torch_ctc,
            docs=("torch.nn.functional.ctc_loss", "torch.nn.CTCLoss"),
            unit="row",
            accepts=("reduction",),
            differs="its mean divides each loss by its number of labels first",
            definition="per_label",
        ),
        Binding(
            backend="jax",
            name="optax",
            call=optax_ctc,
            docs=("optax.losses.ctc_loss",),
            unit="row",
            differs="-1e5 stands for log 0",
        ),
        *formula(ctc_formula, unit="row", differs="-3e4 stands for log 0"),
    ),
)
