"""What holds a transfer up: the network, the reader, the sender's own buffer, or nobody but the application. Each is told from the
others, and `ss`, tc or the applications themselves are the witness."""

import re
import statistics

import pytest

from lab import Lab, eventually
from test_truth import between, closed, settled, ss
from weir import Weir, total


@pytest.fixture(scope="module")
def lab():
    with Lab(["client", "server"], prefix=86, offloads=False) as network:
        yield network


@pytest.fixture(scope="module")
def weir():
    with Weir("--receive-loss", "always") as running:
        yield running


@pytest.fixture
def limit(lab):
    """limit("rate", ...): a token bucket toward the client (r1) or the server (r2); gone after the test."""
    made = []

    def shape(*arguments, toward="client"):
        device = "r1" if toward == "client" else "r2"
        lab.shape("router", device, *arguments)
        made.append(device)

    yield shape
    for device in made:
        lab.run("router", "tc", "qdisc", "del", "dev", device, "root", check=False)


def serve(lab, port, *arguments):
    lab.serve("server", port, *arguments, one_cpu=True)


def download(lab, port, *arguments):
    """A client's whole life; what it says at the end."""
    return lab.client("client", "get", lab.address("server"), str(port), *arguments, one_cpu=True)


def held(lab, port, *arguments):
    """A client that has done its transfer and holds the connection open: (the process, the client's socket as `ss` has it)."""
    child = lab.traffic("client", "get", lab.address("server"), str(port), "--keep-alive", "--hold", "3", *arguments, one_cpu=True)
    assert child.stdout.readline().strip() == "holding"
    (client,) = ss(lab, "client", f"dport = :{port}")
    (server,) = ss(lab, "server", f"sport = :{port}")
    return child, client, server


def ended(weir, lab, port, child):
    child.communicate(timeout=30)
    return settled(weir, between(lab, port=port), closed(1))


def milliseconds(fields, name):
    """`busy:812ms`, `rwnd_limited:560ms(69.0%)`; what was never so is not printed."""
    return float(fields.get(name, 0))


def same_as_ss(rows, socket, direction):
    """busy, window- and buffer-limited milliseconds, equal to what `ss` says of the sender's socket."""
    ours = {}
    for name, theirs in (("busy", "busy"), ("window_limited", "rwnd_limited"), ("buffer_limited", "sndbuf_limited")):
        ours[name] = total(rows, f"{name}_us_to_{direction}") / 1000
        assert ours[name] == pytest.approx(milliseconds(socket, theirs), abs=10), name
    return ours


def test_a_load_over_many_connections_is_counted_to_the_byte_while_the_limit_is_named(lab, weir, limit):
    """As a model's weights arrive: 16 connections, ranges one after the other, an allowance in between."""
    router = lab.namespace("router")

    def drops_named():
        hits = weir.nodes()[0]["limits"]
        return sum(hit["count"] for hit in hits if hit["subject"] == f"{router}/r1 tbf 1:" and hit["signal"] == "qdisc.drops")

    eventually(lambda: weir.nodes() and any(i["name"] == f"{router}/r1" for i in weir.nodes()[0]["interfaces"]))
    before = drops_named()
    limit("rate", "40mbit", "burst", "16k", "limit", "60000")
    serve(lab, 8601, "--congestion", "cubic")
    said = download(lab, 8601, "--keep-alive", "--parallel", "16", "--count", "160", "--down", "65536")
    received = int(re.search(r"received=(\d+)", said).group(1))
    assert received == 160 * 65536
    rows = settled(weir, between(lab, port=8601), closed(16))
    assert total(rows, "bytes_to_client") == received
    assert total(rows, "connections_opened") == 16 and total(rows, "connections_failed") == 0
    dropped = lab.qdisc("router", "r1", "tbf")["drops"]
    assert dropped > 0, "the limit cost nothing, the test proves nothing"
    assert 0 < total(rows, "late_segments_to_client") <= dropped

    eventually(lambda: drops_named() - before == dropped)


