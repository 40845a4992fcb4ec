"""Where the programs of the control plane are: KUBEBUILDER_ASSETS, else what `./dev kubernetes` left in the cache."""

import fcntl
import os
import pathlib
import sys

SERVERS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")


def places():
    cache = os.environ.get("WEIR_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "weir")
    return [place for place in (os.environ.get("KUBEBUILDER_ASSETS"), os.path.join(cache, "kubernetes", "bin")) if place]


def folder():
    """None where they are not."""
    for place in places():
        if all(os.access(os.path.join(place, program), os.X_OK) for program in SERVERS[:2]):
            return pathlib.Path(place)
    return None


def program(name):
    found = folder()
    return found / name if found and os.access(found / name, os.X_OK) else None


def await_build():
    """Returns when no build of them is under way: whoever builds holds the lock beside their folder."""
    for place in places():
        try:
            with open(os.path.join(os.path.dirname(place), "lock")) as lock:
                fcntl.flock(lock, fcntl.LOCK_SH)
        except FileNotFoundError:
            pass


def need(*programs):
    """Skips the test, loudly, where one of them is missing and nobody is building it."""
    import pytest  # benches use this file without it

    await_build()
    missing = [name for name in programs or SERVERS if program(name) is None]
    if missing:
        reason = f"KUBERNETES TESTS SKIPPED: no {', '.join(missing)}; run ./dev kubernetes or set KUBEBUILDER_ASSETS"
        print(reason, file=sys.stderr)
        pytest.skip(reason)
