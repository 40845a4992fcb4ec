"""The terminal front end against a running server."""

import csv
import io
import json
import re
import subprocess

import pytest

from lab import eventually
from weir import BINARY, Process

REQUIRED = """client_address server_address server_port protocol client_process server_process client_container
server_container bytes_to_server bytes_to_client segments_to_server segments_to_client retransmits rtt_avg_us rtt_min_us
connections_opened connections_closed connections_failed reported_by start end""".split()


@pytest.fixture(scope="module", autouse=True)
def some_traffic(lab, weir):
    lab.serve("server", 7501)
    lab.client("client", "get", lab.address("server"), "7501", "--count", "5", "--up", "100", "--down", "4096")
    eventually(lambda: weir.flows("server_port = 7501 and connections_closed = 5"))


def test_json_rows_carry_what_is_promised(weir):
    rows = json.loads(weir.cli("flows", "-o", "json", "--filter", "server_port = 7501").stdout)
    assert len(rows) == 1
    assert set(REQUIRED) <= set(rows[0])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", rows[0]["start"])
    assert rows[0]["bytes_to_client"] == 5 * 4096


def test_csv_is_the_same_data(weir):
    text = weir.cli("flows", "-o", "csv", "--filter", "server_port = 7501").stdout
    (row,) = csv.DictReader(io.StringIO(text))
    assert set(REQUIRED) <= set(row)
    assert int(row["bytes_to_client"]) == 5 * 4096


def test_table_group_by_and_footer(weir):
    text = weir.cli("flows", "--group-by", "server_port", "--filter", "server_port = 7501").stdout
    assert "SERVER PORT" in text and "7501" in text and "20 KiB" in text


def test_map_top_and_status(lab, weir):
    assert "7501" in weir.cli("map").stdout
    answer = json.loads(weir.cli("map", "-o", "json").stdout)
    nodes = {node["id"]: node for node in answer["nodes"]}
    (edge,) = (edge for edge in answer["edges"] if 7501 in edge["ports"])
    assert edge["client"] != edge["server"], "the same program in two namespaces is two nodes"
    for side in ("client", "server"):
        node = nodes[edge[side]]
        assert (node["group_kind"], node["group"], node["netns_name"]) == ("netns", *[lab.namespace(side)] * 2)
    assert "to servers" in weir.cli("top").stdout
    status = weir.cli("status").stdout
    assert "ebpf" in status and "reporting" in status


def test_watch_streams_new_rows(lab, weir):
    lab.serve("server", 7502)
    child = subprocess.Popen([BINARY, "flows", "--server", weir.url, "--watch", "-o", "json", "--filter", "server_port = 7502"],
                             stdout=subprocess.PIPE, text=True)
    try:
        lab.client("client", "get", lab.address("server"), "7502", "--count", "1", "--up", "1", "--down", "2")
        row = json.loads(child.stdout.readline())
        assert row["server_port"] == 7502
    finally:
        child.kill()
        child.wait()


def test_mistakes_name_place_and_remedy(weir):
    result = weir.cli("flows", "--filter", "sevrer_port = 1", check=False)
    assert result.returncode == 1
    assert "at character 1" in result.stderr and "server_port" in result.stderr
    result = weir.cli("flows", "--interval", "1s", check=False)
    assert result.returncode != 0 and "interval" in result.stderr
    result = subprocess.run([BINARY, "flows", "--server", "http://127.0.0.1:1"], capture_output=True, text=True, check=False)
    assert result.returncode == 1 and "weir up" in result.stderr


def test_help_teaches():
    for command in ("up", "agent", "server", "flows", "map", "top", "status"):
        text = subprocess.run([BINARY, command, "--help"], capture_output=True, text=True, check=True).stdout
        assert "Example:" in text and "--token-file" in text


def test_port_in_use_names_the_remedy(weir, tmp_path):
    port = weir.url.rsplit(":", 1)[1]
    code, said = Process("up", "--listen", f"127.0.0.1:{port}", "--data-dir", str(tmp_path), expect_ready=False).wait()
    assert code == 1 and "in use" in said and "--listen" in said


def test_not_exposed_without_a_token(tmp_path):
    code, said = Process("up", "--listen", "0.0.0.0:0", "--data-dir", str(tmp_path), expect_ready=False).wait()
    assert code == 1 and "--token-file" in said