def test_credits_that_run_out_show_as_a_step_down_in_the_frozen_rate(lab, limit):
    """A bucket that is full at first, as burst credits are: fast, and then slow for good. The limit is on an interface of the
    agent's own node, for only these are read every 10 ms."""
    rate_mbit, bucket = 24, 6_000_000
    with lab.inside("router"), Weir() as node:
        eventually(lambda: node.nodes() and any(i["name"] == "r1" for i in node.nodes()[0]["interfaces"]))
        limit("rate", f"{rate_mbit}mbit", "burst", str(bucket), "limit", "100000")
        serve(lab, 8602, "--congestion", "cubic")
        download(lab, 8602, "--down", str(2 * bucket))
        sent, dropped = lab.qdisc("router", "r1", "tbf")["bytes"], lab.qdisc("router", "r1", "tbf")["drops"]
        assert dropped > 0, "the limit cost nothing, the test proves nothing"

        def frozen():
            windows = node.get("/api/v1/nodes/windows", node=node.nodes()[0]["node"], since="5m")["windows"]
            return [w for w in windows if w["interface"] == "r1" and w["cause_subject"] == "r1 tbf 1:" and sum(w["tx_bytes"]) > bucket]

        window = eventually(frozen)[0]
    assert window["cause"] == "qdisc.drops" and sum(window["tx_bytes"]) <= sent * 1.001, "and what passed before"
    rates = [8 * sent / step for sent, step in zip(window["tx_bytes"], window["step_us"]) if step > 0]  # Mbit/s
    assert max(rates) > 5 * rate_mbit, "the burst"
    after = [rate for rate in rates[rates.index(max(rates)) + 1:] if rate > 0]
    assert statistics.median(after[len(after) // 2:]) == pytest.approx(rate_mbit, rel=0.1), "what is left when the credits are gone"


def test_loss_that_ends_a_bbr_flow_is_a_lower_bound(lab, weir, limit):
    limit("rate", "40mbit", "burst", "16k", "limit", "30000")
    serve(lab, 8603, "--congestion", "bbr")
    download(lab, 8603, "--down", "6000000")
    dropped = lab.qdisc("router", "r1", "tbf")["drops"]
    assert dropped > 0
    rows = settled(weir, between(lab, port=8603), closed(1))
    assert 0 < total(rows, "late_segments_to_client") <= dropped, "what is lost at the end of a burst is not overtaken by anything"


def test_a_slow_reader_downstream_is_neither_loss_nor_a_limit(lab, weir):
    serve(lab, 8604)
    child, client, server = held(lab, 8604, "--down", "1200000", "--drip", "10", "--receive-buffer", "32768")
    rows = ended(weir, lab, 8604, child)
    ours = same_as_ss(rows, server, "client")
    assert ours["window_limited"] > 0.7 * ours["busy"], "the reader's fault"
    assert total(rows, "late_segments") == 0
    by_timers = total(rows, "retransmits_probe_to_client") + total(rows, "retransmits_rto_to_client")
    assert total(rows, "retransmits_to_client") == by_timers, "a timer's, while it is silent, at most"
    assert max(row["unread_max_to_client"] for row in rows) > 0.5 * 32768, "it lies there unread"


def test_an_application_that_sends_now_and_then_is_held_up_by_nobody(lab, weir):
    serve(lab, 8605)
    child, client, server = held(lab, 8605, "--count", "100", "--down", "65536", "--delay", "20000")
    rows = ended(weir, lab, 8605, child)
    ours = same_as_ss(rows, server, "client")
    assert ours["busy"] < 0.5 * 100 * 20, "most of the time there was nothing to send"
    assert ours["window_limited"] < 50 and ours["buffer_limited"] < 50
    assert total(rows, "late_segments") == 0
    # On a machine that stands still for a moment the kernel probes for what is only late.
    assert total(rows, "retransmits") == int(server.get("retrans", "0/0").rpartition("/")[2])


def test_a_small_send_buffer_shows_as_the_kernel_accounts_for_it(lab, weir, limit):
    """The kernel calls a sender limited by its buffer only where the application was refused room while nothing else held it up:
    with 8 KiB and a slow link, hardly ever. We say what it says."""
    limit("rate", "5mbit", "burst", "16k", "limit", "1000000", toward="server")
    serve(lab, 8606)
    child, client, server = held(lab, 8606, "--up", "1000000", "--down", "1", "--send-buffer", "8192")
    rows = ended(weir, lab, 8606, child)
    ours = same_as_ss(rows, client, "server")
    assert ours["busy"] > 1000, "always something to send"
    assert ours["window_limited"] < 0.1 * ours["busy"], "and the reader is not to blame"
    assert total(rows, "late_segments") == 0


@pytest.mark.parametrize("kind, congestion, queue", [("shallow", "cubic", "30000"), ("deep", "cubic", "10000000"), ("bbr", "bbr", "300000")])
def test_a_sender_held_up_by_the_network_is_busy_and_waits_for_nobody(lab, weir, limit, kind, congestion, queue):
    port = {"shallow": 8607, "deep": 8608, "bbr": 8609}[kind]
    limit("rate", "40mbit", "burst", "16k", "limit", queue, toward="server")
    serve(lab, port)
    child, client, server = held(lab, port, "--up", "8000000", "--down", "1", "--congestion", congestion)
    rows = ended(weir, lab, port, child)
    ours = same_as_ss(rows, client, "server")
    assert ours["busy"] > 1000
    assert ours["window_limited"] + ours["buffer_limited"] < 0.2 * ours["busy"], "neither the reader nor the buffer"
    assert total(rows, "bytes_to_server") == 8_000_000 + 20
    dropped = lab.qdisc("router", "r2", "tbf")["drops"]
    assert total(rows, "retransmits_to_server") >= dropped, "each is sent again"
    if kind == "shallow":
        assert dropped > 0
    if kind == "deep":
        assert dropped == 0 and total(rows, "retransmits_to_server") == 0, "held up without losing anything"
        assert max(row["client_rtt_max_us"] or 0 for row in rows) > 5_000, "it shows as delay"
