"""Who is who: pods of a real API server, their packets, and the names Weir gives to both ends of every flow.

What is true is known without Weir: servers keep access logs, and the harness notes which pod had which address when."""

import contextlib
import json
import re
import threading
import time
import urllib.request

import pytest

from kube.cluster import wait_for
from kube.conftest import REGION
from kube.kubelets import ADDRESS
from kube.named import Named
from kube.service_proxy import TOPOLOGY
from lab import eventually
from prom import free_port
from weir import total

UP, DOWN = 300, 20_000
SLEEP = ["sleep", "1000"]
ENDS = "kind,namespace,workload,workload_kind,pod,container_name,node,zone,region,cluster,name_source".split(",")


@pytest.fixture(scope="module")
def named(cluster, machines, kubelets):
    cluster.namespace("shop")
    with Named(cluster, machines, kubelets) as running:
        yield running


def end(row, side):
    return {attribute: row[f"{side}_{attribute}"] for attribute in ENDS}


def test_three_ui_pods_reach_the_pods_of_a_service_and_all_are_named(cluster, machines, proxy, named):
    cluster.deployment("shop", "cart", 3, command=named.logging_server(8080), ports=[8080])
    cluster.deployment("shop", "ui", 3, command=SLEEP)
    service = cluster.service("shop", "cart")["spec"]["clusterIP"]
    carts = {pod["metadata"]["name"]: pod for pod in cluster.wait_ready("shop", "cart")}
    uis = {pod["metadata"]["name"]: pod for pod in cluster.wait_ready("shop", "ui")}
    proxy.wait_backends(f"{service}:80", 3)
    for pod in uis.values():
        machines.exec(pod, *machines.client(service, 80, "--count", 30, "--up", UP, "--down", DOWN))
    named.wait_equal("server_port = 8080", lambda: named.truth("shop", "cart-"))

    def all_named():
        rows = named.flows("server_port = 8080")
        for row in rows:
            client, server = uis[row["client_pod"]], carts[row["server_pod"]]
            for side, pod, workload in (("client", client, "ui"), ("server", server, "cart")):
                node = pod["spec"]["nodeName"]
                assert end(row, side) == {
                    "kind": "pod", "namespace": "shop", "workload": workload, "workload_kind": "Deployment", "pod": pod["metadata"]["name"],
                    "container_name": "app", "node": node, "zone": cluster.nodes[node].zone, "region": REGION, "cluster": "test", "name_source": "cluster"}
                assert row[f"{side}_address"] == pod["status"]["podIP"] and row[f"{side}_pod_uid"] == pod["metadata"]["uid"]
            assert (row["server_service"], row["server_service_namespace"]) == ("cart", "shop")
            assert (row["service_address"], row["service_port"]) == (service, 80)
            assert row["locality"] == ("same_node" if row["client_node"] == row["server_node"] else
                                       "same_zone" if row["client_zone"] == row["server_zone"] else "inter_zone")
            assert row["reported_by"] == "both"
        assert {row["client_pod"] for row in rows} == set(uis) and {row["server_pod"] for row in rows} == set(carts)
        return True
    eventually(all_named)


def test_a_service_without_backends_is_named_by_itself(cluster, machines, proxy, named):
    alone = cluster.service("shop", "nobody", port=81)["spec"]["clusterIP"]
    proxy.wait_backends(f"{alone}:81", 0)
    (ui, *_) = cluster.wait_ready("shop", "ui")
    said = machines.exec(ui, machines.client(0, 0)[0], machines.client(0, 0)[1], "connect", alone, "81", "--timeout", "5")
    assert said == "ECONNREFUSED\n"
    (row,) = eventually(lambda: named.flows("server_port = 81"))
    assert (row["client_workload"], row["server_kind"], row["server_workload"], row["server_service"]) == ("ui", "service", "nobody", "nobody")
    assert (row["connections_failed"], row["connections_opened"]) == (1, 0)


