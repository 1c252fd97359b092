"""Conductivity, ionicity and transference numbers of the ions in a box, each with its 95 % interval.

Einstein: from the displacement of all charge together. Nernst-Einstein: from the diffusion coefficients, as if ions
did not know of each other. The ratio of the two is the ionicity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from electroscreen.analysis import verdicts
from electroscreen.analysis.collective import DRAWS, Onsager, onsager, relative_to
from electroscreen.analysis.intervals import drawn, percentiles, scale_interval

ELEMENTARY_CHARGE_C = 1.602176634e-19
BOLTZMANN_J_PER_K = 1.380649e-23
BARYCENTRIC, SOLVENT = "barycentric frame", "solvent frame"
CLUSTERS = "conductivity, cluster-Nernst-Einstein"
UNKNOWN_CLUSTERS = "not computed: the box file asks for no pair of a cation and an anion whose shell is known"
_SEED = 20260102
_PS_PER_NS = 1000.0

EMPTY_ROW: dict[str, Any] = {"value": None, "low": None, "high": None}
CORRECTED = (("d_a2_per_ns", "d_corrected_a2_per_ns"), ("low", "corrected_low"), ("high", "corrected_high"))


@dataclass(frozen=True)
class Ions:
    """The charged species of a box, and where it is: counts and volume are those of one box."""

    names: Sequence[str]
    counts: np.ndarray
    charges_e: np.ndarray
    volume_a3: float
    temperature_k: float

    @property
    def unit(self) -> float:
        """Conductivity in mS/cm that a slope of 1 Å²/ps of unit charges stands for: e² / (V k_B T)."""
        # 1 Å²/ps is 1e-8 m²/s, 1 Å³ is 1e-30 m³, 1 S/m is 10 mS/cm.
        thermal = BOLTZMANN_J_PER_K * self.temperature_k
        return 10 * ELEMENTARY_CHARGE_C**2 * 1e-8 / (1e-30 * self.volume_a3 * thermal)

    def conductivity(self, slopes: np.ndarray) -> np.ndarray:
        """Return Σ z_i z_j e² L_ij in mS/cm of slopes in Å²/ps, shape (..., species, species)."""
        return self.unit * np.einsum("i,...ij,j", self.charges_e, slopes, self.charges_e)

    def transference(self, slopes: np.ndarray, ion: int) -> np.ndarray:
        """Return z_i Σ_j z_j L_ij / Σ_ij z_i z_j L_ij of one ion."""
        carried = self.charges_e[ion] * np.einsum("...j,j", slopes[..., ion, :], self.charges_e)
        return self.unit * carried / self.conductivity(slopes)

    def shares(self, coefficients_a2_per_ns: np.ndarray) -> np.ndarray:
        """Return what each ion adds to the Nernst-Einstein conductivity (mS/cm), of shape (..., species)."""
        return self.unit * self.counts * self.charges_e**2 * coefficients_a2_per_ns / _PS_PER_NS


def transport(
    ions: Ions,
    coefficients: Sequence[Mapping[str, Any]],
    sums_a: Sequence[np.ndarray],
    solvent_a: Sequence[np.ndarray] | None,
    frame_ps: float,
    charge_scale: float = 1.0,
    in_clusters: np.ndarray | None = None,
) -> list[dict[str, Any]]:
    """Return the rows of a box: conductivities, ionicity, transference numbers, Onsager coefficients.

    Parameters
    ----------
    coefficients
        Of each ion: its row of `diffusion.diffusion`, with `flaws`.
    sums_a
        Of each replica: sums of the ions' positions relative to the centre of mass of all, (species, frames, 3).
    solvent_a
        Of each replica: centre of mass of all neutral molecules, shape (frames, 3); None where there are none.
    charge_scale
        Factor on the charges of ions in the force field. Formal charges are what a measured current is made of; the
        charges that moved in the simulation give less by the square of this factor.
    in_clusters
        `association.cluster_charges`, shape (blocks, ions): the squared charge that diffuses in clusters; None where
        it is not known which ions touch.

    Returns
    -------
    list of dict
        `quantity`, `subject`, `value`, `low`, `high`, `unit`, `note`, and the list `flaws` in place of the verdict.

    Notes
    -----
    σ = Σ z_i z_j e² L_ij with L_ij = slope_ij / (V k_B T), and t_i = z_i Σ_j z_j L_ij / Σ_ij z_i z_j L_ij
    (Fong et al., Macromolecules 2021, 54, 2575). Bruce-Vincent cells and concentration cells see the solvent at rest,
    so that the solvent frame is theirs (Shao et al., J. Am. Chem. Soc. 2022, 144, 7583). The motion of sums is
    followed from the lag on at which all ions diffuse; where one does not, there is no conductivity but a bound.
    Cluster-Nernst-Einstein: Σ z_c² D_c over clusters (France-Lanord and Grossman, Phys. Rev. Lett. 2019, 122, 136001),
    where a cluster moves as the mean of its ions.
    """
    stuck = [name for name, row in zip(ions.names, coefficients, strict=True) if row["d_a2_per_ns"] is None]
    if stuck:
        return _refused(ions, coefficients, verdicts.ions_not_diffusive(stuck), charge_scale, solvent_a is not None)
    lag = max(1, round(max(row["window_start_ps"] for row in coefficients) / frame_ps))
    barycentric = onsager(sums_a, lag, frame_ps)
    flaws = [flaw for row in coefficients for flaw in row["flaws"]]
    rows = _conductivities(ions, coefficients, barycentric, charge_scale, in_clusters)
    frames = {BARYCENTRIC: barycentric}
    if solvent_a is not None:
        seen = [relative_to(sums, ions.counts, still) for sums, still in zip(sums_a, solvent_a, strict=True)]
        frames[SOLVENT] = onsager(seen, lag, frame_ps)
    for frame, slopes in frames.items():
        rows += _transference(ions, slopes, frame) + _coefficients(ions, slopes, frame)
    return [row | {"flaws": [*row.get("flaws", []), *flaws]} for row in rows]


def _row(quantity: str, subject: str, estimate: tuple[float | None, ...], unit: str, **more: Any) -> dict[str, Any]:
    return {"quantity": quantity, "subject": subject, "unit": unit, "note": "", "flaws": []} | dict(
        zip(EMPTY_ROW, estimate, strict=True), **more
    )


def _with_scaled(row: dict[str, Any], charge_scale: float) -> list[dict[str, Any]]:
    """Return a conductivity with formal charges, and with those of the force field where they are others."""
    if charge_scale == 1:
        return [row]
    smaller = {key: None if row[key] is None else row[key] * charge_scale**2 for key in EMPTY_ROW}
    return [row, row | smaller | {"subject": scaled_subject(charge_scale)}]


def scaled_subject(charge_scale: float) -> str:
    """Return what a row with scaled charges is called."""
    return f"charges × {charge_scale:g}"


def _conductivities(
    ions: Ions,
    coefficients: Sequence[Mapping[str, Any]],
    slopes: Onsager,
    charge_scale: float,
    in_clusters: np.ndarray | None,
) -> list[dict[str, Any]]:
    generator = np.random.default_rng(_SEED)
    spread = [drawn(row["d_a2_per_ns"], row["low"], row["high"], generator, DRAWS) for row in coefficients]
    shares, shares_drawn = (
        ions.shares(np.array(of)) for of in ([row["d_a2_per_ns"] for row in coefficients], np.transpose(spread))
    )
    independent, independent_drawn = float(shares.sum()), shares_drawn.sum(axis=-1)
    low, high = percentiles(independent_drawn)
    single = _row("conductivity, Nernst-Einstein", "formal charges", (independent, low, high), "mS/cm")
    value, low, high = slopes.estimate(ions.conductivity)
    together = _row("conductivity, Einstein", "formal charges", (value, max(low, 0.0), high), "mS/cm")
    if value <= 0:
        ceiling = float(ions.conductivity(slopes.ceiling))
        high = scale_interval(ceiling, ceiling * np.sqrt(2 / slopes.freedom))[1] if ceiling > 0 else 0.0
        together |= {"value": None, "low": 0.0, "high": high, "flaws": [verdicts.NOT_FROM_ZERO]}
        ratio = _row("ionicity", "Einstein / Nernst-Einstein", (None, None, None), "1", flaws=[verdicts.NOT_FROM_ZERO])
    else:
        whole = drawn(value, together["low"], high, generator, DRAWS)
        ends = percentiles(whole / np.maximum(independent_drawn, np.finfo(float).tiny))
        ratio = _row("ionicity", "Einstein / Nernst-Einstein", (value / independent, *ends), "1")
    clusters = _of_clusters(ions, coefficients, spread, in_clusters)
    rows = [scaled for row in (together, single, clusters) for scaled in _with_scaled(row, charge_scale)]
    if all(row.get("d_corrected_a2_per_ns") is not None for row in coefficients):
        ends = [
            single[key] + _raised(ions, coefficients, *keys) for key, keys in zip(EMPTY_ROW, CORRECTED, strict=True)
        ]
        rows.append(_row("conductivity, Nernst-Einstein", "formal charges, infinite box", tuple(ends), "mS/cm"))
    rows.append(ratio)
    for i, name in enumerate(ions.names):
        ends = percentiles(shares_drawn[:, i] / np.maximum(independent_drawn, np.finfo(float).tiny))
        rows.append(_row("transference number, self", name, (float(shares[i]) / independent, *ends), "1"))
    return rows


def _raised(ions: Ions, coefficients: Sequence[Mapping[str, Any]], raw: str, corrected: str) -> float:
    """What the size of the box adds to the conductivity."""
    return float(ions.shares(np.array([row[corrected] - row[raw] for row in coefficients])).sum())


def _of_clusters(
    ions: Ions,
    coefficients: Sequence[Mapping[str, Any]],
    spread: Sequence[np.ndarray],
    in_clusters: np.ndarray | None,
) -> dict[str, Any]:
    if in_clusters is None:
        return _row(CLUSTERS, "formal charges", (None, None, None), "mS/cm", flaws=[UNKNOWN_CLUSTERS])
    per_rate = ions.unit / _PS_PER_NS
    charges = in_clusters.mean(axis=0)
    error = np.std(in_clusters, axis=0, ddof=1) / np.sqrt(len(in_clusters))
    generator = np.random.default_rng(_SEED)
    drawn_charges = np.maximum(charges + error * generator.standard_t(len(in_clusters) - 1, (DRAWS, len(charges))), 0)
    value = per_rate * float(charges @ [row["d_a2_per_ns"] for row in coefficients])
    ends = percentiles(per_rate * (drawn_charges * np.transpose(spread)).sum(axis=1))
    return _row(CLUSTERS, "formal charges", (value, *ends), "mS/cm")


def _transference(ions: Ions, slopes: Onsager, frame: str) -> list[dict[str, Any]]:
    rows = []
    _, low, _ = slopes.estimate(ions.conductivity)
    for i, name in enumerate(ions.names):
        row = _row(f"transference number, {frame}", name, (None, None, None), "1")
        # A ratio whose denominator may be zero is no number.
        if low <= 0:
            rows.append(row | {"flaws": [verdicts.NOT_FROM_ZERO]})
            continue
        value, *ends = slopes.estimate(lambda matrix, ion=i: ions.transference(matrix, ion))
        rows.append(row | {"value": value, "low": ends[0], "high": ends[1]})
    return rows


def _coefficients(ions: Ions, slopes: Onsager, frame: str) -> list[dict[str, Any]]:
    rows = []
    for i, first in enumerate(ions.names):
        for j, second in enumerate(ions.names[i:], start=i):
            estimate = slopes.estimate(lambda matrix, i=i, j=j: ions.unit * matrix[..., i, j])
            rows.append(_row(f"Onsager coefficient e²L, {frame}", f"{first}, {second}", estimate, "mS/cm"))
    return rows


def _refused(
    ions: Ions, coefficients: Sequence[Mapping[str, Any]], flaw: str, charge_scale: float, solvent: bool
) -> list[dict[str, Any]]:
    """Return the rows of ions that do not diffuse: what diffusion coefficients are below bounds Nernst-Einstein."""
    highs = [row["high"] for row in coefficients]
    bound = None if None in highs else float(ions.shares(np.array(highs)).sum())
    nothing = (None, None, None)
    rows = [
        *_with_scaled(_row("conductivity, Einstein", "formal charges", nothing, "mS/cm"), charge_scale),
        *_with_scaled(
            _row("conductivity, Nernst-Einstein", "formal charges", (None, None, bound), "mS/cm"), charge_scale
        ),
        *_with_scaled(_row(CLUSTERS, "formal charges", nothing, "mS/cm"), charge_scale),
        _row("ionicity", "Einstein / Nernst-Einstein", nothing, "1"),
    ]
    for frame in ("self", BARYCENTRIC, *([SOLVENT] if solvent else [])):
        rows += [_row(f"transference number, {frame}", name, nothing, "1") for name in ions.names]
    return [row | {"flaws": [flaw]} for row in rows]
