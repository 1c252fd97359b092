"""RESP charges: the fit against known answers and a plain minimiser, the potential against PySCF's integrals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from forcefield_helpers import embedded, positions, species, write_geometry
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation

from electroscreen.forcefield import charges as stage
from electroscreen.forcefield import graph, potential
from electroscreen.forcefield.charges import derive_charges
from electroscreen.forcefield.potential import SHELLS, mean_field_of, mixed_density, shell_points
from electroscreen.forcefield.radii import RADII_ANGSTROM, radius_angstrom
from electroscreen.forcefield.resp import BOHR_ANGSTROM, fit_resp
from electroscreen.quantum.potential import electrostatic_potential
from electroscreen.species import Species, parse_xyz

RECIPE = {"protocol": 1, "resp_method": "hf", "resp_basis": "6-31g(d)"}

# Geometries that the prototype's charges below belong to: MMFF94; for TFSI, whose charge on carbon
# moves between 0.17 and 0.30 e from one GFN2-xTB conformer to the next, the one of five that fits.
PROTOTYPE_XYZ = {
    "DOL": """-0.3892 1.0021 0.0981  -1.0046 -0.3699 0.1383  0.1093 -1.2208 0.4025  1.2179 -0.5524 -0.2066
        0.8542 0.7838 -0.5659  -0.1755 1.3775 1.1048  -0.9944 1.7346 -0.4415  -1.4246 -0.6518 -0.8334
        -1.7699 -0.4808 0.9104  2.0533 -0.5271 0.4995  1.5234 -1.0950 -1.1062""",
    "FEC": """2.6742 -0.1976 0.3853  1.4715 -0.1027 0.2126  0.8589 1.0025 -0.3075  -0.5332 0.7951 -0.1754
        -0.6473 -0.6885 -0.0653  -1.6380 -1.0273 0.7923  0.5757 -1.0850 0.5078  -0.8946 1.3146 0.7182
        -1.0666 1.1866 -1.0462  -0.8007 -1.1977 -1.0219""",
    "TFSI": """0.9219 -1.7603 0.5480  0.8640 -0.5903 -0.2773  0.5983 -0.7758 -1.6677  0.1749 0.6357 0.4337
        -1.2534 1.0840 -0.0306  -1.4782 1.1782 -1.4388  -1.7311 2.1679 0.7751  -2.3078 -0.3869 0.5126
        -3.6191 -0.1827 0.3030  -1.9788 -1.4965 -0.1514  -2.1654 -0.6379 1.8177  2.6395 0.0631 -0.2154
        2.7699 1.2088 -0.8918  3.0500 0.2954 1.0349  3.5152 -0.8025 -0.7518""",
}

# A prototype's charges at HF/6-31G*, with all classes tied in one stage and a = 0.001.
PROTOTYPE_E = {
    "DOL": [0.088, 0.088, -0.414, 0.216, -0.414, *[0.067] * 4, *[0.083] * 2],
    "FEC": [-0.568, 0.891, -0.419, 0.104, 0.291, -0.215, -0.366, 0.0955, 0.0955, None],
    "TFSI": [-0.513, 0.992, -0.513, -0.624, 0.992, -0.513, -0.513, *([0.151] + [-0.101] * 3) * 2],
}


def coulomb(x: np.ndarray, points: np.ndarray, charges_e: np.ndarray) -> np.ndarray:
    """Potential of point charges in hartree/e."""
    return BOHR_ANGSTROM / np.linalg.norm(points[:, None] - x[None], axis=2) @ charges_e


def molecule_of_charges(name: str = "DOL"):
    """Symbols, positions, shell points, classes, methylene marks, and charges that obey the classes."""
    one, x = species(name), positions(name)
    plain = graph.skeleton(one, x)
    classes = np.array(graph.equivalence_classes(plain))
    truth = np.round(np.linspace(-0.5, 0.4, classes.max() + 1)[classes], 4)
    few = classes == np.bincount(classes).argmin()
    truth[few] += (one.charge - truth.sum()) / few.sum()
    return one, x, shell_points(one.symbols, x, 1.0), classes, graph.methyl_and_methylene(plain), truth


def by_class(values: np.ndarray, classes) -> list[float]:
    """Spread within each class."""
    return [np.ptp(np.asarray(values)[np.array(classes) == c]) for c in set(classes)]


@pytest.mark.parametrize("name", ["DOL", "FEC", "TFSI"])
def test_known_point_charges_are_found_again_without_restraint(name):
    one, x, points, classes, refitted, truth = molecule_of_charges(name)
    conformers = [(x, points, coulomb(x, points, truth))]
    fit = fit_resp(one.symbols, conformers, one.charge, classes, refitted, restraints=(0.0, 0.0))
    assert fit.converged
    np.testing.assert_allclose(fit.charges_e, truth, atol=1e-6)
    assert fit.rrms < 1e-4


def test_the_restraint_pulls_heavy_atoms_a_little_towards_zero():
    one, x, points, classes, refitted, truth = molecule_of_charges()
    fit = fit_resp(one.symbols, [(x, points, coulomb(x, points, truth))], 0, classes, refitted)
    heavy = np.array([symbol != "H" for symbol in one.symbols])
    assert np.square(fit.charges_e[heavy]).sum() < np.square(truth[heavy]).sum()
    assert 1e-4 < np.abs(fit.charges_e - truth).max() < 0.1


def test_two_stages_minimise_the_penalised_error():
    """The same two stages by a general minimiser; the restraint has the weight that the RESP program gives it."""
    one, x, points, classes, refitted, truth = molecule_of_charges("FEC")
    noise = 0.002 * np.sin(np.arange(len(points)))
    v = coulomb(x, points, truth) + noise
    refitted = np.array(refitted)
    heavy = np.array([symbol != "H" for symbol in one.symbols])
    inverse = BOHR_ANGSTROM / np.linalg.norm(points[:, None] - x[None], axis=2)

    def best(weight: float, tied: np.ndarray, held: np.ndarray | None) -> np.ndarray:
        names = np.unique(tied if held is None else tied[refitted])
        spread = (tied[:, None] == names[None]).astype(float)
        fixed = np.zeros(len(tied)) if held is None else np.where(refitted, 0.0, held)
        if held is not None:
            spread[~refitted] = 0.0

        def cost(free: np.ndarray) -> float:
            q = fixed + spread @ free
            penalty = weight * (np.sqrt(q[heavy] ** 2 + 0.01) - 0.1).sum()
            return np.square(inverse @ q - v).sum() / 2 + penalty

        neutral = {"type": "eq", "fun": lambda free: (fixed + spread @ free).sum()}
        start = np.zeros(len(names))
        options = {"ftol": 1e-15, "maxiter": 2000}
        return fixed + spread @ minimize(cost, start, constraints=neutral, method="SLSQP", options=options).x

    loose = np.where(refitted, 1000 + np.arange(len(classes)), classes)
    expected = best(0.001, classes, best(0.0005, loose, None))
    fit = fit_resp(one.symbols, [(x, points, v)], 0, classes, refitted)
    np.testing.assert_allclose(fit.charges_e, expected, atol=2e-4)
    assert np.abs(fit.charges_e - best(0.0005, classes, None)).max() > 2e-3, "one stage would pass too"


def test_classes_and_total_charge_are_exact():
    one, x, points, classes, refitted, truth = molecule_of_charges("TFSI")
    v = coulomb(x, points, truth) * (1 + 0.1 * np.sin(np.arange(len(points))))
    fit = fit_resp(one.symbols, [(x, points, v)], -1, classes, refitted)
    assert abs(fit.charges_e.sum() + 1) < 1e-12
    assert max(by_class(fit.charges_e, classes)) == 0.0


def test_more_points_or_copies_of_a_conformer_change_nothing():
    one, x, points, classes, refitted, truth = molecule_of_charges()
    v = coulomb(x, points, truth)
    once = fit_resp(one.symbols, [(x, points, v)], 0, classes, refitted)
    twice = (x, np.concatenate([points, points]), np.concatenate([v, v]))
    denser = fit_resp(one.symbols, [twice], 0, classes, refitted, points_per_angstrom2=2.0)
    copies = fit_resp(one.symbols, [(x, points, v)] * 3, 0, classes, refitted)
    np.testing.assert_allclose(denser.charges_e, once.charges_e, atol=2e-6)
    np.testing.assert_allclose(copies.charges_e, once.charges_e, atol=2e-6)


def test_conformers_are_fitted_together():
    one, x, points, classes, refitted, truth = molecule_of_charges("DME")
    other = embedded("COCCOC", seed=11)
    places = shell_points(one.symbols, other, 1.0)
    both = [(x, points, coulomb(x, points, truth)), (other, places, coulomb(other, places, truth))]
    fit = fit_resp(one.symbols, both, 0, classes, refitted, restraints=(0.0, 0.0))
    np.testing.assert_allclose(fit.charges_e, truth, atol=2e-6)


def test_equivalent_atoms_are_found_whatever_resonance_is_drawn():
    one = species("TFSI")
    classes = graph.equivalence_classes(graph.skeleton(one, positions("TFSI")))
    assert sorted(len(set(np.flatnonzero(np.array(classes) == c))) for c in set(classes)) == [1, 2, 2, 4, 6]
    fec = graph.equivalence_classes(graph.skeleton(species("FEC"), positions("FEC")))
    assert fec[7] == fec[8] != fec[9]
    assert fec[2] != fec[6]
    marks = graph.methyl_and_methylene(graph.skeleton(species("FEC"), positions("FEC")))
    assert np.flatnonzero(marks).tolist() == [3, 7, 8]


def test_shell_points_lie_on_the_shells_and_outside_all_others():
    symbols, x = species("FEC").symbols, positions("FEC")
    points = shell_points(symbols, x, 2.0)
    radii = np.array([RADII_ANGSTROM[s] for s in symbols])
    reduced = (np.linalg.norm(points[:, None] - x[None], axis=2) / radii).min(axis=1)
    on = np.abs(reduced[:, None] - np.array(SHELLS)[None]).argmin(axis=1)
    np.testing.assert_allclose(reduced, np.array(SHELLS)[on], atol=1e-9)
    assert set(on) == {0, 1, 2, 3}
    np.testing.assert_array_equal(points, shell_points(symbols, x, 2.0))


def test_shell_points_of_one_atom_are_as_dense_and_even_as_asked():
    points = shell_points(["N"], np.array([[1.0, 2.0, 3.0]]), 3.0)
    areas = [4 * np.pi * (scale * RADII_ANGSTROM["N"]) ** 2 for scale in SHELLS]
    assert abs(len(points) - 3.0 * sum(areas)) < 4
    centred = points - [1.0, 2.0, 3.0]
    unit = centred / np.linalg.norm(centred, axis=1)[:, None]
    np.testing.assert_allclose(unit.mean(axis=0), 0, atol=0.01)
    np.testing.assert_allclose(unit.T @ unit / len(unit), np.eye(3) / 3, atol=0.01)


@pytest.fixture(scope="module")
def water():
    return mean_field_of(species("water"), positions("water"), RECIPE)


def test_potential_equals_one_electron_integrals_point_by_point(water):
    points = shell_points(species("water").symbols, positions("water"), 1.0)[::60]
    density, molecule = water.make_rdm1(), water.mol
    for point, value in zip(points, electrostatic_potential(molecule, density, points / BOHR_ANGSTROM), strict=True):
        with molecule.with_rinv_origin(point / BOHR_ANGSTROM):
            electrons = np.einsum("ij,ji", molecule.intor("int1e_rinv"), density)
        distances = np.linalg.norm(molecule.atom_coords() - point / BOHR_ANGSTROM, axis=1)
        assert value == pytest.approx((molecule.atom_charges() / distances).sum() - electrons, abs=1e-10)


def test_far_field_of_water_is_that_of_its_dipole(water):
    far = np.array([[0.0, 0.0, 80.0]]) / BOHR_ANGSTROM
    dipole = water.dip_moment(unit="au", verbose=0)[2]
    expected = dipole / (80.0 / BOHR_ANGSTROM) ** 2
    assert electrostatic_potential(water.mol, water.make_rdm1(), far)[0] == pytest.approx(expected, rel=0.03)


def test_far_field_of_an_ion_is_that_of_its_charge():
    mean_field = mean_field_of(species("Na"), positions("Na"), RECIPE)
    point = np.array([[4.0, 3.0, 0.0]]) / BOHR_ANGSTROM
    value = electrostatic_potential(mean_field.mol, mean_field.make_rdm1(), point)
    assert value[0] == pytest.approx(BOHR_ANGSTROM / 5.0, rel=1e-6)


@pytest.mark.parametrize("name", ["DOL", "FEC", pytest.param("TFSI", marks=pytest.mark.slow)])
def test_charges_agree_with_the_prototype_at_its_own_protocol(name):
    one = species(name)
    x = np.array(PROTOTYPE_XYZ[name].split(), dtype=float).reshape(-1, 3)
    classes = graph.equivalence_classes(graph.skeleton(one, x))
    mean_field = mean_field_of(one, x, RECIPE)
    points = shell_points(one.symbols, x, 1.0)
    v = electrostatic_potential(mean_field.mol, mean_field.make_rdm1(), points / BOHR_ANGSTROM)
    fit = fit_resp(one.symbols, [(x, points, v)], one.charge, classes, [False] * len(x), restraints=(0.001, 0.0))
    # One point a square angstrom leaves FEC's inner CH2 carbon uncertain by more than the other atoms.
    known = [i for i, q in enumerate(PROTOTYPE_E[name]) if q is not None]
    tolerance = 0.05 if name == "FEC" else 0.03
    np.testing.assert_allclose(fit.charges_e[known], [PROTOTYPE_E[name][i] for i in known], atol=tolerance)


def test_stage_of_water(tmp_path):
    one = species("water")
    derive_charges(one, write_geometry(tmp_path, one, positions("water")), RECIPE, tmp_path / "charges.json")
    record = json.loads((tmp_path / "charges.json").read_text())
    oxygen, *hydrogens = [atom["resp_e"] for atom in record["atoms"]]
    assert record["verdict"] == "ok"
    assert record["warnings"] == []
    assert -0.85 < oxygen < -0.75, "HF/6-31G* gives water about -0.8 e"
    assert hydrogens[0] == hydrogens[1]
    assert abs(record["total_charge_e"]) < 1e-9
    assert record["dipole_from_charges_debye"] == pytest.approx(record["dipole_from_density_debye"], abs=0.1)
    assert 2.1 < record["dipole_from_density_debye"] < 2.3
    assert record["provenance"]["recipe_hash"]


def test_orientation_of_the_molecule_hardly_matters(tmp_path):
    one, oxygen = species("water"), []
    for seed in (1, 2):
        x = positions("water") @ Rotation.random(random_state=seed).as_matrix().T
        derive_charges(one, write_geometry(tmp_path, one, x), RECIPE, tmp_path / "charges.json")
        oxygen.append(json.loads((tmp_path / "charges.json").read_text())["atoms"][0]["resp_e"])
    assert oxygen[0] == pytest.approx(oxygen[1], abs=0.003)


def test_single_ion_gets_its_formal_charge_without_a_calculation(tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "mean_field_of", None)
    one = species("Na")
    derive_charges(one, write_geometry(tmp_path, one, positions("Na")), RECIPE, tmp_path / "charges.json")
    record = json.loads((tmp_path / "charges.json").read_text())
    assert record["verdict"] == "ok"
    assert [atom["resp_e"] for atom in record["atoms"]] == [1.0]


def test_no_geometry_is_recorded_as_a_result(tmp_path):
    one = species("water")
    path = write_geometry(tmp_path, one, np.zeros((0, 3)), "not converged: it fell apart")
    derive_charges(one, path, RECIPE, tmp_path / "charges.json")
    record = json.loads((tmp_path / "charges.json").read_text())
    assert record["verdict"].startswith("not computed: there is no geometry")
    assert "it fell apart" in record["verdict"]
    assert record["atoms"] == []


def test_unconverged_geometry_is_told(tmp_path):
    one = species("water")
    path = write_geometry(tmp_path, one, positions("water"), "not converged: 60 steps")
    derive_charges(one, path, RECIPE, tmp_path / "charges.json")
    assert "not converged: 60 steps" in json.loads((tmp_path / "charges.json").read_text())["warnings"][0]


def test_unconverged_field_gives_no_charges(tmp_path, monkeypatch):
    monkeypatch.setattr(potential, "CYCLES_LIMIT", 1)
    one = species("water")
    derive_charges(one, write_geometry(tmp_path, one, positions("water")), RECIPE, tmp_path / "charges.json")
    record = json.loads((tmp_path / "charges.json").read_text())
    assert record["verdict"].startswith("not converged")
    assert record["atoms"] == []


def test_geometry_of_another_species_is_an_error(tmp_path):
    path = write_geometry(tmp_path, species("water"), positions("water"))
    with pytest.raises(ValueError, match="not those of FEC"):
        derive_charges(species("FEC"), path, RECIPE, tmp_path / "charges.json")


def test_water_is_more_polar_in_a_continuum_and_a_share_of_it_lies_between():
    """The mixture's dipole is the mixture of the dipoles, for the density is mixed."""
    one, x, dipoles = species("water"), positions("water"), {}
    for share in (0.0, 0.5, 1.0):
        recipe = RECIPE | {"resp_solvent_share": share, "resp_dielectric": 78.4}
        mean_field = mean_field_of(one, x, recipe)
        dipole = mean_field.dip_moment(dm=mixed_density(mean_field, recipe), unit="Debye", verbose=0)
        dipoles[share] = float(np.linalg.norm(dipole))
    assert dipoles[1.0] > dipoles[0.0] + 0.15
    assert dipoles[0.5] == pytest.approx((dipoles[0.0] + dipoles[1.0]) / 2, abs=1e-6)


