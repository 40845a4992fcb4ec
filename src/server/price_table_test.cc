#include "server/price_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::server {
namespace {

using testing::HasSubstr;

constexpr uint64_t kGib = uint64_t{1} << 30;
constexpr uint64_t kCent = 10'000'000;  // billionths of a dollar

std::string Reason(std::string_view yaml) { return PriceTable::Parse(yaml).status().message(); }

TEST(PriceTable, OfRulesOfOneNameTheFirstThatMatchesAndNamesAddUp) {
  const Result<PriceTable> table = PriceTable::Parse(R"(
dated: 2026-11-30
source: https://example.org/prices
rules:
  - {name: egress, locality: internet, direction: out, region: eu-central-1, usd_per_gib: 0.08}
  - {name: nat, locality: internet, direction: both, usd_per_gib: 0.04}
  - {name: egress, locality: internet, direction: out, usd_per_gib: 0.09}
  - {name: zone, locality: inter_zone, direction: both, usd_per_gib: 0.02}
  - {name: store, locality: cloud_service, cloud_service: object_store, direction: in, usd_per_gib: 0.01}
)");
  ASSERT_TRUE(table.ok()) << table.status().message();
  EXPECT_EQ(table->dated_ms(), 1'795'996'800'000);
  EXPECT_EQ(table->NanoDollars({"internet", "eu-central-1", "", kGib, 2 * kGib}), 8 * kCent + 12 * kCent);
  EXPECT_EQ(table->NanoDollars({"internet", "us-east-1", "", kGib, 0}), 9 * kCent + 4 * kCent);
  EXPECT_EQ(table->NanoDollars({"inter_zone", "us-east-1", "", kGib, kGib}), 4 * kCent);
  EXPECT_EQ(table->NanoDollars({"cloud_service", "", "object_store", kGib, 3 * kGib}), 3 * kCent);
  EXPECT_EQ(table->NanoDollars({"cloud_service", "", "database", kGib, kGib}), 0U);
  EXPECT_EQ(table->NanoDollars({"same_zone", "", "", kGib, kGib}), 0U);
}

TEST(PriceTable, TheShippedOneIsSound) {
  const Result<PriceTable> aws = PriceTable::Shipped("aws");
  ASSERT_TRUE(aws.ok()) << aws.status().message();
  EXPECT_EQ(aws->NanoDollars({"inter_zone", "eu-central-1", "", kGib, 0}), 2 * kCent);
  EXPECT_THAT(aws->source(), HasSubstr("https://aws.amazon.com/"));
  EXPECT_EQ(PriceTable::Shipped("moon").status().code(), Code::kNotFound);
}

TEST(PriceTable, SaysWhatIsWrong) {
  const std::string head = "dated: 2026-11-30\nsource: s\nrules:\n  - ";
  EXPECT_THAT(Reason(": ["), HasSubstr("no YAML"));
  EXPECT_THAT(Reason(""), HasSubstr("no list `rules`"));
  EXPECT_THAT(Reason("rules: 7"), HasSubstr("no list `rules`"));
  EXPECT_THAT(Reason("rules: []"), HasSubstr("say when and where"));
  EXPECT_THAT(Reason(head + "7"), HasSubstr("rule 1 is no map"));
  EXPECT_THAT(Reason(head + "{locality: internet, direction: out, usd_per_gib: 1}"), HasSubstr("no name"));
  EXPECT_THAT(Reason(head + "{name: a, locality: moon, direction: out, usd_per_gib: 1}"),
              HasSubstr("'moon' is none of"));
  EXPECT_THAT(Reason(head + "{name: a, locality: internet, direction: up, usd_per_gib: 1}"), HasSubstr("'up' is not"));
  for (const char* price : {"-1", "x", ".inf", ".nan", "1e300", "[1]"}) {
    EXPECT_THAT(Reason(head + "{name: a, locality: internet, direction: out, usd_per_gib: " + price + "}"),
                HasSubstr("is no price"))
        << price;
  }
  EXPECT_EQ(PriceTable::Parse(std::string(PriceTable::kMaxFileBytes + 1, ' ')).status().code(), Code::kExhausted);
}

}  // namespace
}  // namespace weir::server
