"""The fastest OpenMM platform that works on this machine."""

from __future__ import annotations

from electroscreen.inputs import InputError


def choose_platform(wanted: str, system, threads: int):
    """Return an OpenMM platform and its properties.

    With 'fastest' each platform is asked, by OpenMM's own order of speed, to build a context of this system;
    the first that can is taken. Installed is not the same as usable: a GPU driver may be missing.

    Raises
    ------
    InputError
        If the wanted platform is not installed.
    RuntimeError
        If none works.
    """
    import openmm

    installed = [openmm.Platform.getPlatform(i) for i in range(openmm.Platform.getNumPlatforms())]
    by_speed = sorted(installed, key=lambda platform: -platform.getSpeed())
    candidates = [p for p in by_speed if wanted in ("fastest", p.getName())]
    if not candidates:
        names = ", ".join(p.getName() for p in by_speed)
        raise InputError(f"settings: dynamics.platform: {wanted} is not installed; there are {names}")
    faults = []
    for platform in candidates:
        properties = _properties(platform.getName(), threads)
        try:
            openmm.Context(system, openmm.VerletIntegrator(0.001), platform, properties)
        except openmm.OpenMMException as error:
            faults.append(f"{platform.getName()}: {error}")
            continue
        return platform, properties
    raise RuntimeError(f"no OpenMM platform works: {'; '.join(faults)}")


def _properties(name: str, threads: int) -> dict[str, str]:
    if name == "CPU":
        return {"Threads": str(threads)}
    if name in ("CUDA", "HIP", "OpenCL"):
        return {"Precision": "mixed"}
    return {}
