// weir-ingest-load: what a fleet of agents would send, as fast as a server acknowledges it. Batches are encoded
// before the clock starts; each thread is one agent and keeps one batch in flight, as real agents do.
//
//   weir-ingest-load URL ROWS AGENTS FLOWS_PER_BATCH SPREAD_SECONDS END_SECONDS_AGO
//
// ROWS reports in all, intervals spread over SPREAD_SECONDS that ended END_SECONDS_AGO. Half of the flows have both
// ends reported by the same agent. Prints one JSON line: rows stored per second of wall time, and the slowest
// acknowledgement.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "net/http_client.h"
#include "wire/batch_codec.h"

namespace weir {
namespace {

using SteadyClock = std::chrono::steady_clock;

struct Plan {
  std::string url;
  uint64_t rows = 0;
  unsigned agents = 4;
  unsigned flows_per_batch = 5'000;
  int64_t spread_ms = 0;
  int64_t end_ago_ms = 0;
};

model::Address AddressOf(uint32_t host) { return model::Address::FromV4(__builtin_bswap32(host)); }

// What the client counts; the server of the same connection counts the mirror image.
model::SideCounters CountersOf(std::mt19937& random) {
  model::SideCounters counters;
  counters.bytes_sent = random() % 100'000;
  counters.bytes_received = random() % 1'000'000;
  counters.segments_sent = counters.bytes_sent / 1'448 + 2;
  counters.segments_received = counters.bytes_received / 1'448 + 2;
  counters.retransmits = random() % 100 == 0 ? random() % 5 : 0;
  counters.opened = random() % 3;
  counters.closed = counters.opened;
  counters.open = random() % 10;
  counters.rtt_count = 1;
  counters.rtt_sum_us = 100 + random() % 2'000;
  counters.rtt_min_us = 90;
  counters.rtt_max_us = counters.rtt_sum_us;
  counters.rtt_histogram.Add(counters.rtt_sum_us);
  return counters;
}

model::SideCounters Mirrored(model::SideCounters counters) {
  std::swap(counters.bytes_sent, counters.bytes_received);
  std::swap(counters.segments_sent, counters.segments_received);
  return counters;
}

// Flow f of agent a: the same ends in every interval, as a steady cluster has them.
model::SideReport ReportOf(unsigned agent, unsigned flow, model::Side side, model::SideCounters counters) {
  model::SideReport report;
  report.ends.side = side;
  report.ends.client_address = AddressOf(0x0a000000U | agent << 16 | (flow % 200 + 1));
  report.ends.server_address = AddressOf(0x0a000000U | agent << 16 | (flow / 200 % 100 + 1) << 8);
  report.ends.server_port = static_cast<uint16_t>(8'000 + flow % 20);
  report.ends.netns = 4'026'531'840U + flow % 50;
  const unsigned who = side == model::Side::kClient ? flow % 200 : flow / 200 % 100;
  report.identity.process = fmt::format("{}-{}", side == model::Side::kClient ? "worker" : "service", who % 20);
  report.identity.container = fmt::format("{:064x}", agent * 1'000ULL + who);
  report.counters = std::move(counters);
  return report;
}

// Two reports in three are halves of a pair, so that a third of all reports disappear by merging.
std::vector<std::string> EncodeAgent(const Plan& plan, unsigned agent) {
  std::mt19937 random(agent);
  const uint64_t mine = plan.rows / plan.agents;
  const uint64_t batches = std::max<uint64_t>(1, mine / plan.flows_per_batch);
  const int64_t now = SystemClock().WallMillis() / 1'000 * 1'000;
  std::vector<std::string> encoded;
  for (uint64_t b = 0; b < batches; ++b) {
    model::AgentBatch batch;
    batch.agent_id = fmt::format("{:032x}", agent + 1);
    batch.node = fmt::format("load-{}", agent);
    batch.sequence = static_cast<uint64_t>(now) * 1'000 + b;
    batch.start = now - plan.end_ago_ms - plan.spread_ms +
                  static_cast<int64_t>(b) * plan.spread_ms / static_cast<int64_t>(batches);
    batch.end = batch.start + 1'000;
    batch.mode = "ebpf";
    batch.version = "load";
    for (unsigned flow = 0; batch.reports.size() < plan.flows_per_batch; ++flow) {
      const model::SideCounters counters = CountersOf(random);
      batch.reports.push_back(ReportOf(agent, flow, model::Side::kClient, counters));
      if (flow % 2 == 0) batch.reports.push_back(ReportOf(agent, flow, model::Side::kServer, Mirrored(counters)));
    }
    auto bytes = wire::EncodeBatch(batch);
    if (!bytes.ok()) std::fprintf(stderr, "%s\n", bytes.status().message().c_str());
    if (bytes.ok()) encoded.push_back(*std::move(bytes));
  }
  return encoded;
}

struct Outcome {
  std::atomic<uint64_t> acknowledged{0};
  std::atomic<uint64_t> retries{0};
  std::atomic<uint64_t> slowest_ms{0};
};

void SendAll(const Plan& plan, const std::vector<std::string>& batches, Outcome& outcome) {
  const auto client = net::HttpClient::Create({});
  for (const std::string& bytes : batches) {
    while (true) {
      net::ClientRequest request;
      request.method = "POST";
      request.url = plan.url + std::string(wire::kIngestPath);
      request.headers = {{"Content-Type", std::string(wire::kContentType)},
                         {"Content-Encoding", std::string(wire::kContentEncoding)},
                         {std::string(wire::kSentAtHeader), std::to_string(SystemClock().WallMillis())}};
      request.body = bytes;
      const auto started = SteadyClock::now();
      const auto response = client->Send(request);
      const auto took = static_cast<uint64_t>(
          std::chrono::duration_cast<std::chrono::milliseconds>(SteadyClock::now() - started).count());
      if (response.ok() && response->status == 200) {
        if (took > outcome.slowest_ms) outcome.slowest_ms = took;
        ++outcome.acknowledged;
        break;
      }
      if (response.ok() && response->status == 400) {
        std::fprintf(stderr, "refused: %s\n", response->body.c_str());
        return;
      }
      ++outcome.retries;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
}

int Main(char** arguments) {
  Plan plan;
  plan.url = arguments[1];
  plan.rows = std::strtoull(arguments[2], nullptr, 10);
  plan.agents = static_cast<unsigned>(std::atoi(arguments[3]));
  plan.flows_per_batch = static_cast<unsigned>(std::atoi(arguments[4]));
  plan.spread_ms = std::atoll(arguments[5]) * 1'000;
  plan.end_ago_ms = std::atoll(arguments[6]) * 1'000;

  std::vector<std::vector<std::string>> batches(plan.agents);
  uint64_t bytes = 0;
  for (unsigned agent = 0; agent < plan.agents; ++agent) batches[agent] = EncodeAgent(plan, agent);
  for (const auto& list : batches) {
    for (const std::string& batch : list) bytes += batch.size();
  }
  Outcome outcome;
  const auto started = SteadyClock::now();
  std::vector<std::thread> threads;
  for (unsigned agent = 0; agent < plan.agents; ++agent) {
    threads.emplace_back([&, agent] { SendAll(plan, batches[agent], outcome); });
  }
  for (std::thread& thread : threads) thread.join();
  const double seconds = std::chrono::duration<double>(SteadyClock::now() - started).count();
  const double reports = static_cast<double>(outcome.acknowledged) * plan.flows_per_batch;
  fmt::print(
      "{{\"reports\": {:.0f}, \"seconds\": {:.3f}, \"reports_per_second\": {:.0f}, \"wire_bytes_per_report\": {:.1f}, "
      "\"slowest_ack_ms\": {}, \"retries\": {}}}\n",
      reports, seconds, reports / seconds, static_cast<double>(bytes) / std::max(1.0, reports),
      outcome.slowest_ms.load(), outcome.retries.load());
  return 0;
}

}  // namespace
}  // namespace weir

int main(int argc, char** argv) {
  if (argc == 7) return weir::Main(argv);
  std::fprintf(stderr, "usage: weir-ingest-load URL ROWS AGENTS FLOWS_PER_BATCH SPREAD_SECONDS END_SECONDS_AGO\n");
  return 2;
}
