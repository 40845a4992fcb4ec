"""The Helm chart: what it refuses, what it renders, and that a real API server, Helm and Prometheus take it."""

import json
import os
import re
import subprocess
import urllib.request

import pytest
import yaml

from kube import assets
from kube.cluster import Cluster, wait_for
from kube.control_plane import free_ports
from kube.kubelets import Kubelets
from weir import BINARY, ROOT

NEEDS_KUBERNETES = True
CHART = os.path.join(ROOT, "deploy", "helm", "weir")
MANIFESTS = os.path.join(ROOT, "deploy", "kubernetes")
NAMESPACE = "amazon-network-flow-monitor"

# The scrape job of the article that Weir is an answer to. Debian builds Prometheus without Kubernetes discovery, so that the
# test finds the pods, with the labels that `role: pod` gives them.
SCRAPE_JOB = """
- job_name: 'eks-nfm-sdoneks'
  file_sd_configs:
  - files: [{targets}]
  metrics_path: /metrics
  relabel_configs:
  - source_labels: [__meta_kubernetes_namespace, __meta_kubernetes_pod_label_name]
    action: keep
    regex: amazon-network-flow-monitor;aws-network-flow-monitor-agent
  - target_label: __address__
    replacement: ${{1}}:9101
    source_labels: [__meta_kubernetes_pod_ip]
"""


def helm(*arguments, check=True):
    assets.need("helm")
    said = subprocess.run([assets.program("helm"), *arguments], capture_output=True, text=True)
    if check:
        assert said.returncode == 0, said.stderr
    return said


def render(*settings, release="weir", kube_version="1.33.0", namespace="default"):
    words = [word for setting in settings for word in ("--set-json", setting)]
    said = helm("template", release, CHART, "--namespace", namespace, "--kube-version", kube_version, *words)
    return [each for each in yaml.safe_load_all(said.stdout) if each]


def refusal(*settings):
    words = [word for setting in settings for word in ("--set-json", setting)]
    said = helm("template", "weir", CHART, *words, check=False)
    assert said.returncode != 0, said.stdout
    return said.stderr


def find(objects, kind, name=None):
    found = [each for each in objects if each["kind"] == kind and name in (None, each["metadata"]["name"])]
    assert len(found) == 1, [(each["kind"], each["metadata"]["name"]) for each in objects]
    return found[0]


def container(objects, kind):
    return find(objects, kind)["spec"]["template"]["spec"]["containers"][0]


def test_the_chart_passes_lint():
    helm("lint", "--strict", CHART)


@pytest.mark.parametrize("setting", ['token=null', 'token.value="short"', 'token.value="with a space in the middle"', 'token.key=""', 'token.enabled=false',
                                     'server.flags={"token-file":""}', 'server.flags={"listen":"0.0.0.0:1"}',
                                     'server.extraEnv=[{"name":"WEIR_TOKEN_FILE","value":""}]', 'server.runAsUser=0',
                                     'agent.privileged=true', 'agent.capabilities=["ALL"]', 'server.listenAddress="127.0.0.1"',
                                     'server.replicas=2', 'agent.server="weir.example:7600"', 'server.enabled=false'])
def test_values_that_would_expose_or_break_are_refused(setting):
    said = refusal(setting)
    assert setting.split("=")[0].split(".")[0] in said or "flags" in said or "token-file" in said or "listen" in said, said


def test_a_server_elsewhere_needs_its_address_and_token():
    assert "token" in refusal("server.enabled=false", 'agent.server="https://weir.example:7600"')
    objects = render("server.enabled=false", 'agent.server="https://weir.example:7600"', 'token.existingSecret="theirs"')
    assert sorted({each["kind"] for each in objects}) == ["DaemonSet", "Namespace", "ServiceAccount"]
    assert "--server=https://weir.example:7600" in container(objects, "DaemonSet")["args"]


def test_agents_have_the_names_of_the_seed_unless_told_otherwise():
    agents = find(render(), "DaemonSet")
    assert agents["metadata"]["namespace"] == NAMESPACE
    assert agents["spec"]["template"]["metadata"]["labels"]["name"] == "aws-network-flow-monitor-agent"
    assert container([agents], "DaemonSet")["ports"] == [{"name": "metrics", "containerPort": 9101, "protocol": "TCP"}]
    environment = {each["name"]: each.get("value") for each in container([agents], "DaemonSet")["env"]}
    assert environment["WEIR_METRICS_LISTEN"] == "0.0.0.0:9101"
    objects = render("compatibility.enabled=false", namespace="observability")
    agents = find(objects, "DaemonSet")
    assert {each["metadata"].get("namespace", "observability") for each in objects} == {"observability"}
    assert "name" not in agents["spec"]["template"]["metadata"]["labels"]


