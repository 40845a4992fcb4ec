"""A recording replays to what was stored: the program records while it observes, and a second server gets the replay."""

import csv
import io
import json
import os
import re
import shutil
import struct
import subprocess

import pytest
import zstandard

from lab import eventually
from test_truth import HEADER, between, closed, settled
from weir import BINARY, Process, Weir, get, total

FEATURES = ("--udp", "on", "--dns", "on", "--requests", "on")


def replay(file, *arguments, wrapper=(), check=True):
    result = subprocess.run([*wrapper, BINARY, "replay", str(file), *arguments], capture_output=True, text=True, timeout=120,
                            check=False)
    if check:
        assert result.returncode == 0, result.stderr
    return result


class Server:
    """`weir server` on a data directory."""

    def __init__(self, data_dir):
        self.process = Process("server", "--listen", "127.0.0.1:0", "--data-dir", str(data_dir))
        self.url = self.process.url

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stop()

    def rows(self, lab):
        """Everything stored about the lab, by everything but the names of the nodes."""
        columns = get(self.url, "/api/v1/columns")["columns"]
        dimensions = [c["name"] for c in columns if c["kind"] == "dimension" and c["name"] not in ("client_node", "server_node")]
        prefixes = (lab.subnet(), f"fd{lab.prefix}::/16")
        ours = " or ".join(f"{side}_address = {prefix}" for side in ("client", "server") for prefix in prefixes)
        answer = get(self.url, "/api/v1/flows", filter=ours, since="1h", limit=10000, group_by=",".join(dimensions))
        return sorted((json.dumps(row, sort_keys=True) for row in answer["rows"]))


def probes(weir):
    def reported():
        agents = weir.get("/api/v1/status")["agents"]
        return agents and {probe["name"]: probe for probe in agents[0]["probes"]}

    return eventually(reported)


def frames(file):
    """All of a recording's frames, unpacked: a second opinion on the format."""
    packed = file.read_bytes()
    at = 32 + struct.unpack_from("<I", packed, 16)[0]
    unpacked = b""
    while at < len(packed):
        stored, raw = struct.unpack_from("<II", packed, at)
        unpacked += zstandard.ZstdDecompressor().decompress(packed[at + 8 : at + 8 + stored], max_output_size=raw)
        at += 8 + stored
    return unpacked


class Field:
    """What the tests share: a recording, and the data directory of the server that stored while it was made."""


@pytest.fixture(scope="module")
def field(lab, tmp_path_factory):
    made = Field()
    folder = tmp_path_factory.mktemp("replay")
    made.file, made.data = folder / "field.weirrec", folder / "data"
    lab.serve("server", 7101)
    lab.serve("server", 7102, "--bind", "::")
    web = lab.start("server", "/usr/bin/python3", os.path.join(os.path.dirname(__file__), "http_server.py"), "0.0.0.0", "7103")
    eventually(lambda: ":7103" in lab.run("server", "ss", "-tln"))
    with Weir("--record", str(made.file), "--node", "field", *FEATURES, data_dir=str(made.data)) as weir:
        held = lab.traffic("client", "get", lab.address("server"), "7101", "--keep-alive", "--count", "3", "--up", "20000",
                           "--down", "70000", "--hold", "60")
        assert held.stdout.readline().strip() == "holding"
        lab.client("client", "get", lab.address("server"), "7101", "--count", "400", "--parallel", "4", "--up", "7", "--down", "11")
        lab.client("client", "get", lab.address("server", True), "7102", "--count", "3", "--up", "10", "--down", "900000")
        lab.run("client", "curl", "-s", f"http://{lab.address('server')}:7199/", check=False)
        for path in ("/slow/1234?key=confidential", "/status/404"):
            lab.run("client", "curl", "-s", "-H", "Authorization: Bearer confidential", f"http://{lab.address('server')}:7103{path}")
        settled(weir, between(lab, port=7101), closed(400), timeout=30)
        settled(weir, between(lab, port=7102, v6=True), closed(3))
        made.requests = probes(weir)["requests"]["state"] in ("on", "fallback")  # else this kernel lacks the hooks
    for child in (held, web):
        child.kill()
    return made


@pytest.fixture(scope="module")
def stored(lab, field):
    with Server(field.data) as server:
        return server.rows(lab)


def test_another_server_stores_the_same_to_the_unit_and_only_once(lab, field, stored, tmp_path):
    assert len(stored) >= 3
    with Server(tmp_path) as server:
        said = replay(field.file, "--server", server.url).stderr
        assert "as node 'field-replay', 0 of them were there before" in said
        assert server.rows(lab) == stored
        intervals = said.split(" intervals are at")[0].split()[-1]
        assert f"{intervals} of them were there before" in replay(field.file, "--server", server.url).stderr
        assert server.rows(lab) == stored
        assert [node["node"] for node in get(server.url, "/api/v1/nodes", since="1h")["nodes"]] == ["field-replay"]


