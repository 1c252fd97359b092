"""A Slurm of one node in a folder of its own, up in a second: no systemd, nothing of the machine's own configuration.

    python tests/workflow/one_node_slurm.py snakemake --profile profiles/slurm

runs a command against it and then stops it by the ids of the processes that it started. Debian and Ubuntu have what it
needs: apt install slurm-wlm munge.
"""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "sinfo", "squeue", "scancel", "scontrol")

# Four cores and 16 GB, whatever the machine has: what is tested is who waits for whom.
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=10
SchedulerParameters=batch_sched_delay=0,sched_interval=1
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=16000 Gres=gpu:1 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=1-00:00:00 State=UP
"""


def missing_programs() -> list[str]:
    """Return the programs of Slurm and munge that this machine lacks."""
    return [name for name in PROGRAMS if not _find(name)]


class OneNodeSlurm:
    """Use it in a `with` block; `environment` is what programs need to find it."""

    def __init__(self):
        self.host = socket.gethostname().split(".")[0]
        self.environment: dict[str, str] = {}
        self._daemons: list[subprocess.Popen] = []

    def __enter__(self) -> OneNodeSlurm:
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        # munged serves no socket that others could not reach.
        self.folder.chmod(0o755)
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        ports = {"controller_port": _free_port(), "node_port": _free_port()}
        written = CONFIGURATION.format(host=self.host, user=getpass.getuser(), folder=self.folder, **ports)
        (self.folder / "slurm.conf").write_text(written.lstrip())
        # A GPU for those who ask for one; what it can do is not tested.
        (self.folder / "gpu0").touch()
        (self.folder / "gres.conf").write_text(f"Name=gpu File={self.folder}/gpu0\n")
        self.environment = {"SLURM_CONF": str(self.folder / "slurm.conf")}
        self._lead_srun_here()
        try:
            self._start_all()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        if len(self._daemons) == 3:
            self.call("scancel", "--full", "--signal=KILL", "--state=RUNNING", check=False)
            self.call("scancel", f"--user={getpass.getuser()}", check=False)
            self._wait(lambda: not self.jobs(), 15)
        for daemon in reversed(self._daemons):
            daemon.terminate()
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def call(self, *command: str, check: bool = True) -> str:
        """Run one of Slurm's programs and return what it says."""
        done = subprocess.run(
            [_find(command[0]), *command[1:]],
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
        return done.stdout

    def jobs(self, states: str = "PENDING,RUNNING,COMPLETING") -> list[tuple[str, str, str]]:
        """Return number, state and comment (rule and wildcards) of each job."""
        lines = self.call("squeue", "--noheader", f"--states={states}", "--format=%i|%T|%k").splitlines()
        return [tuple(line.split("|", 2)) for line in lines]

    def job_of(self, name: str) -> str:
        """Return the number of the job whose comment has this in it."""
        return next(number for number, _, comment in self.jobs() if name in comment)

    def set_node(self, state: str) -> None:
        """Drain the node, or resume it."""
        self.call("scontrol", "update", f"nodename={self.host}", f"state={state}", "reason=test")

    def _lead_srun_here(self) -> None:
        """Put an srun first on the path that knows this Slurm: within a job the plugin takes SLURM_CONF away."""
        srun = self.folder / "bin" / "srun"
        srun.parent.mkdir()
        srun.write_text(f'#!/bin/sh\nSLURM_CONF={self.folder}/slurm.conf exec {_find("srun")} "$@"\n')
        srun.chmod(0o755)
        self.environment["PATH"] = f"{srun.parent}:{os.environ['PATH']}"

    def _start_all(self) -> None:
        folder = self.folder
        key = folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        files = {"key": "key", "pid": "pid", "log": "log", "seed": "seed"}
        options = [f"--{name}-file={folder}/munge.{suffix}" for name, suffix in files.items()]
        self._start("munged", "--foreground", "--num-threads=2", f"--socket={folder}/munge.socket", *options)
        self._wait((folder / "munge.socket").exists, 10)
        self._start("slurmctld", "-D", "-c", "-f", f"{folder}/slurm.conf")
        self._start("slurmd", "-D", "-c", "-f", f"{folder}/slurm.conf")
        self._wait(lambda: "idle" in self.call("sinfo", "--noheader", "--format=%t", check=False), 30)

    def _start(self, name: str, *options: str) -> None:
        with (self.folder / f"{name}.output").open("w") as output:
            daemon = subprocess.Popen(
                [_find(name), *options], env=os.environ | self.environment, stdout=output, stderr=subprocess.STDOUT
            )
        self._daemons.append(daemon)

    def _wait(self, happened, seconds: float) -> None:
        deadline = time.time() + seconds
        while not happened():
            dead = [daemon for daemon in self._daemons if daemon.poll() is not None]
            if dead or time.time() > deadline:
                said = {path.name: path.read_text()[-1000:] for path in self.folder.glob("*.output")}
                raise RuntimeError(f"Slurm does not get on: {said}")
            time.sleep(0.1)


def _find(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


if __name__ == "__main__":
    if missing_programs():
        sys.exit(f"{', '.join(missing_programs())}: not found (Debian, Ubuntu: apt install slurm-wlm munge)")
    with OneNodeSlurm() as slurm:
        sys.exit(subprocess.run(sys.argv[1:], env=os.environ | slurm.environment).returncode)