def test_containers_have_no_more_rights_than_they_use():
    objects = render()
    agent, server = container(objects, "DaemonSet"), container(objects, "StatefulSet")
    unit = open(os.path.join(ROOT, "deploy", "systemd", "observing.conf")).read()
    granted = re.search(r"^CapabilityBoundingSet=(.*)$", unit, re.M).group(1).replace("CAP_", "").split()
    assert agent["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": granted}
    assert server["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    for each in (agent, server):
        context = each["securityContext"]
        assert not context["privileged"] and not context["allowPrivilegeEscalation"] and context["readOnlyRootFilesystem"]
    pod = find(objects, "DaemonSet")["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert find(objects, "StatefulSet")["spec"]["template"]["spec"]["securityContext"]["runAsNonRoot"] is True
    # Two roles would be two truths.
    role = next(each for each in yaml.safe_load_all(open(os.path.join(MANIFESTS, "rbac.yaml"))) if each["kind"] == "ClusterRole")
    assert find(objects, "ClusterRole")["rules"] == role["rules"]


def test_the_programs_know_every_flag_they_are_given():
    objects = render('agent.flags={"dns":"on"}', 'server.flags={"disk-budget":"40Gi"}', 'tls.existingSecret="certificate"')
    for kind in ("DaemonSet", "StatefulSet"):
        command, *flags = container(objects, kind)["args"]
        text = subprocess.run([BINARY, command, "--help"], capture_output=True, text=True, check=True).stdout
        for flag in flags:
            assert re.search(rf"{re.escape(flag.split('=')[0])}\b", text), flag
    assert "--dns=on" in container(objects, "DaemonSet")["args"]
    assert container(objects, "StatefulSet")["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http", "scheme": "HTTPS"}


def test_agents_are_asked_for_their_health_where_they_serve_it():
    agent = container(render(), "DaemonSet")
    assert agent["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "metrics"}
    assert agent["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics"}
    for setting in ("agent.probes.enabled=false", "agent.metrics.enabled=false"):
        assert not {"livenessProbe", "readinessProbe"} & set(container(render(setting), "DaemonSet"))


def test_headers_for_receivers_come_from_a_secret():
    objects = render('server.pushHeaders.existingSecret="receivers"', 'server.flags={"remote-write":"https://metrics.example/api/v1/write"}')
    server = container(objects, "StatefulSet")
    assert {"--push-headers=/etc/weir/push/headers", "--remote-write=https://metrics.example/api/v1/write"} <= set(server["args"])
    assert {"name": "push", "mountPath": "/etc/weir/push", "readOnly": True} in server["volumeMounts"]
    volumes = {each["name"]: each for each in find(objects, "StatefulSet")["spec"]["template"]["spec"]["volumes"]}
    assert volumes["push"]["secret"]["secretName"] == "receivers"


def test_rules_dashboards_and_monitors_are_there_on_demand():
    settings = [f"monitoring.{name}.enabled=true" for name in ("serviceMonitor", "podMonitor", "prometheusRule", "dashboards")]
    plain, objects = render(), render(*settings)
    assert not {each["kind"] for each in plain} & {"ServiceMonitor", "PodMonitor", "PrometheusRule", "ConfigMap"}
    assert find(objects, "PodMonitor")["spec"]["podMetricsEndpoints"][0]["port"] == "metrics"
    assert find(objects, "ServiceMonitor")["spec"]["endpoints"][0]["authorization"]["credentials"] == {"name": "weir-token", "key": "token"}
    rules = [each for each in objects if each["kind"] == "PrometheusRule"]
    assert len(rules) == len(os.listdir(os.path.join(CHART, "files", "rules")))
    for each in rules:
        assert all(group["rules"] for group in each["spec"]["groups"])
    dashboards = [each for each in objects if each["kind"] == "ConfigMap"]
    files = [name for name in os.listdir(os.path.join(CHART, "files", "dashboards")) if name.endswith(".json")]
    assert len(dashboards) == len(files) >= 4
    for each in dashboards:
        (text,) = each["data"].values()
        json.loads(text)


def test_plain_manifests_are_what_the_chart_renders():
    said = helm("template", "weir", CHART, "--kube-version", "1.25.0", "--set", "token.existingSecret=weir-token", "--set", "agent.image.tag=dev",
                "--set", "server.image.tag=dev")
    assert open(os.path.join(MANIFESTS, "weir.yaml")).read() == said.stdout, "stale: run ./dev chart"
    assert "kind: Secret" not in said.stdout


@pytest.fixture(scope="module")
def cluster():
    assets.need("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "helm", "kubectl")
    with Cluster(prefix=123) as running:
        running.node("n1", zone="eu-1a")
        running.node("n2", zone="eu-1b")
        with Kubelets(running):  # pods are only said to run
            yield running


def at(cluster, program, *arguments, **more):
    said = subprocess.run([assets.program(program), "--kubeconfig", cluster.plane.admin_kubeconfig, *arguments], capture_output=True, text=True, **more)
    assert said.returncode == 0, said.stdout + said.stderr
    return said.stdout


@pytest.fixture(scope="module")
def release(cluster):
    # Nobody makes volumes here.
    at(cluster, "helm", "install", "weir", CHART, "--set", "server.persistence.enabled=false", "--timeout", "60s")
    return json.loads(at(cluster, "kubectl", "-n", NAMESPACE, "get", "all,pdb,networkpolicy,secret", "-o", "json"))["items"]


def pods(cluster, component):
    found = json.loads(at(cluster, "kubectl", "-n", NAMESPACE, "get", "pods", "-l", f"app.kubernetes.io/component={component}", "-o", "json"))["items"]
    return [each for each in found if each["status"].get("phase") == "Running"]


def test_an_api_server_takes_the_chart_and_runs_an_agent_on_each_node(cluster, release):
    kinds = {each["kind"] for each in release}
    assert kinds >= {"DaemonSet", "StatefulSet", "Service", "PodDisruptionBudget", "NetworkPolicy", "Secret"}
    agents = wait_for("an agent on each node", lambda: len(found := pods(cluster, "agent")) == 2 and found)
    assert {each["spec"]["nodeName"] for each in agents} == {"n1", "n2"}
    wait_for("the server", lambda: len(pods(cluster, "server")) == 1)


def test_the_servers_account_may_read_names_and_nothing_else(cluster, release):
    account = f"--as=system:serviceaccount:{NAMESPACE}:weir-server"

    def may(verb, resource):
        said = subprocess.run([assets.program("kubectl"), "--kubeconfig", cluster.plane.admin_kubeconfig, "auth", "can-i", verb, resource, "-A", account],
                              capture_output=True, text=True)
        return said.stdout.strip() == "yes"

    assert all(may("watch", resource) for resource in ("pods", "services", "nodes", "namespaces", "replicasets.apps", "jobs.batch"))
    assert not any(may(verb, resource) for verb, resource in (("get", "secrets"), ("create", "pods"), ("delete", "pods"), ("get", "configmaps")))


def test_the_seeds_scrape_job_finds_every_agent(cluster, release, tmp_path):
    if subprocess.run(["which", "prometheus"], capture_output=True).returncode != 0:
        pytest.skip("CHART TESTS SKIPPED: no prometheus; ./dev setup installs it")
    wait_for("agents", lambda: len(pods(cluster, "agent")) == 2)
    every = json.loads(at(cluster, "kubectl", "get", "pods", "-A", "-o", "json"))["items"]
    (tmp_path / "targets.json").write_text(json.dumps([
        {"targets": [f"{pod['status']['podIP']}:{port['containerPort']}"],
         "labels": {"__meta_kubernetes_namespace": pod["metadata"]["namespace"], "__meta_kubernetes_pod_ip": pod["status"]["podIP"],
                    **{f"__meta_kubernetes_pod_label_{re.sub('[^a-zA-Z0-9_]', '_', name)}": value
                       for name, value in pod["metadata"]["labels"].items()}}}
        for pod in every for container in pod["spec"]["containers"] for port in container.get("ports", [])]))
    (port,) = free_ports(1)
    config = tmp_path / "prometheus.yml"
    config.write_text("global: {scrape_interval: 1s}\nscrape_configs:" + SCRAPE_JOB.format(targets=tmp_path / "targets.json"))
    log = tmp_path / "log"
    with log.open("w") as out:
        child = subprocess.Popen(["prometheus", f"--config.file={config}", f"--storage.tsdb.path={tmp_path}/data", f"--web.listen-address=127.0.0.1:{port}"],
                                 stdout=out, stderr=out)
    try:
        def targets():
            assert child.poll() is None, log.read_text()
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/targets?state=active", timeout=5) as answer:
                    return json.load(answer)["data"]["activeTargets"]
            except OSError:
                return []

        found = wait_for("targets", lambda: len(now := targets()) == 2 and now, seconds=60)
        assert len(every) > 2
        addresses = {each["status"]["podIP"] for each in pods(cluster, "agent")}
        assert {each["labels"]["instance"] for each in found} == {f"{address}:9101" for address in addresses}
    finally:
        child.kill()
        child.wait(10)


def test_an_upgrade_keeps_the_token_and_an_end_keeps_the_namespace(cluster, release):
    def token():
        return at(cluster, "kubectl", "-n", NAMESPACE, "get", "secret", "weir-token", "-o", "jsonpath={.data.token}")

    before = token()
    at(cluster, "helm", "upgrade", "weir", CHART, "--set", "server.persistence.enabled=false", "--set", "agent.flags.dns=on", "--timeout", "60s")
    assert token() == before and len(before) >= 64
    at(cluster, "helm", "uninstall", "weir")
    at(cluster, "kubectl", "get", "namespace", NAMESPACE)
    # It is there, and not this release's: it is left alone.
    at(cluster, "helm", "install", "other", CHART, "--set", "server.persistence.enabled=false", "--timeout", "60s")
    at(cluster, "helm", "uninstall", "other")


def test_an_api_server_takes_the_plain_manifests(cluster):
    text = helm("template", "weir", CHART, "--kube-version", f"1.{cluster.plane.minor}.0", "--set", "token.existingSecret=weir-token").stdout
    at(cluster, "kubectl", "apply", "-f", "-", input=text)
    at(cluster, "kubectl", "-n", NAMESPACE, "get", "daemonset/weir-agent", "statefulset/weir-server")
