"""What happens in the demo, and what Weir should say of it. A scenario runs in a World, says what it does as it goes, and returns
what it knows to be true; its check compares that with what Weir says."""

import pathlib
import re
import time

from kube.cluster import wait_for

from demo.world import STORE, STORE_PORT

MOST_PRESSURE = 40  # percent
NEAR = 0.05  # numbers that both know differ by this share at most
BUCKET = 0.19  # percentiles are read from a histogram whose buckets are so wide
VICTIM = 2  # times its 95th percentile, and a pod suffers: victim_factor of src/diagnose/thresholds.h
UNITS = {"µs": 0.001, "ms": 1.0, "s": 1000.0}
SETTLED = 12  # seconds in which nothing wrong may be added to what was found
SCENARIOS = {}


def scenario(expected, page="/#/health"):
    """Registers one: what Weir should say, and the page to open."""
    def register(function):
        SCENARIOS[function.__name__.replace("_", "-")] = (function, expected, page)
        return function
    return register


def near(got, want, share=NEAR):
    return abs(got - want) <= share * abs(want)


def p95(values):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]


def cpu_pressure():
    """Percent of the last minute in which something on this machine waited for a processor; 0 where the kernel does not say."""
    try:
        line = pathlib.Path("/proc/pressure/cpu").read_text().splitlines()[0]
        return float(line.split("avg60=")[1].split()[0])
    except (OSError, IndexError, ValueError):
        return 0.0


def named(pod):
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def subject_of(finding):
    return finding["subject"].get("pod") or finding["subject"].get("workload") or finding["subject"].get("node")


class Watcher:
    """Waits for findings, and says how long after their cause they came."""

    def __init__(self, world, truth=None):
        self.world, self.begun = world, (truth or {}).get("begun")

    def find(self, detector, fits=lambda finding: True, seconds=30):
        """The first such finding."""
        def look():
            return next((each for each in self.world.findings(detector=detector) if fits(each)), None)
        try:
            found = wait_for(f"a finding of {detector}", look, seconds, step=0.25)
        except TimeoutError:
            said = [f"{each['detector']}/{each['kind']}: {each['verdict']}" for each in self.world.findings()]
            raise AssertionError(f"no such finding of {detector} within {seconds} s; there are: {said}") from None
        if self.begun:
            self.world.tell(f"  {detector} ({found['kind']}, {found['confidence']}) found {time.time() - self.begun:.1f} s after its cause")
        return found

    def within(self, seconds, *arguments, **options):
        """The same, but not later than so long after its cause."""
        return self.find(*arguments, seconds=max(1.0, self.begun + seconds - time.time()), **options)

    def nothing_else(self, *detectors, seconds=0):
        """No finding says that something is wrong but of these detectors, for so long. Where this machine itself is short of
        processors, servers are late, and Weir is right to say so."""
        if (starved := cpu_pressure()) > MOST_PRESSURE:
            self.world.tell(f"  for {starved:.0f} % of the time something here waited for a processor: servers may be called late")
            detectors += ("serving_stall", "startup")
        until = time.time() + seconds
        while True:
            others = [each for each in self.world.findings() if each["severity"] != "info" and each["detector"] not in detectors]
            assert not others, [f"{each['detector']}/{each['kind']} {each['confidence']}: {each['verdict']}" for each in others]
            if time.time() >= until:
                return
            time.sleep(0.5)


# --- the article ----------------------------------------------------------------------------------------------------


def calm(world, seconds):
    """Everything is well for so long; returns the pod that serves."""
    world.serve_everything()
    world.limit("gpu-1")
    (pod,) = world.ready("models", "inference")
    world.tell(f"  {seconds} s of calm: three UI pods stream answers from {pod['metadata']['name']}")

    def streamed():
        gaps = world.said(pod, "gap")
        return gaps and gaps[-1]["at"] - gaps[0]["at"] >= seconds
    wait_for("streams of answers", streamed, seconds + 60, step=0.5)
    return pod


