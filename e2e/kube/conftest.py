"""One cluster for all files of this folder: a control plane takes longer to start than most tests to run. Each file has
namespaces of its own, and leaves its pods behind, idle."""

import pytest

from kube import assets
from kube.cluster import Cluster
from kube.kubelets import Kubelets
from kube.machines import Machines
from kube.service_proxy import ServiceProxy

REGION = "eu-central-1"
ZONES = {"n1": f"{REGION}a", "n2": f"{REGION}b", "n3": f"{REGION}a"}


@pytest.fixture(scope="package")
def cluster():
    assets.need()
    with Cluster(prefix=121) as running:
        for name, zone in ZONES.items():
            running.node(name, zone=zone, region=REGION)
        yield running


@pytest.fixture(scope="package")
def machines(cluster):
    with Machines(cluster) as running:
        yield running


@pytest.fixture(scope="package")
def kubelets(cluster, machines):
    with Kubelets(cluster, machines) as running:
        yield running
        assert running.errors == []


@pytest.fixture(scope="package")
def proxy(cluster, machines, kubelets):
    with ServiceProxy(cluster, machines) as running:
        yield running
        assert running.errors == []