def test_correlation_takes_away_what_hartree_fock_has_too_much(tmp_path):
    """Hartree-Fock's dipole of water is a tenth too large; d functions are Cartesian in the 6-31G family only."""
    one, methods = species("water"), {}
    for name, recipe in {"hf": RECIPE, "b3lypg": RECIPE | {"resp_method": "b3lypg", "resp_basis": "def2-svp"}}.items():
        derive_charges(one, write_geometry(tmp_path, one, positions("water")), recipe, tmp_path / f"{name}.json")
        methods[name] = json.loads((tmp_path / f"{name}.json").read_text())
    assert methods["b3lypg"]["atoms"][0]["resp_e"] > methods["hf"]["atoms"][0]["resp_e"] + 0.02
    assert methods["hf"]["method"] == "RESP, HF/6-31g(d) with Cartesian d functions, density fitting"
    assert methods["b3lypg"]["method"] == "RESP, b3lypg/def2-svp, density fitting"


def test_elements_beyond_merz_and_kollman_have_radii_of_the_universal_force_field():
    """Half of the distances in the table of Rappé et al."""
    distances = {"Li": 2.451, "Na": 2.983, "K": 3.812, "Zn": 2.763, "Sn": 4.392}
    assert {symbol: radius_angstrom(symbol) for symbol in distances} == pytest.approx(
        {symbol: distance / 2 for symbol, distance in distances.items()}, abs=1e-3
    )