def test_a_rolling_update_under_load_names_every_byte_rightly(cluster, machines, kubelets, proxy, named):
    cluster.deployment("shop", "rolled", 3, command=named.logging_server(8082), ports=[8082])
    service = cluster.service("shop", "rolled", port=82, target=8082)["spec"]["clusterIP"]
    first = {pod["metadata"]["name"] for pod in cluster.wait_ready("shop", "rolled")}
    proxy.wait_backends(f"{service}:82", 3)
    uis = cluster.wait_ready("shop", "ui")
    stop = threading.Event()

    def load(pod):
        while not stop.is_set():  # a pod that ends takes connections with it
            machines.exec(pod, *machines.client(service, 82, "--count", 5, "--up", UP, "--down", DOWN, "--patience", 4), check=False)
    threads = [threading.Thread(target=load, args=(pod,)) for pod in uis]
    for thread in threads:
        thread.start()
    try:
        for _ in range(2):
            cluster.roll("shop", "rolled", command=named.logging_server(8082), ports=[8082])
            cluster.wait_rolled("shop", "rolled")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    pods = {event["name"] for event in kubelets.history if event["name"].startswith("rolled-")}
    assert len(pods) >= 9 and first < pods

    def all_named():
        rows = named.flows("server_port = 8082")
        truth = named.truth("shop", "rolled-")
        got = named.edges("server_port = 8082")
        # Attempts at a pod that had gone just then reached nobody; the service stands for it.
        assert all((row["server_kind"], row["connections_opened"]) == ("service", 0) for row in rows if not row["server_pod"])
        # A request that was cut off has bytes but no line in the log.
        assert set(truth) <= set(got)
        for edge, (up, down) in truth.items():
            assert up <= got[edge][0] and down <= got[edge][1], edge
        assert {client for client, _ in got} == {pod["metadata"]["name"] for pod in uis}
        assert {server for _, server in got} <= pods | {""}
        assert all(row["server_workload"] == "rolled" and row["server_service"] == "rolled" for row in rows)
        assert all(got[edge] == (0, 0) for edge in got if not edge[1])
        lost = sum(got[edge][1] - truth.get(edge, (0, 0))[1] for edge in got)
        assert lost < DOWN * len(uis) * len(pods)
        return True
    eventually(all_named)


def test_an_address_that_is_given_to_another_pod_at_once_lends_no_name(cluster, machines, named):
    address = f"10.{cluster.prefix}.1.200"
    (ui, *_) = cluster.wait_ready("shop", "ui")
    told = {}
    ended = started = 0
    for number in range(4):
        name = f"tenant-{number}"
        cluster.pod("shop", name, node="n1", annotations={ADDRESS: address}, command=named.logging_server(8083), ports=[8083])
        (pod,) = cluster.wait_ready("shop", name, 1)
        started = time.monotonic()
        assert not ended or started - ended < 2
        assert pod["status"]["podIP"] == address
        machines.exec(ui, *machines.client(address, 8083, "--count", 3 + number, "--up", UP, "--down", DOWN))
        told[ui["metadata"]["name"], name] = ((20 + UP) * (3 + number), DOWN * (3 + number))
        cluster.delete("pod", "shop", name)
        cluster.wait_gone("pod", "shop", name)
        ended = time.monotonic()
        # Known defect: of several pods that have one address within one interval, bytes can go to the last, and be told twice.
        time.sleep(1.1)

    def lent_to_nobody():
        got = named.edges("server_port = 8083")
        # An attempt made while nobody had the address reached nobody.
        assert {edge: carried for edge, carried in got.items() if edge[1] or carried != (0, 0)} == told
        return True
    eventually(lent_to_nobody, 40)


