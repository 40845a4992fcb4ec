"""A Debian 12 root file system for tests, and processes in it. Made once by mmdebstrap and kept as an archive in the cache; every
test gets a copy in memory."""

import contextlib
import fcntl
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import pytest

from lab import eventually

SUITE = "bookworm"
# What the packages under test bring along comes from the archive too, so that tests install nothing over the network.
BASE = ["systemd", "systemd-sysv", "iproute2", "adduser", "ca-certificates"]


def cache():
    folder = os.environ.get("WEIR_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "weir")
    return pathlib.Path(folder)


def skip(reason):
    print(f"INSTALL TESTS SKIPPED: {reason}", file=sys.stderr)
    pytest.skip(f"INSTALL TESTS SKIPPED: {reason}")


def needed_by(package):
    """Names of the packages that a .deb depends on, the first of alternatives."""
    text = subprocess.run(["dpkg-deb", "-f", str(package), "Depends"], check=True, capture_output=True, text=True).stdout
    return sorted({re.match(r"\s*([a-z0-9.+-]+)", item).group(1) for item in text.replace("\n", "").split(",") if item.strip()})


def archive(packages):
    """The archive with these packages in it; a minute where it is not there yet."""
    names = sorted(set(BASE) | {name for package in packages for name in needed_by(package)} - {"weir"})
    folder = cache() / "roots"
    folder.mkdir(parents=True, exist_ok=True)
    target, stamp = folder / f"{SUITE}.tar", folder / f"{SUITE}.packages"
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.exists() and stamp.exists() and stamp.read_text().split() == names:
            return target
        if not shutil.which("mmdebstrap"):
            skip("no mmdebstrap; ./dev setup installs it")
        making = subprocess.run(["mmdebstrap", "--mode=root", "--variant=apt", "--format=tar", f"--include={','.join(names)}",
                                 "--skip=check/empty", SUITE, f"{target}.new"], capture_output=True, text=True)
        if making.returncode != 0:
            skip(f"mmdebstrap cannot make a Debian {SUITE} here: {making.stderr[-600:]}")
        os.replace(f"{target}.new", target)
        stamp.write_text(" ".join(names))
    return target


class Root:
    """A copy of the archive on a tmpfs of its own. Commands run in its own mount, process, host name and network namespaces."""

    def __init__(self, packages):
        self.archive = archive(packages)
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="weir-root-"))

    def __enter__(self):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755,size=3g", f"weir-root-{os.getpid()}", self.path], check=True)
        with contextlib.ExitStack() as undo:
            undo.callback(self.__exit__)
            subprocess.run(["tar", "-xf", self.archive, "-C", self.path, "--numeric-owner"], check=True)
            undo.pop_all()
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.path], check=False)
        os.rmdir(self.path)

    def file(self, name):
        return self.path / name.lstrip("/")

    def add(self, *files):
        """Bind-mounts are seen by everybody who is in the root; copies would take half a gigabyte of memory."""
        for source in files:
            target = self.file(f"/packages/{os.path.basename(source)}")
            target.parent.mkdir(exist_ok=True)
            target.touch()
            subprocess.run(["mount", "--bind", source, target], check=True)

    def run(self, *command, check=True, env=None, network=False):
        """As root in the root. It has no network unless asked for."""
        inside = ["unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child", *([] if network else ["--net"]), "sh", "-c",
                  'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"', str(self.path), *command]
        return subprocess.run(inside, check=check, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8", **(env or {})})


class Booted:
    """The root as a machine with systemd, its own network and every capability: what a unit gets is then the unit's own."""

    def __init__(self, root):
        self.root = root
        self.child = None
        self.leader = None

    def __enter__(self):
        if not shutil.which("systemd-nspawn"):
            skip("no systemd-nspawn; ./dev setup installs it")
        self.log = tempfile.TemporaryFile("w+")
        # eBPF is not in nspawn's own list of system calls. Without --register it needs no systemd outside.
        self.child = subprocess.Popen(
            ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--private-network", "--capability=all",
             "--system-call-filter=bpf perf_event_open", f"--machine=weir-test-{os.getpid()}", f"--directory={self.root.path}", "--boot"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT)
        try:
            eventually(self._booted, timeout=60)
        except (AssertionError, RuntimeError):
            self.__exit__()
            self.log.seek(0)
            skip(f"systemd does not boot in a container here: {self.log.read()[-800:]}")
        return self

    def __exit__(self, *_):
        self.child.terminate()
        try:
            self.child.wait(20)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait(10)

    def _booted(self):
        if self.child.poll() is not None:
            raise RuntimeError("systemd-nspawn ended")
        children = pathlib.Path(f"/proc/{self.child.pid}/task/{self.child.pid}/children").read_text().split()
        if not children:
            return False
        self.leader = children[0]
        state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
        return state in ("running", "degraded")

    def run(self, *command, check=True, timeout=60):
        inside = ["nsenter", "-t", self.leader, "-m", "-u", "-i", "-n", "-p", "-C", *command]
        return subprocess.run(inside, check=check, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout,
                              stdin=subprocess.DEVNULL, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive",
                                                             "LC_ALL": "C.UTF-8"})

    def is_active(self, unit):
        return self.run("systemctl", "is-active", unit, check=False).stdout.strip() == "active"

    def journal(self, unit):
        return self.run("journalctl", "-u", unit, "--no-pager", "-o", "cat", check=False).stdout
