"""Dynamics: the temperature and pressure asked for, and every frame once and in its place."""

from __future__ import annotations

import re

import numpy as np
import pytest
from dynamics_helpers import OUTPUTS, dynamics, files_in, run, small_box, trajectory, write_box

from electroscreen.dynamics.equilibration import read_states
from electroscreen.dynamics.platform import choose_platform
from electroscreen.dynamics.protocol import Phase, build_integrator, compression_21, phases, with_ensemble
from electroscreen.dynamics.states import COLUMNS
from electroscreen.record import read_json, write_json

BOLTZMANN = 0.00831446261815324  # kJ/mol/K


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Folder, protocol and record of a whole run."""
    folder, protocol = write_box(tmp_path_factory.mktemp("box") / "replica-1"), dynamics()
    return folder, protocol, run(folder, protocol)


def test_all_phases_in_order_with_rows_at_equal_times(finished):
    folder, _, record = finished
    states = read_states(folder / "state.csv")
    assert ",".join(states.columns) == COLUMNS
    assert list(dict.fromkeys(states.phase)) == ["warm-up", "density", "relaxation", "production"]
    lengths = {"warm-up": 3, "density": 8, "relaxation": 1, "production": 16}
    for name, length_ps in lengths.items():
        times = states.time_ps[states.phase == name].to_numpy()
        assert times == pytest.approx(0.2 * np.arange(1, round(length_ps / 0.2) + 1))
    assert (record["production_ps"], record["frame_ps"], record["platform"]) == (16, 0.2, "Reference")
    assert record["verdict"] == "ok" or record["verdict"].startswith("not equilibrated: ")
    assert record["ns_per_day"] > 0
    assert record["provenance"]["seed"] == 11
    assert files_in(folder) == OUTPUTS


def test_temperature_is_the_one_asked_for(finished):
    """Equipartition over 3 · 100 - 40 - 3 degrees of freedom; forgotten constraints would make it 130 K."""
    folder, _, record = finished
    states = read_states(folder / "state.csv")
    kinetic = states.kinetic_energy_kj_per_mol.to_numpy()
    assert states.temperature_k.to_numpy() == pytest.approx(2 * kinetic / (257 * BOLTZMANN), rel=1e-4)
    production = states[states.phase == "production"]
    assert record["temperature_k"] == pytest.approx(production.temperature_k.mean(), abs=1e-3)
    assert record["temperature_k"] == pytest.approx(150, rel=0.07)


def test_temperature_scatters_as_in_the_canonical_ensemble(finished):
    """σ / T = sqrt(2 / degrees of freedom): a Nosé-Hoover chain keeps the fluctuations that rescaling kills."""
    folder, _, _ = finished
    states = read_states(folder / "state.csv")
    production = states[states.phase == "production"].temperature_k
    assert production.std() / 150 == pytest.approx(np.sqrt(2 / 257), rel=0.45)


def test_molecules_share_the_energy_as_equipartition_wants(finished):
    """Centres of argon and of nitrogen are displaced in a short time by sqrt(3 k T / m) t, apart from collisions."""
    folder, _, _ = finished
    _, x, _ = trajectory(folder)
    nitrogen = 0.5 * (x[:, 20::2] + x[:, 21::2])
    steps = {28.014: np.diff(nitrogen, axis=0), 39.948: np.diff(x[:, :20], axis=0)}
    for mass, moved in steps.items():
        free = np.sqrt(3 * 100 * BOLTZMANN * 150 / mass) * 0.2  # Å in 0.2 ps; kJ/mol/amu = 100 Å²/ps²
        assert 0.6 < np.sqrt((moved**2).sum(axis=-1).mean()) / free < 1.1


def test_volume_changes_in_the_density_phase_only(finished):
    folder, _, record = finished
    states = read_states(folder / "state.csv")
    mass = 20 * 39.948 + 80 * 14.007
    assert states.density_g_per_ml.to_numpy() == pytest.approx(1.66053906660 * mass / states.volume_a3, rel=1e-5)
    volumes = {name: rows.volume_a3.to_numpy() for name, rows in states.groupby("phase")}
    assert volumes["warm-up"] == pytest.approx(np.full(15, 17.0**3), rel=1e-6)
    assert volumes["density"].std() > 10
    mean = volumes["density"][20:].mean()
    for phase in ("relaxation", "production"):
        assert volumes[phase] == pytest.approx(np.full(len(volumes[phase]), mean), rel=1e-6)
    second_half = states[states.phase == "density"].density_g_per_ml[20:]
    assert record["density_g_per_ml"] == pytest.approx(second_half.mean(), rel=1e-5)


def test_trajectory_is_unwrapped_whole_and_evenly_spaced(finished):
    folder, _, _ = finished
    times, x, edges = trajectory(folder)
    assert times == pytest.approx(0.2 * np.arange(1, 81), abs=1e-4)
    assert x.shape == (80, 100, 3)
    volume = read_states(folder / "state.csv").volume_a3.iloc[-1]
    assert edges.prod(axis=1) == pytest.approx(np.full(80, volume), rel=1e-5)
    assert np.abs(np.diff(x, axis=0)).max() < edges.min() / 2
    assert np.ptp(x, axis=1).max() > edges.min()  # somebody has left the box and was not put back
    assert np.linalg.norm(x[:, 20::2] - x[:, 21::2], axis=-1) == pytest.approx(np.full((80, 40), 1.1), abs=0.02)


def test_the_centre_of_mass_stands_still(finished):
    folder, _, _ = finished
    _, x, _ = trajectory(folder)
    masses = np.array([39.948] * 20 + [14.007] * 80)
    centre = masses @ x / masses.sum()
    assert np.linalg.norm(centre - centre[0], axis=-1).max() < 0.05


def test_each_frame_stands_at_the_time_of_its_row(finished):
    """The potential energy of a frame, computed anew, is that of its row and of no other."""
    import openmm

    folder, _, _ = finished
    times, x, edges = trajectory(folder)
    states = read_states(folder / "state.csv")
    rows = states[states.phase == "production"].set_index("time_ps")
    system = openmm.XmlSerializer.deserialize((folder / "system.xml").read_text(encoding="utf-8"))
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference"))
    ours, told = [], []
    for k in range(0, len(times), 10):
        context.setPeriodicBoxVectors(*(0.1 * np.diag(edges[k])))
        context.setPositions(0.1 * x[k])
        ours.append(context.getState(getEnergy=True).getPotentialEnergy()._value)
        told.append(rows.potential_energy_kj_per_mol.loc[round(float(times[k]), 4)])
    # XTC keeps 0.01 Å, which is 0.5 kJ/mol here; from frame to frame the energy changes by ten.
    assert np.std(told) > 5
    assert ours == pytest.approx(told, abs=2)


def test_pressure_is_the_one_asked_for(tmp_path):
    """Particles that do not see each other are an ideal gas: N + 1 = p V / (k T) in the isobaric ensemble."""
    folder = write_box(
        tmp_path / "replica-1", argon=60, nitrogen=0, edge=29.0, temperature_k=300, pressure_bar=100, epsilon=0.0
    )
    protocol = dynamics(timestep_fs=5, equilibrate_npt_ps=300, equilibrate_nvt_ps=0, production_ps=2, checkpoint_ps=50)
    run(folder, protocol)
    states = read_states(folder / "state.csv")
    volume = states[states.phase == "density"].volume_a3.mean()
    exact = 61 * 1.380649e-23 * 300 / 100e5 * 1e30
    assert volume == pytest.approx(exact, rel=0.1)


def test_a_box_that_was_not_built_is_not_run(tmp_path):
    folder = small_box(tmp_path / "replica-1")
    packing = read_json(folder / "packing.json")
    write_json(folder / "packing.json", packing | {"verdict": "not built: TFSI: not typable", "seed": None})
    for name in ("packed.pdb", "system.xml"):
        (folder / name).write_text("")
    record = run(folder, dynamics())
    assert record["verdict"] == "not run: not built: TFSI: not typable"
    assert (folder / "trajectory.xtc").stat().st_size == 0
    assert (folder / "state.csv").read_text() == COLUMNS + "\n"


def test_a_run_that_explodes_is_a_verdict_that_names_the_phase(tmp_path):
    """Atoms as light as a hundredth of hydrogen move too far in four femtoseconds."""
    folder = small_box(tmp_path / "replica-1", nitrogen=0, argon=20, mass_amu={"Ar": 0.002})
    record = run(folder, dynamics())
    assert record["verdict"].startswith("not run: exploded in phase 'warm-up' ")
    assert (folder / "trajectory.xtc").stat().st_size == 0
    assert (folder / "restart" / "last-good.xml").exists()


def test_an_explosion_is_told_with_step_term_and_atoms(tmp_path, monkeypatch):
    """In the middle of a good run one bond is pulled so hard that the steps cannot follow: it is that one."""
    import openmm

    folder = write_box(tmp_path / "replica-1", argon=10, nitrogen=10, edge=13.0)
    system = openmm.XmlSerializer.deserialize((folder / "system.xml").read_text(encoding="utf-8"))
    bond = openmm.HarmonicBondForce()
    bond.addBond(3, 7, 0.1, 1e9)
    next(f for f in system.getForces() if isinstance(f, openmm.NonbondedForce)).addException(3, 7, 0, 1, 0)
    bond.setUsesPeriodicBoundaryConditions(True)
    system.addForce(bond)
    (folder / "system.xml").write_text(openmm.XmlSerializer.serialize(system), encoding="utf-8")
    record = run(folder, dynamics())
    told = re.fullmatch(
        r"not run: exploded in phase 'warm-up' at step (\d+): first the bond energy rose, at step (\d+), "
        r"with most force on atom (\d+) \(Ar of AR \d+\) and atom (\d+) \(Ar of AR \d+\); "
        r"the last good state is kept in restart/",
        record["verdict"],
    )
    assert told, record["verdict"]
    assert {told[3], told[4]} == {"4", "8"}
    assert 0 < int(told[2]) <= int(told[1]) < 3000


def test_replicas_of_other_seeds_differ_and_the_same_seed_gives_the_same_first_steps(tmp_path):
    protocol = dynamics(equilibrate_npt_ps=4, equilibrate_nvt_ps=0, production_ps=2)
    first_rows = {}
    for name, seed in (("a", 11), ("b", 11), ("c", 12)):
        folder = small_box(tmp_path / name / "replica-1")
        write_json(folder / "packing.json", read_json(folder / "packing.json") | {"seed": seed})
        run(folder, protocol)
        first_rows[name] = read_states(folder / "state.csv").potential_energy_kj_per_mol.to_numpy()[:10]
    assert first_rows["a"] == pytest.approx(first_rows["b"], rel=1e-9)
    assert np.abs(first_rows["a"] - first_rows["c"]).max() > 1


def test_a_density_that_has_not_settled_is_given_more_time_up_to_the_limit(tmp_path, monkeypatch):
    """Asked and refused twice, allowed the third time: 12 ps of NPT instead of 4, and one mean volume at the end."""
    from electroscreen.dynamics import run as stage

    short = {"equilibrate_npt_ps": 4, "equilibrate_nvt_ps": 0, "production_ps": 2}
    answers = iter([False, False, True])
    asked = []

    def settled(rows, ensemble):
        asked.append((len(rows), ensemble))
        return next(answers)

    monkeypatch.setattr(stage, "settled_phase", settled)
    folder = small_box(tmp_path / "replica-1")
    run(folder, dynamics(**short, equilibrate_limit=5))
    assert asked == [(20, "NPT"), (40, "NPT"), (60, "NPT")]
    states = read_states(folder / "state.csv")
    density = states[states.phase == "density"]
    assert density.time_ps.to_numpy() == pytest.approx(0.2 * np.arange(1, 61))
    assert states.volume_a3.iloc[-1] == pytest.approx(density.volume_a3[len(density) // 2 :].mean(), rel=1e-3)


def test_a_run_that_gave_up_goes_on_from_the_start_when_the_limit_is_raised(tmp_path, monkeypatch):
    from electroscreen.dynamics import run as stage

    short = {"equilibrate_npt_ps": 4, "equilibrate_nvt_ps": 0, "production_ps": 2}
    monkeypatch.setattr(stage, "settled_phase", lambda *_: False)
    folder = small_box(tmp_path / "replica-1")
    for limit, values in ((1.5, 30), (1.5, 30), (2, 40)):
        run(folder, dynamics(**short, equilibrate_limit=limit))
        states = read_states(folder / "state.csv")
        assert (states.phase == "density").sum() == values
        assert (states.phase == "production").sum() == 10


def test_annealing_is_for_boxes_with_chains(tmp_path):
    """Hot and pressed first, with a column for how far the chains coil; a box without chains does not see it."""
    steps = [
        {"ensemble": "NVT", "temperature_k": 300.0, "length_ps": 2.0},
        {"ensemble": "NPT", "pressure_bar": 5000.0, "length_ps": 4.0},
    ]
    protocol = dynamics(equilibrate_npt_ps=4, equilibrate_nvt_ps=0, production_ps=2, anneal=steps)
    molecules = [
        {"species": "Ar", "role": "solvent", "count": 8, "symbols": ["Ar"], "masses_amu": [39.948]},
        {"species": "N2", "role": "polymer", "count": 12, "symbols": ["N", "N"], "masses_amu": [14.007, 14.007]},
    ]
    folder = small_box(tmp_path / "a" / "replica-1")
    run(folder, protocol)
    assert "anneal 1" not in set(read_states(folder / "state.csv").phase)
    folder = small_box(tmp_path / "b" / "replica-1")
    box = folder.parent / "composition.json"
    write_json(box, read_json(box) | {"molecules": molecules})
    record = run(folder, protocol)
    states = read_states(folder / "state.csv")
    assert list(dict.fromkeys(states.phase)) == ["warm-up", "anneal 1", "anneal 2", "density", "production"]
    means = states.groupby("phase").mean()
    assert means.temperature_k["anneal 1"] > 220
    assert means.volume_a3["anneal 2"] < means.volume_a3["anneal 1"]
    # Two equal masses 1.1 Å apart: each is 0.55 Å from their centre.
    assert states.radius_of_gyration_angstrom.to_numpy() == pytest.approx(np.full(len(states), 0.55), abs=2e-3)
    assert record["radius_of_gyration_angstrom"] == pytest.approx(0.55, abs=2e-3)
    assert record["protocol"][2] == "anneal 2: NPT, Langevin, 150 K, 5000 bar, 4 ps in steps of 1 fs"


def test_chains_need_no_annealing():
    assert phases(dynamics(), anneal=True) == phases(dynamics(anneal="none"), anneal=True) == phases(dynamics())


def test_compression_in_21_steps_as_published():
    """Larsen et al. 2011: 1.56 ns, seven times hot, cold and pressed, the pressure up to 5e4 atm and down to 1."""
    steps = compression_21()
    assert len(steps) == 21
    assert sum(step.length_ps for step in steps) == 1560
    assert [step.temperature_k for step in steps] == 7 * [600.0, None, None]
    pressed = [step.pressure_bar for step in steps[2::3]]
    assert pressed[:-1] == pytest.approx([p * 50662.5 for p in (0.02, 0.6, 1.0, 0.5, 0.1, 0.01)], rel=1e-4)
    assert pressed[-1] is None
    plan = phases(dynamics(anneal="21-step"), anneal=True)
    assert [phase.name for phase in plan[1:22]] == [f"anneal {k}" for k in range(1, 22)]
    assert [phase.name for phase in phases(dynamics(anneal="21-step"))][1] == "density"


def test_the_protocol_in_numbers():
    plan = phases(dynamics(timestep_fs=3, frame_ps=0.3))
    assert [(p.name, p.ensemble, p.integrator, p.length_ps, p.timestep_fs) for p in plan] == [
        ("warm-up", "NVT", "Langevin", 3, 1),
        ("density", "NPT", "Langevin", 8, 3),
        ("relaxation", "NVT", "Langevin", 1, 3),
        ("production", "NVT", "Nose-Hoover", 16, 3),
    ]
    assert [p.name for p in phases(dynamics(equilibrate_nvt_ps=0))] == ["warm-up", "density", "production"]
    assert phases(dynamics(timestep_fs=0.5))[0].timestep_fs == 0.5
    assert Phase("x", "NVT", "Langevin", 1, 3).steps(0.3) == 100
    assert Phase("x", "NVT", "Langevin", 1, 3).steps(0.0001) == 1


def test_integrators_and_barostat_are_told_temperature_pressure_and_step():
    import openmm
    from openmm import unit

    phase = Phase("density", "NPT", "Langevin", 1, 2.5)
    integrator = build_integrator(phase, 310, 5)
    assert isinstance(integrator, openmm.LangevinMiddleIntegrator)
    assert integrator.getTemperature().value_in_unit(unit.kelvin) == 310
    assert integrator.getFriction().value_in_unit(unit.picosecond**-1) == 1
    assert integrator.getStepSize().value_in_unit(unit.femtosecond) == pytest.approx(2.5)
    assert integrator.getRandomNumberSeed() == 5
    chain = build_integrator(Phase("production", "NVT", "Nose-Hoover", 1, 2.5), 310, 5)
    assert chain.getTemperature().value_in_unit(unit.kelvin) == 310
    assert chain.getCollisionFrequency().value_in_unit(unit.picosecond**-1) == 1
    bare = openmm.System()
    (barostat,) = with_ensemble(bare, phase, 310, 7.5, 5).getForces()
    assert barostat.getDefaultPressure().value_in_unit(unit.bar) == pytest.approx(7.5)
    assert barostat.getDefaultTemperature().value_in_unit(unit.kelvin) == 310
    assert bare.getNumForces() == 0
    assert with_ensemble(bare, Phase("x", "NVT", "Langevin", 1, 1), 310, 7.5, 5).getNumForces() == 0


def test_the_fastest_platform_that_works_is_taken_and_the_wanted_one_is_wanted():
    import openmm

    system = openmm.System()
    system.addParticle(1)
    fastest, _ = choose_platform("fastest", system, 1)
    assert fastest.getSpeed() >= openmm.Platform.getPlatformByName("CPU").getSpeed()
    wanted, properties = choose_platform("CPU", system, 3)
    assert (wanted.getName(), properties) == ("CPU", {"Threads": "3"})
    assert choose_platform("Reference", system, 3)[1] == {}
    if "HIP" not in [openmm.Platform.getPlatform(i).getName() for i in range(openmm.Platform.getNumPlatforms())]:
        with pytest.raises(ValueError, match=r"settings: dynamics\.platform: HIP is not installed; there are "):
            choose_platform("HIP", system, 1)


def test_the_shortest_run_that_settings_allow_is_judged(tmp_path):
    folder = small_box(tmp_path / "replica-1")
    record = run(folder, dynamics(timestep_fs=0.6, equilibrate_npt_ps=1.2, production_ps=0.6, frame_ps=0.06))
    assert "verdict" in record


def test_the_record_tells_the_time_between_frames_that_there_is(tmp_path):
    folder = small_box(tmp_path / "replica-1")
    record = run(
        folder, dynamics(equilibrate_npt_ps=2, equilibrate_nvt_ps=0, production_ps=1, frame_ps=0.099, timestep_fs=3)
    )
    assert record["frame_ps"] == pytest.approx(np.diff(trajectory(folder)[0]).mean(), rel=1e-4)
