#include "cli/reports.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

model::AgentBatch Batch(uint64_t bytes, std::string process = "curl") {
  model::AgentBatch batch;
  batch.node = "node";
  batch.start = 1'000;
  batch.end = 2'000;
  model::SideReport& report = batch.reports.emplace_back();
  report.ends.client_address = *model::Address::Parse("10.0.0.1");
  report.ends.server_address = *model::Address::Parse("2001:db8::2");
  report.ends.server_port = 443;
  report.identity.process = std::move(process);
  report.counters.bytes_sent = bytes;
  report.counters.opened = 1;
  report.counters.rtt_count = 2;
  report.counters.rtt_sum_us = 100;
  report.counters.rtt_histogram.Add(50);
  return batch;
}

TEST(ReportPrinter, ATableAddsUpPerEnd) {
  ReportPrinter printer({});
  EXPECT_EQ(printer.Add(Batch(1'000)), "");
  EXPECT_EQ(printer.Add(Batch(24)), "");
  EXPECT_EQ(printer.Add(Batch(5, "wget")), "");
  const std::string table = printer.Finish();
  EXPECT_THAT(table, HasSubstr("10.0.0.1 curl  [2001:db8::2]:443"));
  EXPECT_THAT(table, HasSubstr("1 KiB"));
  EXPECT_LT(table.find("curl"), table.find("wget")) << "the busiest first";
}

TEST(ReportPrinter, ATableSaysWhatItLeavesOut) {
  ReportFormat format;
  format.limit = 1;
  ReportPrinter printer(format);
  (void)printer.Add(Batch(1));
  (void)printer.Add(Batch(2, "wget"));
  const std::string table = printer.Finish();
  EXPECT_THAT(table, HasSubstr("1 of 2 rows not shown"));
  EXPECT_THAT(table, Not(HasSubstr("curl")));
  EXPECT_EQ(ReportPrinter({}).Finish(), "no reports\n");
}

TEST(ReportPrinter, JsonHasARowPerReport) {
  ReportFormat format;
  format.output = OutputFormat::kJson;
  ReportPrinter printer(format);
  std::string text = printer.Add(Batch(7, "a\x1b\"b"));
  text += printer.Add(Batch(8));
  text += printer.Finish();
  const Json rows = Json::parse(text);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0]["process"], "a\x1b\"b");
  EXPECT_EQ(rows[0]["bytes_sent"], 7);
  EXPECT_EQ(rows[1]["start_ms"], 1'000);
  EXPECT_EQ(rows[1]["rtt_histogram"][0][1], 1);
  EXPECT_EQ(Json::parse(ReportPrinter(format).Finish()).size(), 0U);
}

TEST(ReportPrinter, CsvHasOneHeader) {
  ReportFormat format;
  format.output = OutputFormat::kCsv;
  ReportPrinter printer(format);
  std::string text = printer.Add(Batch(7, "=cmd"));
  text += printer.Add(Batch(8));
  text += printer.Finish();
  EXPECT_THAT(text, testing::StartsWith("start_ms,end_ms,node,protocol,side,client_address"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);
  EXPECT_THAT(text, HasSubstr("'=cmd")) << "no spreadsheet runs it";
  format.headers = false;
  EXPECT_THAT(ReportPrinter(format).Add(Batch(7)), testing::StartsWith("1000,2000,node,tcp,client,10.0.0.1"));
}

}  // namespace
}  // namespace weir::cli
