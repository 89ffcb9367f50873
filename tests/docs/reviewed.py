"""What a test does with a documented command that would take long, need a network, or hold a placeholder.

A command that stands in neither table is run as it is. One that no page has any more fails the test.
"""

from __future__ import annotations

SMALL = "--profile quick --dtype float32 --regime typical --mode eager"

SMALLER = {
    "lossbench run --loss huber --backend tensorflow,torch": SMALL,
    "lossbench run --suite my_losses.py": f"{SMALL} --no-report",
    "lossbench run --profile quick": f"{SMALL} --loss mse --backend jax --no-report",
    "lossbench gate --baseline results/baseline": "--only-measured --only agreement",
    "lossbench gate --baseline results/baseline --only agreement": "--only-measured",
    "lossbench check cases.json --json verdicts.json": "--backend jax",
    "lossbench report --lanes torch/eager,jax/compiled": "--lanes jax/eager,jax/compiled",
}
"""Command -> options appended to it: the last of an option counts."""

LONG = "takes minutes"
ELSEWHERE = "tests/{} runs it for real"
FOUND = ELSEWHERE.format("bench/test_hunt.py")
PLACE = "a placeholder, or a mention of the command in a sentence"

PARSED = {
    "lossbench compare --base main --suite my_losses.py": ELSEWHERE.format("pairing/test_compare.py"),
    "lossbench compare --base old_losses.py --head my_losses.py": ELSEWHERE.format("pairing/test_compare.py"),
    "lossbench compare --base my_losses_old.py --head my_losses.py": ELSEWHERE.format("pairing/test_compare.py"),
    "lossbench compare --base v1.2 --loss huber --backend torch": ELSEWHERE.format("pairing/test_compare.py"),
    "lossbench compare --base 'keras==3.14.0'": "builds an environment, which needs a network",
    "lossbench compare --base 'jax==0.9.2 optax==0.2.7'": "builds environments, which needs a network",
    "lossbench run --profile sizes --loss huber": LONG,
    "lossbench run --profile agreement": LONG,
    "lossbench calibrate --long": LONG,
    "lossbench gate --base baseline": LONG,
    "lossbench run --loss huber --memory-limit 4GiB --time-limit 60": ELSEWHERE.format("lanes/test_lane_faults.py"),
    "lossbench plan --detect 3%": ELSEWHERE.format("pairing/test_rates.py"),
    "lossbench hunt --loss log_cosh --backend tensorflow --budget 60s": FOUND,
    "lossbench hunt --loss log_cosh --backend torch --dtype float32 --budget 60s": FOUND,
    "lossbench hunt --budget 10m": LONG,
    "lossbench hunt --budget 10m --json finds.json --case-file finds.cases.json": LONG,
    "lossbench check finds.cases.json": "the file comes from the command before it",
    "lossbench check docs/cases-example.json": ELSEWHERE.format("judge/test_conformance.py"),
    "lossbench practice --only T3,T5": LONG,
    "lossbench practice": LONG,
    "lossbench practice --short --seeds 1": LONG,
    "lossbench practice --only T1 --data ~/mnist": LONG,
    "lossbench practice --resume": LONG,
    "lossbench advise --task regression --outliers 5%": ELSEWHERE.format("practice/test_guide.py"),
    "lossbench doctor": "starts every framework; tests/test_cli_list.py runs it",
    "lossbench run --loss huber,mse --backend torch,jax": "the same as the README's with other names",
    "lossbench run --loss 'huber,mse' --backend jax": "the same as the README's with other names",
    "lossbench run --operation grad_target,jvp": ELSEWHERE.format("judge/test_derivatives_judged.py"),
    "lossbench history results/baseline --git main": ELSEWHERE.format("show/test_chronicle.py"),
    "lossbench history --notes": ELSEWHERE.format("show/test_chronicle.py"),
    "lossbench baseline --note": "writes into the repository's notes; tests/show/test_chronicle.py tries it",
    "lossbench run --profile agreement --cluster auto": ELSEWHERE.format("cluster/test_ray.py"),
    "lossbench run --cluster auto --needs accelerator:h100": "needs a cluster with that resource",
    "lossbench run --cluster ray://head.example:10001": "needs a cluster",
    "lossbench run --resume --cluster auto": "needs a cluster",
    "lossbench list --coverage": "imports every framework",
}
"""Command -> why only its options are read."""

UNTOUCHED = {
    "lossbench history s3://bucket/results": "needs a store; tests/record/test_rows.py reads an address for real",
    "pip install --upgrade optax": "changes the environment that runs the tests",
    "pip install '.[torch]'": "needs a network",
    "pip install 'lossbench[practice]'": "needs a network",
    "pip install 'lossbench[stores]'": "needs a network",
    "lossbench check FILE...": PLACE,
    "lossbench COMMAND --help": PLACE,
    "lossbench show LOSS": PLACE,
    "lossbench compare RUN RUN": PLACE,
    "lossbench compare --base-python ~/old/bin/python --backend torch": PLACE,
    "lossbench compare --base --head": PLACE,
    "pip install 'lossbench[query]'": "needs a network",
    "pip install 'lossbench[all,cluster]'": "needs a network",
}
"""Command -> why not even that."""