def test_what_is_printed_is_what_the_programs_sent(lab, field):
    rows = json.loads(replay(field.file, "-o", "json").stdout)
    ours = [row for row in rows if row["server_address"] == lab.address("server") and row["server_port"] == 7101]
    for side, sent in (("client", 400 * (HEADER + 7) + 3 * (HEADER + 20000)), ("server", 400 * 11 + 3 * 70000)):
        of_side = [row for row in ours if row["side"] == side]
        assert total(of_side, "bytes_sent") == sent
        assert total(of_side, "opened") == 401 and total(of_side, "closed") == 400
    (refused,) = [row for row in rows if row["server_port"] == 7199 and row["side"] == "client"]
    assert refused["failed_refused"] == 1 and refused["process"] == "curl"
    text = replay(field.file, "-o", "csv").stdout
    assert len(list(csv.DictReader(io.StringIO(text)))) == len(rows)
    table = replay(field.file, "--no-headers", "-n", "1000").stdout
    assert any("curl" in line and ":7199" in line for line in table.splitlines())


def test_nobody_needs_to_be_root(field, tmp_path):
    copy = tmp_path / "copy.weirrec"
    shutil.copy(field.file, copy)
    for path in (copy, tmp_path, *list(tmp_path.parents)[:2]):
        os.chmod(path, 0o755)
    as_nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    assert replay(copy, "-o", "csv", wrapper=as_nobody).stdout == replay(field.file, "-o", "csv").stdout


def test_the_environment_alone_sends_nothing(field):
    result = subprocess.run([BINARY, "replay", str(field.file), "-o", "json"], capture_output=True, text=True, timeout=60,
                            env={**os.environ, "WEIR_SERVER": "http://127.0.0.1:1"}, check=True)
    assert json.loads(result.stdout)


def test_what_clients_said_is_measured_but_not_kept(lab, field):
    assert field.file.stat().st_mode & 0o777 == 0o600
    unpacked = frames(field.file)
    assert lab.namespace("client").encode() in unpacked
    assert b"confidential" not in unpacked and b"1234" not in unpacked
    if field.requests:
        rows = json.loads(replay(field.file, "-o", "json").stdout)
        requests = [(row["request_resource"], row["request_result"]) for row in rows if row["server_port"] == 7103 and row["requests"]]
        assert sorted(requests) == [("/slow/{id}", "200"), ("/status/{id}", "404")]


def test_damaged_files_say_where_and_give_what_came_before(field, tmp_path):
    whole = field.file.read_bytes()
    rows = json.loads(replay(field.file, "-o", "json").stdout)
    cut = tmp_path / "cut.weirrec"
    cut.write_bytes(whole[: len(whole) * 2 // 3])
    result = replay(cut, "-o", "json", check=False)
    assert result.returncode == 1 and "the recording is damaged after" in result.stderr
    before = json.loads(result.stdout)
    assert before == rows[: len(before)]
    for content, reason in ((b"", "no recording"), (b"x" * 5000, "no recording"), (whole[:100], "ends within its header"),
                            (whole[:8] + b"\x09" + whole[9:], "format 9"), (whole[:40] + b"!" + whole[41:], "checksum")):
        cut.write_bytes(content)
        result = replay(cut, check=False)
        assert result.returncode == 1 and reason in result.stderr and not result.stdout, (reason, result.stderr)
    assert replay(tmp_path / "none", check=False).returncode == 1


def test_a_full_recording_is_cut_counted_and_the_agent_goes_on(lab, tmp_path):
    file = tmp_path / "small.weirrec"
    with Weir("--record", str(file), "--record-limit", "64Ki") as weir:
        lab.serve("server", 7110)

        def probe():
            # Connections until the file is full: each is a record of its own, and zstd folds them only so far.
            lab.client("client", "get", lab.address("server"), "7110", "--count", "500", "--parallel", "4", "--up", "1", "--down", "1")
            found = probes(weir)["recording"]
            return found["state"] == "failed" and found

        failed = eventually(probe, timeout=60)
        assert "limit of 65536 bytes" in failed["reason"] and "--record-limit" in failed["hint"]
        eventually(lambda: re.search(r"^weir_agent_recording_missing_intervals_total\{.*\} [1-9]", weir.get("/metrics"), re.MULTILINE))
        lab.client("client", "get", lab.address("server"), "7110", "--count", "5", "--up", "123456", "--down", "1")
        eventually(lambda: weir.totals(between(lab, port=7110) + " and bytes_to_server > 600000")["bytes_to_server"] > 5 * 123456)
    assert file.stat().st_size <= 65536
    result = replay(file)
    assert "was cut after" in result.stderr and "limit" in result.stderr


def test_a_killed_agent_leaves_what_it_had_written(tmp_path):
    file = tmp_path / "killed.weirrec"
    with Weir("--record", str(file)) as weir:
        header = file.stat().st_size
        eventually(lambda: file.stat().st_size > header, timeout=30)
        weir.process.kill()
    result = replay(file)
    assert "has no end after" in result.stderr and " 0 intervals" not in result.stderr


def test_nothing_is_overwritten_and_nothing_unrecordable_is_recorded(tmp_path):
    file = tmp_path / "mine"
    file.write_text("mine")
    for flags, reason in (((), "the file exists"), (("--mode", "sock_diag"), "cannot be recorded")):
        started = Process("agent", "--data-dir", str(tmp_path / "data"), "--record", str(file), *flags, expect_ready=False)
        code, said = started.wait()
        assert code == 1 and reason in said
    assert file.read_text() == "mine"
