#include "agent/source/namespace_table.h"

#include <gtest/gtest.h>

#include "base/metrics.h"

namespace weir::agent::source {
namespace {

constexpr Nanos kSecond = 1'000'000'000;
constexpr uint32_t kHost = 1;
const std::string kPod = "0a1b2c3d-4e5f-6789-abcd-ef0123456789";
const std::string kOtherPod = "1a1b2c3d-4e5f-6789-abcd-ef0123456789";

model::Address Ip(std::string_view text) { return *model::Address::Parse(text); }

model::SideReport Report(uint32_t netns, std::string_view address, const std::string& pod = "",
                         model::Side side = model::Side::kClient) {
  model::SideReport report;
  report.ends.netns = netns;
  report.ends.side = side;
  (side == model::Side::kClient ? report.ends.client_address : report.ends.server_address) = Ip(address);
  report.identity.pod_uid = pod;
  return report;
}

const model::NetNamespace* FindIn(const std::vector<model::NetNamespace>& spaces, uint32_t inode) {
  for (const model::NetNamespace& space : spaces) {
    if (space.inode == inode) return &space;
  }
  return nullptr;
}

TEST(NamespaceTable, FlowsTellOfNamespacesAtOnce) {
  NamespaceTable table(kHost);
  table.Learn(0, {Report(7, "10.1.0.2", kPod), Report(7, "127.0.0.1", kPod), Report(7, "fe80::1", kPod),
                  Report(0, "10.9.9.9"), Report(kHost, "192.0.2.1", "", model::Side::kServer)});
  const auto told = table.Take(0);
  ASSERT_EQ(told.size(), 2U);
  const model::NetNamespace pod{7, "", false, kPod, {Ip("10.1.0.2")}};
  ASSERT_NE(FindIn(told, 7), nullptr);
  EXPECT_EQ(*FindIn(told, 7), pod);
  ASSERT_NE(FindIn(told, kHost), nullptr);
  EXPECT_TRUE(FindIn(told, kHost)->is_host);
}

TEST(NamespaceTable, TellsChangesAtOnceAndAllEveryTenSeconds) {
  NamespaceTable table(kHost);
  table.Learn(0, {Report(7, "10.1.0.2"), Report(8, "10.1.0.3")});
  EXPECT_EQ(table.Take(0).size(), 2U);
  table.Learn(kSecond, {Report(7, "10.1.0.2")});
  EXPECT_TRUE(table.Take(kSecond).empty());
  table.Learn(2 * kSecond, {Report(8, "10.1.0.3", kPod)});
  const auto changed = table.Take(2 * kSecond);
  ASSERT_EQ(changed.size(), 1U);
  EXPECT_EQ(changed[0].pod_uid, kPod);
  EXPECT_EQ(table.Take(10 * kSecond).size(), 2U);
}

TEST(NamespaceTable, AReadingReplacesAddressesAndEndsWhatItDoesNotList) {
  NamespaceTable table(kHost);
  table.Learn(0, {Report(7, "10.1.0.2"), Report(8, "10.1.0.3")});
  table.Take(0);
  table.Read(kSecond, {{7, "blue", false, kPod, {Ip("10.1.0.9")}}}, true);
  const auto told = table.Take(kSecond);
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(*FindIn(told, 7), (model::NetNamespace{7, "blue", false, kPod, {Ip("10.1.0.9")}}));
  EXPECT_EQ(*FindIn(told, 8), (model::NetNamespace{8, "", false, "", {}})) << "gone";
  EXPECT_EQ(table.size(), 1U);
}

TEST(NamespaceTable, AnIncompleteReadingEndsNothing) {
  NamespaceTable table(kHost);
  table.Learn(0, {Report(8, "10.1.0.3")});
  table.Take(0);
  table.Read(kSecond, {{7, "", false, "", {Ip("10.1.0.9")}}}, false);
  EXPECT_EQ(table.size(), 2U);
  table.Read(2 * kSecond, {}, true);
  EXPECT_EQ(table.size(), 2U) << "nothing was read this time";
}

TEST(NamespaceTable, OneOfSeveralAgentsTellsOfItsOwnNamespaces) {
  NamespaceTable table(kHost, /*only_seen=*/true);
  table.Learn(0, {Report(7, "10.1.0.2")});
  table.Read(0, {{7, "mine", false, "", {Ip("10.1.0.2"), Ip("10.1.7.2")}}, {8, "", false, "", {Ip("10.1.0.9")}}}, true);
  const auto told = table.Take(0);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].name, "mine");
  EXPECT_EQ(told[0].addresses.size(), 2U);
}

TEST(NamespaceTable, ANumberThatIsReusedAtOnceIsToldAsTheNewOne) {
  NamespaceTable table(kHost);
  table.Learn(0, {Report(8, "10.1.0.3", kPod)});
  table.Take(0);
  table.Read(kSecond, {{7, "", false, "", {Ip("10.1.0.9")}}}, true);
  table.Learn(kSecond, {Report(8, "10.1.0.3", kOtherPod)});
  const auto told = table.Take(kSecond);
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(FindIn(told, 8)->pod_uid, kOtherPod);
}

TEST(NamespaceTable, PodsThatShareANamespaceDoNotOwnIt) {
  NamespaceTable table(kHost);
  table.Learn(0, {Report(7, "10.1.0.2", kPod), Report(kHost, "192.0.2.1", kPod)});
  table.Learn(0, {Report(7, "10.1.0.2", kOtherPod)});
  table.Learn(0, {Report(7, "10.1.0.2", kPod)});
  const auto told = table.Take(0);
  EXPECT_EQ(FindIn(told, 7)->pod_uid, "");
  EXPECT_EQ(FindIn(told, kHost)->pod_uid, "");
}

TEST(NamespaceTable, WhatNothingIsHeardOfLapses) {
  NamespaceTable table(kHost);
  table.Learn(0, {Report(7, "10.1.0.2"), Report(8, "10.1.0.3")});
  table.Take(0);
  table.Learn(50 * kSecond, {Report(8, "10.1.0.4")});
  EXPECT_EQ(FindIn(table.Take(50 * kSecond), 8)->addresses.size(), 2U);
  const auto told = table.Take(61 * kSecond);
  EXPECT_TRUE(FindIn(told, 7)->addresses.empty());
  EXPECT_EQ(FindIn(told, 8)->addresses, (std::vector{Ip("10.1.0.4")}));
  EXPECT_EQ(table.size(), 1U);
}

TEST(NamespaceTable, IsBoundedAndCountsWhatDoesNotFit) {
  NamespaceTable table(kHost);
  const uint64_t before = weir::Read(Metric::agent_namespaces_full);
  std::vector<model::SideReport> reports;
  for (uint32_t i = 0; i < model::kMaxNamespaceAddresses + 3; ++i) {
    model::SideReport report = Report(7, "10.0.0.0");
    report.ends.client_address.bytes[14] = static_cast<uint8_t>(i >> 8);
    report.ends.client_address.bytes[15] = static_cast<uint8_t>(i);
    reports.push_back(report);
  }
  for (uint32_t i = 0; i < model::kMaxBatchNamespaces; ++i) reports.push_back(Report(100 + i, "10.1.0.2"));
  table.Learn(0, reports);
  EXPECT_EQ(table.size(), model::kMaxBatchNamespaces);
  EXPECT_EQ(weir::Read(Metric::agent_namespaces_full) - before, 4U);
  EXPECT_EQ(FindIn(table.Take(0), 7)->addresses.size(), model::kMaxNamespaceAddresses);
}

}  // namespace
}  // namespace weir::agent::source
