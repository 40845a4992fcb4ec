#include "agent/export/http_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "wire/ack_codec.h"

namespace weir::agent {
namespace {

using testing::HasSubstr;

class FakeClient final : public net::HttpClient {
 public:
  Result<net::ClientResponse> Send(const net::ClientRequest& request) override {
    requests.push_back(request);
    if (answers.empty()) return Status::Unavailable("connection refused");
    Result<net::ClientResponse> answer = answers.front();
    answers.pop_front();
    return answer;
  }
  Status Stream(const net::ClientRequest&, const std::function<bool(std::string_view)>&) override {
    return Status::Internal("not used by a sink");
  }
  std::vector<net::ClientRequest> requests;
  std::deque<Result<net::ClientResponse>> answers;
};

struct HttpSinkTest : testing::Test {
  HttpSinkTest() {
    auto owned = std::make_unique<FakeClient>();
    client = owned.get();
    sink = *HttpSink::Create("http://server:7600/", std::move(owned), clock);
  }
  Result<wire::Ack> Answer(int status, std::string body, std::map<std::string, std::string> headers = {}) {
    client->answers.push_back(net::ClientResponse{status, std::move(headers), std::move(body)});
    return sink->Send("batch", 1'234);
  }
  FakeClock clock;
  FakeClient* client = nullptr;
  std::unique_ptr<HttpSink> sink;
};

TEST_F(HttpSinkTest, PostsTheBatchAsTheApiSays) {
  ASSERT_TRUE(Answer(200, R"({"watermark": 17, "duplicate": false})").ok());
  const net::ClientRequest& request = client->requests.at(0);
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.url, "http://server:7600/api/v1/ingest");
  EXPECT_EQ(request.body, "batch");
  EXPECT_EQ(request.headers.at("Content-Type"), "application/x-protobuf");
  EXPECT_EQ(request.headers.at("Content-Encoding"), "zstd");
  EXPECT_EQ(request.headers.at("X-Weir-Sent-At"), "1234");
}

TEST_F(HttpSinkTest, ReadsTheAcknowledgement) {
  auto ack = Answer(200, R"({"watermark": 18446744073709551615, "duplicate": true, "later": {"more": 1}})");
  ASSERT_TRUE(ack.ok()) << ack.status().message();
  EXPECT_EQ(ack->watermark, UINT64_MAX);
  EXPECT_TRUE(ack->duplicate);
}

TEST_F(HttpSinkTest, ReadsTheAcknowledgementWithNamesOfANewerServer) {
  wire::Ack said{true, 17, {}};
  said.names = {{1, 2}, true, {{"u", "prod", "shop", "cart-1", "Deployment", "cart", {}}}, {}};
  const auto ack = Answer(200, *wire::EncodeAck(said), {{"content-type", "application/x-protobuf"}});
  ASSERT_TRUE(ack.ok()) << ack.status().message();
  EXPECT_EQ(ack->watermark, 17U);
  EXPECT_TRUE(ack->duplicate);
  EXPECT_EQ(ack->names, said.names);
  EXPECT_EQ(client->requests.at(0).headers.at("Accept"), "application/x-protobuf, application/json");
  EXPECT_EQ(Answer(200, "\xff", {{"content-type", "application/x-protobuf"}}).status().code(), Code::kUnavailable);
}

TEST_F(HttpSinkTest, WhatIsNoAcknowledgementKeepsTheBatch) {
  for (const char* body : {"", "ok", "[]", "null", "{}", R"({"watermark": 1})",
                           R"({"watermark": -1, "duplicate": false})", R"({"watermark": 1.5, "duplicate": false})",
                           R"({"watermark": 1, "duplicate": 0})", "<html>captive portal</html>"}) {
    SCOPED_TRACE(body);
    EXPECT_EQ(Answer(200, body).status().code(), Code::kUnavailable);
  }
}

TEST_F(HttpSinkTest, MapsEveryStatus) {
  const std::pair<int, Code> cases[] = {
      {400, Code::kInvalid},     {413, Code::kInvalid},     {415, Code::kInvalid},     {409, Code::kConflict},
      {401, Code::kDenied},      {403, Code::kDenied},      {404, Code::kUnavailable}, {405, Code::kUnavailable},
      {429, Code::kUnavailable}, {500, Code::kUnavailable}, {503, Code::kUnavailable}, {302, Code::kUnavailable},
      {204, Code::kUnavailable},
  };
  for (const auto& [status, code] : cases) EXPECT_EQ(Answer(status, "").status().code(), code) << status;
}

TEST_F(HttpSinkTest, TellsWhatTheServerSaid) {
  EXPECT_EQ(Answer(409, R"({"error": {"code": "conflict", "message": "node name in use", "remedy": "rename"}})")
                .status()
                .message(),
            "http://server:7600/api/v1/ingest answered 409: node name in use (rename)");
  EXPECT_THAT(Answer(401, "").status().message(), HasSubstr("--token-file"));
  EXPECT_THAT(Answer(404, "nothing here").status().message(), HasSubstr("nothing here; is this the address"));
  const std::string hostile = Answer(500, "\x1B[2J" + std::string(10'000, 'x')).status().message();
  EXPECT_EQ(hostile.find('\x1B'), std::string::npos);
  EXPECT_LT(hostile.size(), 500U);
}

TEST_F(HttpSinkTest, NoAnswerIsUnavailableAndAnUntrustedServerIsDenied) {
  EXPECT_EQ(sink->Send("batch", 1).status().code(), Code::kUnavailable);
  client->answers.push_back(Status::Denied("certificate"));
  EXPECT_EQ(sink->Send("batch", 1).status().code(), Code::kDenied);
  client->answers.push_back(Status::Exhausted("endless answer"));
  EXPECT_EQ(sink->Send("batch", 1).status().code(), Code::kUnavailable);
}

TEST_F(HttpSinkTest, WaitsAsLongAsTheServerAsks) {
  EXPECT_FALSE(Answer(503, "", {{"retry-after", "3"}}).ok());
  clock.Advance(2'999'999'999);
  EXPECT_EQ(sink->Send("batch", 1).status().code(), Code::kUnavailable);
  EXPECT_EQ(client->requests.size(), 1U) << "it was not asked";
  clock.Advance(1);
  EXPECT_TRUE(Answer(200, R"({"watermark": 1, "duplicate": false})").ok());
}

TEST_F(HttpSinkTest, DoesNotWaitForeverBecauseAServerAsks) {
  EXPECT_FALSE(Answer(503, "", {{"retry-after", "99999999999"}}).ok());
  clock.Advance(30'000'000'000);
  EXPECT_TRUE(Answer(200, R"({"watermark": 1, "duplicate": false})").ok());
  for (const char* nonsense : {"-5", "soon", "Wed, 21 Oct 2026 07:28:00 GMT", "99999999999999999999999", ""}) {
    EXPECT_FALSE(Answer(503, "", {{"retry-after", nonsense}}).ok());
    EXPECT_TRUE(Answer(200, R"({"watermark": 1, "duplicate": false})").ok()) << nonsense;
  }
}

TEST_F(HttpSinkTest, AfterAbortNothingIsSent) {
  ASSERT_TRUE(Answer(200, R"({"watermark": 1, "duplicate": false})").ok());
  ASSERT_NE(client->requests[0].abort, nullptr);
  EXPECT_FALSE(*client->requests[0].abort);
  sink->Abort();
  EXPECT_TRUE(*client->requests[0].abort) << "a request under way is told";
  EXPECT_EQ(sink->Send("batch", 1).status().code(), Code::kUnavailable);
  EXPECT_EQ(client->requests.size(), 1U);
}

TEST(HttpSink, RefusesAServerThatIsNoUrl) {
  const FakeClock clock;
  for (const char* server : {"", "server:7600", "ftp://server"}) {
    EXPECT_EQ(HttpSink::Create(server, std::make_unique<FakeClient>(), clock).status().code(), Code::kInvalid);
  }
}

}  // namespace
}  // namespace weir::agent
