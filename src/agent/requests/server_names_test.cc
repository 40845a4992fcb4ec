#include "agent/requests/server_names.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::agent::requests {
namespace {

TEST(ServerNamesTest, APointersNextSocketDoesNotInheritItsName) {
  ServerNames names({});
  names.Put(0x1000, 50, {"shop.example", ""});
  const uint32_t found = names.Find(0x1000, 40, 60);
  ASSERT_NE(found, 0U);
  EXPECT_EQ(names.Name(found).server_name, "shop.example");
  EXPECT_EQ(names.Name(found).application, "tls");
  EXPECT_EQ(names.Find(0x1000, 51, 60), 0U) << "born later";
  EXPECT_EQ(names.Find(0x1000, 40, 49), 0U) << "a record older than the name";
  EXPECT_EQ(names.Find(0x2000, 40, 60), 0U);
  names.Forget(0x1000, 60);
  EXPECT_EQ(names.Find(0x1000, 40, 60), 0U);
}

TEST(ServerNamesTest, TheNextSocketsNameMayComeBeforeTheEndOfTheLastOne) {
  ServerNames names({});
  names.Put(0x1000, 50, {"first.example", ""});
  names.Put(0x1000, 90, {"second.example", ""});
  const uint32_t first = names.Find(0x1000, 40, 80);
  ASSERT_NE(first, 0U);
  EXPECT_EQ(names.Name(first).server_name, "first.example");
  names.Forget(0x1000, 80);
  EXPECT_EQ(names.Find(0x1000, 40, 80), 0U);
  const uint32_t second = names.Find(0x1000, 85, 100);
  ASSERT_NE(second, 0U);
  EXPECT_EQ(names.Name(second).server_name, "second.example");
  names.Forget(0x1000, 100);
  EXPECT_EQ(names.size(), 0U);
}

TEST(ServerNamesTest, ManySocketsInOnePlaceKeepTheirOwnNames) {
  ServerNames names({});
  constexpr uint64_t kSockets = 100;
  const auto name_of = [](uint64_t i) { return "host" + std::to_string(i) + ".example"; };
  for (uint64_t i = 1; i <= kSockets; ++i) names.Put(0x1000, 10 * i, {name_of(i), ""});
  for (uint64_t i = 1; i <= kSockets; ++i) {
    EXPECT_EQ(names.Name(names.Find(0x1000, 10 * i - 1, 10 * i + 8)).server_name, name_of(i));
    names.Forget(0x1000, 10 * i + 8);
  }
  EXPECT_EQ(names.size(), 0U);
}

TEST(ServerNamesTest, OfSocketsNobodyAsksAboutOnlyTheNewestAreKept) {
  ServerNames names({});
  for (uint64_t i = 1; i <= 2 * ServerNames::kMaxPerSocket; ++i) names.Put(0x1000, i, {"one.example", ""});
  EXPECT_EQ(names.size(), ServerNames::kMaxPerSocket);
  EXPECT_EQ(names.Find(0x1000, 1, ServerNames::kMaxPerSocket), 0U);
  EXPECT_NE(names.Find(0x1000, 1, ServerNames::kMaxPerSocket + 1), 0U);
}

TEST(ServerNamesTest, OneNameWithOtherProtocolsIsAnother) {
  ServerNames names({});
  names.Put(1, 10, {"shop.example", "h2,http/1.1"});
  names.Put(2, 10, {"shop.example", "http/1.1"});
  names.Put(3, 10, {"shop.example", "http/1.1"});
  EXPECT_EQ(names.Name(names.Find(1, 5, 20)).alpn, "h2,http/1.1");
  EXPECT_EQ(names.Name(names.Find(2, 5, 20)).alpn, "http/1.1");
  EXPECT_EQ(names.Find(2, 5, 20), names.Find(3, 5, 20));
}

TEST(ServerNamesTest, NewsAreReadBeforeTheAnswer) {
  ServerNames* self = nullptr;
  ServerNames names([&self] { self->Put(7, 10, {"late.example", ""}); });
  self = &names;
  EXPECT_NE(names.Find(7, 5, 20), 0U);
}

TEST(ServerNamesTest, EqualNamesHaveOneNumberAndRoomIsMadeOfOldOnes) {
  ServerNames names({});
  for (uint64_t socket = 1; socket <= ServerNames::kMaxTold; ++socket) names.Put(socket, 1, {"one.example", ""});
  EXPECT_EQ(names.Find(1, 0, 2), names.Find(2, 0, 2));
  names.Put(1'000'000, 2, {"two.example", ""});
  EXPECT_EQ(names.Find(1'000'000, 0, 9), 0U) << "full";
  names.Put(1'000'001, 700'000'000'000, {"two.example", ""});
  EXPECT_NE(names.Find(1'000'001, 0, 700'000'000'001), 0U);
  EXPECT_EQ(names.size(), 1U);
}

}  // namespace
}  // namespace weir::agent::requests
