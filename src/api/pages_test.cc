// Who may ask, what Weir says of itself, and the embedded UI.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/fakes.h"
#include "api/gate.h"
#include "api/status_page.h"
#include "api/ui.h"
#include "base/metrics.h"

namespace weir::api {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

net::HttpRequest Request(std::string path, std::map<std::string, std::string> headers) {
  net::HttpRequest request;
  request.method = "GET";
  request.path = std::move(path);
  request.headers = std::move(headers);
  return request;
}

int Checked(const Gate& gate, const net::HttpRequest& request) {
  const auto refused = gate.Check(request);
  return refused ? refused->status : 200;
}

TEST(Gate, OpenOnLoopbackForLoopbackNamesOnly) {
  const Result<Gate> gate = Gate::Create("127.0.0.1:0", "");
  ASSERT_TRUE(gate.ok());
  for (const char* host : {"127.0.0.1:7600", "127.0.0.1", "127.9.9.9", "localhost", "LocalHost:7600", "localhost.:1",
                           "[::1]:7600", "[::1]", "weir.localhost:1"}) {
    EXPECT_EQ(Checked(*gate, Request("/api/v1/flows", {{"host", host}})), 200) << host;
  }
  for (const char* host : {"", "example.com", "example.com:7600", "10.0.0.1", "127.0.0.1.example.com",
                           "localhost.example.com", "[::2]", "[::1", "0.0.0.0"}) {
    EXPECT_EQ(Checked(*gate, Request("/api/v1/flows", {{"host", host}})), 403) << host;
  }
  EXPECT_EQ(Checked(*gate, Request("/", {})), 403);
  EXPECT_EQ(Checked(*gate, Request("/healthz", {{"host", "example.com"}})), 200);
}

TEST(Gate, WithATokenEveryRequestNeedsIt) {
  const Result<Gate> gate = Gate::Create("0.0.0.0:0", "s3cret-word");
  ASSERT_TRUE(gate.ok());
  const auto ask = [&](const std::string& authorization) {
    return Checked(*gate, Request("/api/v1/flows", {{"host", "weir.example"}, {"authorization", authorization}}));
  };
  EXPECT_EQ(ask("Bearer s3cret-word"), 200);
  EXPECT_EQ(ask("bearer   s3cret-word"), 200);
  EXPECT_EQ(ask("Basic YW55Ym9keTpzM2NyZXQtd29yZA=="), 200);  // anybody:s3cret-word
  for (const char* wrong : {"", "Bearer", "Bearer ", "Bearer s3cret-wore", "Bearer s3cret-wor", "Bearer s3cret-words",
                            "Bearer s3cret-words3cret-word", "Digest s3cret-word", "s3cret-word", "Basic s3cret-word",
                            "Basic YW55Ym9keQ==", "Basic YW55Ym9keTo="}) {
    EXPECT_EQ(ask(wrong), 401) << wrong;
  }
  EXPECT_EQ(Checked(*gate, Request("/readyz", {})), 200);
  EXPECT_EQ(Checked(*gate, Request("/metrics", {})), 401);
  EXPECT_EQ(gate->Check(Request("/", {}))->headers.at("WWW-Authenticate").rfind("Basic realm=", 0), 0U);
}

TEST(Gate, RefusesToBeOpenToTheNetwork) {
  for (const char* listen : {"0.0.0.0:7600", "[::]:7600", "192.0.2.1:7600"}) {
    const Result<Gate> gate = Gate::Create(listen, "");
    ASSERT_FALSE(gate.ok()) << listen;
    EXPECT_EQ(gate.status().code(), Code::kInvalid);
    EXPECT_THAT(gate.status().message(), AllOf(HasSubstr(listen), HasSubstr("--token-file"), HasSubstr("127.0.0.1")));
  }
}

TEST(Gate, CountsRefusals) {
  const Result<Gate> gate = Gate::Create("127.0.0.1:0", "t");
  const uint64_t requests = Read(Metric::server_http_requests);
  const uint64_t refused = Read(Metric::server_http_refused);
  gate->Check(Request("/", {}));
  gate->Check(Request("/", {{"authorization", "Bearer t"}}));
  EXPECT_EQ(Read(Metric::server_http_requests), requests + 2);
  EXPECT_EQ(Read(Metric::server_http_refused), refused + 1);
}

TEST(Gate, Base64) {
  EXPECT_EQ(DecodeBase64("Zm9vYmFy"), "foobar");
  EXPECT_EQ(DecodeBase64("Zm9vYg=="), "foob");
  EXPECT_EQ(DecodeBase64("Zm9vYmE="), "fooba");
  EXPECT_EQ(DecodeBase64(""), "");
  for (const char* wrong : {"Z", "Zm9", "Zm=v", "Zm9v!A==", "====", "Z==="})
    EXPECT_EQ(DecodeBase64(wrong), std::nullopt) << wrong;
}

StatusFacts Facts() {
  StatusFacts facts;
  facts.started = 1'764'000'000'000;
  facts.now = facts.started + 90'000;
  store::StoreStatus store;
  store.engine = "embedded";
  store.path = "/data/store";
  store.tables = {{"raw", 5, 500, 1'763'999'000'000, 1'764'000'000'000}, {"1h", 0, 0, 0, 0}};
  facts.store = store;
  server::AgentStatus agent;
  agent.agent_id = std::string(32, 'a');
  agent.node = "host1";
  agent.mode = "ebpf";
  agent.last_seen = facts.now - 1'000;
  agent.probes = {{"tcp_state", "on", "", ""}, {"drops", "off", "not asked for", ""}};
  agent.counters = {{"weir_agent_kernel_map_full_total", 0}, {"weir_agent_ticks_total", 90}};
  facts.agents = {agent};
  facts.own_counters.assign(kMetricCount, 0);
  return facts;
}

TEST(StatusPage, ShowsEverything) {
  const Json json = StatusJson(Facts());
  EXPECT_EQ(json["uptime_seconds"], 90);
  EXPECT_EQ(json["started"], "2025-11-24T16:00:00.000Z");
  EXPECT_EQ(json["store"]["tables"][0]["oldest"], "2025-11-24T15:43:20.000Z");
  EXPECT_TRUE(json["store"]["tables"][1]["oldest"].is_null());
  EXPECT_EQ(json["store"]["last_error"], "");
  EXPECT_EQ(json["agents"][0]["stale"], false);
  EXPECT_EQ(json["agents"][0]["counters"]["weir_agent_ticks_total"], 90);
  EXPECT_EQ(json["agents"][0]["probes"][1]["reason"], "not asked for");
  EXPECT_EQ(json["counters"].size(), kMetricCount);
  EXPECT_EQ(json["losses"], 0);
  EXPECT_THAT(json["problems"], IsEmpty());
}

TEST(StatusPage, EveryProblemIsASentenceWithARemedy) {
  struct Case {
    void (*spoil)(StatusFacts&);
    std::vector<const char*> says;
  };
  const Case cases[] = {
      {[](StatusFacts& f) { f.agents[0].last_seen = f.now - 65'000; },
       {"No batch from the agent on host1 for 1m5s", "check that it runs"}},
      {[](StatusFacts& f) { f.agents[0].clock_offset_ms = 3LL * 86'400'000; },
       {"The clock of host1 is 3d fast", "NTP"}},
      {[](StatusFacts& f) { f.agents[0].clock_offset_ms = -2'500; }, {"The clock of host1 is 2s slow"}},
      {[](StatusFacts& f) { f.agents[0].counters[0].value = 7; },
       {"weir_agent_kernel_map_full_total on host1 is 7", "Raise --max-sockets"}},
      {[](StatusFacts& f) {
         f.agents[0].probes[0] = {"tcp_state", "failed", "permission denied", "run as root"};
       },
       {"Probe tcp_state on host1 does not work: permission denied; run as root."}},
      {[](StatusFacts& f) { f.agents[0].probes[0].state = "fallback"; },
       {"Probe tcp_state on host1 runs as a fallback."}},
      {[](StatusFacts& f) { f.agents[0].mode = "sock_diag"; }, {"host1", "degraded mode sock_diag", "run it as root"}},
      {[](StatusFacts& f) { f.store->last_error = "no space left on device."; },
       {"The store reports: no space left on device. Check free disk space", "/data/store"}},
      {[](StatusFacts& f) { f.store = Status::Unavailable("engine is closed"); },
       {"The store does not answer: engine is closed."}},
      {[](StatusFacts& f) { f.own_counters[static_cast<size_t>(Metric::server_live_dropped)] = 3; },
       {"weir_server_live_dropped_rows_total is 3"}},
      {[](StatusFacts& f) { f.own_counters[static_cast<size_t>(Metric::store_insert_errors)] = 1; },
       {"weir_store_insert_errors_total is 1", "disk space"}},
  };
  for (const Case& c : cases) {
    StatusFacts facts = Facts();
    c.spoil(facts);
    const std::vector<std::string> problems = Problems(facts);
    ASSERT_EQ(problems.size(), 1U) << c.says[0];
    for (const char* text : c.says) EXPECT_THAT(problems[0], HasSubstr(text));
  }
}

TEST(StatusPage, AnAgentInThisProcessIsNotCountedTwice) {
  StatusFacts facts = Facts();
  facts.agents[0].counters[0].value = 7;
  facts.own_counters[static_cast<size_t>(Metric::agent_kernel_map_full)] = 7;
  facts.own_counters[static_cast<size_t>(Metric::server_live_dropped)] = 3;
  facts.own_counters[static_cast<size_t>(Metric::server_http_refused)] = 100;  // an error, not a loss
  EXPECT_EQ(Losses(facts), 10U);
  EXPECT_EQ(Problems(facts).size(), 2U);
}

const WebAsset kAssets[] = {
    {"/index.html", "text/html; charset=utf-8", "\"aa\"", "<html>"},
    {"/assets/index-Dk3.js", "text/javascript; charset=utf-8", "\"bb\"", "js"},
    {"/favicon.svg", "image/svg+xml", "\"cc\"", "svg"},
};

TEST(Ui, ServesFilesAndItsOwnPaths) {
  for (const char* path : {"/", "/index.html", "/map", "/flows", "/status/agents"}) {
    const net::HttpResponse page = UiAnswer(Request(path, {}), kAssets);
    EXPECT_EQ(page.status, 200) << path;
    EXPECT_EQ(page.body, "<html>") << path;
    EXPECT_EQ(page.headers.at("Cache-Control"), "no-cache");
    EXPECT_THAT(page.headers.at("Content-Security-Policy"),
                AllOf(HasSubstr("default-src 'self'"), HasSubstr("frame-ancestors 'none'")));
    EXPECT_EQ(page.headers.at("X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(page.headers.at("Referrer-Policy"), "no-referrer");
  }
  const net::HttpResponse script = UiAnswer(Request("/assets/index-Dk3.js", {}), kAssets);
  EXPECT_EQ(script.body, "js");
  EXPECT_EQ(script.content_type, "text/javascript; charset=utf-8");
  EXPECT_THAT(script.headers.at("Cache-Control"), HasSubstr("immutable"));
  for (const char* path :
       {"/assets/gone.js", "/assets/gone", "/robots.txt", "/api/v1/nothing", "/../etc/passwd.txt", "/api"}) {
    const net::HttpResponse missing = UiAnswer(Request(path, {}), kAssets);
    EXPECT_EQ(missing.status, 404) << path;
    EXPECT_EQ(missing.content_type, "application/json");
  }
}

TEST(Ui, KnowsWhatTheBrowserHas) {
  const auto status = [](const char* tags) {
    return UiAnswer(Request("/favicon.svg", {{"if-none-match", tags}}), kAssets).status;
  };
  EXPECT_EQ(status("\"cc\""), 304);
  EXPECT_EQ(status("W/\"cc\", \"x\""), 304);
  EXPECT_EQ(status("*"), 304);
  EXPECT_EQ(status("\"dd\""), 200);
  EXPECT_TRUE(UiAnswer(Request("/favicon.svg", {{"if-none-match", "\"cc\""}}), kAssets).body.empty());
}

TEST(Ui, SaysThatItWasNotBuilt) {
  const net::HttpResponse page = UiAnswer(Request("/", {}), {});
  EXPECT_EQ(page.status, 200);
  EXPECT_THAT(page.body, AllOf(HasSubstr("./dev ui"), HasSubstr("/api/v1/openapi.json")));
  EXPECT_EQ(UiAnswer(Request("/assets/x.js", {}), {}).status, 404);
}

}  // namespace
}  // namespace weir::api
