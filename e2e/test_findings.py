"""From what happens in a cluster to what Weir says of it: the article's story, and that nothing is found when nothing is wrong.

What is true is known without Weir: the programs in the pods say what they did, and tc and the kernel's counters what was dropped."""

import json

import pytest

from demo.scenarios import Watcher, calm, check_healthy, check_story, second_replica
from demo.world import World
from kube.machines import Machines
from lab import eventually
from weir import HttpError

NEEDS_KUBERNETES = True
MODEL = 500_000_000  # 25 s: five of Weir's steps of five seconds
CALM = 15


@pytest.fixture(scope="module")
def world():
    if missing := Machines.tools_missing():
        pytest.skip(f"SKIPPED: not found: {', '.join(missing)}")
    with World(model_bytes=MODEL, prefix=142) as running:
        yield running


@pytest.fixture(scope="module")
def serving(world):
    """The pod that serves, after some calm."""
    return calm(world, CALM)


@pytest.fixture(scope="module")
def story(world, serving):
    """What is true of the load that is over."""
    truth = second_replica(world, serving)
    check_story(world, truth)
    return truth


def names(truth):
    return truth["new"]["metadata"]["name"], truth["old"]["metadata"]["name"]


def test_nothing_is_found_while_nothing_is_wrong(world, serving):
    eventually(lambda: world.findings() is not None and world.get("/api/v1/findings", since="1h")["judged"])
    check_healthy(world, {"pod": serving["metadata"]["name"]})


def test_every_end_is_named_from_the_first_picture_on(world, serving):
    edges = {(row["client_workload"], row["server_workload"]) for row in world.get(
        "/api/v1/flows", since="1h", group_by="client_workload,server_workload", limit=1000)["rows"]}
    assert {("ui", "inference"), ("inference", "kv-cache")} <= edges
    zones = {row["server_zone"] for row in world.get("/api/v1/flows", since="1h", group_by="server_zone", filter="server_port = 8000", limit=10)["rows"]}
    assert zones == {"eu-central-1c"}


def test_each_agent_tells_of_its_own_node_only(world, serving):
    """Otherwise each stream would count as often as there are agents, and the limit of one node as that of all."""
    def streams():
        return sum(len(world.said(pod, "first")) for pod in world.ready("shop", "ui", 3))
    before = streams()

    def counted():
        rows = world.get("/api/v1/flows", since="1h", filter='server_workload = inference and application = http1', group_by="server_workload")["rows"]
        return sum(row["requests"] for row in rows)
    requests = eventually(lambda: (lambda count: count >= before and count)(counted()), 40)
    assert requests <= streams()
    limits = {node["node"]: {each["subject"] for each in node["limits"] if each["signal"] == "qdisc.overlimits"}
              for node in world.get("/api/v1/nodes", since="1h")["nodes"]}
    assert not limits["cpu-1"] and not limits["cpu-2"], limits


def test_the_story_is_told_with_the_numbers_that_are_true(world, story):
    """The comparison is check_story()'s; here is what a person reads."""
    new, old = names(story)
    for name in (new, old):
        lines = world.weir("why", f"models/{name}", "--no-headers").splitlines()
        assert len(lines) == 5
        assert "gpu-1" in lines[0] and new in lines[0]
        assert lines[1].startswith("When: ") and f"Suffers: pod models/{old}" in lines[1]
        assert lines[2].startswith("Confidence: high")
        assert lines[3].startswith("Not excluded: ") and lines[4].startswith("Advice: ")


def test_the_load_is_a_row(world, story):
    new, _ = names(story)
    (row,) = [line for line in world.weir("loads").splitlines() if new in line]
    assert "weights" in row and "node_limited" in row
    (load,) = [each for each in json.loads(world.weir("loads", "-o", "json")) if each["subject"]["pod"] == new]
    assert load["load"]["connections"] == 8
    assert load["load"]["baseline_share"] == pytest.approx(load["load"]["mean_bits"] / 200e6)
    assert load["breaches"], "the breach it caused is named"


def test_findings_are_listed_filtered_and_asked_about_by_id(world, story):
    breach = Watcher(world).find("bandwidth_breach")
    assert world.findings(id=breach["id"])[0]["verdict"] == breach["verdict"]
    assert breach["id"] in [each["id"] for each in world.findings(subject="node:gpu-1", detector="bandwidth_breach,loss")]
    assert breach["id"] in world.weir("findings")
    answer = world.get("/api/v1/why", subject=breach["id"])
    assert answer["lines"][0] == breach["verdict"] and answer["blames"] == "node" and answer["elapsed_ms"] < 3000
    assert all(each["reference"]["from"] <= each["reference"]["to"] for each in breach["evidence"] if each.get("reference"))


def test_health_is_0_or_unknown_never_1_for_one_pods_trouble(world, story):
    answer = world.get("/api/v1/health", since="1h")
    assert answer["rule"]
    assert all(each["value"] in (0, None) for each in answer["now"]), answer["now"]
    assert "SCOPE" in world.weir("health") or not answer["now"]


BAD = [
    ("findings", {"detector": "bandwith_breach"}, 400, "bandwidth_breach"),
    ("findings", {"subject": "everybody"}, 400, "pod:NAMESPACE/NAME"),
    ("findings", {"id": "<script>"}, 400, "id"),
    ("findings", {"id": "ffffffffffffff"}, 404, "no finding"),
    ("findings", {"confidence": "very"}, 400, "confidence"),
    ("findings", {"state": "ajar"}, 400, "state"),
    ("findings", {"limit": "-1"}, 400, "limit"),
    ("findings", {"since": "yesterdayish"}, 400, "since"),
    ("why", {}, 400, "name a pod"),
    ("why", {"subject": "nobody'; DROP TABLE flows; --"}, 404, "nothing called"),
    ("why", {"subject": "x", "at": "soon"}, 400, "at"),
    ("loads", {"subject": "pod:"}, 400, "subject"),
    ("health", {"scope": "the moon"}, 400, "scope"),
]


@pytest.mark.parametrize(("route", "parameters", "status", "words"), BAD, ids=[f"{route}-{'-'.join(given) or 'nothing'}-{i}" for i, (route, given, *_) in enumerate(BAD)])
def test_what_cannot_be_asked_is_refused_with_the_remedy(world, route, parameters, status, words):
    with pytest.raises(HttpError) as refused:
        world.get(f"/api/v1/{route}", **parameters)
    assert refused.value.status == status
    assert words in json.dumps(refused.value.error())