@scenario("gpu-1 receives more than it may; the new inference pod, which loads its weights from the object store, is the cause; the "
          "one that serves beside it suffers", page="/#/inference")
def story(world, seconds=30):
    """A new replica loads its weights and takes the bandwidth of the one that serves beside it."""
    return second_replica(world, calm(world, seconds))


def second_replica(world, old):
    calm_gaps = world.said(old, "gap")
    world.warm.unlink()
    again = world.sent_again(world.store_space)
    counters = world.limit_counters("gpu-1")
    world.tell("  the queue grows: a second replica starts and loads its weights over 8 connections")
    world.cluster.scale("models", "inference", 2)

    def newcomer():
        pods = world.cluster.items("pod", "models", "?labelSelector=app%3Dinference")
        return next((pod for pod in pods if pod["metadata"]["name"] != old["metadata"]["name"]), None)
    new = wait_for("the second replica", newcomer)
    wait_for("its start", lambda: world.machines.log(new).exists() and world.said(new, "loading"))
    (start,) = world.said(new, "loading")
    return {"old": old, "new": new, "begun": start["at"], "about": [named(new), named(old)], "calm_gaps": [each["ms"] for each in calm_gaps], "counters": (*counters, again)}


def finish_story(world, truth):
    """Until the load is over; adds what is true of it."""
    new, old = truth["new"], truth["old"]
    wait_for("the end of the load", lambda: world.said(new, "loaded"), 120)
    (load,) = world.said(new, "loaded")
    over, dropped, again = truth["counters"]
    now_over, now_dropped = world.limit_counters("gpu-1")
    gaps = [each["ms"] for each in world.said(old, "gap") if load["started"] <= each["at"] <= load["ended"]]
    wall = load["ended"] - load["started"]
    truth.update(load=load, wall=wall, bits=8 * load["bytes"] / wall, over=now_over - over, dropped=now_dropped - dropped,
                 sent_again=world.sent_again(world.store_space) - again, gaps=gaps)
    world.tell(f"  it loaded {load['bytes'] / 1e6:.0f} MB in {wall:.1f} s ({truth['bits'] / 1e6:.0f} Mbit/s); {truth['dropped']} packets were dropped, "
               f"the store sent {truth['sent_again']} segments again; chunk gaps p95 {p95(truth['calm_gaps']):.0f} -> {p95(gaps):.0f} ms")


def check_gaps(world, truth, sentence):
    """What Weir says of the victim's chunk gaps, against its own log. The two differ by the streams that were under way as the load began
    and ended: Weir counts a stream's gaps when it ends."""
    calm_gaps, gaps = truth["calm_gaps"], truth["gaps"]
    if "gap between chunks" not in sentence:
        grown = p95(gaps) / p95(calm_gaps)
        world.tell(f"  the gaps between chunks grew to {grown:.2f} times their 95th percentile, which the histogram's buckets can hide")
        assert grown < VICTIM * (1 + BUCKET) ** 2, f"{grown}: {sentence}"
        return
    said = [float(number) * UNITS[unit] for number, unit in re.findall(r"([0-9.]+) (µs|ms|s)\b", sentence.split("gap between chunks")[1])[:4]]
    known = [sum(calm_gaps) / len(calm_gaps), sum(gaps) / len(gaps), p95(calm_gaps), p95(gaps)]
    world.tell("  chunk gaps, mean and 95th percentile: " + ", ".join(f"{a:.1f} ms, by the log {b:.1f} ms" for a, b in zip(said, known)))
    # Weir leaves out the five-second steps in which the load began and ended, which are much of a short one.
    during = 3 * NEAR if truth["wall"] >= 20 else 5 * NEAR
    shares = {"mean before": NEAR, "mean during": during, "p95 before": BUCKET, "p95 during": during + BUCKET / 2}
    for (name, share), got, want in zip(shares.items(), said, known):
        assert near(got, want, share), f"{name}: {got} ms, by the log {want} ms"