def test_pods_on_the_nodes_network_and_the_node_itself_are_told_apart(cluster, machines, kubelets, named):
    for name, port in (("host-a", 9101), ("host-b", 9102)):
        cluster.pod("shop", name, node="n1", host_network=True, command=named.logging_server(port))
    pods = {name: cluster.wait_ready("shop", name, 1)[0] for name in ("host-a", "host-b")}
    (target, *_) = [pod for pod in cluster.wait_ready("shop", "cart") if pod["spec"]["nodeName"] == "n2"]
    at = target["status"]["podIP"]
    for name, count in (("host-a", 3), ("host-b", 5)):
        machines.exec(pods[name], *machines.client(at, 8080, "--count", count, "--down", DOWN))
    machines.on_node("n1", *machines.client(at, 8080, "--count", 7, "--down", DOWN)).wait()
    node = cluster.nodes["n1"].address
    for port, name in ((9101, "host-a"), (9102, "host-b")):
        wait_for("its listener", lambda: machines.is_listening(pods[name], [port], kubelets._pods[pods[name]["metadata"]["uid"]].main[0].child))
    (client, *_) = cluster.wait_ready("shop", "ui")
    machines.exec(client, *machines.client(node, 9101, "--down", DOWN))
    machines.exec(client, *machines.client(node, 9102, "--count", 2, "--down", DOWN))

    def apart():
        rows = named.flows(f"client_address = {node}", "client_pod,client_unit,client_kind,client_node")
        assert {(row["client_pod"], row["client_kind"], row["client_node"]): row["bytes_to_client"] for row in rows} == {
            ("host-a", "pod", "n1"): 3 * DOWN, ("host-b", "pod", "n1"): 5 * DOWN, ("", "process", "n1"): 7 * DOWN}
        assert {row["client_unit"] for row in rows if not row["client_pod"]} == {"node-agent.service"}
        served = named.flows(f"server_address = {node}", "server_pod,server_port")
        assert {(row["server_pod"], row["server_port"]): row["bytes_to_client"] for row in served} == {
            ("host-a", 9101): DOWN, ("host-b", 9102): 2 * DOWN}
        return True
    eventually(apart)


def test_a_pod_that_serves_two_ports_and_calls_others_is_one_pod(cluster, machines, named):
    containers = [cluster.container("app", named.logging_server(8084), [8084]), cluster.container("side", machines.serve(8085), [8085])]
    cluster.pod("shop", "two", node="n2", containers=containers)
    (two,) = cluster.wait_ready("shop", "two", 1)
    for port, name in ((8084, "two-main"), (8085, "two-metrics")):
        cluster.service("shop", name, port=port, target=port, selector={"app": "two"}, clusterIP="None")
    (ui, *_) = cluster.wait_ready("shop", "ui")
    machines.exec(ui, *machines.client(two["status"]["podIP"], 8084, "--count", 2, "--down", DOWN))
    machines.exec(ui, *machines.client(two["status"]["podIP"], 8085, "--count", 3, "--down", DOWN))
    (cart, *_) = cluster.wait_ready("shop", "cart")
    machines.exec(two, *machines.client(cart["status"]["podIP"], 8080, "--count", 4, "--down", DOWN), container="side")

    def told():
        served = named.flows("server_pod = two", "server_port,server_container_name,server_service")
        assert {(row["server_port"], row["server_container_name"], row["server_service"]): row["bytes_to_client"] for row in served} == {
            (8084, "app", "two-main"): 2 * DOWN, (8085, "side", "two-metrics"): 3 * DOWN}
        (called,) = named.flows("client_pod = two", "client_pod,client_container_name,server_workload,server_service")
        assert (called["client_container_name"], called["server_workload"], called["server_service"]) == ("side", "cart", "cart")
        assert called["bytes_to_client"] == 4 * DOWN
        return True
    eventually(told)


