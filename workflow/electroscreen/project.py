"""Where a project keeps what: names to files, in one place for the rules and the command line."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from electroscreen.complexes import Complex, atoms_of, check_complexes, check_parts, read_complex
from electroscreen.demand import Demand, of_box, of_molecule
from electroscreen.inputs import InputError, check_name, did_you_mean
from electroscreen.papers import check_papers, read_papers
from electroscreen.recipe import box_recipe, complex_recipe, species_recipe
from electroscreen.recipes import BoxRecipe, check_box, check_lines, molecules_of, read_box, species_of
from electroscreen.settings import Binding, Settings, read_settings
from electroscreen.species import Species, check_ion_names, check_ions, read_species, species_names

SPECIES_STAGES = ("geometry", "orbitals", "levels", "redox", "esp", "cubes", "charges", "forcefield")
BOX_STAGES = ("composition", "packing", "dynamics", "analysis")


class _Registry(Mapping):
    """Species by name, each read when it is first asked for, and then kept."""

    def __init__(self, folder: Path, names: list[str]):
        self._folder, self._names, self._read = folder, dict.fromkeys(names), {}

    def __getitem__(self, name: str) -> Species:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._read:
            self._read[name] = read_species(self._folder / f"{name}.yaml")
        return self._read[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class Project:
    """A folder with `molecules/` and `config/`, and the results of one settings file."""

    def __init__(self, root: Path, settings_name: str):
        self.root, self.settings_name = Path(root), settings_name
        self._boxes: dict[str, BoxRecipe] = {}
        # The name becomes a folder of results/, so it must not lead out of there.
        check_name(settings_name, self.root / "config" / f"{settings_name}.yaml")

    @cached_property
    def settings(self) -> Settings:
        """How hard to work."""
        return read_settings(self.root / "config" / f"{self.settings_name}.yaml")

    @cached_property
    def species_names(self) -> list[str]:
        """Names of all species, from their files' names."""
        return species_names(self.root / "molecules" / "species")

    @cached_property
    def every(self) -> Mapping[str, Species]:
        """All species by name; a file is read when its species is asked for."""
        return _Registry(self.root / "molecules" / "species", self.species_names)

    @cached_property
    def box_names(self) -> list[str]:
        """Names of all boxes, from their files' names."""
        return species_names(self.root / "molecules" / "boxes")

    @cached_property
    def asked_boxes(self) -> list[str]:
        """The boxes that the settings ask for.

        Raises
        ------
        InputError
            If the settings name a box that there is not.
        """
        asked = self.settings.box.boxes
        if asked == "all":
            return self.box_names
        self._check_asked("box.boxes", "box", asked, self.box_names)
        return sorted(set(asked))

    @cached_property
    def screened_species(self) -> list[str]:
        """Species that are asked for by themselves; the others are computed where a complex or a box holds them.

        Raises
        ------
        InputError
            If the settings name a species that there is not.
        """
        asked = self.settings.species
        if asked != "all":
            self._check_asked("species", "species", asked, self.species_names)
            return sorted(set(asked))
        # Parsing every file at every start would take seconds in a large project, and few files have the key.
        files = {name: self.species_file(name) for name in self.species_names}
        return [name for name, file in files.items() if not _says("screen:", file) or self.species(name).screen]

    @cached_property
    def complex_names(self) -> list[str]:
        """Names of all complexes, from their files' names."""
        return species_names(self.root / "molecules" / "complexes")

    @cached_property
    def asked_complexes(self) -> list[str]:
        """The complexes that the settings ask for, with those that they are compared with.

        Raises
        ------
        InputError
            If the settings name a complex that there is not.
        """
        asked = self.settings.binding.complexes
        self._check_asked("binding.gfn1_complexes", "complex", self.settings.binding.gfn1_complexes, self.complex_names)
        if asked == "all":
            return self.complex_names
        self._check_asked("binding.complexes", "complex", asked, self.complex_names)
        found, waiting = set(), list(asked)
        while waiting:
            name = waiting.pop()
            found.add(name)
            named = {other for groups in self.complex(name).compared_with for other in groups}
            waiting += sorted((named & set(self.complex_names)) - found)
        return sorted(found)

    @cached_property
    def paper_files(self) -> list[Path]:
        """All papers."""
        return sorted((self.root / "molecules" / "papers").glob("*.yaml"))

    @property
    def results(self) -> Path:
        """Folder of these settings' results."""
        return self.root / "results" / self.settings_name

    @property
    def published(self) -> Path:
        """Folder of results to hand on, one folder in it for each settings file."""
        return self.root / "results" / "published"

    def species_file(self, name: str) -> Path:
        """YAML file of a species; InputError if there is none."""
        if name not in self.every:
            raise InputError(f"there is no species '{name}'{did_you_mean(name, self.species_names)}")
        return self.root / "molecules" / "species" / f"{name}.yaml"

    def box_file(self, name: str) -> Path:
        """YAML file of a box; InputError if there is none."""
        if name not in self.box_names:
            raise InputError(f"there is no box '{name}'{did_you_mean(name, self.box_names)}")
        return self.root / "molecules" / "boxes" / f"{name}.yaml"

    def complex_file(self, name: str) -> Path:
        """YAML file of a complex; InputError if there is none."""
        if name not in self.complex_names:
            raise InputError(f"there is no complex '{name}'{did_you_mean(name, self.complex_names)}")
        return self.root / "molecules" / "complexes" / f"{name}.yaml"

    def species(self, name: str) -> Species:
        """Return one species; InputError if there is none."""
        return self.every[name] if name in self.every else read_species(self.species_file(name))

    def box(self, name: str) -> BoxRecipe:
        """Return one box; InputError if there is none."""
        if name not in self._boxes:
            self._boxes[name] = read_box(self.box_file(name))
        return self._boxes[name]

    def complex(self, name: str) -> Complex:
        """Read one complex."""
        return read_complex(self.complex_file(name))

    def binding_settings(self, wanted: Complex) -> Binding:
        """How hard to work on one complex."""
        return self.settings.binding.of(wanted, atoms_of(wanted, self.complex_species(wanted)))

    def complex_species(self, wanted: Complex) -> dict[str, Species]:
        """Return the parts of a complex; InputError if there is no such species."""
        check_parts(self.complex_file(wanted.name), wanted, self.every)
        return {name: self.species(name) for name in wanted.parts}

    def species_folder(self, name: str) -> Path:
        """Results of a species."""
        return self.results / "species" / name

    def box_folder(self, name: str) -> Path:
        """Results of a box."""
        return self.results / "boxes" / name

    def complex_folder(self, name: str) -> Path:
        """Results of a complex."""
        return self.results / "complexes" / name

    def box_species(self, box: BoxRecipe) -> dict[str, Species]:
        """Return the species of a box, and the ions of its salts; InputError for one that there is not."""
        check_lines(self.box_file(box.name), box, self.every)
        every = {name: self.species(name) for name in species_of(box)}
        for name, species in every.items():
            check_ion_names(self.species_file(name), species, self.every)
        return every | {name: self.species(name) for name in molecules_of(box, every)}

    def molecules(self, name: str) -> list[str]:
        """Return the species that stand in a box as molecules."""
        box = self.box(name)
        return molecules_of(box, self.box_species(box))

    def centers(self, name: str) -> list[str]:
        """Sites of a box around which g(r) is wanted."""
        return list(dict.fromkeys(pairs.center for pairs in self.box(name).analysis.coordination))

    def series(self) -> list[str]:
        """Names that boxes of different temperature share."""
        told = [name for name in self.box_names if _says("series:", self.box_file(name))]
        return sorted({series for name in told if (series := self.box(name).series)})

    def recipe(self, stage: str, name: str) -> dict[str, Any]:
        """Return what decides the numbers of a stage for a species, a complex or a box."""
        if stage in SPECIES_STAGES:
            return species_recipe(stage, self.species(name), self.settings)
        if stage == "binding":
            wanted = self.complex(name)
            return complex_recipe(wanted, self.complex_species(wanted), self.settings)
        box = self.box(name)
        return box_recipe(stage, box, self.box_species(box), self.settings)

    def demand(self, stage: str, name: str) -> Demand:
        """Return the cores, memory and time that a stage of a species, a complex or a box asks a scheduler for."""
        if stage in BOX_STAGES:
            return of_box(stage, self.settings, self.box(name).atoms_at_least)
        return of_molecule(stage, self._symbols(name, is_complex=stage == "binding"), self.settings)

    def _symbols(self, name: str, is_complex: bool) -> tuple[str, ...]:
        """Atoms that quantum chemistry is done on; kept, because a scheduler asks for each stage, and each try."""
        if is_complex:
            parts = self.complex(name).parts
            return tuple(symbol for part, count in parts.items() for symbol in count * self._symbols(part, False))
        if name not in self._known_symbols:
            species = self.species(name)
            self._known_symbols[name] = tuple((species.trimer() if species.is_long_chain else species).symbols)
        return self._known_symbols[name]

    @cached_property
    def _known_symbols(self) -> dict[str, tuple[str, ...]]:
        return {}

    def whole_molecules(self, name: str) -> list:
        """Return the components of a box as whole formula units.

        Raises
        ------
        InputError
            If one would vanish.
        """
        # Imported here because most stages do not need numpy.
        from electroscreen.boxes.composition import whole_formula_units

        box = self.box(name)
        return whole_formula_units(box, self.box_species(box), self.settings.box.atoms)

    def check(self, passed: Collection[tuple[str, str]] = ()) -> None:
        """Check all that a user wrote.

        Parameters
        ----------
        passed
            Kind ('species', 'box' or 'settings') and name of what was checked before and has not changed since.

        Raises
        ------
        InputError
            For the first fault: which file, which field, what is wrong.
        """
        _ = self.settings
        every = self.every
        if not every:
            raise InputError(f"{self.root / 'molecules' / 'species'}: holds no species: write one YAML file each")
        for name in every:
            if ("species", name) not in passed:
                check_ions(self.species_file(name), every[name], every)
        for name in self.settings.quantum.scan_species:
            if name not in every:
                hint = did_you_mean(name, list(every))
                raise InputError(f"settings: quantum.scan_species: there is no species '{name}'{hint}")
        if ("settings", self.settings_name) not in passed:
            # Imported here because a stage by hand does not need it.
            from electroscreen.forcefield.published import check_ion_set

            check_ion_set(self.settings.forcefield.ion_set)
        for name in self.box_names:
            if ("box", name) not in passed:
                check_box(self.box_file(name), self.box(name), every)
        for name in self.asked_boxes:
            if ("box", name) not in passed:
                self.whole_molecules(name)
                # Says which solvent lacks the refractive index that 'ecc' needs, before anything runs.
                self.recipe("composition", name)
        complexes = {name: self.complex(name) for name in self.complex_names}
        check_complexes(self.root / "molecules" / "complexes", complexes, every)
        _ = self.asked_complexes
        check_papers(read_papers(self.paper_files), self.species_names, self.box_names, complexes)

    def _check_asked(self, key: str, kind: str, asked: list[str], names: list[str]) -> None:
        for name in asked:
            if name not in names:
                where = self.root / "config" / f"{self.settings_name}.yaml"
                raise InputError(f"{where}: {key}: there is no {kind} '{name}'{did_you_mean(name, names)}")


def _says(key: str, file: Path) -> bool:
    return key in file.read_text(encoding="utf-8")
