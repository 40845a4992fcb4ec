// The whole API over real HTTP, with a scripted store and server behind it: every route, as docs/api.md states it.
#include "api/api.h"

#include <curl/curl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>
#include <set>
#include <thread>

#include "api/fakes.h"
#include "api/json.h"
#include "api/map.h"
#include "api/routes.h"
#include "base/metrics.h"
#include "model/row_edit.h"
#include "wire/ack_codec.h"
#include "wire/batch_codec.h"

namespace weir::api {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

struct Answer {
  long status = 0;
  std::map<std::string, std::string> headers;  // keys in lower case
  std::string body;
  Json json() const { return Json::parse(body, nullptr, /*allow_exceptions=*/false); }
};

struct Question {
  std::string method = "GET";
  std::string path;
  std::vector<std::string> headers = {};
  std::string body = "";
  std::string stop_after = "";  // ends the transfer once the body contains it
};

struct Transfer {
  Answer answer;
  std::string stop_after;
};

size_t OnBody(char* bytes, size_t size, size_t count, void* into) {
  auto& transfer = *static_cast<Transfer*>(into);
  transfer.answer.body.append(bytes, size * count);
  const bool enough =
      !transfer.stop_after.empty() && transfer.answer.body.find(transfer.stop_after) != std::string::npos;
  return enough ? 0 : size * count;
}

size_t OnHeader(char* bytes, size_t size, size_t count, void* into) {
  std::string line(bytes, size * count);
  const size_t colon = line.find(": ");
  if (colon == std::string::npos) return size * count;
  std::string name = line.substr(0, colon);
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  static_cast<Transfer*>(into)->answer.headers[name] = line.substr(colon + 2, line.find('\r') - colon - 2);
  return size * count;
}

class ApiTest : public testing::Test {
 protected:
  ApiTest() { options_.listen = "127.0.0.1:0"; }
  void Begin() {
    Result<std::unique_ptr<Api>> api = Api::Start(options_, server_, store_, clock_);
    ASSERT_TRUE(api.ok()) << api.status().message();
    api_ = *std::move(api);
  }
  void SetUp() override { Begin(); }

  Answer Ask(const Question& question) {
    const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(), &curl_easy_cleanup);
    curl_slist* headers = nullptr;
    for (const std::string& header : question.headers) headers = curl_slist_append(headers, header.c_str());
    const std::string url = "http://" + api_->address() + question.path;
    Transfer transfer;
    transfer.stop_after = question.stop_after;
    curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl.get(), CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT, 30L);
    curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, &OnBody);
    curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &transfer);
    curl_easy_setopt(curl.get(), CURLOPT_HEADERFUNCTION, &OnHeader);
    curl_easy_setopt(curl.get(), CURLOPT_HEADERDATA, &transfer);
    if (question.method == "POST") {
      curl_easy_setopt(curl.get(), CURLOPT_POST, 1L);
      curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE, static_cast<long>(question.body.size()));
      curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, question.body.data());
    }
    const CURLcode code = curl_easy_perform(curl.get());
    EXPECT_TRUE(code == CURLE_OK || (code == CURLE_WRITE_ERROR && !question.stop_after.empty()))
        << url << ": " << curl_easy_strerror(code);
    curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &transfer.answer.status);
    curl_slist_free_all(headers);
    return transfer.answer;
  }
  Answer Get(const std::string& path) { return Ask({.path = path}); }

  ApiOptions options_;
  FakeStore store_;
  FakeServer server_;
  FakeClock clock_{1'764'000'000'123'000'000};
  std::unique_ptr<Api> api_;
};