def test_what_a_pod_says_to_itself_stays_within_it(cluster, machines, named):
    (two,) = cluster.wait_ready("shop", "two", 1)
    machines.exec(two, *machines.client("127.0.0.1", 8085, "--count", 2, "--down", DOWN), container="app")
    machines.exec(two, *machines.client(two["status"]["podIP"], 8085, "--count", 3, "--down", DOWN), container="app")

    def told():
        rows = named.flows("client_pod = two and server_port = 8085",
                           "client_pod,server_pod,server_container_name,server_address,locality")
        assert {(row["client_pod"], row["server_pod"], row["server_container_name"], row["locality"]): row["bytes_to_client"] for row in rows} == {
            ("two", "two", "side", "loopback"): 2 * DOWN, ("two", "two", "side", "same_pod"): 3 * DOWN}
        return True
    eventually(told)


def test_a_pod_deleted_with_flows_in_flight_keeps_its_name(cluster, machines, named):
    cluster.pod("shop", "brief", node="n2", command=named.logging_server(8086, "--drip", 5), ports=[8086])
    (pod,) = cluster.wait_ready("shop", "brief", 1)
    (ui, *_) = cluster.wait_ready("shop", "ui")
    machines.exec(ui, *machines.client(pod["status"]["podIP"], 8086, "--down", DOWN))
    sending = machines.start(ui, *machines.client(pod["status"]["podIP"], 8086, "--up", 100_000_000))
    eventually(lambda: total(named.flows("server_port = 8086"), "bytes_to_server") > 100_000)
    cluster.delete("pod", "shop", "brief")
    cluster.wait_gone("pod", "shop", "brief")
    sending.wait(20)
    closed = eventually(lambda: (lambda rows: total(rows, "connections_closed") == 2 and rows)(named.flows("server_port = 8086")))
    assert {(row["client_workload"], row["server_pod"], row["server_namespace"]) for row in closed} == {("ui", "brief", "shop")}


def test_a_job_of_one_second_is_named(cluster, machines, named):
    (cart, *_) = cluster.wait_ready("shop", "cart")
    for number in range(3):
        cluster.job("shop", f"report-{number}", command=[*machines.client(cart["status"]["podIP"], 8080, "--count", 2, "--up", 7, "--down", 77), "--hold", "0"])
    cron = cluster.cronjob("shop", "nightly", command=["true"])
    assert cron
    cluster.run_cronjob("shop", "nightly", command=machines.client(cart["status"]["podIP"], 8080, "--up", 7, "--down", 99))
    wait_for("the jobs", lambda: all(cluster.get("job", "shop", name)["status"].get("succeeded") == 1
                                     for name in ("report-0", "report-1", "report-2", "nightly-1")))

    def told():
        rows = named.flows("client_workload_kind in (Job, CronJob)", "client_workload,client_workload_kind,server_workload")
        assert {(row["client_workload"], row["client_workload_kind"], row["server_workload"]): row["bytes_to_client"] for row in rows} == {
            ("report-0", "Job", "cart"): 154, ("report-1", "Job", "cart"): 154, ("report-2", "Job", "cart"): 154, ("nightly", "CronJob", "cart"): 99}
        return True
    eventually(told)


def test_endpoints_nearby_take_the_traffic_out_of_other_zones(cluster, machines, proxy, named):
    for node in ("n2", "n3"):
        cluster.pod("shop", f"hinted-{node}", node=node, labels={"app": "hinted"}, command=named.logging_server(8087), ports=[8087])
    cluster.pod("shop", "asker", node="n1", command=SLEEP)
    cluster.wait_ready("shop", "hinted", 2)
    (asker,) = cluster.wait_ready("shop", "asker", 1)
    service = cluster.service("shop", "hinted", port=87, target=8087)["spec"]["clusterIP"]
    proxy.wait_backends(f"{service}:87", 2)

    def ask_and_compare():
        machines.exec(asker, *machines.client(service, 87, "--count", 30, "--up", UP, "--down", DOWN))
        truth = named.truth("shop", "hinted-")
        named.wait_equal("server_port = 8087", lambda: truth)

        def placed():
            told = {row["locality"]: row["bytes_to_client"] for row in named.flows("server_port = 8087", "locality")}
            assert told == {"inter_zone": truth["asker", "hinted-n2"][1], "same_zone": truth["asker", "hinted-n3"][1]}
            return told
        return eventually(placed)
    before = ask_and_compare()
    cluster.api.patch(cluster.path("service", "shop", "hinted"), {"metadata": {"annotations": {TOPOLOGY: "Auto"}}})
    proxy.wait_backends(f"{service}:87", 1)
    after = ask_and_compare()
    assert after["inter_zone"] == before["inter_zone"]
    assert after["same_zone"] == before["same_zone"] + 30 * DOWN


