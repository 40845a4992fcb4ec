#include "telemetry/flow_records.h"

#include <gtest/gtest.h>

#include <map>

namespace weir::telemetry {
namespace {

std::map<std::string, std::string> Attributes(const otlp::LogRecord& record) {
  std::map<std::string, std::string> found;
  for (const otlp::Attribute& attribute : record.attributes()) {
    const otlp::Value& value = attribute.value();
    EXPECT_EQ(found.count(attribute.key()), 0U) << attribute.key();
    found[attribute.key()] = value.has_integer() ? std::to_string(value.integer()) : value.text();
  }
  return found;
}

model::FlowRow Row() {
  model::FlowRow row;
  row.start = 1'000;
  row.end = 2'000;
  row.protocol = "tcp";
  row.client_address = *model::Address::Parse("10.0.0.1");
  row.server_address = *model::Address::Parse("10.0.0.2");
  row.server_port = 8080;
  row.bytes_to_server = 123;
  auto client = std::make_shared<model::Entity>();
  client->namespace_ = "shop";
  client->pod = "web-1";
  row.client = client;
  return row;
}

TEST(FlowRecords, AnEventHasConventionalAttributesAndWhatIsKnown) {
  const std::vector<Encoded> requests = FlowRecords({Row()}, 2'500, {{"service.name", "weir"}});
  ASSERT_EQ(requests.size(), 1U);
  otlp::LogsRequest request;
  ASSERT_TRUE(request.ParseFromString(requests[0].body));
  const otlp::LogRecord& record = request.resource_logs(0).scope_logs(0).log_records(0);
  EXPECT_EQ(record.event_name(), "weir.flow");
  EXPECT_EQ(record.time_unix_nano(), 2'000'000'000U);
  EXPECT_EQ(record.observed_time_unix_nano(), 2'500'000'000U);
  EXPECT_EQ(record.severity_number(), 9);
  const std::map<std::string, std::string> expected{{"network.transport", "tcp"},    {"client.address", "10.0.0.1"},
                                                    {"server.address", "10.0.0.2"},  {"server.port", "8080"},
                                                    {"weir.bytes_to_server", "123"}, {"weir.client.namespace", "shop"},
                                                    {"weir.client.pod", "web-1"},    {"weir.interval_ms", "1000"}};
  EXPECT_EQ(Attributes(record), expected);
}

TEST(FlowRecords, RequestsSpeakTheWordsOfTheirProtocol) {
  model::FlowRow http = Row();
  http.application = "http1";
  http.operation = "POST";
  http.resource = "/v1/chat";
  http.result = "200";
  http.requests = 3;
  model::FlowRow dns = Row();
  dns.application = "dns";
  dns.resource = "db.shop.svc";
  otlp::LogsRequest request;
  ASSERT_TRUE(request.ParseFromString(FlowRecords({http, dns}, 1, {}).at(0).body));
  const auto& records = request.resource_logs(0).scope_logs(0).log_records();
  std::map<std::string, std::string> seen = Attributes(records[0]);
  EXPECT_EQ(seen["http.request.method"], "POST");
  EXPECT_EQ(seen["http.route"], "/v1/chat");
  EXPECT_EQ(seen["http.response.status_code"], "200");
  EXPECT_EQ(seen["weir.requests"], "3");
  EXPECT_EQ(Attributes(records[1])["dns.question.name"], "db.shop.svc");
}

TEST(FlowRecords, RequestsAreBounded) {
  const std::vector<Encoded> requests = FlowRecords(std::vector<model::FlowRow>(2'500, Row()), 1, {});
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_EQ(requests[2].items, 500U);
}

}  // namespace
}  // namespace weir::telemetry
