#include "agent/metrics/endpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <fstream>
#include <thread>

#include "agent/kernel/unique_fd.h"
#include "agent/metrics/instance_id.h"
#include "net/http_client.h"

namespace weir::agent::metrics {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

constexpr MetricFamily kFamily{"weir_things", FamilyType::kCounter, "", "name", "", "Things."};

struct EndpointTest : testing::Test {
  void SetUp() override {
    Result<std::unique_ptr<Endpoint>> started =
        Endpoint::Start("127.0.0.1:0", {.visit = [this](MetricVisitor& visitor) { Visit(visitor); },
                                        .ill = [this] { return ill ? "nothing was collected for 40 s" : ""; },
                                        .not_ready = [this] { return ready ? "" : "no interval has ended yet"; }});
    ASSERT_TRUE(started.ok()) << started.status().message();
    endpoint = *std::move(started);
  }
  void Visit(MetricVisitor& visitor) const {
    visitor.Begin(kFamily);
    for (size_t i = 0; i < samples; ++i) {
      const std::string name = std::to_string(i) + std::string(100, 'x');
      visitor.Add(std::array<std::string_view, 1>{name}, 1, 0);
    }
  }
  net::ClientResponse Get(const std::string& path, std::map<std::string, std::string> headers = {}) const {
    net::ClientRequest request;
    request.url = "http://" + endpoint->address() + path;
    request.headers = std::move(headers);
    Result<net::ClientResponse> answer = net::HttpClient::Create({})->Send(request);
    EXPECT_TRUE(answer.ok()) << answer.status().message();
    return answer.ok() ? *std::move(answer) : net::ClientResponse{};
  }
  size_t samples = 3;
  std::atomic<bool> ill = false;
  std::atomic<bool> ready = false;
  std::unique_ptr<Endpoint> endpoint;
};

TEST_F(EndpointTest, ServesMetricsAndHealth) {
  EXPECT_THAT(Get("/metrics").body, HasSubstr("weir_things_total{name=\"2xxx"));
  EXPECT_EQ(Get("/healthz").status, 200);
  EXPECT_EQ(Get("/readyz").status, 503);
  EXPECT_THAT(Get("/readyz").body, HasSubstr("no interval"));
  ready = ill = true;
  EXPECT_EQ(Get("/readyz").status, 200);
  EXPECT_EQ(Get("/healthz").status, 503);
  EXPECT_THAT(Get("/").body, HasSubstr("/metrics"));
  EXPECT_EQ(Get("/nothing").status, 404);
}

TEST_F(EndpointTest, AForeignPageMayNotAsk) {
  EXPECT_EQ(Get("/metrics", {{"Host", "evil.example"}}).status, 403);
  EXPECT_EQ(Get("/metrics", {{"Host", "localhost:9101"}}).status, 200);
}

TEST_F(EndpointTest, ATakenPortIsSaidWithTheRemedy) {
  const auto second = Endpoint::Start(endpoint->address(), {});
  EXPECT_EQ(second.status().code(), Code::kConflict);
  EXPECT_THAT(second.status().message(), HasSubstr("choose another --metrics-listen address"));
  EXPECT_EQ(Endpoint::Start("nonsense", {}).status().code(), Code::kInvalid);
}

TEST_F(EndpointTest, ScrapersThatStopReadingHarmNobody) {
  samples = 20'000;  // more than sockets buffer
  std::vector<kernel::UniqueFd> stuck;
  for (int i = 0; i < 8; ++i) {
    kernel::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int small = 4'096;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port =
        htons(static_cast<uint16_t>(std::stoi(endpoint->address().substr(endpoint->address().rfind(':') + 1))));
    ASSERT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
    const std::string request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    ASSERT_EQ(::send(fd.get(), request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
    stuck.push_back(std::move(fd));
  }
  std::vector<std::thread> scrapers;
  std::atomic<int> complete = 0;
  for (int i = 0; i < 3; ++i) {
    scrapers.emplace_back([&] {
      if (Get("/metrics").body.size() > samples * 100) ++complete;
    });
  }
  for (std::thread& scraper : scrapers) scraper.join();
  EXPECT_EQ(complete, 3);
}

TEST(InstanceId, IsWhatTheFirmwareSays) {
  const fs::path sys = fs::temp_directory_path() / ("weir-dmi-" + std::to_string(::getpid()));
  const fs::path tables = sys / "class" / "dmi" / "id";
  fs::create_directories(tables);
  const auto write = [&](const char* file, const std::string& text) { std::ofstream(tables / file) << text; };
  EXPECT_EQ(ReadInstanceId(sys), "");
  write("product_uuid", "EC2D1B7F-0000-4000-8000-0123456789AB\n");
  EXPECT_EQ(ReadInstanceId(sys), "ec2d1b7f-0000-4000-8000-0123456789ab");
  write("board_asset_tag", "Asset 7 \"x\"\n");
  EXPECT_EQ(ReadInstanceId(sys), "ec2d1b7f-0000-4000-8000-0123456789ab");
  write("board_asset_tag", "i-0123456789abcdef0\n");
  EXPECT_EQ(ReadInstanceId(sys), "i-0123456789abcdef0");
  fs::remove_all(sys);
}

}  // namespace
}  // namespace weir::agent::metrics
