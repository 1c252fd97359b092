"""Self-consistent fields: numbers of textbooks and of other programs, and a ladder that ends in the same place."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

from electroscreen.inputs import InputError
from electroscreen.quantum import scf
from electroscreen.quantum.scf import SCFNotConvergedError, basis_and_core, build_mean_field, build_molecule, converge
from electroscreen.settings import Level

# Minimum of B3LYP/6-31G(d), 0.96873 Å and 103.65°.
WATER = [[0, 0, 0], [0, 0.761560, -0.598720], [0, -0.761560, -0.598720]]


def level(functional="b3lypg", basis="6-31g(d,p)", cartesian=True, heavy_basis="def2-svp", fitted=False) -> Level:
    """A level of theory, by default the carborane paper's without density fitting."""
    return Level(
        functional=functional, basis=basis, cartesian=cartesian, heavy_basis=heavy_basis, density_fitting=fitted
    )


def mean_field(symbols, positions, at: Level, charge=0, multiplicity=1, grid=3):
    """An unconverged mean field."""
    return build_mean_field(build_molecule(symbols, np.array(positions), charge, multiplicity, at), at, grid, 2000)


def energy(symbols, positions, at: Level, charge=0, multiplicity=1, grid=3) -> float:
    """In hartree."""
    return float(converge(mean_field(symbols, positions, at, charge, multiplicity, grid), 100).mean_field.e_tot)


def test_hydrogen_atom_is_minus_one_half():
    """Hartree-Fock of one electron is exact: -1/2 hartree but for the basis."""
    exact = converge(mean_field(["H"], [[0, 0, 0]], level("hf", "cc-pv5z", cartesian=False), multiplicity=2), 50)
    assert exact.mean_field.e_tot == pytest.approx(-0.5, abs=1e-5)
    assert exact.density.shape[0] == 2
    assert energy(["H"], [[0, 0, 0]], level("hf"), multiplicity=2) == pytest.approx(-0.4982, abs=1e-4)  # Pople


def test_helium_at_the_hartree_fock_limit():
    """-2.861680 hartree (Clementi and Roetti, At. Data Nucl. Data Tables 14, 177, 1974)."""
    assert energy(["He"], [[0, 0, 0]], level("hf", "cc-pv5z", cartesian=False)) == pytest.approx(-2.861680, abs=1e-4)


def test_hydrogen_molecule_at_the_hartree_fock_limit():
    """-1.13363 hartree at 1.4 bohr (Kolos and Roothaan, Rev. Mod. Phys. 32, 219, 1960)."""
    bond = 1.4 * 0.529177
    at = level("hf", "cc-pvqz", cartesian=False)
    assert energy(["H", "H"], [[0, 0, 0], [0, 0, bond]], at) == pytest.approx(-1.13363, abs=3e-4)


def test_water_as_gaussian_computes_it():
    """E(RB3LYP) = -76.4089533 hartree at the minimum of B3LYP/6-31G(d), Gaussian 16 with default settings."""
    assert energy(["O", "H", "H"], WATER, level(basis="6-31g(d)")) == pytest.approx(-76.4089533, abs=2e-5)


def test_gaussians_correlation_is_vwn_iii():
    """VWN(V) is 37 mhartree away; Becke's recipe written out with VWN fitted to the RPA is not."""
    from pyscf import dft

    ours = mean_field(["O", "H", "H"], WATER, level())
    solved = converge(ours, 50)
    density = solved.density
    written_out = dft.RKS(ours.mol)
    written_out.grids.level = 3
    for correlation, difference in (("vwn_rpa", 0.0), ("vwn5", 0.0371)):
        written_out.xc = f"0.2*hf + 0.08*slater + 0.72*b88, 0.81*lyp + 0.19*{correlation}"
        other = written_out.energy_tot(dm=density)
        assert other - solved.mean_field.e_tot == pytest.approx(difference, abs=1e-6 if difference == 0 else 1e-3)
    assert energy(["O", "H", "H"], WATER, level("b3lyp5")) - solved.mean_field.e_tot == pytest.approx(0.0371, abs=1e-3)


