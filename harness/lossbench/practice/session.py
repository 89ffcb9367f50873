"""One training run inside a worker: steps, the end of an epoch, what is kept to go on with it, what it costs.

A number that is not finite ends the run at once and is named: step, samples of the batch, first layer.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from lossbench.lanes.backends.base import Backend
from lossbench.practice import layout, metrics, order
from lossbench.practice.causes import Causes
from lossbench.practice.frameworks import trainer_class
from lossbench.practice.frameworks.base import Plan
from lossbench.practice.objective import parts
from lossbench.practice.order import Batch
from lossbench.spec import plainly
from lossbench.spec.catalogue import Catalogue
from lossbench.spec.training import Adam, Array, Dense, Sets, Term

WORDS_OF_ROWS: Final = 5


class Session:
    """A model, its data and its optimiser."""

    def __init__(self, backend: Backend, catalogue: Catalogue, request: Mapping[str, Any]) -> None:
        self._sets = Sets(**request["sets"])
        self._seed, self._dtype = int(request["seed"]), str(request["dtype"])
        self._size, self._metrics = int(request["batch"]), tuple(request["metrics"])
        self._causes = Causes(**request["causes"])
        model = plainly.model(request["model"])
        self._layout = layout.lay_out(model)
        ends = {head: layers[-1] for head, layers in model.heads.items()}
        made = parts(
            [Term(**term) for term in request["loss"]], catalogue, backend.name, from_logits=not self._causes.clip,
            activations={head: end.activation for head, end in ends.items() if isinstance(end, Dense)},
        )  # fmt: skip
        plan = Plan(
            layout=self._layout, parts=made, optimiser=Adam(**request["optimiser"]), dtype=self._dtype,
            causes=self._causes,
        )  # fmt: skip
        began = time.perf_counter()
        self._trainer = trainer_class(backend.name)(backend, plan)
        self.built_seconds = time.perf_counter() - began
        self._trainer.assign(layout.initial(self._layout, self._seed))
        self._epoch: list[tuple[float, Batch, Mapping[str, Array]]] = []
        self.spelled = [f"{part.loss.name}: {part.binding.name}" for part in made]

    def advance(self, *, epoch: int, first: int, count: int, record: bool) -> dict[str, Any]:
        """Up to `count` steps of an epoch (from 0) from the step `first` on.

        Gives losses, seconds, the first metric on each batch, with `record` the parameters after each step as rows,
        and `lost`: a sentence where a number was not finite.
        """
        if first == 0:
            self._epoch = []
        losses, seconds, on_batch, kept, lost = [], [], [], [], ""
        batches = order.batches(
            self._sets, seed=self._seed, epoch=epoch, size=self._size, dtype=self._dtype,
            latent=self._layout.latent, first=first, reverse=self._causes.reduction_order,
        )  # fmt: skip
        for step, batch in zip(range(first, first + count), batches, strict=False):
            before, tensors = self._trainer.parameters(), self._trainer.tensors(batch)
            began = time.perf_counter()
            value, outputs = self._trainer.update(tensors)
            self._trainer.backend.wait(value)
            seconds.append(time.perf_counter() - began)
            loss, after = self._trainer.number(value), layout.flat(self._trainer.parameters())
            if not (np.isfinite(loss) and np.isfinite(after).all()):
                lost = self._lost(epoch, step, batch, before)
                break
            seen = self._trainer.outputs(outputs)
            losses.append(loss)
            on_batch.append(next(iter(metrics.measured(self._metrics[:1], batch.y, seen).values()), np.nan))
            self._epoch.append((loss, batch, seen))
            if record:
                kept.append(after)
        return {
            "losses": np.array(losses), "seconds": np.array(seconds), "metric": np.array(on_batch), "lost": lost,
            "parameters": np.stack(kept) if kept else np.zeros((0, self._layout.size)),
        }  # fmt: skip

    def _lost(self, epoch: int, step: int, batch: Batch, before: Sequence[Array]) -> str:
        """Where the first number that is not finite arose, from the parameters before the step."""
        self._trainer.assign(before)
        tensors = self._trainer.tensors(batch)
        rows = ", ".join(str(row) for row in batch.rows[:WORDS_OF_ROWS])
        where = f"epoch {epoch + 1}, step {step + 1}, batch of samples {rows}, ..."
        with np.errstate(all="ignore"):
            for name, values in self._trainer.activations(tensors):
                if not np.isfinite(values).all():
                    return f"{where}: first in the output of layer {name}"
            if not np.isfinite(self._trainer.number(self._trainer.forward(tensors)[0])):
                return f"{where}: first in the loss ({', '.join(self.spelled)}), every layer's output is finite"
            gradients = [self._trainer.backend.numpy(g) for g in self._trainer.gradients(tensors)]
        bad = [n for n, g in zip(self._layout.names, gradients, strict=True) if not np.isfinite(g).all()]
        if bad:
            return f"{where}: first in the gradient by {bad[-1]}, loss and outputs are finite"
        return f"{where}: first in the optimiser's step, loss and gradients are finite"

    def finish(self) -> dict[str, float]:
        """Loss and metrics of the epoch's steps, as Keras reports them, and of the test set with `val_` before."""
        sizes = [len(batch.rows) for _, batch, _ in self._epoch]
        found = {"loss": float(np.average([loss for loss, _, _ in self._epoch], weights=sizes))}
        found |= self._measured([(batch, outputs) for _, batch, outputs in self._epoch])
        held = []
        for batch in order.held_out(self._sets, dtype=self._dtype, latent=self._layout.latent):
            value, outputs = self._trainer.forward(self._trainer.tensors(batch))
            held.append((self._trainer.number(value), batch, self._trainer.outputs(outputs)))
        weights = [len(batch.rows) for _, batch, _ in held]
        found["val_loss"] = float(np.average([value for value, _, _ in held], weights=weights))
        tested = self._measured([(batch, outputs) for _, batch, outputs in held])
        return found | {f"val_{name}": value for name, value in tested.items()}

    def _measured(self, seen: Sequence[tuple[Batch, Mapping[str, Array]]]) -> dict[str, float]:
        heads = tuple(self._layout.heads)
        y = {head: np.concatenate([batch.y[head] for batch, _ in seen]) for head in heads}
        outputs = {head: np.concatenate([out[head] for _, out in seen]) for head in heads}
        return metrics.measured(self._metrics, y, outputs)

    def save(self) -> dict[str, Any]:
        """What `restore` needs to go on from here."""
        return {"parameters": self._trainer.parameters(), "state": self._trainer.state()}

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Parameters and optimiser as they were saved."""
        self._trainer.assign(kept["parameters"])
        self._trainer.restore(kept["state"])

    def cost(self, *, rounds: int) -> dict[str, Any]:
        """Seconds of forward, backward (with forward) and step (with both), a number a round; training goes on.

        `built`: seconds that building the model and its optimiser took, before anything was compiled.
        """
        first = next(iter(order.batches(
            self._sets, seed=self._seed, epoch=0, size=self._size, dtype=self._dtype, latent=self._layout.latent
        )))  # fmt: skip
        phases = self._trainer.phases(self._trainer.tensors(first))
        taken: dict[str, list[float]] = {name: [] for name in phases}
        for _ in range(rounds):
            for name, call in phases.items():  # side by side, so that a difference is one of neighbours in time
                began = time.perf_counter()
                self._trainer.backend.wait(call())
                taken[name].append(time.perf_counter() - began)
        return {"built": self.built_seconds} | {name: np.array(seconds) for name, seconds in taken.items()}
