#include "store/sql.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "store/engine/engine.h"
#include "store/result_json.h"

namespace weir::store {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Sql, TextLiteralsHoldNoByteThatCouldEndThem) {
  EXPECT_EQ(QuoteText(""), "''");
  EXPECT_EQ(QuoteText("nginx-1.2"), "'nginx-1.2'");
  EXPECT_EQ(QuoteText("it's"), "'it\\x27s'");
  EXPECT_EQ(QuoteText("\\"), "'\\x5c'");
  EXPECT_EQ(QuoteText(std::string("\0;\xff", 3)), "'\\x00\\x3b\\xff'");
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  const std::string quoted = QuoteText(all);
  EXPECT_THAT(quoted.substr(1, quoted.size() - 2), Not(HasSubstr("'")));
  EXPECT_THAT(quoted, Not(HasSubstr(";")));
}

TEST(Sql, NumbersReadBackAsTheSameDouble) {
  EXPECT_EQ(QuoteNumber(0), "0");
  EXPECT_EQ(QuoteNumber(-5), "-5");
  EXPECT_EQ(QuoteNumber(443), "443");
  EXPECT_EQ(QuoteNumber(9007199254740992.0), "9007199254740992");
  std::mt19937_64 random(7);
  for (int i = 0; i < 1000; ++i) {
    const double number =
        std::ldexp(static_cast<double>(random() % 1'000'000'007), static_cast<int>(random() % 200) - 100);
    EXPECT_EQ(std::stod(QuoteNumber(number)), number);
  }
}

TEST(Sql, AddressesAndHexadecimal) {
  EXPECT_EQ(QuoteAddress(*model::Address::Parse("10.0.0.1")),
            "toFixedString(unhex('00000000000000000000ffff0a000001'), 16)");
  EXPECT_EQ(Unhex("00fF0a"), std::string("\0\xff\x0a", 3));
  EXPECT_EQ(Unhex(""), "");
}

FilterSql Translate(std::string_view text, std::vector<const model::Column*> group_by = {}) {
  const Result<FilterSql> sql = TranslateFilter(*model::Filter::Parse(text), group_by);
  EXPECT_TRUE(sql.ok()) << sql.status().message();
  return sql.ok() ? *sql : FilterSql{};
}

TEST(Sql, FiltersAreSplitAtTheAndsThatJoinThem) {
  EXPECT_EQ(Translate("").rows, "");
  EXPECT_EQ(Translate("port = 80").rows, "(server_port = 80)");
  EXPECT_EQ(Translate("port = 80").groups, "");
  const FilterSql split = Translate("port = 80 and (bytes_to_server > 5 and client_process != a)");
  EXPECT_EQ(split.rows, "(server_port = 80) AND NOT (client_process = 'a')");
  EXPECT_EQ(split.groups, "(sum(bytes_to_server) > 5)");
  EXPECT_EQ(Translate("process ~ 'a.b'").rows,
            "(match(client_process, '\\x28\\x3f-s\\x29a.b') OR match(server_process, '\\x28\\x3f-s\\x29a.b'))");
  EXPECT_EQ(Translate("connect_max_us < 5").groups, "((sum(connect_count) != 0) AND (max(connect_max_us) < 5))");
}

TEST(Sql, MixedClausesNeedTheirDimensionsGrouped) {
  const Result<FilterSql> sql = TranslateFilter(*model::Filter::Parse("not (bytes > 5 and port = 80)"), {});
  ASSERT_EQ(sql.status().code(), Code::kInvalid);
  EXPECT_THAT(sql.status().message(), HasSubstr("add server_port to group_by"));
  EXPECT_THAT(Translate("bytes_to_server > 5 or port = 80", {model::FindColumn("server_port")}).groups,
              HasSubstr("server_port = 80"));
}

TEST(Engine, ErrorsSayWhatTheCallerShouldDo) {
  EXPECT_EQ(CodeOfEngineError("Code: 241. DB::Exception: memory"), Code::kExhausted);
  EXPECT_EQ(CodeOfEngineError("Code: 159. DB::Exception: time"), Code::kExhausted);
  EXPECT_EQ(CodeOfEngineError("Code: 243. DB::Exception: space"), Code::kExhausted);
  EXPECT_EQ(CodeOfEngineError("Code: 40. DB::Exception: checksum"), Code::kCorrupt);
  EXPECT_EQ(CodeOfEngineError("Code: 47. DB::Exception: identifier"), Code::kInternal);
  EXPECT_EQ(CodeOfEngineError("write: No space left on device"), Code::kExhausted);
  EXPECT_EQ(CodeOfEngineError(""), Code::kInternal);
}

TEST(ResultJson, ReadsCellsByTheirColumns) {
  const std::vector<const model::Column*> columns{model::FindColumn("client_address"), model::FindColumn("protocol"),
                                                  model::FindColumn("bytes"), model::FindColumn("rtt_avg_us")};
  const auto result = ParseJsonCompact(
      R"({"meta": [{"name": "x", "type": "String"}], "data": [["00000000000000000000FFFF0A000001", "t\u0000cp",)"
      R"( 18446744073709551615, 1.5], ["20010DB8000000000000000000000001", "", 0, null]],)"
      R"( "totals": ["00", "", 7, 2], "rows": 2, "rows_before_limit_at_least": 12,)"
      R"( "statistics": {"elapsed": 0.1, "rows_read": 34, "bytes_read": 5}})",
      {columns});
  ASSERT_TRUE(result.ok()) << result.status().message();
  ASSERT_EQ(result->rows.size(), 2U);
  EXPECT_EQ(result->rows[0][0].text, "10.0.0.1");
  EXPECT_EQ(result->rows[0][1].text, std::string("t\0cp", 4));
  EXPECT_EQ(result->rows[0][2].exact, ~0ULL);
  EXPECT_EQ(result->rows[0][3].number, 1.5);
  EXPECT_EQ(result->rows[1][0].text, "2001:db8::1");
  EXPECT_EQ(result->rows[1][3].number, 0);
  ASSERT_EQ(result->totals.size(), 4U);
  EXPECT_EQ(result->totals[2].exact, 7U);
  EXPECT_EQ(result->rows_before_limit, 12U);
  EXPECT_EQ(result->rows_read, 34U);
}

TEST(ResultJson, RefusesWhatItDidNotAskFor) {
  const std::vector<const model::Column*> columns{model::FindColumn("bytes")};
  for (const std::string_view wrong : {R"({"data": [[1, 2]]})", R"({"data": [[]]})", R"({"data": [["1"]]})",
                                       R"({"data": [[1]])", R"({"data": [[[[[1]]]]]})", "{"}) {
    EXPECT_EQ(ParseJsonCompact(wrong, {columns}).status().code(), Code::kInternal) << wrong;
  }
  EXPECT_TRUE(ParseJsonCompact("", {columns})->rows.empty());
}

TEST(ResultJson, FlowsStandInPlaceOfWhatIsLookedUp) {
  const std::vector<const model::Column*> columns{model::FindColumn("protocol"), model::FindColumn("server_port"),
                                                  model::FindColumn("bytes")};
  const auto result =
      ParseJsonCompact(R"({"data": [[18446744073709551615, 5], [1, 6]], "totals": [0, 11]})", {columns, 2, true});
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(result->flows, (std::vector<uint64_t>{~0ULL, 1}));
  ASSERT_EQ(result->rows[1].size(), 3U);
  EXPECT_TRUE(result->rows[1][0].is_text);
  EXPECT_FALSE(result->rows[1][1].is_text);
  EXPECT_EQ(result->rows[1][2].exact, 6U);
  EXPECT_EQ(result->totals[2].exact, 11U);
}

TEST(ResultJson, UnescapesText) {
  const std::vector<const model::Column*> columns{model::FindColumn("protocol")};
  const auto result = ParseJsonCompact("{\"data\": [[\"a\\/b\\\\\\\"\\n\\t\\b\\u001b\\u00e4\\u2028\"]]}", {columns});
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(result->rows[0][0].text, "a/b\\\"\n\t\b\x1b\xc3\xa4\xe2\x80\xa8");
}

TEST(ResultJson, AnAnswerGivenUpHalfWaySaysWhy) {
  const std::vector<const model::Column*> columns{model::FindColumn("bytes")};
  const Status status =
      ParseJsonCompact(R"({"data": [[1]], "exception": "Code: 159. DB::Exception: Timeout exceeded"})", {columns})
          .status();
  EXPECT_EQ(status.code(), Code::kExhausted);
  EXPECT_EQ(status.message(), "Code: 159. DB::Exception: Timeout exceeded");
  const Status broken = ParseJsonCompact(R"({"data": [[1], [2)", {columns}).status();
  EXPECT_EQ(broken.code(), Code::kInternal);
  EXPECT_EQ(broken.message().find('['), std::string::npos) << "no raw answer in a message for people";
}

}  // namespace
}  // namespace weir::store
