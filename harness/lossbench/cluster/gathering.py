"""Rows of the nodes as the run's journal keeps them, and what the run says of the nodes themselves.

The machine of a run on a cluster is that of its nodes, and where they are unlike all of them: so the gate, which
compares times only on a machine like the baseline's, never takes the coordinator's for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from lossbench import __version__
from lossbench.record import machine
from lossbench.record.run import RunFolder
from lossbench.spec.errors import BadInput

CLUSTER: Final = "cluster"
"""The fact that tells a run on a cluster from others."""
KIND: Final = ("cpu", "architecture", "cores", "threads_allowed")
"""Facts of the machine by which nodes are alike or not."""
UNCHECKED: Final = ("version.pytest", "version.pytest-benchmark")
"""Packages that a seat does not use."""


class Gathering:
    """Appends to a run's folder what nodes tell. A node's name is the beginning of its id: no host is named."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._own = {key: str(value) for key, value in machine.versions().items()}
        self._machines: dict[str, dict[str, str]] = {}
        self._lost: dict[str, str] = {}
        self._timed: dict[str, str] = {}
        folder.append("facts", {"key": CLUSTER, "value": "yes"})

    def arrived(self, node: str, told: Mapping[str, Any]) -> None:
        """BadInput where the node has other versions: its rows would not be those of this machine."""
        theirs = {**told["facts"], "version.lossbench": told["lossbench"]}
        ours = {**self._own, "version.lossbench": __version__}
        other = [key for key in ours if key not in UNCHECKED and theirs.get(key) != ours[key]]
        if other:
            name = other[0].removeprefix("version.")
            raise BadInput(
                subject=f"node {node[:8]}",
                expected=f"{name} {ours[other[0]]} as here",
                received=theirs.get(other[0], "none"),
                remedy="give all nodes the image or the environment of this machine",
            )
        self._machines[node] = {key: value for key, value in theirs.items() if key.startswith("machine.")}

    def row(self, node: str, table: str, row: Mapping[str, Any]) -> None:
        """A row, of `cells` with its node among the facts of the answer."""
        if table == "cells":
            row = {**row, "facts": json.dumps({**json.loads(row["facts"] or "{}"), "node": node[:8]})}
        self._folder.append(table, row)

    def judged(self, case: str) -> None:
        """A case is complete."""
        self._folder.judged(case)

    def ended(self, node: str, loss: str) -> None:
        """A share is done. loss: empty, or the one that was timed."""
        if loss:
            self._folder.append("facts", {"key": f"cluster.timed.{loss}", "value": node[:8]})

    def lost(self, node: str, reason: str) -> None:
        """A node is gone."""
        self._lost[node] = reason[:300]

    def facts(self) -> dict[str, str]:
        """Of the run: nodes, and the machine where they are alike."""
        found = {"cluster.nodes": str(len(self._machines)), "cluster.nodes_lost": str(len(self._lost))}
        for node, reason in self._lost.items():
            found[f"cluster.node.{node[:8]}.lost"] = reason
        for node, facts in self._machines.items():
            found[f"cluster.node.{node[:8]}.machine"] = ", ".join(f"{k} {facts[f'machine.{k}']}" for k in KIND)
            found = facts | found
        for key in (f"machine.{kind}" for kind in KIND):
            values = dict.fromkeys(facts[key] for facts in self._machines.values())
            found |= {key: " | ".join(values)} if values else {}
        return found
