#include "cli/commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/render.h"

namespace weir::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

const Json kFlows = Json::parse(R"({
  "columns": [{"name": "client_address"}, {"name": "server_port"}, {"name": "bytes_to_server"}],
  "rows": [{"client_address": "10.0.0.1", "client_process": "cu\u001brl", "client_container": "",
            "server_address": "fd00::2", "server_process": "nginx", "server_port": 8080, "bytes_to_server": 2048,
            "bytes_to_client": 0, "connections_opened": 3, "connections_failed": 1, "retransmits": 0,
            "rtt_avg_us": 41.5, "rtt_min_us": null, "connect_avg_us": null, "reported_by": "both"}],
  "groups": 7, "groups_left_out": 6})");

TEST(RenderFlows, TableSaysWhatWasLeftOutAndEscapes) {
  const std::string text = RenderFlows(kFlows, Question{});
  EXPECT_THAT(text, HasSubstr("10.0.0.1 cu\\x1brl"));
  EXPECT_THAT(text, HasSubstr("[fd00::2]:8080 nginx"));
  EXPECT_THAT(text, HasSubstr("2 KiB"));
  EXPECT_THAT(text, HasSubstr("41.5 µs"));
  EXPECT_THAT(text, HasSubstr("6 of 7 rows not shown"));
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST(Colors, OfCellsAreTheJudgementOfTheMap) {
  const auto row = [](double segments, double retransmits, double opened, double failed) {
    return Json{{"segments_to_server", segments / 2}, {"segments_to_client", segments / 2},
                {"retransmits", retransmits},         {"connections_opened", opened},
                {"connections_failed", failed},       {"bytes_to_server", opened}};
  };
  EXPECT_EQ(RetransmitColor(row(1'000, 9, 1, 0)), Color::kNone);
  EXPECT_EQ(RetransmitColor(row(1'000, 10, 1, 0)), Color::kYellow);
  EXPECT_EQ(RetransmitColor(row(1'000, 50, 1, 0)), Color::kRed);
  EXPECT_EQ(RetransmitColor(row(50, 25, 1, 0)), Color::kNone) << "too few to say";
  EXPECT_EQ(FailureColor(row(0, 0, 5, 0)), Color::kNone);
  EXPECT_EQ(FailureColor(row(0, 0, 99, 1)), Color::kYellow);
  EXPECT_EQ(FailureColor(row(0, 0, 9, 1)), Color::kRed);
  EXPECT_EQ(FailureColor(row(0, 0, 0, 1)), Color::kRed);
}

TEST(LeftOut, EveryKindOfAnswerSaysWhatIsMissing) {
  EXPECT_THAT(LeftOut(kFlows), HasSubstr("6 of 7 rows"));
  EXPECT_THAT(LeftOut({{"edges_left_out", 3}}), HasSubstr("3 more edges"));
  EXPECT_THAT(LeftOut({{"complete", false}}), HasSubstr("more than one answer holds"));
  EXPECT_EQ(LeftOut({{"groups_left_out", 0}, {"edges_left_out", 0}, {"complete", true}}), "");
}

TEST(Limit, ProgramsAskForEverything) {
  Question question;
  EXPECT_EQ(LimitOf(question), "50");
  question.output = OutputFormat::kCsv;
  EXPECT_EQ(LimitOf(question), "max");
  question.output = OutputFormat::kJson;
  EXPECT_EQ(LimitOf(question), "max");
  question.limit = 7;
  EXPECT_EQ(LimitOf(question), "7");
}

// What programs read must hold nothing but rows; what is missing is told beside it.
TEST(Redraw, ProgramsAreToldOnStderr) {
  Question question;
  question.output = OutputFormat::kCsv;
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  EXPECT_EQ(Redraw(
                question, [] { return Result<Json>(kFlows); }, RenderFlows),
            0);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("6 of 7 rows not shown"));
  EXPECT_THAT(testing::internal::GetCapturedStdout(), Not(HasSubstr("not shown")));
  question.output = OutputFormat::kTable;
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  EXPECT_EQ(Redraw(
                question, [] { return Result<Json>(kFlows); }, RenderFlows),
            0);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_THAT(testing::internal::GetCapturedStdout(), HasSubstr("6 of 7 rows not shown"));
}

TEST(Accounts, SilentNamespacesAreCountedAndAShareIsNeverMoreThanAll) {
  const Json busy = {{"interface_bytes", 60}, {"loopback_bytes", 0}, {"excess_bytes", 40}, {"unattributed_bytes", 100}};
  const Json answer = {{"accounts",
                        {{{"node", "n"}, {"namespace", "router"}, {"in", busy}, {"out", busy}},
                         {{"node", "n"}, {"namespace", "asleep"}, {"in", Json::object()}, {"out", Json::object()}}}}};
  Question question;
  question.width = 200;
  const std::string text = RenderAccounts(answer, question);
  EXPECT_THAT(text, HasSubstr("router"));
  EXPECT_THAT(text, HasSubstr("100 %"));
  EXPECT_THAT(text, Not(HasSubstr("asleep")));
  EXPECT_THAT(text, HasSubstr("1 of 2 network namespaces without traffic"));
}

TEST(EndText, TheContainerElseTheNetworkNamespace) {
  const auto text = [](const char* container, const char* netns_name) {
    return EndText({{"client_address", "10.0.0.1"},
                    {"client_process", "curl"},
                    {"client_container", container},
                    {"client_netns_name", netns_name}},
                   "client", false);
  };
  EXPECT_EQ(text("", ""), "10.0.0.1 curl");
  EXPECT_EQ(text("", "lab-client"), "10.0.0.1 curl in lab-client");
  EXPECT_EQ(text("3f2a9c71d0be55aa", "cni-1a2b"), "10.0.0.1 curl in 3f2a9c71d0be");
}

TEST(EndText, NamesComeFirst) {
  const Json pod = {{"client_address", "10.1.0.2"},
                    {"client_namespace", "shop"},
                    {"client_pod", "web-1"},
                    {"client_container_name", "app"},
                    {"client_process", "nginx"},
                    {"client_container", "3f2a9c71d0be55aa"},
                    {"server_port", 80},
                    {"client_kind", "pod"},
                    {"server_kind", "cloud_service"},
                    {"server_external_name", "b.s3.example"},
                    {"server_address", "52.1.2.3"}};
  EXPECT_EQ(EndText(pod, "client", false), "shop/web-1 nginx in app 10.1.0.2");
  EXPECT_EQ(EndText(pod, "server", true), "b.s3.example 52.1.2.3:80");
  Json helper = pod;
  helper["client_on_behalf_of"] = "ml/train";
  EXPECT_EQ(EndText(helper, "client", false), "shop/web-1 nginx in app 10.1.0.2 for ml/train");
}

TEST(EndText, RowsByLevelHaveNoAddresses) {
  Json row = {{"client_kind", "workload"}, {"client_namespace", "shop"}, {"client_workload", "web"},
              {"client_address", "::"},    {"server_kind", "internet"},  {"server_address", "::"}};
  EXPECT_EQ(EndText(row, "client", false), "shop/web");
  EXPECT_EQ(EndText(row, "server", true), "Internet");
  row["server_port"] = 443;
  EXPECT_EQ(EndText(row, "server", true), "Internet port 443");
  row["client_kind"] = "namespace";
  row["client_workload"] = "";
  EXPECT_EQ(EndText(row, "client", false), "shop");
  row["client_kind"] = "node";
  row["client_namespace"] = "";
  row["client_node"] = "n1";
  EXPECT_EQ(EndText(row, "client", false), "n1");
  row["server_kind"] = "service";
  row["server_service"] = "web";
  row["server_service_namespace"] = "shop";
  EXPECT_EQ(EndText(row, "server", false), "shop/web");
}

TEST(EndText, AListenersOwnRowHasNoClient) {
  const Json row = {
      {"client_address", "::"}, {"server_address", "::"}, {"server_port", 80}, {"server_process", "nginx"}};
  EXPECT_EQ(EndText(row, "client", false), "-");
  EXPECT_EQ(EndText(row, "server", true), "*:80 nginx");
}

TEST(EndText, AServerBehindAServiceNamesIt) {
  Json row{
      {"server_address", "10.244.1.5"}, {"server_port", 8080}, {"server_process", "nginx"}, {"service_address", "::"}};
  EXPECT_EQ(EndText(row, "server", true), "10.244.1.5:8080 nginx");
  row["service_address"] = "fd96::10";
  row["service_port"] = 80;
  EXPECT_EQ(EndText(row, "server", true), "10.244.1.5:8080 nginx behind [fd96::10]:80");
}

TEST(RenderFlows, ColumnsAskedForKeepPortsWhole) {
  Question question;
  question.group_by = "server_port";
  const std::string text = RenderFlows(kFlows, question);
  EXPECT_THAT(text, HasSubstr("SERVER PORT"));
  EXPECT_THAT(text, HasSubstr("8080"));
}

TEST(RenderFlows, JsonIsAnArrayOfTheServersRows) {
  Question question;
  question.output = OutputFormat::kJson;
  const Json rows = Json::parse(RenderFlows(kFlows, question));
  ASSERT_TRUE(rows.is_array());
  EXPECT_EQ(rows, kFlows["rows"]);
}

TEST(RenderFlows, CsvFollowsTheColumnOrder) {
  Question question;
  question.output = OutputFormat::kCsv;
  EXPECT_EQ(RenderFlows(kFlows, question), "client_address,server_port,bytes_to_server\r\n10.0.0.1,8080,2048\r\n");
}

const Json kNodes = Json::parse(R"({"nodes": [
  {"node": "gpu-1\u001b", "rx_bytes_per_second": 2048.0, "tx_bytes_per_second": null, "pass_us": 900,
   "read_since": "2026-11-24T14:00:00.000Z",
   "interfaces": [{"name": "eth0", "own": true, "hardware": true, "rx_bytes_per_second": 2048.0, "tx_bytes_per_second": null},
                  {"name": "pod/eth0", "own": false, "hardware": false}],
   "limits": [{"limit": "inbound bandwidth", "signal": "allowance.bandwidth_in_exceeded", "subject": "eth0", "count": 1500,
               "unit": "packets", "first": "a", "last": "b", "meaning": "m"},
              {"limit": "CPU quota", "signal": "cgroup.throttled_periods", "subject": "db", "count": 4, "unit": "periods"},
              {"limit": "CPU quota", "signal": "cgroup.throttled_us", "subject": "db", "count": 9000, "unit": "us"}],
   "throttled": [{"cgroup": "db", "periods": 4, "microseconds": 9000}],
   "probes": [{"name": "node_rdma", "state": "off", "reason": "no RDMA device"}]}]})");

TEST(RenderNodes, AListNamesTheLimitsHit) {
  const std::string text = RenderNodes(kNodes, Question{});
  EXPECT_THAT(text, HasSubstr("gpu-1\\x1b"));
  EXPECT_THAT(text, HasSubstr("inbound bandwidth 1.5k, CPU quota 4"));
  EXPECT_THAT(text, HasSubstr("2 KiB/s"));
  EXPECT_THAT(text, HasSubstr("1 group "));
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST(RenderNodes, DetailShowsWhereAndWhat) {
  Question question;
  question.node = "gpu-1";
  const std::string text = RenderNodes(kNodes, question);
  EXPECT_THAT(text, HasSubstr("pod/eth0"));
  EXPECT_THAT(text, HasSubstr("9 ms"));
  EXPECT_THAT(text, HasSubstr("no RDMA device"));
}

TEST(RenderNodes, CsvIsALinePerLimit) {
  Question question;
  question.output = OutputFormat::kCsv;
  const std::string text = RenderNodes(kNodes, question);
  EXPECT_THAT(text, HasSubstr("node,limit,signal,scope,subject,count"));
  EXPECT_THAT(text, HasSubstr(",inbound bandwidth,allowance.bandwidth_in_exceeded,,eth0,1500,packets"));
  EXPECT_THAT(RenderNodes(Json::parse(R"({"nodes": []})"), Question{}), HasSubstr("weir status"));
}

TEST(RenderFlows, EmptySaysWhereToLook) {
  Question question;
  question.filter = "server_port = 1";
  const std::string text = RenderFlows(Json::parse(R"({"rows": []})"), question);
  EXPECT_THAT(text, HasSubstr("match 'server_port = 1'"));
  EXPECT_THAT(text, HasSubstr("weir status"));
}

TEST(RenderMap, NamesReplaceIdsAndReasonsAreShown) {
  const Json answer = Json::parse(R"({
    "nodes": [{"id": "n1", "name": "curl", "group": "host1"}, {"id": "n2", "name": "nginx", "group": ""}],
    "edges": [{"client": "n1", "server": "n2", "ports": [1, 2, 3, 4, 5, 6], "bytes_per_second": 1024, "health": "failed",
               "connections_failed": 4, "reasons": ["4 connections were refused"], "retransmit_percent": null}]})");
  const std::string text = RenderMap(answer, Question{});
  EXPECT_THAT(text, HasSubstr("curl (host1)"));
  EXPECT_THAT(text, HasSubstr("1,2,3,4,+2"));
  EXPECT_THAT(text, HasSubstr("1 KiB/s"));
  EXPECT_THAT(text, HasSubstr("4 connections were refused"));
}

TEST(RenderMap, EdgesBetweenZonesAreMarkedAndTheChosenLevelIsSaid) {
  const Json answer = Json::parse(R"({"level": "namespace", "level_asked": "auto",
    "nodes": [{"id": "n1", "kind": "namespace", "name": "shop\u001b", "group": "prod"},
              {"id": "n2", "kind": "cloud_service", "name": "Amazon S3", "group": "", "cloud_service": "object_store"}],
    "edges": [{"client": "n1", "server": "n2", "bytes_to_server": 100, "bytes_to_client": 300, "locality": "inter_zone", "timeouts": 3,
               "inter_zone_bytes": 300, "zone_pairs": [{"client_zone": "a", "server_zone": "b", "bytes": 300},
               {"client_zone": "a", "server_zone": "a", "bytes": 100}], "health": "ok"}]})");
  const std::string text = RenderMap(answer, Question{});
  EXPECT_THAT(text, HasSubstr("by namespace; --level chooses another"));
  EXPECT_THAT(text, HasSubstr("shop\\x1b (prod)"));
  EXPECT_THAT(text, HasSubstr("Amazon S3 [object_store]"));
  EXPECT_THAT(text, HasSubstr("inter_zone 75 % inter-zone"));
  EXPECT_THAT(text, HasSubstr("a>b,+1"));
  Question csv;
  csv.output = OutputFormat::kCsv;
  EXPECT_THAT(RenderMap(answer, csv), HasSubstr(",inter_zone,300,"));
}

TEST(RenderTop, RatesAreOverTheWindow) {
  Json answer = kFlows;
  answer["totals"] = Json::parse(R"({"bytes_to_server": 20480})");
  const std::string text = RenderTop(answer, Question{});
  EXPECT_THAT(text, HasSubstr("2 KiB/s to servers"));
  EXPECT_THAT(text, HasSubstr("205 B/s"));
}

TEST(RenderTop, OpenFindingsStandAboveTheFlowsTheWorstFirst) {
  Json answer = kFlows;
  answer["totals"] = Json::object();
  answer["findings"] = Json::parse(R"([
    {"id": "1", "severity": "minor", "state": "open", "verdict": "Pod a is slow."},
    {"id": "2", "severity": "info", "state": "open", "verdict": "Pod b is loading."},
    {"id": "3", "severity": "critical", "state": "open", "verdict": "Node n\u001b[2J is held back."},
    {"id": "4", "severity": "major", "state": "closed", "verdict": "Over."}])");
  const std::string text = RenderTop(answer, Question{});
  EXPECT_LT(text.find("critical 3: Node n"), text.find("minor 1: Pod a is slow."));
  EXPECT_LT(text.find("minor 1"), text.find("CLIENT"));
  EXPECT_THAT(text, testing::Not(HasSubstr("Pod b")));
  EXPECT_THAT(text, testing::Not(HasSubstr("Over.")));
  EXPECT_EQ(text.find('\x1b'), std::string::npos) << "terminals are not told to do things";
}

const Json kServing = Json::parse(R"({
  "servers": [{"server_namespace": "shop", "server_workload": "llm", "server_pod": "llm-0", "server_port": 8000, "requests": 120,
    "first_chunk_p50_us": 1900000, "first_chunk_p99_us": 4100000, "chunk_gap_p50_us": null, "chunk_gap_p99_us": null,
    "app": {"url": "http://10.0.0.5:8000/metrics", "server": "vLLM", "state": "believed", "reason": "",
      "figures": [{"name": "gen_ai.server.time_to_first_token", "p50_us": 740000, "p99_us": null,
                   "p99_between_us": [2560000, null]}],
      "beside": [{"measure": "first_chunk", "verdict": "explained", "confidence": "high", "app_mean_us": 800000,
                  "difference_us": 1300000, "sentence": "vLLM says \u001b[31m800 ms"}]}},
    {"server_process": "b", "server_port": 1, "requests": 1,
     "app": {"url": "http://b", "server": "", "state": "unreachable", "reason": "timed out", "figures": [], "beside": []}},
    {"server_process": "c", "server_port": 2, "requests": 1, "app": null}],
  "apps_without_server": [{"url": "http://d", "reason": "", "unmatched": "no request to it was measured in this range"}]})");

TEST(RenderServing, WireAndApplicationStandInOneLineAndTheDifferenceBelow) {
  const std::string text = RenderServing(kServing, Question{});
  EXPECT_THAT(text, testing::ContainsRegex("llm.* 1\\.9 s +4\\.1 s +740 ms +> 2\\.56 s"));
  EXPECT_THAT(text, HasSubstr("explained (high): vLLM says \\x1b[31m800 ms"));
  EXPECT_THAT(text, HasSubstr("unknown: timed out"));
  EXPECT_THAT(text, HasSubstr("http://d: no request to it was measured in this range"));
  Question csv;
  csv.output = OutputFormat::kCsv;
  EXPECT_THAT(RenderServing(kServing, csv), HasSubstr("believed,vLLM,800000,1300000,explained,high,"));
  EXPECT_THAT(RenderServing(Json::object(), Question{}), HasSubstr("no request was measured"));
}

TEST(RenderStatus, ProblemsOrNone) {
  const Json answer =
      Json::parse(R"({"version": "1", "uptime_seconds": 3, "store": {"engine": "e", "path": "/p", "tables": []},
    "agents": [{"node": "a", "mode": "ebpf", "stale": true, "probes": [{"name": "p", "state": "off", "reason": "r", "hint": "h"}]}],
    "problems": ["agent a is silent; is it running?"]})");
  EXPECT_THAT(RenderStatus(answer, Question{}), HasSubstr("! agent a is silent"));
  EXPECT_THAT(RenderStatus(answer, Question{}), HasSubstr("silent"));
  EXPECT_THAT(RenderStatus(Json::object(), Question{}), HasSubstr("no problems"));
}

TEST(EventParser, SplitsEventsHoweverTheBytesArrive) {
  const std::string wire = ": hello\r\nevent: rows\ndata: {\"a\":\ndata: 1}\n\ndata: x\n\n";
  for (size_t chunk = 1; chunk <= wire.size(); ++chunk) {
    std::vector<std::string> events;
    EventParser parser([&](std::string_view event, std::string_view data) {
      events.push_back(std::string(event) + "|" + std::string(data));
      return true;
    });
    for (size_t at = 0; at < wire.size(); at += chunk)
      ASSERT_TRUE(parser.Feed(std::string_view(wire).substr(at, chunk)));
    EXPECT_EQ(events, (std::vector<std::string>{"rows|{\"a\":\n1}", "message|x"})) << chunk;
  }
}

TEST(EventParser, StopsWhenAskedAndRefusesEndlessEvents) {
  EventParser stopping([](std::string_view, std::string_view) { return false; });
  EXPECT_FALSE(stopping.Feed("data: 1\n\n"));
  EventParser bounded([](std::string_view, std::string_view) { return true; });
  bool accepted = true;
  for (int i = 0; i < 20 && accepted; ++i) accepted = bounded.Feed(std::string(1 << 20, 'x'));
  EXPECT_FALSE(accepted);
}

TEST(UrlEncode, LeavesOnlyUnreservedCharacters) { EXPECT_EQ(UrlEncode("a b&c=ä~"), "a%20b%26c%3D%C3%A4~"); }

}  // namespace
}  // namespace weir::cli