def test_a_replica_that_gets_most_of_the_work_shows(cluster, machines, proxy, named):
    """Connections are balanced, requests are not."""
    service = cluster.get("service", "shop", "hinted")["spec"]["clusterIP"]
    (asker,) = cluster.wait_ready("shop", "asker", 1)
    (cart, *_) = cluster.wait_ready("shop", "cart")
    machines.exec(cart, *machines.client(cluster.wait_ready("shop", "hinted", 2)[0]["status"]["podIP"], 8087, "--count", 1, "--down", DOWN))
    machines.exec(asker, *machines.client(service, 87, "--keep-alive", "--count", 100, "--down", DOWN))

    def told():
        shares = {row["server_pod"]: row["bytes_to_client"] for row in named.flows("server_workload = hinted or server_service = hinted", "server_pod")}
        truth = dict.fromkeys(shares, 0)
        for (_, server), (_, down) in named.truth("shop", "hinted-").items():
            truth[server] += down
        assert shares == truth and set(shares) == {"hinted-n2", "hinted-n3"}
        assert shares["hinted-n3"] > 2 * shares["hinted-n2"]
        return True
    eventually(told)


def test_what_a_rule_denies_is_a_failed_attempt_between_two_names(cluster, machines, named):
    cluster.pod("shop", "guarded", node="n2", command=machines.serve(8088), ports=[8088])
    (guarded,) = cluster.wait_ready("shop", "guarded", 1)
    (asker,) = cluster.wait_ready("shop", "asker", 1)
    address = guarded["status"]["podIP"]
    rule = "table ip denied {{\nchain forward {{\ntype filter hook forward priority -10\nip daddr {} tcp dport 8088 {}\n}}\n}}\n"
    attempt = [machines.client(0, 0)[0], machines.client(0, 0)[1], "connect", address, "8088", "--timeout", "2"]
    machines.nft(machines.node_space("n2"), rule.format(address, "drop"))
    assert machines.exec(asker, *attempt) == "gave-up\n"
    machines.nft(machines.node_space("n2"), "delete table ip denied\n" + rule.format(address, "reject with tcp reset"))
    assert machines.exec(asker, *attempt) == "ECONNREFUSED\n"
    machines.nft(machines.node_space("n2"), "delete table ip denied")

    def told():
        (row,) = named.flows("server_port = 8088", "client_pod,server_pod,server_workload,server_namespace,server_node")
        assert [row[each] for each in ("client_pod", "server_pod", "server_workload", "server_namespace", "server_node")] == [
            "asker", "guarded", "guarded", "shop", "n2"]
        assert (row["failed_abandoned"], row["failed_refused"], row["connections_opened"]) == (1, 1, 0)
        return True
    eventually(told)


def test_all_flows_of_one_pod_are_found_by_its_name(cluster, named):
    of_one = named.flows("pod = asker")
    assert of_one and all("asker" in (row["client_pod"], row["server_pod"]) for row in of_one)
    assert {row["server_port"] for row in of_one} == {8087, 8088}