def test_cartesian_functions_are_counted_by_hand():
    """6-31G(d,p) of Li and F: 3s 2p 1d each, 3 + 6 + 6 = 15 Cartesian or 3 + 6 + 5 = 14 spherical; of H: 2s 1p = 5."""
    pair = [[0, 0, 0], [0, 0, 1.56]]
    for cartesian, count in ((True, 30), (False, 28)):
        assert build_molecule(["Li", "F"], pair, 0, 1, level(cartesian=cartesian)).nao == count
    assert build_molecule(["O", "H", "H"], WATER, 0, 1, level()).nao == 15 + 2 * 5
    assert build_molecule(["O", "H", "H"], WATER, 0, 1, level(basis="6-31g(d)")).nao == 15 + 2 * 2


def test_density_fitting_costs_less_than_a_tenth_of_a_millihartree():
    exact, fitted = (energy(["O", "H", "H"], WATER, level(fitted=f)) for f in (False, True))
    assert exact != fitted
    assert fitted == pytest.approx(exact, abs=1e-4)


def test_heavy_elements_get_their_basis_and_core_by_themselves():
    """def2 puts 28 of the 50 electrons of tin into the core: 22 are left; chlorine keeps its 17."""
    basis, core = basis_and_core(["Cl", "Sn"], level())
    assert basis == {"Cl": "6-31g(d,p)", "Sn": "def2-svp"}
    assert core == {"Sn": "def2-svp"}
    molecule = build_molecule(["Sn", "Cl", "Cl"], [[0, 0, 0], [1.86, 0, 1.49], [-1.86, 0, 1.49]], 0, 1, level())
    assert molecule.nelectron == 50 - 28 + 2 * 17
    assert molecule.atom_charges().tolist() == [22, 17, 17]
    total = energy(["Sn"], [[0, 0, 0]], level(), charge=2)
    assert np.isfinite(total)
    # The two 5s electrons: first and second ionisation of tin, 7.34 + 14.63 eV (NIST), to within a crude basis.
    neutral = energy(["Sn"], [[0, 0, 0]], level(), multiplicity=3)
    assert (total - neutral) * scf.HARTREE_EV == pytest.approx(7.34 + 14.63, abs=1.0)


def test_light_elements_keep_all_electrons_where_both_bases_know_them():
    basis, core = basis_and_core(["C", "H", "K", "Zn"], level())
    assert set(basis.values()) == {"6-31g(d,p)"}
    assert core == {}


def test_grid_and_functional_reach_pyscf():
    coarse, fine = (mean_field(["He"], [[0, 0, 0]], level(), grid=g) for g in (1, 4))
    coarse.grids.build()
    fine.grids.build()
    assert fine.grids.size > 2 * coarse.grids.size
    assert fine.xc == "b3lypg"
    assert fine.max_memory == 2000


def test_open_shells_are_unrestricted_and_singlets_restricted():
    pair = [[0, 0, 0], [0, 0, 1.2]]
    for functional in ("hf", "b3lypg"):
        triplet = mean_field(["O", "O"], pair, level(functional), multiplicity=3)
        assert triplet.make_rdm1 is not None
        assert converge(triplet, 100).density.shape[0] == 2
        assert converge(mean_field(["O", "O"], pair, level(functional)), 100).density.ndim == 2


@pytest.mark.parametrize(("cycles", "rung"), [(30, "DIIS"), (6, "damping and level shift"), (3, "second order")])
def test_every_rung_ends_in_the_same_energy(cycles, rung):
    """The fewer cycles a rung has, the further down the ladder goes; the answer is one."""
    from pyscf import scf as pyscf_scf

    ours = converge(mean_field(["O", "H", "H"], WATER, level("hf")), cycles)
    assert ours.rung == rung
    independent = pyscf_scf.RHF(build_molecule(["O", "H", "H"], WATER, 0, 1, level("hf"))).run(conv_tol=1e-11)
    assert ours.mean_field.e_tot == pytest.approx(independent.e_tot, abs=1e-7)
    assert ours.mean_field.mo_energy == pytest.approx(independent.mo_energy, abs=1e-4)
    assert (ours.mean_field.level_shift, ours.mean_field.damp, ours.mean_field.diis_damp) == (0, 0, 0)


def test_stretched_fluorine_needs_a_second_rung_and_gets_there():
    pair = [[0, 0, 0], [0, 0, 3.0]]
    easy, hard = (converge(mean_field(["F", "F"], pair, level("hf")), cycles) for cycles in (60, 5))
    assert (easy.rung, hard.rung) == ("DIIS", "damping and level shift")
    assert hard.mean_field.e_tot == pytest.approx(easy.mean_field.e_tot, abs=1e-6)


