#include "agent/identity/end_owners.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::agent::identity {
namespace {

constexpr uint64_t kRoot = 1;
constexpr uint64_t kUnit = 77;

TEST(EndOwnersTest, WhoeverIsGoneIsTakenForTheLastWhoAnswered) {
  EndOwners owners;
  EXPECT_EQ(owners.Settle(kRoot, 7, "curl", kRoot), kRoot) << "nobody has answered yet";
  EXPECT_EQ(owners.Settle(kRoot, 7, "curl", kUnit), kUnit);
  EXPECT_EQ(owners.Settle(kRoot, 7, "curl", kRoot), kUnit);
  EXPECT_EQ(owners.Settle(kRoot, 7, "wget", kRoot), kRoot) << "another program";
  EXPECT_EQ(owners.Settle(kRoot, 8, "curl", kRoot), kRoot) << "another namespace";
  EXPECT_EQ(owners.Settle(9, 7, "curl", 9), 9U) << "another control group";
}

TEST(EndOwnersTest, OfTwoOwnersNeitherIsGuessed) {
  EndOwners owners;
  (void)owners.Settle(kRoot, 7, "curl", kUnit);
  EXPECT_EQ(owners.Settle(kRoot, 7, "curl", 78), 78U);
  EXPECT_EQ(owners.Settle(kRoot, 7, "curl", kRoot), kRoot);
  for (uint32_t i = 0; i < EndOwners::kMemory; ++i) {
    owners.Expire();
    (void)owners.Settle(kRoot, 7, "curl", 78);
  }
  EXPECT_EQ(owners.Settle(kRoot, 7, "curl", kRoot), 78U) << "the other has not been heard of for long";
}

TEST(EndOwnersTest, AnAnswerIsNotForEver) {
  EndOwners owners;
  (void)owners.Settle(kRoot, 7, "curl", kUnit);
  for (uint32_t i = 0; i < EndOwners::kMemory; ++i) owners.Expire();
  EXPECT_EQ(owners.Settle(kRoot, 7, "curl", kRoot), kRoot);
}

TEST(EndOwnersTest, RemembersABoundedNumber) {
  EndOwners owners;
  for (size_t i = 0; i <= EndOwners::kMaxEnds; ++i) (void)owners.Settle(kRoot, 7, "p" + std::to_string(i), kUnit);
  EXPECT_EQ(owners.Settle(kRoot, 7, "p0", kRoot), kRoot);
  EXPECT_EQ(owners.Settle(kRoot, 7, "p" + std::to_string(EndOwners::kMaxEnds), kRoot), kUnit);
}

}  // namespace
}  // namespace weir::agent::identity
