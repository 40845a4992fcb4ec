// A recording of a small lab (docs/replay.md tells how it was made), replayed by the program as it is today. When this
// test fails, what an agent reports about the same events has changed: fixture/lab.txt says what it was.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "agent/recording/replay.h"

namespace weir::agent::recording {
namespace {

void PutCounters(const model::SideCounters& counters, std::string& to) {
#define WEIR_PUT(name) \
  if (counters.name != 0) to += fmt::format(" {}={}", #name, counters.name);
  WEIR_SIDE_COUNTERS(WEIR_PUT)
#undef WEIR_PUT
#define WEIR_PUT(name) \
  for (const auto& [bucket, count] : counters.name.buckets()) to += fmt::format(" {}[{}]={}", #name, bucket, count);
  WEIR_SIDE_HISTOGRAMS(WEIR_PUT)
#undef WEIR_PUT
}

// What is 0 or empty is left out, so that new counters change nothing.
std::string Line(const model::SideReport& report) {
  const model::FlowEnds& ends = report.ends;
  std::string line = fmt::format("  {} {} {} -> {}:{}", model::ProtocolName(ends.protocol),
                                 ends.side == model::Side::kClient ? "client" : "server",
                                 ends.client_address.ToString(), ends.server_address.ToString(), ends.server_port);
  const auto word = [&line](std::string_view name, const std::string& value) {
    if (!value.empty()) line += fmt::format(" {}={}", name, value);
  };
  word("process", report.identity.process);
  word("unit", report.identity.unit);
  word("netns", report.identity.netns_name);
  word("application", report.request.application);
  word("operation", report.request.operation);
  word("resource", report.request.resource);
  word("result", report.request.result);
  PutCounters(report.counters, line);
  return line + "\n";
}

TEST(Fixture, TheLabIsReportedAsItWas) {
  const std::string folder = WEIR_FIXTURES;
  auto replay = Replay::Open(folder + "/lab.weirrec");
  ASSERT_TRUE(replay.ok()) << replay.status().message();
  EXPECT_FALSE((*replay)->header().observed.nat) << "an older program's";
  std::string text;
  while (const auto batch = (*replay)->Next()) {
    text += fmt::format("{} ms of node {}\n", batch->end - batch->start, batch->node);
    for (const model::SideReport& report : batch->reports) text += Line(report);
  }
  EXPECT_TRUE((*replay)->status().ok()) << (*replay)->status().message();
  std::ifstream file(folder + "/lab.txt");
  std::stringstream expected;
  expected << file.rdbuf();
  EXPECT_EQ(text, expected.str());
}

}  // namespace
}  // namespace weir::agent::recording