store::FlowResult TwoFlows() {
  ResultBuilder builder({"client_address", "server_port", "start", "end", "bytes", "connections_opened"});
  builder.Row({{"client_address", Text("10.1.0.2")},
               {"server_port", Exact(80)},
               {"start", Number(1'764'000'000'000)},
               {"bytes", Exact(1'234)}});
  builder.Row({{"client_address", Text("=1+1")}, {"server_port", Exact(443)}, {"bytes", Exact(9'007'199'254'740'993)}});
  builder.Totals({{"bytes", Exact(9'007'199'254'742'227)}, {"connections_opened", Exact(3)}});
  builder.result.groups = 812;
  builder.result.groups_left_out = 810;
  builder.result.rows_read = 51'234;
  return builder.result;
}

TEST_F(ApiTest, Flows) {
  store_.answer = TwoFlows();
  const Answer answer =
      Get("/api/v1/"
          "flows?since=2025-11-24T15:00:00Z&until=now&filter=server_port%20%3D%2080&group_by=client_address,server_port"
          "&sort=-bytes,client_address&limit=2");
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.headers.at("content-type"), "application/json");
  EXPECT_EQ(answer.headers.at("cache-control"), "no-store");
  const Json json = answer.json();
  EXPECT_EQ(json["range"], Json({{"since", "2025-11-24T15:00:00.000Z"}, {"until", "2025-11-24T16:00:00.123Z"}}));
  EXPECT_EQ(json["columns"][0]["name"], "client_address");
  EXPECT_EQ(json["columns"][0]["type"], "address");
  EXPECT_EQ(json["columns"][0]["kind"], "dimension");
  EXPECT_EQ(json["rows"].size(), 2U);
  EXPECT_EQ(json["rows"][0]["bytes"], 1'234);
  EXPECT_TRUE(json["rows"][0]["end"].is_null());
  EXPECT_EQ(json["rows"][1]["bytes"].get<uint64_t>(), 9'007'199'254'740'993U);
  EXPECT_EQ(json["totals"], Json({{"bytes", 9'007'199'254'742'227U}, {"connections_opened", 3}}));
  EXPECT_EQ(json["groups"], 812);
  EXPECT_EQ(json["groups_left_out"], 810);
  EXPECT_EQ(json["resolution"], "raw");
  EXPECT_EQ(json["oldest"], "2023-11-14T22:13:20.000Z");
  EXPECT_EQ(json["elapsed_ms"], 1.5);
  EXPECT_EQ(json["rows_read"], 51'234);
  EXPECT_EQ(store_.last_query.limit, 2U);
  EXPECT_EQ(store_.last_query.group_by.size(), 2U);
  EXPECT_EQ(store_.last_query.sort.size(), 2U);
  EXPECT_EQ(store_.last_query.range.to, 1'764'000'000'123);
  EXPECT_FALSE(store_.last_query.filter.empty());
}

TEST_F(ApiTest, FlowsAsCsv) {
  store_.answer = TwoFlows();
  store_.answer->groups_left_out = 0;
  const Answer answer = Get("/api/v1/flows?format=csv");
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.headers.at("content-type"), StartsWith("text/csv"));
  EXPECT_EQ(answer.body,
            "client_address,server_port,start,end,bytes,connections_opened\r\n"
            "10.1.0.2,80,2025-11-24T16:00:00.000Z,,1234,0\r\n"
            "'=1+1,443,,,9007199254740993,0\r\n");
  EXPECT_EQ(answer.headers.at("x-weir-rows"), "2");
  EXPECT_EQ(answer.headers.at("x-weir-rows-left-out"), "0");
}

TEST_F(ApiTest, CsvHasAllRowsOrSaysSo) {
  store_.answer = TwoFlows();
  store_.answer->groups = 2;
  store_.answer->groups_left_out = 0;
  EXPECT_EQ(Get("/api/v1/flows?format=csv").status, 200);
  EXPECT_EQ(store_.last_query.limit, 100'000U);
  store_.answer = TwoFlows();  // more than an answer holds
  const Answer refused = Get("/api/v1/flows?format=csv");
  EXPECT_EQ(refused.status, 413);
  EXPECT_EQ(refused.json()["error"]["code"], "too_large");
  EXPECT_THAT(refused.json()["error"]["remedy"].get<std::string>(), HasSubstr("limit=max"));
  for (const char* limit : {"2", "max"}) {
    const Answer some = Get(std::string("/api/v1/flows?format=csv&limit=") + limit);
    EXPECT_EQ(some.status, 200);
    EXPECT_EQ(some.headers.at("x-weir-rows-left-out"), "810");
  }
  EXPECT_EQ(store_.last_query.limit, 100'000U);
}

TEST_F(ApiTest, AnswersSayWhenWindowsAreMissing) {
  store_.nodes.windows.resize(3);
  EXPECT_EQ(Get("/api/v1/nodes/windows").json()["complete"], true);
  const Json some = Get("/api/v1/nodes/windows?limit=2").json();
  EXPECT_EQ(some["complete"], false);
  EXPECT_EQ(some["windows"].size(), 2U);
}

TEST_F(ApiTest, EmptyAnswersAreComplete) {
  const Json flows = Get("/api/v1/flows").json();
  EXPECT_EQ(flows["rows"], Json::array());
  EXPECT_TRUE(flows["oldest"].is_null());
  const Json map = Get("/api/v1/map").json();
  EXPECT_EQ(map["nodes"], Json::array());
  EXPECT_EQ(map["edges"], Json::array());
  const Json series = Get("/api/v1/series").json();
  EXPECT_EQ(series["series"], Json::array());
}

TEST_F(ApiTest, Mistakes) {
  struct Case {
    const char* path;
    const char* parameter;
    const char* message;
  };
  const Case cases[] = {
      {"/api/v1/flows?sinse=5m", "sinse", "unknown parameter"},
      {"/api/v1/flows?filter=sevrer_port%20%3D%2080", "filter", "at character 1: unknown field 'sevrer_port'"},
      {"/api/v1/flows?limit=0", "limit", "whole number"},
      {"/api/v1/flows?group_by=server_port&sort=client_process", "sort", "not grouped by it"},
      {"/api/v1/flows?format=xml", "format", "not a choice"},
      {"/api/v1/map?level=workloads", "level", "not a choice"},
      {"/api/v1/flows?level=auto", "level", "not a choice"},
      {"/api/v1/map?limit=5001", "limit", "from 1 to 5000"},
      {"/api/v1/series?since=1d&step=1s", "step", "more than 5000 steps of 1s"},
      {"/api/v1/series?step=0s&columns=", "columns", "no measure"},
      {"/api/v1/series?columns=server_port", "columns", "not a measure"},
      {"/api/v1/live?replay=1h", "replay", "last 180s"},
      {"/api/v1/live?filter=(", "filter", "at character"},
      {"/api/v1/status?x=1", "x", "unknown parameter"},
      {"/api/v1/columns?x=1", "x", "unknown parameter"},
      {"/metrics?x=1", "x", "unknown parameter"},
  };
  for (const Case& c : cases) {
    const Answer answer = Get(c.path);
    EXPECT_EQ(answer.status, 400) << c.path;
    const Json error = answer.json()["error"];
    EXPECT_EQ(error["code"], "invalid") << c.path;
    EXPECT_EQ(error["parameter"], c.parameter) << c.path;
    EXPECT_THAT(error["message"].get<std::string>(), HasSubstr(c.message)) << c.path;
    EXPECT_TRUE(error.contains("remedy")) << c.path << answer.body;
  }
  EXPECT_EQ(Get(cases[1].path).json()["error"]["position"], 1);
}

TEST_F(ApiTest, StoreErrorsKeepTheirMeaning) {
  const std::tuple<Status, long, const char*> cases[] = {
      {Status::Unavailable("the store is starting; try again"), 503, "busy"},
      {Status::Exhausted("too many queries; try again"), 429, "busy"},
      {Status::Invalid("too wide; narrow it"), 400, "invalid"},
      {Status::Internal("broken"), 500, "internal"},
  };
  for (const auto& [status, http, code] : cases) {
    store_.answer = status;
    const Answer answer = Get("/api/v1/flows");
    EXPECT_EQ(answer.status, http);
    EXPECT_EQ(answer.json()["error"]["code"], code);
    EXPECT_EQ(answer.headers.contains("retry-after"), http == 503 || http == 429);
  }
}

TEST_F(ApiTest, MapAsksByLevelAndFolds) {
  ResultBuilder builder(store::FlowQuery{});
  builder = ResultBuilder({"client_process", "client_node", "client_address", "server_process", "server_node",
                           "server_address", "server_port", "bytes_to_server", "connections_opened"});
  builder.Row({{"client_process", Text("curl")},
               {"client_node", Text("host1")},
               {"client_address", Text("10.0.0.1")},
               {"server_address", Text("10.0.0.9")},
               {"server_port", Exact(80)},
               {"bytes_to_server", Exact(900)},
               {"connections_opened", Exact(1)}});
  store_.answer = builder.result;
  const Answer answer = Get("/api/v1/map?since=15m&level=process&only=all&limit=10&fold_internet=false");
  ASSERT_EQ(answer.status, 200) << answer.body;
  const Json json = answer.json();
  EXPECT_EQ(json["nodes"].size(), 2U);
  EXPECT_EQ(json["edges"][0]["bytes_per_second"], 900 / json["seconds"].get<double>());
  EXPECT_EQ(json["edges"][0]["health"], "ok");
  for (const char* key : {"range", "edges_left_out", "nodes_left_out", "seconds", "resolution", "oldest", "elapsed_ms"})
    EXPECT_TRUE(json.contains(key)) << key;
  EXPECT_EQ(Get("/api/v1/map?only=problems").json()["edges"], Json::array());
  Get("/api/v1/map?level=host");
  for (const model::Column* column : store_.last_query.group_by) EXPECT_NE(column->name, "client_process");
}

TEST_F(ApiTest, TheLevelsAreThoseOfTheTable) {
  for (const Route& route : Routes()) {
    for (const Parameter& parameter : route.parameters) {
      if (parameter.name != "level") continue;
      std::vector<std::string_view> choices = Choices(parameter);
      EXPECT_TRUE(choices.front() == "auto" || choices.front().empty()) << route.path;
      EXPECT_EQ(choices.back(), "host") << route.path;
      ASSERT_EQ(choices.size(), model::kLevels.size() + 2) << route.path;
      for (size_t i = 0; i < model::kLevels.size(); ++i) EXPECT_EQ(choices[i + 1], model::kLevels[i].name);
    }
  }
}

TEST_F(ApiTest, AutoIsNamespacesWhereAnyIsNamedElseProcesses) {
  ResultBuilder named(MapQuery({}));
  named.Row({{"client_kind", Text("pod")},
             {"client_namespace", Text("shop")},
             {"client_address", Text("10.1.0.2")},
             {"server_node", Text("n1")}});
  store_.answer = named.result;
  EXPECT_EQ(Get("/api/v1/map").json()["level"], "process") << "no namespace is known";
  store_.knows_namespaces = true;
  const Json map = Get("/api/v1/map").json();
  EXPECT_EQ(map["level"], "namespace");
  EXPECT_EQ(map["level_asked"], "auto");
  EXPECT_EQ(map["nodes"][0]["name"], "shop");
  EXPECT_EQ(Get("/api/v1/map?level=process").json()["level"], "process");
  EXPECT_EQ(Get("/api/v1/map?level=host").json()["level"], "node");
  store_.answer = ResultBuilder(MapQuery({})).result;  // known, but of none of these flows
  EXPECT_EQ(Get("/api/v1/map").json()["level"], "process");
}

TEST_F(ApiTest, NamespacesAreAFilterBesideTheFilter) {
  const auto matches = [&](const char* client, const char* server) {
    model::FlowRow row;
    row.server_port = 80;
    model::SetAttribute(row, "client_namespace", std::string(client));
    model::SetAttribute(row, "server_namespace", std::string(server));
    return store_.Get(&FakeStore::last_query).filter.Matches(row);
  };
  for (const char* path : {"/api/v1/flows", "/api/v1/map", "/api/v1/series"}) {
    ASSERT_EQ(Get(std::string(path) + "?namespace=shop,%20it's").status, 200) << path;
    EXPECT_TRUE(matches("shop", "other")) << path;
    EXPECT_TRUE(matches("other", "it's")) << path;
    EXPECT_FALSE(matches("other", "")) << path;
    Get(std::string(path) + "?namespace=shop&filter=server_port%20%3D%2081%20or%20server_port%20%3D%2082");
    EXPECT_FALSE(matches("shop", "shop")) << path;
  }
}

TEST_F(ApiTest, ATableByLevelIsFoldedAndGroupByAddsToIt) {
  ASSERT_EQ(Get("/api/v1/flows?level=workload&group_by=server_port,client_namespace&sort=server_port").status, 200);
  const store::FlowQuery query = store_.Get(&FakeStore::last_query);
  ASSERT_TRUE(query.fold);
  EXPECT_EQ(query.fold->level, model::Level::kWorkload);
  EXPECT_EQ(query.group_by.size(), model::ColumnsOf(model::Level::kWorkload).size() + 1);
  EXPECT_EQ(query.group_by.back()->name, "server_port");
}

TEST_F(ApiTest, RatesAreOverTheTimeThereIsDataOf) {
  ResultBuilder builder({"client_address", "server_address", "server_port", "bytes_to_server", "connections_opened"});
  builder.Row({{"client_address", Text("10.0.0.1")},
               {"server_address", Text("10.0.0.9")},
               {"server_port", Exact(80)},
               {"bytes_to_server", Exact(900)},
               {"connections_opened", Exact(1)}});
  const Question question{.path = "/api/v1/map?since=2025-11-24T10:00:00Z&until=2025-11-24T10:15:00Z"};
  builder.result.oldest = 1'763'979'210'000;  // 10:13:30
  store_.answer = builder.result;
  EXPECT_EQ(Ask(question).json()["edges"][0]["bytes_per_second"], 10.0);
  EXPECT_EQ(Ask(question).json()["seconds"], 90.0);
  builder.result.oldest = 1'763'000'000'000;
  store_.answer = builder.result;
  EXPECT_EQ(Ask(question).json()["seconds"], 900.0);
  EXPECT_EQ(Ask(question).json()["edges"][0]["bytes_per_second"], 1.0);
}

TEST_F(ApiTest, SeriesOnItsGrid) {
  ResultBuilder builder({"server_port", "start", "bytes"});
  builder.Row({{"server_port", Exact(80)}, {"start", Number(1'764'000'000'000)}, {"bytes", Exact(5)}});
  store_.answer = builder.result;
  const Answer answer = Get("/api/v1/series?since=1m&columns=bytes&group_by=server_port&step=10s&limit=3");
  ASSERT_EQ(answer.status, 200) << answer.body;
  const Json json = answer.json();
  EXPECT_EQ(json["step_ms"], 10'000);
  EXPECT_EQ(json["columns"][0]["name"], "bytes");
  EXPECT_EQ(json["times"].size(), 7U);
  EXPECT_EQ(json["series"][0]["group"], Json({{"server_port", 80}}));
  EXPECT_EQ(json["series"][0]["values"]["bytes"],
            Json::array({nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, 5}));
  EXPECT_EQ(store_.last_query.bucket_ms, 10'000);
  EXPECT_EQ(store_.last_query.limit, 3U);
  EXPECT_EQ(store_.last_query.filter_group_by, std::nullopt);
  EXPECT_EQ(Get("/api/v1/series").json()["step_ms"], 5'000);  // 15 minutes in at most 300 steps
}

TEST_F(ApiTest, SeriesOfWhatATableShows) {
  ASSERT_EQ(Get("/api/v1/series?filter=bytes%3E5&filter_group_by=flow").status, 200);
  EXPECT_TRUE(store_.last_query.filter_group_by.has_value() && store_.last_query.filter_group_by->empty());
  ASSERT_EQ(Get("/api/v1/series?filter=bytes%3E5&filter_group_by=server_port").status, 200);
  EXPECT_THAT(store_.last_query.filter_group_by,
              testing::Optional(testing::ElementsAre(model::FindColumn("server_port"))));
  EXPECT_EQ(Get("/api/v1/series?filter_group_by=bytes").json()["error"]["parameter"], "filter_group_by");
}

TEST_F(ApiTest, LiveReplaysFiltersAndStreams) {
  model::FlowRow row;
  row.start = clock_.WallMillis() - 1'000;
  row.end = clock_.WallMillis();
  row.server_port = 80;
  model::SetAttribute(row, "server_namespace", std::string("shop"));
  model::FlowRow other = row;
  other.server_port = 443;
  model::FlowRow elsewhere = row;
  model::SetAttribute(elsewhere, "server_namespace", std::string("web"));
  server_.live().Publish({elsewhere, row, other}, clock_.WallMillis());
  const Answer answer = Ask({.path = "/api/v1/live?replay=60s&filter=server_port%20%3D%2080&namespace=shop,bank",
                             .stop_after = "event: rows"});
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.at("content-type"), "text/event-stream");
  EXPECT_THAT(answer.body, AllOf(StartsWith("event: columns\ndata: {\"columns\":"), HasSubstr("\"server_port\": 80"),
                                 testing::Not(HasSubstr("\"server_port\": 443")),
                                 testing::Not(HasSubstr("\"server_namespace\": \"web\""))));
}

TEST_F(ApiTest, ColumnsStatusAndDescription) {
  const Json columns = Get("/api/v1/columns").json();
  EXPECT_EQ(columns["columns"].size(), model::kColumns.size());
  EXPECT_EQ(columns["columns"][2]["name"], "protocol");
  EXPECT_EQ(columns["columns"][2]["groupable"], true);
  for (const std::string name : {"process", "namespace", "netns"}) {
    EXPECT_THAT(columns["either_fields"],
                testing::Contains(Json({{"name", name}, {"columns", {"client_" + name, "server_" + name}}})));
  }
  EXPECT_THAT(columns["default_group_by"], testing::IsSupersetOf({"client_address", "client_process", "server_port"}));
  EXPECT_THAT(columns["default_group_by"], Not(testing::Contains("bytes")));

  server_.agents = {server::AgentStatus{}};
  server_.agents[0].node = "host1";
  const Json status = Get("/api/v1/status").json();
  EXPECT_EQ(status["time"], "2025-11-24T16:00:00.123Z");
  EXPECT_EQ(status["agents"][0]["stale"], true);
  EXPECT_GE(status["problems"].size(), 1U);

  const Json description = Get("/api/v1/openapi.json").json();
  EXPECT_EQ(description["openapi"], "3.1.0");
  EXPECT_EQ(description["paths"].size(), Routes().size());
  for (const Route& route : Routes()) {
    const Json& operation = description["paths"][std::string(route.path)][route.method == "GET" ? "get" : "post"];
    ASSERT_TRUE(operation.is_object()) << route.path;
    if (!route.parameters.empty()) {
      EXPECT_EQ(operation["parameters"].size(), route.parameters.size()) << route.path;
    }
    EXPECT_FALSE(route.summary.empty());
    for (const Parameter& parameter : route.parameters) EXPECT_FALSE(parameter.help.empty()) << parameter.name;
  }
}

const std::vector<std::string> kBatchHeaders = {"Content-Type: application/x-protobuf", "Content-Encoding: zstd",
                                                "X-Weir-Sent-At: 1764000000123"};

// Made from the route table: whatever is not a question itself answers while questions hang.
TEST_F(ApiTest, SlowQuestionsHoldUpNothingElse) {
  store_.Set([&] { store_.slow_questions = true; });
  std::vector<std::thread> asking;
  for (int i = 0; i < 8; ++i) asking.emplace_back([&] { EXPECT_EQ(Get("/api/v1/flows").status, 200); });
  while (store_.Get(&FakeStore::questions) < 4) std::this_thread::yield();
  size_t asked = 0;
  for (const Route& route : Routes()) {
    if (route.method != "GET" || route.lane == Lane::kQuestions || route.path == "/api/v1/live") continue;
    EXPECT_EQ(Get(std::string(route.path)).status, 200) << route.path;
    ++asked;
  }
  EXPECT_GE(asked, 6U);
  EXPECT_EQ(Get("/").status, 200);
  EXPECT_EQ(Ask({.method = "POST", .path = "/api/v1/ingest", .headers = kBatchHeaders, .body = "x"}).status, 200);
  EXPECT_THAT(Ask({.path = "/api/v1/live", .stop_after = "event: columns"}).body, HasSubstr("event: columns"));
  store_.LetGo();
  for (std::thread& thread : asking) thread.join();
}

TEST_F(ApiTest, AStoreThatDoesNotAnswerHoldsUpNoProbe) {
  store_.Set([&] { store_.slow_status = true; });
  const Answer status = Get("/api/v1/status");  // as it was told before
  EXPECT_EQ(status.status, 200);
  EXPECT_EQ(status.json()["store"]["as_of"], "2025-11-24T16:00:00.123Z");
  EXPECT_EQ(Get("/healthz").status, 200);
  EXPECT_EQ(Get("/readyz").status, 200);
  store_.LetGo();
}

TEST_F(ApiTest, HealthReadinessMetrics) {
  EXPECT_EQ(Get("/healthz").body, "ok");
  EXPECT_EQ(Get("/readyz").body, "ready");
  store_.Set([&] { store_.status->last_error = "DB::Exception: disk full"; });
  EXPECT_EQ(Get("/api/v1/status").json()["store"]["last_error"], "DB::Exception: disk full");
  EXPECT_EQ(Get("/readyz").status, 200);  // questions are answered, and the status page says what is wrong
  store_.Set([&] { store_.status = Status::Internal("DB::Exception: secret"); });
  EXPECT_EQ(Get("/api/v1/status").json()["store"]["last_error"], "DB::Exception: secret");
  const Answer unready = Get("/readyz");
  EXPECT_EQ(unready.status, 503);
  EXPECT_THAT(unready.body, Not(HasSubstr("secret")));
  EXPECT_THAT(Get("/metrics").headers.at("content-type"), StartsWith("text/plain; version=0.0.4"));
  const std::vector<std::string> open{"Accept: application/openmetrics-text; version=1.0.0"};
  const Answer metrics = Ask({.method = "GET", .path = "/metrics", .headers = open});
  EXPECT_THAT(metrics.headers.at("content-type"), StartsWith("application/openmetrics-text; version=1.0.0"));
  EXPECT_THAT(metrics.body, HasSubstr("weir_server_queries_created "));
  EXPECT_TRUE(metrics.body.ends_with("# EOF\n"));
  const Answer without = Ask({.method = "GET", .path = "/metrics?created=off", .headers = open});
  EXPECT_THAT(without.body, Not(HasSubstr("_created ")));
  EXPECT_EQ(Get("/metrics?created=maybe").status, 400);
}

TEST_F(ApiTest, IngestAnswersWhatTheServerDecides) {
  server_.ack = wire::Ack{.duplicate = false, .watermark = 17, .names = {}};
  const std::string body("\x00\x01zstd\xff", 7);
  const Answer answer = Ask({.method = "POST", .path = "/api/v1/ingest", .headers = kBatchHeaders, .body = body});
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.json(), Json({{"watermark", 17}, {"duplicate", false}}));
  EXPECT_EQ(server_.last_batch, body);
  EXPECT_EQ(server_.last_sent_at, 1'764'000'000'123);

  wire::Ack named{.duplicate = true, .watermark = 18, .names = {}};
  named.names = {{1, 2}, true, {{"u", "prod", "shop", "cart-1", "Deployment", "cart", {}}}, {}};
  server_.ack = named;
  std::vector<std::string> headers = kBatchHeaders;
  headers.push_back("Accept: application/x-protobuf, application/json");
  const Answer binary = Ask({.method = "POST", .path = "/api/v1/ingest", .headers = headers, .body = body});
  EXPECT_EQ(binary.headers.at("content-type"), "application/x-protobuf");
  const Result<wire::Ack> ack = wire::DecodeAck(binary.body);
  ASSERT_TRUE(ack.ok());
  EXPECT_EQ(ack->watermark, 18U);
  EXPECT_EQ(ack->names, named.names);

  const std::tuple<Status, long, const char*> cases[] = {
      {Status::Invalid("bad frame; check versions"), 400, "invalid"},
      {Status::Conflict("another agent is called host1; give --node"), 409, "conflict"},
      {Status::Exhausted("queue full"), 429, "busy"},
      {Status::Unavailable("the store refuses writes"), 503, "busy"},
  };
  for (const auto& [status, http, code] : cases) {
    server_.ack = status;
    const Answer refused = Ask({.method = "POST", .path = "/api/v1/ingest", .headers = kBatchHeaders, .body = "x"});
    EXPECT_EQ(refused.status, http);
    EXPECT_EQ(refused.json()["error"]["code"], code);
    EXPECT_EQ(refused.headers.contains("retry-after"), http == 429 || http == 503);
  }
}

TEST_F(ApiTest, IngestWantsItsHeadersAndBounds) {
  const auto post = [&](std::vector<std::string> headers, std::string body) {
    return Ask({.method = "POST", .path = "/api/v1/ingest", .headers = std::move(headers), .body = std::move(body)});
  };
  EXPECT_EQ(post({"Content-Type: text/plain", "X-Weir-Sent-At: 1"}, "x").status, 400);  // what a web page could send
  EXPECT_THAT(post({"Content-Type: application/x-protobuf"}, "x").body, HasSubstr("X-Weir-Sent-At"));
  EXPECT_EQ(post({"Content-Type: application/x-protobuf", "X-Weir-Sent-At: soon"}, "x").status, 400);
  EXPECT_EQ(post({"Content-Type: application/x-protobuf", "Content-Encoding: gzip", "X-Weir-Sent-At: 1"}, "x").status,
            400);
  EXPECT_EQ(server_.last_batch, "");
  EXPECT_EQ(post(kBatchHeaders, std::string(wire::kMaxEncodedBytes + 1, 'x')).status, 413);
  EXPECT_EQ(server_.last_batch, "");
  EXPECT_EQ(post(kBatchHeaders, std::string(wire::kMaxEncodedBytes, 'x')).status, 200);
  EXPECT_EQ(Get("/api/v1/ingest").status, 405);
}

TEST_F(ApiTest, AcknowledgementsMayComeLateOrNever) {
  server_.acknowledge_at_once = false;
  std::thread agent([&] {
    const Answer answer = Ask({.method = "POST", .path = "/api/v1/ingest", .headers = kBatchHeaders, .body = "x"});
    EXPECT_EQ(answer.json()["watermark"], 5);
  });
  const auto waiting = [&] {
    const std::lock_guard lock(server_.mutex);
    return server_.waiting.size();
  };
  while (waiting() == 0) std::this_thread::yield();
  EXPECT_EQ(Get("/healthz").status, 200);  // nobody else waits
  server_.waiting[0](wire::Ack{.duplicate = false, .watermark = 5});
  agent.join();

  std::thread unlucky([&] {
    EXPECT_EQ(Ask({.method = "POST", .path = "/api/v1/ingest", .headers = kBatchHeaders, .body = "y"}).status, 503);
  });
  while (waiting() == 1) std::this_thread::yield();
  api_->Stop();
  unlucky.join();
  server_.waiting[1](wire::Ack{});  // after the end: harmless
  api_.reset();
  server_.waiting.clear();
}

TEST_F(ApiTest, EveryGetRouteIsThereAndHasNoBodyForHead) {
  for (const Route& route : Routes()) {
    if (route.method != "GET" || route.path == "/api/v1/live") continue;
    const bool has_required = route.path == "/api/v1/nodes/series";
    const std::string question = has_required ? "?node=n1&signal=qdisc.drops" : "";
    const std::set<std::string_view> of_findings{"/api/v1/findings", "/api/v1/why", "/api/v1/loads", "/api/v1/health"};
    EXPECT_EQ(Get(std::string(route.path) + question).status, of_findings.contains(route.path) ? 400 : 200)
        << route.path << ": this test's store keeps no findings";
    const Answer wrong = Ask({.method = "POST", .path = std::string(route.path), .body = "x"});
    EXPECT_EQ(wrong.status, 405) << route.path;
    EXPECT_EQ(wrong.headers.at("allow"), "GET, HEAD");
  }
}

TEST_F(ApiTest, QuestionsAboutNodesAreChecked) {
  EXPECT_EQ(Get("/api/v1/nodes?node=nowhere").status, 404);
  const Answer slip = Get("/api/v1/nodes/series?node=n1&signal=qdisc.drop");
  EXPECT_EQ(slip.status, 400);
  EXPECT_EQ(slip.json()["error"]["parameter"], "signal");
  EXPECT_THAT(slip.json()["error"]["remedy"].get<std::string>(), HasSubstr("qdisc.drops"));
  EXPECT_EQ(Get("/api/v1/nodes/series?signal=qdisc.drops").json()["error"]["parameter"], "node");
  EXPECT_EQ(Get("/api/v1/nodes/series?node=n1&signal=qdisc.drops&step=1ms").json()["error"]["parameter"], "step");
  EXPECT_EQ(Get("/api/v1/nodes?node=" + std::string(300, 'x')).json()["error"]["parameter"], "node");
}

TEST_F(ApiTest, GateAndUi) {
  EXPECT_EQ(Ask({.path = "/api/v1/status", .headers = {"Host: evil.example"}}).status, 403);
  EXPECT_EQ(Ask({.path = "/", .headers = {"Host: evil.example"}}).json()["error"]["code"], "forbidden");
  EXPECT_EQ(Get("/api/v1/nothing").status, 404);
  const Answer page = Get("/");
  EXPECT_EQ(page.status, 200);
  EXPECT_THAT(page.headers.at("content-type"), StartsWith("text/html"));
  EXPECT_THAT(page.headers.at("content-security-policy"), StartsWith("default-src 'self'"));
}

// The files of test_ui/, embedded as the real UI's are.
TEST_F(ApiTest, EmbeddedFilesComeOutAsTheyWentIn) {
  EXPECT_EQ(Get("/").body, "<!doctype html>\n<title>test</title>\n");
  EXPECT_EQ(Get("/map").body, Get("/index.html").body);
  const Answer script = Get("/assets/index-Dk3x.js");
  EXPECT_EQ(script.body, "console.log(\"café\");\n");
  EXPECT_EQ(script.headers.at("content-type"), "text/javascript; charset=utf-8");
  EXPECT_THAT(script.headers.at("cache-control"), HasSubstr("immutable"));
  EXPECT_EQ(Ask({.path = "/assets/index-Dk3x.js", .headers = {"If-None-Match: " + script.headers.at("etag")}}).status,
            304);
  EXPECT_EQ(Get("/odd%20name.bin").body, std::string("\x00\x01\xff binary \"\\", 13));
  EXPECT_EQ(Get("/assets/empty.css").body, "");
  EXPECT_EQ(Get("/assets/gone.js").status, 404);
}

TEST_F(ApiTest, TokenOverTheWire) {
  api_.reset();
  options_.token = "word";
  Begin();
  EXPECT_EQ(Get("/api/v1/status").status, 401);
  EXPECT_EQ(Get("/healthz").status, 200);
  EXPECT_EQ(Ask({.path = "/api/v1/status", .headers = {"Authorization: Bearer word"}}).status, 200);
}

TEST_F(ApiTest, StartSaysWhyItDoesNot) {
  ApiOptions open_to_all;
  open_to_all.listen = "0.0.0.0:0";
  EXPECT_EQ(Api::Start(open_to_all, server_, store_, clock_).status().code(), Code::kInvalid);
  ApiOptions taken;
  taken.listen = api_->address();
  EXPECT_EQ(Api::Start(taken, server_, store_, clock_).status().code(), Code::kConflict);
  EXPECT_EQ(server_.live().sinks(), 1U);  // what failed to start has left nothing behind
}

}  // namespace
}  // namespace weir::api
