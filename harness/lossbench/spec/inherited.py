"""What a process that runs suites inherits of our environment: what frameworks and compilers read, and no secrets.

A list of what is passed, since nobody can list what must not be: a CI job's variables are full of tokens.
"""

from __future__ import annotations

import os
import re
from typing import Final

PASS: Final = "LOSSBENCH_PASS"
"""Variable with further names, comma-separated, for suites that read some of their own."""
NAMES: Final = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "COLUMNS", "LANG", "LANGUAGE", "TZ", "TMPDIR"),
        *("LD_LIBRARY_PATH", "LD_PRELOAD", "LD_BIND_NOW", "VIRTUAL_ENV", "CONDA_PREFIX", "XDG_CACHE_HOME"),
        *("CC", "CXX", "CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "LIBRARY_PATH", "CPP", "SDKROOT"),
    }
)
PREFIXES: Final = (
    *("LC_", "PYTHON", "LOSSBENCH_", "DYLD_", "MALLOC_", "TCMALLOC_", "JEMALLOC_", "SLURM_CPU"),
    *("TF_", "TF2_", "KERAS_", "JAX_", "JAXLIB_", "XLA_", "TORCH", "PYTORCH_", "ATEN_", "TRITON_"),
    *("OMP_", "KMP_", "GOMP_", "MKL_", "OPENBLAS_", "BLIS_", "NUMEXPR_", "VECLIB_", "ONEDNN_", "DNNL_", "NPY_"),
    *("CUDA", "CUDNN_", "CUBLAS_", "NVIDIA_", "NCCL_", "HIP_", "ROCM_", "ROCR_", "HSA_", "MIOPEN_", "GPU_"),
    *("ZE_", "SYCL_", "TPU_", "LIBTPU_"),
)
SECRET: Final = re.compile(r"TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE|AUTH|^TF_VAR_|_KEY$")
"""Not passed though a prefix would: `TF_TOKEN_...` and `TF_VAR_...` are another program's."""


def environ() -> dict[str, str]:
    """The variables of this process that a worker gets; what a lane sets itself comes on top."""
    asked = {name.strip() for name in os.environ.get(PASS, "").split(",")}
    return {name: value for name, value in os.environ.items() if name in asked or _passed(name)}


def _passed(name: str) -> bool:
    return (name in NAMES or name.startswith(PREFIXES)) and not SECRET.search(name)
