#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "store/answer_shape.h"
#include "store/engine/engine.h"
#include "store/filter_sql.h"
#include "store/packing.h"
#include "store/result_binary.h"
#include "store/result_json.h"
#include "store/row_binary.h"
#include "store/sql.h"

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
  const Result<FilterSql> sql = TranslateFilter(*model::Filter::Parse(text), group_by, {}, Packing());
  EXPECT_TRUE(sql.ok()) << sql.status().message();
  return sql.ok() ? *sql : FilterSql{};
}

TEST(Sql, FiltersAreSplitAtTheAndsThatJoinThem) {
  EXPECT_EQ(Translate("").rows, "");
  EXPECT_EQ(Translate("port = 80").rows, "((server_port = 80))");
  EXPECT_EQ(Translate("port = 80").groups, "");
  const FilterSql split = Translate("port = 80 and (bytes_to_server > 5 and protocol != a)");
  EXPECT_EQ(split.rows, "((server_port = 80) AND NOT (protocol = 'a'))");
  EXPECT_EQ(split.groups, "(sum(bytes_to_server) > 5)");
  EXPECT_EQ(Translate("connect_max_us < 5").groups, "((sum(connect_count) != 0) AND (max(connect_max_us) < 5))");
}

size_t CountOf(std::string_view part, std::string_view text) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(Sql, WhatIsAskedOfAnEndIsOneQuestionToTheEntities) {
  EXPECT_EQ(Translate("client_process ~ 'a.b'").rows,
            "(client_entity IN (SELECT client_entity FROM (SELECT id AS client_entity, argMax(process, version) AS "
            "client_process FROM weir.entities WHERE received >= 0 GROUP BY id) WHERE ((match(client_process, "
            "'\\x28\\x3f-s\\x29a.b')))))");
  for (const std::string_view two :
       {"process = a", "process = a or pod = b or pod in (c, d)", "process != a and pod !~ b and client_zone = x",
        "client_process = a and (port = 80 and server_pod = b) and not client_zone = c"}) {
    EXPECT_EQ(CountOf("FROM weir.entities", Translate(two).rows), 2U) << two;
  }
  EXPECT_THAT(Translate("client_pod = '' and client_node = a").rows, HasSubstr("client_entity IN"))
      << "nobody's node is not a";
  EXPECT_THAT(Translate("client_pod != a").rows, HasSubstr("client_entity NOT IN")) << "nobody has no pod";
  const FilterSql computed = Translate("locality = same_node and client_pod = a and port = 80");
  EXPECT_EQ(computed.rows, "(locality = 'same_node') AND (client_pod = 'a') AND (server_port = 80)");
  EXPECT_EQ(computed.named.size(), 3U);
}