def check_story(world, truth):
    watch = Watcher(world, truth)
    new, old = (truth[each]["metadata"]["name"] for each in ("new", "old"))
    watch.within(10, "bandwidth_breach", lambda each: each["subject"]["node"] == "gpu-1")
    finish_story(world, truth)

    def over():
        load = next((each for each in world.get("/api/v1/loads", since="1h")["loads"] if subject_of(each) == new), None)
        return load if load and load["state"] == "closed" else None
    load = wait_for("the load's end in Weir", over, 30, step=0.5)
    facts = load["load"]
    assert near(facts["bytes"], truth["load"]["bytes"]), (facts["bytes"], truth["load"]["bytes"])
    assert near(facts["mean_bits"], truth["bits"], 2 * NEAR), (facts["mean_bits"], truth["bits"])
    assert abs(facts["wall_s"] - truth["wall"]) <= max(1.5, NEAR * truth["wall"]), (facts["wall_s"], truth["wall"])
    assert facts["remote_class"] == "object_store" and facts["kind"] == "weights", facts
    breach = watch.find("bandwidth_breach", lambda each: each["subject"]["node"] == "gpu-1")
    assert [subject_of(each) for each in breach["culprits"]] == [new], breach["culprits"]
    victim = next((each for each in breach["victims"] if subject_of(each) == old), None)
    assert victim, breach["victims"]
    check_gaps(world, truth, victim["sentence"])
    assert breach["confidence"] == "high", breach["points"]
    watch.nothing_else("bandwidth_breach", "loss", "serving_stall", "network_health")
    for name in (f"models/{new}", f"models/{old}"):
        lines = world.get("/api/v1/why", subject=name)["lines"]
        assert len(lines) == 5 and "gpu-1" in lines[0] and new in "".join(lines) and old in "".join(lines), lines


# --- nothing is wrong -----------------------------------------------------------------------------------------------


@scenario("nothing: no finding, and `weir why` acquits the network")
def healthy(world, seconds=60):
    """Three UI pods stream answers; nothing is wrong."""
    pod = calm(world, seconds)
    return {"pod": pod["metadata"]["name"], "about": [named(pod)]}


def check_healthy(world, truth):
    Watcher(world).nothing_else()
    answer = world.get("/api/v1/why", subject=f"models/{truth['pod']}")
    assert answer["blames"] == "nothing" and "no fault" in answer["lines"][0], answer["lines"]


# --- connections that fail ------------------------------------------------------------------------------------------


def knocking(world, target, port):
    world.deploy("shop", "batch", world.app("knock", target, port, "--timeout", 8), role="cpu")
    (pod,) = world.ready("shop", "batch")
    wait_for("its first attempt", lambda: world.said(pod, "begun"), 30)
    return {"pod": pod["metadata"]["name"], "begun": world.said(pod, "begun")[0]["at"], "about": [named(pod)]}


@scenario("connections of the batch pod are refused by the cache: nothing listens on that port")
def refused(world):
    world.serve_everything()
    (cache,) = world.ready("models", "kv-cache")
    return knocking(world, cache["status"]["podIP"], 5432)


@scenario("connections of the batch pod are never answered: packets are dropped on the way")
def policy_drop(world):
    world.serve_everything()
    (pod,) = world.ready("models", "inference")
    for node in ("cpu-1", "cpu-2"):
        world.machines.nft(world.machines.node_space(node), "table inet network_policy {\n chain forward {\n  type filter hook forward priority 0;\n"
                           "  tcp dport 9999 drop\n }\n}\n")
    return knocking(world, pod["status"]["podIP"], 9999)


def check_failures(kinds):
    def check(world, truth):
        watch = Watcher(world, truth)
        found = watch.find("connection_failure", lambda each: subject_of(each) == truth["pod"], seconds=60)
        assert found["kind"] in kinds, found["kind"]
        lines = world.get("/api/v1/why", subject=f"shop/{truth['pod']}")["lines"]
        assert lines[0] == found["verdict"], lines
        watch.nothing_else("connection_failure", seconds=SETTLED)
        (again,) = world.findings(id=found["id"])
        assert again["state"] == "open", "it goes on, and so does the finding"
    return check


