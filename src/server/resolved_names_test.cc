#include "server/resolved_names.h"

#include <gtest/gtest.h>

#include "base/metrics.h"

namespace weir::server {
namespace {

constexpr UnixMillis kNoon = 1'764'500'000'000;
constexpr uint32_t kTtl = 60;

model::ResolvedName Answer(const std::string& name, std::string_view address, const std::string& canonical = "") {
  model::ResolvedName resolved;
  resolved.address = *model::Address::Parse(address);
  resolved.name = name;
  resolved.canonical = canonical;
  resolved.ttl_s = kTtl;
  return resolved;
}

struct ResolvedNamesTest : testing::Test {
  std::string Find(uint64_t who, std::string_view address, UnixMillis at) {
    std::string text;
    for (const ResolvedAs* as : names.Find(who, *model::Address::Parse(address), at, at + 1'000)) {
      text += (text.empty() ? "" : " ") + as->name;
    }
    return text;
  }
  ResolvedNames names;
  const uint64_t pod = AskerOf("u1", "n1", 7);
  const uint64_t other = AskerOf("u2", "n1", 7);
};

TEST_F(ResolvedNamesTest, AnAnswerCountsForWhoReceivedIt) {
  names.Put(pod, Answer("models.example", "192.0.2.1", "edge.example.net"), kNoon);
  EXPECT_EQ(Find(pod, "192.0.2.1", kNoon), "models.example");
  EXPECT_EQ(names.Find(pod, *model::Address::Parse("192.0.2.1"), kNoon, kNoon + 1)[0]->canonical, "edge.example.net");
  EXPECT_EQ(Find(other, "192.0.2.1", kNoon), "");
  EXPECT_EQ(Find(pod, "192.0.2.2", kNoon), "");
  EXPECT_EQ(AskerOf("u1", "n2", 8), pod) << "a pod is one wherever it asks from";
  EXPECT_NE(AskerOf("", "n1", 7), AskerOf("", "n1", 8));
  EXPECT_NE(AskerOf("", "n1", 7), AskerOf("", "n2", 7));
}

TEST_F(ResolvedNamesTest, HoldsForItsTtlAndAGrace) {
  names.Put(pod, Answer("models.example", "192.0.2.1"), kNoon);
  constexpr int64_t kHolds = kTtl * 1'000 + ResolvedNames::kGraceMs;
  EXPECT_EQ(Find(pod, "192.0.2.1", kNoon + kHolds - 1), "models.example");
  EXPECT_EQ(Find(pod, "192.0.2.1", kNoon + kHolds), "");
  EXPECT_EQ(Find(pod, "192.0.2.1", kNoon - 2'000), "") << "it was not asked for yet";
  names.Put(pod, Answer("models.example", "192.0.2.1"), kNoon + 100'000);
  EXPECT_EQ(Find(pod, "192.0.2.1", kNoon + kHolds), "models.example");
  names.Expire(kNoon + 100'000 + kHolds + 1);
  EXPECT_EQ(names.size(), 0U);
}

TEST_F(ResolvedNamesTest, OfSeveralNamesTheNewestAnswerComesFirst) {
  names.Put(pod, Answer("a.example", "192.0.2.1"), kNoon);
  names.Put(pod, Answer("b.example", "192.0.2.1"), kNoon + 1'000);
  EXPECT_EQ(Find(pod, "192.0.2.1", kNoon + 2'000), "b.example a.example");
  names.Put(pod, Answer("a.example", "192.0.2.1"), kNoon + 3'000);
  EXPECT_EQ(Find(pod, "192.0.2.1", kNoon + 4'000), "a.example b.example");
  for (int i = 0; i < 20; ++i) names.Put(pod, Answer("n" + std::to_string(i), "192.0.2.1"), kNoon + 5'000);
  EXPECT_EQ(names.Find(pod, *model::Address::Parse("192.0.2.1"), kNoon + 5'000, kNoon + 6'000).size(),
            ResolvedNames::kMaxNames);
}

TEST_F(ResolvedNamesTest, IsBoundedTheOldestGoFirst) {
  const uint64_t before = Read(Metric::server_names_full);
  for (uint32_t i = 0; i < ResolvedNames::kMaxAddresses + 1; ++i) {
    model::ResolvedName resolved = Answer("n", "192.0.2.1");
    resolved.address = model::Address::FromV4(__builtin_bswap32(0x0a000000 + i));
    names.Put(pod, resolved, kNoon + i);
  }
  EXPECT_LT(names.size(), ResolvedNames::kMaxAddresses);
  EXPECT_GT(names.size(), ResolvedNames::kMaxAddresses * 8 / 10);
  EXPECT_GT(Read(Metric::server_names_full), before);
  EXPECT_EQ(Find(pod, "10.0.0.0", kNoon + 1'000), "");
  EXPECT_EQ(Find(pod, "10.3.13.64", kNoon + 200'000), "n");
}

}  // namespace
}  // namespace weir::server