TEST(Sql, MixedClausesNeedTheirDimensionsGrouped) {
  const Result<FilterSql> sql =
      TranslateFilter(*model::Filter::Parse("not (bytes > 5 and port = 80)"), {}, {}, Packing());
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

struct Read {
  std::vector<AnswerRow> rows;
  std::vector<AnswerRow> totals;
  Result<AnswerSummary> summary = AnswerSummary{};
};

Read Parse(std::string_view json, const std::vector<FieldKind>& fields) {
  Read read;
  read.summary = ParseJsonCompact(
      json, fields, [&](AnswerRow& row, bool totals) { (totals ? read.totals : read.rows).push_back(row); });
  return read;
}

TEST(ResultJson, ReadsFieldsByTheirKind) {
  const Read read = Parse(
      R"({"meta": [{"name": "x", "type": "String"}], "data": [["00000000000000000000FFFF0A000001", "t\u0000cp",)"
      R"( 18446744073709551615, 1.5, [7, 18446744073709551615]], ["20010DB8000000000000000000000001", "", 0, null, []]],)"
      R"( "totals": ["00", "", 7, 2, [0]], "rows": 2, "rows_before_limit_at_least": 12,)"
      R"( "statistics": {"elapsed": 0.1, "rows_read": 34, "bytes_read": 5}})",
      {FieldKind::kAddress, FieldKind::kText, FieldKind::kNumber, FieldKind::kNumber, FieldKind::kArray});
  ASSERT_TRUE(read.summary.ok()) << read.summary.status().message();
  ASSERT_EQ(read.rows.size(), 2U);
  EXPECT_EQ(read.rows[0].cells[0].text, "10.0.0.1");
  EXPECT_EQ(read.rows[0].cells[1].text, std::string("t\0cp", 4));
  EXPECT_EQ(read.rows[0].cells[2].exact, ~0ULL);
  EXPECT_EQ(read.rows[0].cells[3].number, 1.5);
  EXPECT_EQ(read.rows[0].arrays[4], (std::vector<uint64_t>{7, ~0ULL}));
  EXPECT_EQ(read.rows[1].cells[0].text, "2001:db8::1");
  EXPECT_EQ(read.rows[1].cells[3].number, 0);
  EXPECT_TRUE(read.rows[1].arrays[4].empty());
  ASSERT_EQ(read.totals.size(), 1U);
  EXPECT_EQ(read.totals[0].cells[2].exact, 7U);
  EXPECT_EQ(read.summary->rows_before_limit, 12U);
  EXPECT_EQ(read.summary->rows_read, 34U);
}

TEST(ResultBinary, ReadsFieldsByTheirKind) {
  const std::vector<FieldKind> fields{FieldKind::kFlow, FieldKind::kAddress, FieldKind::kText, FieldKind::kNumber,
                                      FieldKind::kArray};
  std::string bytes;
  for (const uint64_t flow : {7ULL, ~0ULL}) {
    AppendNumber(bytes, flow);
    AppendText(bytes, "00000000000000000000FFFF0A000001");
    AppendText(bytes, std::string(300, 'x'));
    AppendNumber(bytes, uint64_t{1} << 60);
    AppendLength(bytes, 2);
    AppendNumber(bytes, flow);
    AppendNumber(bytes, uint64_t{3});
  }
  std::vector<AnswerRow> rows;
  const auto read = [&](AnswerRow& row, bool totals) {
    EXPECT_FALSE(totals);
    rows.push_back(row);
  };
  ASSERT_TRUE(ReadRowBinary(bytes, fields, read).ok());
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].flow, 7U);
  EXPECT_EQ(rows[1].flow, ~0ULL);
  EXPECT_EQ(rows[1].cells[1].text, "10.0.0.1");
  EXPECT_EQ(rows[1].cells[2].text.size(), 300U);
  EXPECT_EQ(rows[1].cells[3].exact, uint64_t{1} << 60);
  EXPECT_EQ(rows[1].arrays[4], (std::vector<uint64_t>{~0ULL, 3}));

  EXPECT_TRUE(ReadRowBinary("", fields, read).ok()) << "no rows";
  const size_t row_bytes = bytes.size() / 2;
  for (size_t length = 1; length < row_bytes; ++length) {
    EXPECT_EQ(ReadRowBinary(std::string_view(bytes).substr(0, length), fields, read).code(), Code::kInternal) << length;
  }
  for (const std::string_view endless : {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "\xff\xff\xff\x7f"}) {
    EXPECT_EQ(ReadRowBinary(endless, {FieldKind::kText}, read).code(), Code::kInternal);
    EXPECT_EQ(ReadRowBinary(endless, {FieldKind::kArray}, read).code(), Code::kInternal);
  }
}

TEST(ResultJson, RefusesWhatItDidNotAskFor) {
  for (const std::string_view wrong : {R"({"data": [[1, 2]]})", R"({"data": [[]]})", R"({"data": [["1"]]})",
                                       R"({"data": [[1]])", R"({"data": [[[[[1]]]]]})", "{"}) {
    EXPECT_EQ(Parse(wrong, {FieldKind::kNumber}).summary.status().code(), Code::kInternal) << wrong;
  }
  EXPECT_EQ(Parse(R"({"data": [[1]]})", {FieldKind::kArray}).summary.status().code(), Code::kInternal);
  EXPECT_TRUE(Parse("", {FieldKind::kNumber}).rows.empty());
}