# --- the application's own ------------------------------------------------------------------------------------------


@scenario("a pod of the sink does not read what comes: the receiver is slow, the network is well")
def slow_reader(world):
    world.serve_everything()
    address = world.deploy("models", "sink", world.app("sink", 7100, "--sleep", 0.05), port=7100, role="cpu", service=7100)
    (sink,) = world.ready("models", "sink")
    world.backends("sink", 1)
    world.deploy("shop", "pour", world.app("pour", address, 7100), role="cpu")
    world.ready("shop", "pour")
    return {"pod": sink["metadata"]["name"], "begun": time.time(), "about": [named(sink)]}


def check_slow_reader(world, truth):
    watch = Watcher(world, truth)
    found = watch.find("receiver_limited", seconds=30)
    assert "sink" in (found["subject"].get("workload") or subject_of(found)), found["verdict"]
    watch.nothing_else("receiver_limited", seconds=SETTLED)


# --- the way --------------------------------------------------------------------------------------------------------


@scenario("segments are lost between gpu-1 and the object store, and no node drops them")
def remote_loss(world):
    world.serve_everything()
    world.machines.nft(world.machines.wire, "table inet lossy {\n chain forward {\n  type filter hook forward priority 0;\n"
                       f"  ip saddr {STORE} tcp sport {STORE_PORT} numgen random mod 100 < 2 drop\n }}\n}}\n")
    world.warm.unlink()
    world.cluster.scale("models", "inference", 2)
    return {"begun": time.time()}


def check_remote_loss(world, truth):
    watch = Watcher(world, truth)
    found = watch.find("loss", seconds=40)
    assert "inference" in found["verdict"] or "gpu-1" in found["verdict"], found["verdict"]
    watch.nothing_else("loss", seconds=SETTLED)


@scenario("gpu-1 receives more than it may; the pod that takes a bulk transfer is the cause, the inference pod suffers")
def breach(world):
    """A bulk transfer that is no model takes the bandwidth of the pod that serves beside it."""
    serving = calm(world, 20)
    address = world.deploy("models", "import", world.app("sink", 7200), port=7200, role="gpu", service=7200)
    (sink,) = world.ready("models", "import")
    world.backends("import", 1)
    world.deploy("shop", "export", world.app("pour", address, 7200, "--connections", 4), replicas=2, role="cpu")
    begun = time.time()
    world.ready("shop", "export", 2)
    return {"pod": sink["metadata"]["name"], "begun": begun, "serving": serving, "about": [named(sink), named(serving)]}


def check_breach(world, truth):
    watch = Watcher(world, truth)
    found = watch.within(10, "bandwidth_breach", lambda each: each["subject"]["node"] == "gpu-1")
    time.sleep(15)
    gaps = [(each["at"], each["ms"]) for each in world.said(truth["serving"], "gap")]
    before, during = ([ms for at, ms in gaps if (at > truth["begun"] + 2) == late] for late in (False, True))
    world.tell(f"  chunk gaps of the pod that serves, 95th percentile: {p95(before):.0f} -> {p95(during):.0f} ms")
    found = watch.find("bandwidth_breach", lambda each: each["id"] == found["id"])
    assert [subject_of(each) for each in found["culprits"]] == [truth["pod"]], found["culprits"]
    victims = [subject_of(each) for each in found["victims"]]
    if p95(during) > 2.5 * p95(before):
        assert victims == [truth["serving"]["metadata"]["name"]], victims
    elif p95(during) < 1.5 * p95(before):
        assert not victims, victims
    watch.nothing_else("bandwidth_breach", "loss", "serving_stall", "network_health")


@scenario("half of the requests to the inference service cross zones although each zone has a pod that could answer")
def cross_zone(world):
    world.serve_everything("--tokens", 5, "--pace", 0.01, replicas=2, role="cpu")
    return {"begun": time.time()}


def check_cross_zone(world, truth):
    watch = Watcher(world, truth)
    found = watch.find("cross_zone", seconds=90)
    assert found["subject"]["workload"] == "inference", found["verdict"]
    watch.nothing_else("cross_zone", seconds=SETTLED)


