"""A case file comes from a stranger: what is right is read whole, what is wrong is one sentence with the place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossbench.spec import casefile
from lossbench.spec.errors import BadInput

GOOD = {"id": "a", "loss": "mse", "y_true": [1, 2], "y_pred": [1.5, "inf"], "dtype": "float16"}


def written(folder: Path, content: Any) -> Path:
    path = folder / "cases.json"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def read_one(folder: Path, **changes: Any) -> casefile.GivenCase:
    return casefile.read(written(folder, [GOOD | changes]))[0]


def test_numbers_texts_and_integers(tmp_path: Path) -> None:
    case = read_one(tmp_path, expected="nan", expected_grad=[0, "-inf"], tol={"rel": 1e-3})
    assert case.y_true is not None
    assert case.y_true.dtype.kind == "i"
    np.testing.assert_array_equal(np.asarray(case.y_pred), [1.5, np.inf])
    assert np.isnan(np.asarray(case.expected))
    np.testing.assert_array_equal(np.asarray(case.expected_grad), [0.0, -np.inf])
    assert case.tolerance == casefile.Tolerance(relative=1e-3, absolute=0.0)


def test_a_wrapped_list_and_a_byte_order_mark(tmp_path: Path) -> None:
    text = b"\xef\xbb\xbf" + json.dumps({"cases": [GOOD]}).encode()
    assert [case.id for case in casefile.read(written(tmp_path, text))] == ["a"]


def test_array_parameters_become_floats_and_axes_stay_whole(tmp_path: Path) -> None:
    params = {"weights": [[[1, 2], [3, 4]], [5]], "sample_weight": [1, 2], "axis": [0, 1], "class_weight": {"2": 3}}
    case = read_one(tmp_path, params=params)
    assert [layer.dtype.kind for layer in case.params["weights"]] == ["f", "f"]
    assert [layer.shape for layer in case.params["weights"]] == [(2, 2), (1,)]
    assert case.params["sample_weight"].dtype.kind == "f"
    assert case.params["axis"] == (0, 1)
    np.testing.assert_array_equal(case.params["class_weight"], [1.0, 1.0, 3.0])


def test_several_outputs_bring_their_own_arrays_and_derivatives_of_any_shape(tmp_path: Path) -> None:
    outputs = [
        {"loss": "mse", "weight": 2, "y_true": [[1, 2]], "y_pred": [[1, 3]]},
        {"loss": "mae", "y_true": 1, "y_pred": 0.5},
    ]
    case = read_one(tmp_path, params={"outputs": outputs}, y_true=None, y_pred=None, expected_grad=[[[0, 2]], -1])
    assert [output["weight"] for output in case.params["outputs"]] == [2.0, 1.0]
    np.testing.assert_array_equal(np.asarray(case.expected_grad), [0.0, 2.0, -1.0])


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ("", "empty file"),
        ("[{", "line 1 column 3"),
        ("{}", "list of cases"),
        ('[{"id": "x",\n "y_pred": [NaN]}]', "line 2 column 13"),
        ('[{"note": "NaN", "y_pred": [-Infinity]}]', "-Infinity"),
        (b'[{"id": "\xff"}]', "byte 9"),
        ("[" * 10_000 + "]" * 10_000, "nested"),
        ([GOOD, GOOD], "cases[1].id"),
        ([GOOD | {"y_pred": [[1, 2], [3]]}], "cases[0].y_pred[1]"),
        ([GOOD | {"y_pred": ["two"]}], "cases[0].y_pred[0]"),
        ([GOOD | {"y_pred": None}], "cases[0].y_pred"),
        ([GOOD | {"y_pred": [{}]}], "cases[0].y_pred[0]"),
        ([GOOD | {"dtype": "float8"}], "cases[0].dtype"),
        ([GOOD | {"expectd": 1}], "cases[0].expectd"),
        ([GOOD | {"params": [1]}], "cases[0].params"),
        ([GOOD | {"params": {"delta": {"a": 1}}}], "cases[0].params.delta"),
        ([GOOD | {"params": {"class_weight": {"0": []}}}], "cases[0].params.class_weight.0"),
        ([GOOD | {"params": {"delta": 10**400}}], "cases[0].params.delta"),
        ([GOOD | {"dtype": ["float32"]}], "cases[0].dtype"),
        ([GOOD | {"note": "\ud800"}], "cases[0].note"),
        ([GOOD | {"tol": {"rel": 10**400}}], "cases[0].tol"),
        ([GOOD | {"params": {"outputs": 1}}], "cases[0].params.outputs"),
        ([GOOD | {"params": {"outputs": [{"loss": "mse"}]}}], "cases[0].params.outputs[0]"),
        ([GOOD | {"tol": 1}], "cases[0].tol"),
        ([GOOD | {"id": ""}], "cases[0].id"),
        ([3], "cases[0]"),
    ],
)
def test_a_fault_names_the_file_and_the_place(tmp_path: Path, content: Any, place: str) -> None:
    with pytest.raises(BadInput) as caught:
        casefile.read(written(tmp_path, content))
    assert "cases.json" in str(caught.value)
    assert place in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_never_ends_is_read_to_the_limit_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(casefile, "MAX_BYTES", 1000)
    with pytest.raises(BadInput, match="at most 1000 bytes"):
        casefile.read(Path("/dev/zero"))
    with pytest.raises(BadInput, match="at most 1000 bytes"):
        casefile.read(written(tmp_path, " " * 1001))


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(BadInput, match="readable file"):
            casefile.read(path)