TEST(ResultJson, UnescapesText) {
  const Read read = Parse("{\"data\": [[\"a\\/b\\\\\\\"\\n\\t\\b\\u001b\\u00e4\\u2028\"]]}", {FieldKind::kText});
  ASSERT_TRUE(read.summary.ok()) << read.summary.status().message();
  EXPECT_EQ(read.rows[0].cells[0].text, "a/b\\\"\n\t\b\x1b\xc3\xa4\xe2\x80\xa8");
}

TEST(ResultJson, AnAnswerGivenUpHalfWaySaysWhy) {
  const Status status =
      Parse(R"({"data": [[1]], "exception": "Code: 159. DB::Exception: Timeout exceeded"})", {FieldKind::kNumber})
          .summary.status();
  EXPECT_EQ(status.code(), Code::kExhausted);
  EXPECT_EQ(status.message(), "Code: 159. DB::Exception: Timeout exceeded");
  const Status broken = Parse(R"({"data": [[1], [2)", {FieldKind::kNumber}).summary.status();
  EXPECT_EQ(broken.code(), Code::kInternal);
  EXPECT_EQ(broken.message().find('['), std::string::npos) << "no raw answer in a message for people";
}

TEST(AnswerShape, FlowsStandInPlaceOfDimensionsAndDerivedColumnsAreComputedHere) {
  const auto column = [](std::string_view name) { return model::FindColumn(name); };
  const Packing packing;
  AnswerShape shape({column("protocol"), column("bytes"), column("rtt_p50_us"), column("failed_refused"),
                     column("first_chunk_p99_us"), column("reported_by"), column("client_idle_p50_us")},
                    FirstField::kFlow, packing);
  EXPECT_EQ(
      shape.SelectList("unused"),
      "flow, sum(client_reports), sum(server_reports), sum(bytes_to_server), sum(bytes_to_client), "
      "sum(client_rtt_count), sumForEach(client_rtt_histogram), sumForEach(server_rtt_histogram), sumForEach(sums), "
      "sumForEach(request_histograms)");
  const size_t refused = packing.Of(*column("failed_refused")).index;
  std::vector<uint64_t> sums(refused + 1);
  sums[refused] = 9;
  const size_t chunk = packing.Of(*column("first_chunk_histogram")).index;
  const size_t idle = packing.Of(*column("client_idle_histogram")).index;
  std::vector<uint64_t> requests(RequestHistogramPlace(idle, 5) + 1);
  requests[RequestHistogramPlace(chunk, 8)] = uint64_t{1} << 40;
  requests[RequestHistogramPlace(idle, 5)] = 1;
  const Read read =
      Parse(fmt::format(R"({{"data": [[18446744073709551615, 1, 0, 9007199254740993, 4, 2, [0, 0, 1, 1], [],)"
                        R"( [{}], [{}]]]}})",
                        fmt::join(sums, ","), fmt::join(requests, ",")),
            shape.fields());
  ASSERT_EQ(read.rows.size(), 1U);
  AnswerRow row = read.rows[0];
  EXPECT_EQ(row.flow, ~0ULL);
  const std::vector<Cell> cells = shape.Cells(row);
  EXPECT_TRUE(cells[0].is_text);
  EXPECT_EQ(cells[1].exact, 9007199254740997U);
  EXPECT_EQ(cells[2].number, model::BucketMiddle(2));
  EXPECT_EQ(cells[3].exact, 9U);
  EXPECT_EQ(cells[4].number, model::BucketMiddle(8)) << "though its count is beyond what a histogram in memory holds";
  EXPECT_EQ(cells[5].text, "client");
  EXPECT_EQ(cells[6].number, model::BucketMiddle(5)) << "of a further block";
}

}  // namespace
}  // namespace weir::store
