#include "telemetry/headers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::telemetry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

TEST(ParseHeaders, ReadsNamesAndValues) {
  const auto headers = ParseHeaders("# of the receiver\n\nAuthorization: Bearer a b:c\r\nX-Scope-OrgID:team \n");
  ASSERT_TRUE(headers.ok()) << headers.status().message();
  EXPECT_THAT(*headers, ElementsAre(Pair("Authorization", "Bearer a b:c"), Pair("X-Scope-OrgID", "team")));
  EXPECT_TRUE(ParseHeaders("")->empty());
}

TEST(ParseHeaders, NamesTheLineThatIsWrongAndKeepsSecrets) {
  const auto refusal = [](std::string_view text) { return ParseHeaders(text).status().message(); };
  EXPECT_THAT(refusal("A: b\nsecret"), HasSubstr("line 2"));
  EXPECT_THAT(refusal("A: b\nsecret"), Not(HasSubstr("secret")));
  EXPECT_THAT(refusal("A b: c"), HasSubstr("line 1"));
  EXPECT_THAT(refusal(std::string_view("A: \0", 4)), HasSubstr("characters"));
  EXPECT_THAT(refusal("A: \xff"), HasSubstr("characters"));
  EXPECT_THAT(refusal("content-LENGTH: 5"), HasSubstr("set by Weir"));
}

}  // namespace
}  // namespace weir::telemetry
