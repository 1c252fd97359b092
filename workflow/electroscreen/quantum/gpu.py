"""PySCF's package for NVIDIA GPUs, used where it is installed and finds a device."""

from __future__ import annotations

import sys
from functools import cache

import numpy as np


@cache
def gpu_at_hand() -> bool:
    """Whether gpu4pyscf can be imported and sees a device."""
    try:
        import cupy
        import gpu4pyscf  # noqa: F401

        return cupy.cuda.runtime.getDeviceCount() > 0
    except Exception:
        # Not installed, no driver, a driver that does not fit: each raises something of its own.
        return False


def converged_density(mean_field, guess: np.ndarray | None) -> np.ndarray | None:
    """Return the density that the SCF of an unconverged mean field comes to on the GPU; None where it does not.

    It is meant as a guess for the same SCF on the CPU, which needs a cycle or two from there: so every number comes
    from one and the same program, whatever the GPU did.
    """
    if not gpu_at_hand():
        return None
    try:
        fast = _with_its_own_parts(mean_field).to_gpu()
        fast.kernel(dm0=guess)
        if fast.converged:
            return np.asarray(fast.to_cpu().make_rdm1())
        reason = "SCF not converged there"
    except Exception as fault:
        # A method that it lacks, or too little memory: the CPU can do it.
        reason = f"{type(fault).__name__}: {fault}"
    print(f"GPU not used for this SCF: {reason}", file=sys.stderr, flush=True)
    return None


def _with_its_own_parts(mean_field):
    """The same with PySCF's integrator and density fitting, for which the package has its own, and nobody watching."""
    plain = mean_field.copy()
    plain.callback = None  # it would be handed the GPU's arrays
    if hasattr(mean_field, "_numint"):
        from pyscf.dft.numint import NumInt

        plain._numint = NumInt()
    if hasattr(mean_field, "with_df"):
        from pyscf.df import DF

        plain.with_df = DF(mean_field.mol, mean_field.with_df.auxbasis)
        plain.with_df.max_memory = mean_field.max_memory
    return plain