def test_an_open_shell_climbs_the_ladder_too():
    easy, hard = (converge(mean_field(["O", "H"], WATER[:2], level("hf"), multiplicity=2), c) for c in (60, 5))
    assert hard.rung != "DIIS"
    assert hard.mean_field.e_tot == pytest.approx(easy.mean_field.e_tot, abs=1e-6)


def test_a_ladder_without_end_says_which_rungs_it_has():
    with pytest.raises(
        SCFNotConvergedError, match="DIIS, damping with level shift, and second order each tried for 1 "
    ):
        converge(mean_field(["O", "H", "H"], WATER, level("hf")), 1)


def test_the_second_rung_damps():
    """Its second cycle must differ from that of a level shift alone: PySCF ignores `damp` once DIIS has begun."""
    energies: dict[str, list[float]] = {"ours": [], "shift alone": []}
    ours = mean_field(["O", "H", "H"], WATER, level("hf"))
    ours.callback = lambda state: energies["ours"].append(state["e_tot"])
    with contextlib.suppress(SCFNotConvergedError):
        converge(ours, 2)
    alone = mean_field(["O", "H", "H"], WATER, level("hf"))
    alone.level_shift, alone.max_cycle = 0.3, 2
    alone.callback = lambda state: energies["shift alone"].append(state["e_tot"])
    alone.kernel()
    second_rung = energies["ours"][2:4]
    assert second_rung[0] == pytest.approx(energies["shift alone"][0], abs=1e-9)
    assert abs(second_rung[1] - energies["shift alone"][1]) > 1e-5


def test_a_good_guess_saves_cycles():
    cold, warm = [], []
    first = mean_field(["O", "H", "H"], WATER, level("hf"))
    first.callback = cold.append
    density = converge(first, 50).density
    second = mean_field(["O", "H", "H"], WATER, level("hf"))
    second.callback = warm.append
    converge(second, 50, density)
    assert len(warm) < len(cold) / 2


@pytest.mark.parametrize("functional", ["b3lipg", "pbe0+x", "6-31g"])
def test_an_unknown_functional_is_an_input_error(functional):
    with pytest.raises(InputError, match=r"quantum\.level\.functional: '.*' is not known to PySCF"):
        mean_field(["He"], [[0, 0, 0]], level(functional))


def test_a_heavy_basis_that_nobody_has_is_an_input_error():
    with pytest.raises(InputError, match=r"neither basis '6-31g\(d,p\)' nor heavy_basis 'def3-svp' .* element Sn"):
        basis_and_core(["H", "Sn"], level(heavy_basis="def3-svp"))


def test_an_element_that_no_basis_covers_is_an_input_error():
    with pytest.raises(InputError, match="element Lr"):
        basis_and_core(["H", "Lr"], level(heavy_basis="6-31g"))


# Defects found here: one still marked must fail until it is mended, and then loses its mark.


def test_a_misspelt_basis_is_not_replaced_in_silence():
    with pytest.raises(InputError, match="6-32g"):
        basis_and_core(["Li", "F"], level(basis="6-32g"))


def test_no_functional_is_an_input_error():
    with pytest.raises(InputError, match="functional"):
        mean_field(["He"], [[0, 0, 0]], level(""))


@pytest.mark.xfail(strict=True, reason="nobody asks whether the state that DIIS found is stable")
def test_the_ladder_ends_in_the_lowest_state_it_can_reach():
    """CrO, quintet: DIIS ends 0.24 eV (with B3LYP 1.0 eV) above what the second order finds."""
    pair, at = [[0, 0, 0], [0, 0, 1.6]], level("hf", "def2-svp")
    by_diis, by_others = (converge(mean_field(["Cr", "O"], pair, at, multiplicity=5), c) for c in (60, 8))
    assert by_diis.mean_field.e_tot <= by_others.mean_field.e_tot + 1e-4


def test_a_main_basis_made_for_a_core_potential_gets_it():
    """def2 and LANL2DZ without their core potential give a number, and a wrong one."""
    _, core = basis_and_core(["Cl", "Sn"], level(basis="def2-svp"))
    assert core == {"Sn": "def2-svp"}
    _, core = basis_and_core(["H", "Cl"], level(basis="lanl2dz"))
    assert core == {"Cl": "lanl2dz"}
