"""Exchange in single precision for as long as an SCF is far from its end, in double precision from there on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Single precision is wrong by some 1e-5 hartree, nearly the same in each cycle (25 atoms: 1.2e-5).
NEAR_HARTREE = 1e-4


@contextmanager
def single_until_near(mean_field) -> Iterator[None]:
    """Let a mean field, where it has our density fitting, begin in single precision and converge in double.

    It changes to double precision once a cycle gains less than `NEAR_HARTREE`, and is not converged before.
    """
    fitting = getattr(mean_field, "with_df", None)
    if not hasattr(fitting, "single"):
        yield
        return
    fitting.single, mean_field.check_convergence = True, _Convergence(fitting)
    try:
        yield
    finally:
        fitting.single, mean_field.check_convergence = False, None


class _Convergence:
    """PySCF's own criteria, asked in double precision only."""

    def __init__(self, fitting) -> None:
        self._fitting = fitting

    def __call__(self, state: dict[str, Any]) -> bool:
        """Tell whether a cycle, of which PySCF gives all it knows, was the last."""
        gained = abs(state["e_tot"] - state["last_hf_e"])
        if self._fitting.single:
            self._fitting.single = gained > NEAR_HARTREE
            return False
        settled = state["norm_gorb"] < state["conv_tol_grad"]
        # After it has converged PySCF makes one cycle more, and lets one criterion be enough there.
        return gained < state["conv_tol"] or settled if state["scf_conv"] else gained < state["conv_tol"] and settled