def test_names_outlast_an_api_server_that_is_away(cluster, machines, proxy, named):
    cluster.pod("shop", "steady", node="n2", command=named.logging_server(8089), ports=[8089])
    (steady,) = cluster.wait_ready("shop", "steady", 1)
    (asker,) = cluster.wait_ready("shop", "asker", 1)

    def fetch(count):
        machines.exec(asker, *machines.client(steady["status"]["podIP"], 8089, "--count", count, "--up", UP, "--down", DOWN))
    fetch(1)
    cluster.plane.stop_part("kube-apiserver")
    eventually(lambda: any(each["state"] == "retrying" for each in named.status()["kubernetes"]["watches"]))
    fetch(2)
    named.wait_equal("server_port = 8089", lambda: {("asker", "steady"): ((20 + UP) * 3, DOWN * 3)})
    cluster.plane.start_part("kube-apiserver")
    cluster.pod("shop", "later", node="n3", command=SLEEP)
    (later,) = cluster.wait_ready("shop", "later", 1)
    machines.exec(later, *machines.client(steady["status"]["podIP"], 8089, "--count", 4, "--up", UP, "--down", DOWN))
    named.wait_equal("server_port = 8089", lambda: {("asker", "steady"): ((20 + UP) * 3, DOWN * 3), ("later", "steady"): ((20 + UP) * 4, DOWN * 4)})


def test_nothing_that_happened_between_pods_is_without_a_name(named):
    unnamed = named.flows('(client_pod = "" or server_pod = "" and server_kind != service) and server_port in (8080, 8082, 8084, 8085, 8086, 8087, 8088, 8089) and client_unit = ""')
    assert unnamed == [], json.dumps([{key: value for key, value in row.items() if value not in (0, "", None)} for row in unnamed])[:3000]


def test_an_agents_metrics_have_the_names_that_flow_back(cluster, named):
    parser = pytest.importorskip("prometheus_client.parser", reason="SKIPPED: no python3-prometheus-client; ./dev setup installs it")
    here = {pod["metadata"]["name"] for pod in cluster.wait_ready("shop", "ui") if pod["spec"]["nodeName"] == "n1"}
    assert here
    address = f"127.0.0.1:{free_port()}"
    assert named.agents["n1"].stop() == 0
    named.start_agent("n1", node_signals="on", metrics=address)

    def of(family):
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
            families = {each.name: each for each in parser.text_string_to_metric_families(answer.read().decode())}
        return [sample.labels for sample in families[family].samples]

    def named_pods():
        with contextlib.suppress(OSError):
            return {labels["pod"] for labels in of("ingress_bytes") if labels.get("namespace") == "shop"} >= here

    try:
        eventually(named_pods, 60)
        mine = [labels for labels in of("ingress_bytes") if labels["pod"] in here]
        assert len(mine) == len(here)
        assert all(labels["node"] == "n1" and labels["iface"] for labels in mine)
        assert {(labels["workload_kind"], labels["workload"]) for labels in of("weir_pod_info") if labels["pod"] in here} == {("Deployment", "ui")}
    finally:
        assert named.agents["n1"].stop() == 0
        named.start_agent("n1")


def pod_names(address):
    """{pod: workload} of the shop in an agent's own metrics."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
        series = [line for line in answer.read().decode().splitlines() if line.startswith("weir_pod_info{")]
    found = [dict(re.findall(r'(\w+)="([^"]*)"', each)) for each in series]
    return {labels["pod"]: labels["workload"] for labels in found if labels.get("namespace") == "shop"}


def test_an_agent_knows_its_pods_without_the_server(cluster, named):
    """Names come with the server's acknowledgements, and are kept."""
    ready = [pod for app in ("cart", "ui") for pod in cluster.wait_ready("shop", app) if pod["spec"]["nodeName"] == "n1"]
    truth = {pod["metadata"]["name"]: pod["metadata"]["labels"]["app"] for pod in ready} | {"asker": "asker"}
    address = f"127.0.0.1:{free_port()}"

    def known():
        with contextlib.suppress(OSError):  # it may not listen yet
            assert truth.items() <= pod_names(address).items()
            return True

    def restart():
        assert named.agents["n1"].stop() == 0
        named.start_agent("n1", node_signals="on", metrics=address)
        eventually(known)
    restart()
    named.server.stop()
    restart()
