"""End-to-end tests: the real program, the real kernel, real sockets. They need root; without it they are skipped loudly."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from lab import Lab, have_root  # noqa: E402
from weir import BINARY, Weir  # noqa: E402


def needs_kubernetes(item):
    return os.sep + "kube" + os.sep in str(item.path) or getattr(item.module, "NEEDS_KUBERNETES", False)


def pytest_collection_modifyitems(items):
    items.sort(key=needs_kubernetes)  # last: its programs may still be in the making
    reason = None
    if not have_root():
        reason = "END-TO-END TESTS SKIPPED: they need root for network namespaces and eBPF; run them with sudo"
    elif not os.path.exists(BINARY):
        reason = f"END-TO-END TESTS SKIPPED: no program at {BINARY}; run ./dev build"
    if reason:
        print(reason, file=sys.stderr)
        for item in items:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="module")
def lab():
    with Lab(["client", "server"]) as network:
        yield network


@pytest.fixture(scope="module")
def weir():
    with Weir() as running:
        yield running
