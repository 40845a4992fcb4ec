#include "agent/source/local_addresses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::agent::source {
namespace {

constexpr Nanos kSecond = 1'000'000'000;

model::Address Parse(std::string_view text) { return *model::Address::Parse(text); }

model::SideReport Report(model::Side side, std::string_view client, std::string_view server) {
  model::SideReport report;
  report.ends.side = side;
  report.ends.client_address = Parse(client);
  report.ends.server_address = Parse(server);
  return report;
}

std::vector<model::Address> Interfaces() { return {Parse("198.51.100.7"), Parse("127.0.0.1")}; }

TEST(LocalAddresses, AreTheReportingEndsWithoutLoopback) {
  LocalAddresses addresses(Interfaces);
  addresses.Learn(kSecond, {Report(model::Side::kClient, "192.0.2.1", "192.0.2.99"),
                            Report(model::Side::kServer, "192.0.2.98", "2001:db8::7"),
                            Report(model::Side::kClient, "127.0.0.1", "127.0.0.1"),
                            Report(model::Side::kClient, "0.0.0.0", "192.0.2.99")});
  const auto list = addresses.List();
  EXPECT_THAT(list, testing::Contains(Parse("192.0.2.1")));
  EXPECT_THAT(list, testing::Contains(Parse("2001:db8::7")));
  EXPECT_THAT(list, testing::Contains(Parse("198.51.100.7"))) << "of an interface without flows";
  for (const char* other : {"192.0.2.99", "192.0.2.98", "127.0.0.1", "0.0.0.0"}) {
    EXPECT_THAT(list, testing::Not(testing::Contains(Parse(other)))) << other;
  }
  EXPECT_TRUE(std::is_sorted(list.begin(), list.end()));
}

TEST(LocalAddresses, AreForgottenAfterMinutesWithoutFlows) {
  LocalAddresses addresses(Interfaces);
  addresses.Learn(kSecond, {Report(model::Side::kClient, "192.0.2.1", "192.0.2.99")});
  addresses.Learn(200 * kSecond, {});
  EXPECT_THAT(addresses.List(), testing::Contains(Parse("192.0.2.1")));
  addresses.Learn(400 * kSecond, {});
  EXPECT_THAT(addresses.List(), testing::Not(testing::Contains(Parse("192.0.2.1"))));
}

}  // namespace
}  // namespace weir::agent::source