# --- names ----------------------------------------------------------------------------------------------------------


@scenario("the DNS server answers SERVFAIL", page="/#/dns")
def dns_failure(world):
    world.serve_everything()
    world.deploy("shop", "dns", world.app("dns", "--mood", world.mood), role="cpu")
    (server,) = world.ready("shop", "dns")
    world.deploy("shop", "asker", world.app("resolve", server["status"]["podIP"]), role="cpu")
    (asker,) = world.ready("shop", "asker")
    time.sleep(5)
    world.mood.write_text("servfail")
    return {"begun": time.time(), "about": [named(asker)]}


def check_dns_failure(world, truth):
    watch = Watcher(world, truth)
    watch.find("dns", seconds=60)
    watch.nothing_else("dns", seconds=SETTLED)


# --- starts ---------------------------------------------------------------------------------------------------------


@scenario("three replicas load at once and share what their node may receive", page="/#/inference")
def cold_start_herd(world):
    world.serve_everything()
    world.limit("gpu-1")
    time.sleep(10)
    world.warm.unlink()
    (old,) = world.ready("models", "inference")
    world.cluster.scale("models", "inference", 4)

    def loading():
        pods = [pod for pod in world.cluster.items("pod", "models", "?labelSelector=app%3Dinference")
                if pod["metadata"]["name"] != old["metadata"]["name"] and world.machines.log(pod).exists() and world.said(pod, "loading")]
        return pods if len(pods) == 3 else None
    pods = wait_for("three loads", loading, 60)
    return {"begun": max(world.said(pod, "loading")[0]["at"] for pod in pods), "pods": pods, "about": [named(pod) for pod in (old, pods[0])]}


def check_cold_start_herd(world, truth):
    watch = Watcher(world, truth)
    breach = watch.find("bandwidth_breach", lambda each: each["subject"]["node"] == "gpu-1", seconds=30)
    found = watch.find("startup", lambda each: each["kind"] == "herd", seconds=60)
    names = {pod["metadata"]["name"] for pod in truth["pods"]}
    assert {subject_of(each) for each in found["culprits"]} == names, found["culprits"]
    (breach,) = world.findings(id=breach["id"])
    assert breach["culprits"] and {subject_of(each) for each in breach["culprits"]} <= names, breach["culprits"]
    watch.nothing_else("bandwidth_breach", "loss", "serving_stall", "network_health", "startup", seconds=SETTLED)


# --- the server's own -----------------------------------------------------------------------------------------------


@scenario("the inference pod does not read requests that have arrived: its event loop is held up; the network is well")
def event_loop_block(world):
    world.serve_everything("--block", 0.6, "--blocked", world.mood)
    (pod,) = world.ready("models", "inference")
    time.sleep(20)
    world.mood.touch()
    wait_for("the block", lambda: world.said(pod, "blocked"), 10)
    return {"pod": pod["metadata"]["name"], "begun": world.said(pod, "blocked")[0]["at"], "about": [named(pod)]}


def check_event_loop_block(world, truth):
    watch = Watcher(world, truth)
    found = watch.find("serving_stall", lambda each: subject_of(each) == truth["pod"], seconds=40)
    assert found["kind"] == "receive_wait" and found["confidence"] == "high", found["verdict"]
    answer = world.get("/api/v1/why", subject=f"models/{truth['pod']}")
    assert answer["lines"][0] == found["verdict"], answer["lines"]
    watch.nothing_else("serving_stall", seconds=SETTLED)


CHECKS = {"story": check_story, "healthy": check_healthy, "refused": check_failures({"refused"}),
          "policy-drop": check_failures({"timeout_remote", "blocked", "policy", "unanswered"}), "slow-reader": check_slow_reader,
          "remote-loss": check_remote_loss, "dns-failure": check_dns_failure, "cold-start-herd": check_cold_start_herd,
          "event-loop-block": check_event_loop_block, "breach": check_breach, "cross-zone": check_cross_zone}