# Distances of the molecules in the gas, by microwaves (Huber and Herzberg, Constants of Diatomic Molecules, 1979).
FLUORIDES = {"Li": 1.564, "Na": 1.926, "K": 2.171}


def charges_of(xyz: str, folder: Path) -> dict:
    salt = Species(name="salt", title="", role="salt", charge=0, xyz=xyz)
    geometry = write_geometry(folder, salt, np.array([position for _, position in parse_xyz(xyz)]))
    derive_charges(salt, geometry, RECIPE, folder / "charges.json")
    return json.loads((folder / "charges.json").read_text())


@pytest.mark.parametrize("metal", FLUORIDES)
def test_charges_of_a_salt_give_its_dipole_whatever_the_metals_radius(metal, tmp_path, monkeypatch):
    xyz, fitted = f"{metal} 0 0 0\nF 0 0 {FLUORIDES[metal]}", []
    for radius in (radius_angstrom(metal), radius_angstrom(metal) + 0.3):
        monkeypatch.setitem(RADII_ANGSTROM, metal, radius)
        record = charges_of(xyz, tmp_path)
        assert (record["verdict"], record["warnings"]) == ("ok", [])
        assert abs(record["total_charge_e"]) < 1e-6
        assert record["dipole_from_charges_debye"] == pytest.approx(record["dipole_from_density_debye"], rel=0.02)
        fitted.append(record["atoms"][0]["resp_e"])
    assert 0.7 < fitted[0] < 1
    assert fitted[1] == pytest.approx(fitted[0], abs=0.02)


def test_lone_pair_of_tin_is_told_as_beyond_point_charges(tmp_path):
    """A charge an atom has no dipole of tin's own, and pays for it with the charges."""
    record = charges_of("Sn 0 0 0\nF 1.43 0 1.26\nF -1.43 0 1.26", tmp_path)
    assert record["verdict"] == "ok"
    assert 0 < record["atoms"][0]["resp_e"] < 1
    assert "D by the charges" in record["warnings"][-1]
