"""The limits of a node, from the kernel to the terminal, against tc's own counters."""

import csv
import io
import json

import pytest

import forge
from lab import eventually
from weir import HttpError

RATE = ("rate", "50mbit", "burst", "32kb", "latency", "20ms")


@pytest.fixture(scope="module")
def node(weir):
    """The name of the one node, once its limits have been read."""

    def read():
        nodes = weir.nodes()
        return nodes and nodes[0]["pass_us"] is not None and nodes[0]["node"]

    return eventually(read)


@pytest.fixture(scope="module")
def shaped(lab, weir, node):
    """A shaper in the client's namespace that had to drop: (its subject, tc's counters)."""
    subject = f"{lab.namespace('client')}/eth0 tbf 1:"
    # Seen before it drops, or made after a reading of its namespace: either way it counts from zero.
    eventually(lambda: any(i["name"] == f"{lab.namespace('client')}/eth0" for i in weir.nodes()[0]["interfaces"]))
    lab.shape("client", "eth0", *RATE)
    lab.flood("client", "server", seconds=1)
    return subject, lab.drained_qdisc("client", "eth0", "tbf")


def limits(weir, subject, **parameters):
    return {hit["signal"]: hit for hit in weir.nodes(**parameters)[0]["limits"] if hit["subject"] == subject}


def test_the_limit_hit_is_named_with_the_exact_count_of_tc(weir, shaped):
    subject, tc = shaped
    assert tc["drops"] > 0, "the load was to be too much"

    def complete():
        found = limits(weir, subject)
        return "qdisc.drops" in found and found["qdisc.drops"]["count"] >= tc["drops"] and found

    found = eventually(complete)
    assert found["qdisc.drops"]["count"] == tc["drops"]
    assert found["qdisc.overlimits"]["count"] == tc["overlimits"]
    hit = found["qdisc.drops"]
    assert hit["limit"] == "egress queue" and hit["unit"] == "packets" and "dropped" in hit["meaning"]
    assert hit["first"] <= hit["last"]


def test_the_minutes_say_the_same(weir, shaped):
    subject, tc = shaped
    eventually(lambda: limits(weir, subject, since="6h").get("qdisc.drops", {}).get("count") == tc["drops"])


def test_series_add_up(weir, node, shaped):
    subject, tc = shaped
    series = weir.get("/api/v1/nodes/series", node=node, signal="qdisc.drops", subject=subject, since="10m", step="1s")
    assert series["signal"]["limit"] == "egress queue"
    assert len(series["times"]) == len(series["values"])
    assert sum(value or 0 for value in series["values"]) == tc["drops"]
    assert 0 in series["values"], "the node was read while nothing was dropped"
    assert None in series["values"], "and was not before it was started"


def test_cli_says_which_limit(weir, node, shaped):
    subject, tc = shaped
    line = weir.cli("nodes").stdout
    assert node in line and "egress queue" in line and "RX/s" in line
    detail = weir.cli("nodes", node).stdout
    assert subject in detail and "node_namespaces" in detail and "egress rate" in detail
    rows = json.loads(weir.cli("nodes", "-o", "json").stdout)
    assert rows[0]["node"] == node
    hits = list(csv.DictReader(io.StringIO(weir.cli("nodes", "-o", "csv").stdout)))
    assert any(hit["subject"] == subject and hit["signal"] == "qdisc.drops" and int(hit["count"]) == tc["drops"] for hit in hits)


def test_interfaces_count_what_ip_counts(lab, weir, shaped):
    name = f"{lab.namespace('server')}/eth0"
    before = lab.link("server", "eth0")["rx"]["bytes"]

    # The namespace may be older than the agent: then the first reading was its base line, and small.
    def close():
        (interface,) = [i for i in weir.nodes()[0]["interfaces"] if i["name"] == name]
        return before * 0.99 < interface["rx_bytes"] <= lab.link("server", "eth0")["rx"]["bytes"]

    eventually(close)


def test_mistakes_name_the_remedy(weir, node):
    with pytest.raises(HttpError) as caught:
        weir.get("/api/v1/nodes/series", node=node, signal="qdisc.drop")
    assert caught.value.status == 400 and "qdisc.drops" in caught.value.error()["remedy"]
    with pytest.raises(HttpError) as caught:
        weir.get("/api/v1/nodes", node="nowhere")
    assert caught.value.status == 404
    result = weir.cli("nodes", "nowhere", check=False)
    assert result.returncode == 1 and "nowhere" in result.stderr


def forged(sequence, drops):
    message = forge.batch(agent="c" * 32, node="limits", sequence=sequence, flows=1)
    message.strings.extend(["eth9", "interface.rx_missed", "future.signal"])
    names = {text: index for index, text in enumerate(message.strings)}
    message.node_samples.add(signal=names["interface.rx_missed"], subject=names["eth9"], value=drops, period_ms=1000)
    message.node_samples.add(signal=names["future.signal"], subject=names["eth9"], value=1)
    window = message.rate_windows.add(subject=names["eth9"], cause=names["interface.rx_missed"], cause_subject=names["eth9"],
                                      event_ms=-500, start_ms=-8500)
    for values, value in ((window.step_us, 10000), (window.rx_bytes, 7), (window.tx_bytes, 0), (window.rx_packets, 1), (window.tx_packets, 0)):
        values.extend([value] * 900)
    return message


def test_a_batch_sent_again_is_not_counted_twice(weir):
    message = forged(1000, 42)
    for _ in range(2):
        forge.post(weir.url, forge.encode(message))
    (missed,) = weir.nodes(node="limits")[0]["limits"]
    assert (missed["signal"], missed["count"], missed["limit"]) == ("interface.rx_missed", 42, "receive ring")
    (window,) = weir.get("/api/v1/nodes/windows", node="limits")["windows"]
    assert window["cause"] == "interface.rx_missed" and window["interface"] == "eth9"
    assert sum(window["rx_bytes"]) == 900 * 7 and len(window["step_us"]) == 900


def test_a_batch_with_nothing_but_node_samples_is_durable_too(weir):
    message = forge.batch(agent="d" * 32, node="quiet", sequence=7, flows=0)
    message.strings.extend(["softnet.dropped", "cpu0"])
    message.node_samples.add(signal=2, subject=3, value=5, period_ms=5000)
    assert json.loads(forge.post(weir.url, forge.encode(message))) == {"watermark": 7, "duplicate": False}
    assert json.loads(forge.post(weir.url, forge.encode(message))) == {"watermark": 7, "duplicate": True}
    (dropped,) = weir.nodes(node="quiet")[0]["limits"]
    assert dropped["count"] == 5


def test_hostile_samples_are_refused_whole(weir):
    def beyond(message):
        message.node_samples[0].value = 2**60

    def nowhere(message):
        message.node_samples[0].subject = 4000

    def control(message):
        message.strings.append("a\x1b[31m")

    def ragged(message):
        message.rate_windows[0].tx_bytes.pop()

    for spoil in (beyond, nowhere, control, ragged):
        message = forged(2000, 1)
        spoil(message)
        with pytest.raises(HttpError) as caught:
            forge.post(weir.url, forge.encode(message))
        assert caught.value.status == 400, spoil.__name__
