// Rows as JSON and CSV, and series on their grid.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/fakes.h"
#include "api/json.h"
#include "api/row_writer.h"
#include "api/series.h"
#include "api/time_text.h"
#include "model/row_edit.h"

namespace weir::api {
namespace {

using testing::HasSubstr;

Json Parsed(const std::string& text) {
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  EXPECT_FALSE(json.is_discarded()) << text;
  return json;
}

std::string JsonOf(const store::FlowResult& result) {
  std::string out;
  RowWriter(result.columns).AppendJson(out, result.rows.at(0));
  return out;
}

TEST(RowWriter, WritesEveryTypeExactly) {
  ResultBuilder builder({"client_address", "server_port", "start", "bytes", "reported_by", "segments_to_server",
                         "segments_to_client", "retransmit_percent"});
  builder.Row({{"client_address", Text("10.1.0.2")},
               {"server_port", Exact(443)},
               {"start", Number(1'764'000'000'123)},
               {"bytes", Exact(18'446'744'073'709'551'615U)},
               {"reported_by", Text("both")},
               {"segments_to_server", Exact(8)},
               {"retransmit_percent", Number(12.5)}});
  EXPECT_EQ(
      JsonOf(builder.result),
      R"({"client_address": "10.1.0.2", "server_port": 443, "start": "2025-11-24T16:00:00.123Z", "bytes": 18446744073709551615, )"
      R"("reported_by": "both", "segments_to_server": 8, "segments_to_client": 0, "retransmit_percent": 12.5})");
}

TEST(RowWriter, UnknownIsNullAndNotZero) {
  const std::initializer_list<std::string_view> columns = {
      "client_rtt_count", "client_rtt_min_us",  "client_rtt_max_us",  "server_rtt_count",   "server_rtt_min_us",
      "rtt_avg_us",       "rtt_min_us",         "rtt_p99_us",         "connect_count",      "connect_max_us",
      "connect_avg_us",   "segments_to_server", "segments_to_client", "retransmit_percent", "retransmits"};
  ResultBuilder nothing(columns);
  nothing.Row({});
  const Json none = Parsed(JsonOf(nothing.result));
  for (const char* name : {"client_rtt_min_us", "client_rtt_max_us", "server_rtt_min_us", "rtt_avg_us", "rtt_min_us",
                           "rtt_p99_us", "connect_max_us", "connect_avg_us", "retransmit_percent"}) {
    EXPECT_TRUE(none[name].is_null()) << name;
  }
  EXPECT_EQ(none["retransmits"], 0);
  EXPECT_EQ(none["connect_count"], 0);

  ResultBuilder some(columns);
  some.Row({{"server_rtt_count", Exact(1)},
            {"rtt_avg_us", Number(0)},
            {"segments_to_client", Exact(1)},
            {"connect_count", Exact(2)}});
  const Json known = Parsed(JsonOf(some.result));
  EXPECT_EQ(known["rtt_avg_us"], 0);
  EXPECT_EQ(known["retransmit_percent"], 0);
  EXPECT_EQ(known["connect_avg_us"], 0);
  EXPECT_TRUE(known["client_rtt_max_us"].is_null());
}

TEST(RowWriter, WithoutItsCountersOnlyNotANumberIsUnknown) {
  ResultBuilder builder({"rtt_avg_us", "rtt_p99_us"});
  builder.Row({{"rtt_avg_us", Number(std::nan(""))}, {"rtt_p99_us", Number(3)}});
  EXPECT_EQ(JsonOf(builder.result), R"({"rtt_avg_us": null, "rtt_p99_us": 3})");
}

TEST(RowWriter, HostileTextStaysText) {
  ResultBuilder builder({"client_process", "server_process"});
  builder.Row({{"client_process", Text("a\"b\\c\n\x01\xff</script>")}, {"server_process", Text("naïve 日本")}});
  const Json row = Parsed(JsonOf(builder.result));
  EXPECT_EQ(row["client_process"], "a\"b\\c\n\x01\xEF\xBF\xBD</script>");
  EXPECT_EQ(row["server_process"], "naïve 日本");
}

TEST(RowWriter, CsvQuotesAndDefuses) {
  ResultBuilder builder({"client_process", "server_process", "bytes", "connect_count", "connect_avg_us", "start"});
  builder.Row({{"client_process", Text("say \"hi\", all\r\nof you")},
               {"server_process", Text("=cmd|' /C calc'!A0")},
               {"bytes", Exact(5)},
               {"start", Number(1'764'000'000'123)}});
  builder.Row({{"client_process", Text("@x")},
               {"server_process", Text("-1+1")},
               {"connect_count", Exact(2)},
               {"connect_avg_us", Number(1.5)}});
  const RowWriter writer(builder.result.columns);
  std::string out;
  writer.AppendCsvHeader(out);
  for (const auto& row : builder.result.rows) writer.AppendCsv(out, row);
  EXPECT_EQ(out,
            "client_process,server_process,bytes,connect_count,connect_avg_us,start\r\n"
            "\"say \"\"hi\"\", all\r\nof you\",'=cmd|' /C calc'!A0,5,0,,2025-11-24T16:00:00.123Z\r\n"
            "'@x,'-1+1,0,2,1.5,\r\n");
}

TEST(RowWriter, TotalsHaveMeasuresOnly) {
  ResultBuilder builder({"client_address", "server_port", "start", "bytes", "reported_by"});
  builder.Row({}).Totals({{"bytes", Exact(7)}});
  std::string out;
  RowWriter(builder.result.columns).AppendTotalsJson(out, builder.result.totals);
  EXPECT_EQ(out, R"({"bytes": 7})");
}

TEST(RowWriter, LiveRowsHaveEveryColumnButHistograms) {
  model::FlowRow row;
  row.start = 1'764'000'000'000;
  row.end = row.start + 1'000;
  model::SetAttribute(row, "client_process", "curl");
  row.bytes_to_server = 10;
  row.bytes_to_client = 32;
  row.segments_to_server = 4;
  row.retransmits_to_server = 1;
  row.client_reports = 1;
  std::string out;
  RowWriter(LiveColumns()).AppendJson(out, CellsOf(row));
  const Json json = Parsed(out);
  size_t expected = 0;
  for (const model::Column& column : model::kColumns) {
    if (column.type == model::ColumnType::kHistogram) continue;
    ++expected;
    EXPECT_TRUE(json.contains(column.name)) << column.name;
  }
  EXPECT_EQ(json.size(), expected);
  EXPECT_EQ(json["start"], "2025-11-24T16:00:00.000Z");
  EXPECT_EQ(json["client_process"], "curl");
  EXPECT_EQ(json["bytes"], 42);
  EXPECT_EQ(json["retransmit_percent"], 25);
  EXPECT_EQ(json["reported_by"], "client");
  EXPECT_TRUE(json["rtt_avg_us"].is_null());
  EXPECT_EQ(json.begin().key(), "protocol");  // dimensions first, as in /flows
}

SeriesOptions Options(int64_t from, int64_t to, int64_t step) {
  SeriesOptions options;
  options.range = {from, to};
  options.step_ms = step;
  options.measures = {model::FindColumn("bytes"), model::FindColumn("connect_avg_us")};
  return options;
}

TEST(Series, FillsGapsWithNull) {
  ResultBuilder builder({"start", "bytes", "connect_avg_us", "connect_count"});
  builder.Row({{"start", Number(10'000)}, {"bytes", Exact(5)}});
  builder.Row(
      {{"start", Number(30'000)}, {"bytes", Exact(7)}, {"connect_count", Exact(2)}, {"connect_avg_us", Number(1.5)}});
  const SeriesText text = BuildSeries(builder.result, Options(12'000, 41'000, 10'000));
  EXPECT_EQ(Parsed(text.times).size(), 4U);  // 10 20 30 40
  EXPECT_EQ(Parsed(text.times)[0], "1970-01-01T00:00:10.000Z");
  EXPECT_EQ(text.series,
            R"([{"group": {}, "values": {"bytes": [5, null, 7, null], "connect_avg_us": [null, null, 1.5, null]}}])");
}

TEST(Series, LargestFirstAndBounded) {
  ResultBuilder builder({"server_port", "start", "bytes", "connect_avg_us", "connect_count"});
  for (const auto& [port, bytes] : {std::pair<uint64_t, uint64_t>{80, 1}, {443, 100}, {22, 10}}) {
    builder.Row({{"server_port", Exact(port)}, {"start", Number(0)}, {"bytes", Exact(bytes)}});
  }
  builder.result.groups_left_out = 4;
  SeriesOptions options = Options(0, 10'000, 10'000);
  options.group_by = {model::FindColumn("server_port")};
  options.limit = 2;
  const SeriesText text = BuildSeries(builder.result, options);
  const Json series = Parsed(text.series);
  ASSERT_EQ(series.size(), 2U);
  EXPECT_EQ(series[0]["group"]["server_port"], 443);
  EXPECT_EQ(series[1]["group"]["server_port"], 22);
  EXPECT_EQ(text.groups_left_out, 5U);
}

TEST(Series, RowsOutsideTheGridAreNotShown) {
  ResultBuilder builder({"start", "bytes", "connect_avg_us", "connect_count"});
  builder.Row({{"start", Number(50'000)}, {"bytes", Exact(5)}});
  EXPECT_EQ(BuildSeries(builder.result, Options(0, 10'000, 10'000)).series, R"([])");
}

TEST(Series, DefaultStepIsRoundAndSmallEnough) {
  const std::pair<int64_t, int64_t> cases[] = {
      {60'000, 1'000}, {900'000, 5'000}, {3'600'000, 15'000}, {86'400'000, 300'000}, {30LL * 86'400'000, 10'800'000}};
  for (const auto& [length, step] : cases)
    EXPECT_EQ(DefaultStep({1'764'000'000'123, 1'764'000'000'123 + length}), step) << length;
  for (int64_t length = 1; length < 4'000'000'000'000; length = length * 3 + 7) {
    const store::TimeRange range{1'000'123, 1'000'123 + length};
    EXPECT_LE(StepsOf(range, DefaultStep(range)), kDefaultPoints) << length;
  }
}

TEST(Series, AsksForTheCountersBehindWhatItShows) {
  std::vector<std::string_view> names;
  for (const model::Column* column : WithSamples({model::FindColumn("connect_avg_us"), model::FindColumn("bytes")}))
    names.push_back(column->name);
  EXPECT_THAT(names, testing::ElementsAre("connect_avg_us", "bytes", "connect_count"));
}

}  // namespace
}  // namespace weir::api
