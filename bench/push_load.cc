// weir-bench-push [ROUNDS]: how fast the same samples become text, remote write and OTLP, packed, on one thread. Each
// round does all three in turn; prints a JSON line per way with the median of its rates. Series are those of pairs of
// workloads.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/metric_text.h"
#include "model/metric_families.h"
#include "net/gzip.h"
#include "telemetry/otlp_metrics.h"
#include "telemetry/remote_write.h"

namespace weir {
namespace {

constexpr int kPairs = 1'000;
constexpr int kFamilies = 25;
constexpr uint64_t kSamples = uint64_t{kPairs} * kFamilies * 2;

void VisitPairs(MetricVisitor& visitor) {
  const MetricFamily& io = model::Describe(model::ServerFamily::workload_io).family;
  std::vector<MetricFamily> families(kFamilies, io);
  for (const MetricFamily& family : families) {
    visitor.Begin(family);
    for (int i = 0; i < kPairs; ++i) {
      const std::string client = "client-" + std::to_string(i), server = "server-" + std::to_string(i % 50);
      for (const std::string_view way : {"to_server", "to_client"}) {
        visitor.Add(std::array<std::string_view, 5>{"shop", client, "shop", server, way}, 12'345.0 * i, 1);
      }
    }
  }
}

size_t Text() {
  MetricText text(MetricFormat::kPrometheus, false);
  VisitPairs(text);
  return net::Gzip(text.Finish()).size();
}

size_t RemoteWrite() {
  static telemetry::RemoteWriteRounds rounds({{"job", "weir"}, {"instance", "server-0"}});
  size_t bytes = 0;
  for (const telemetry::Encoded& encoded : rounds.Encode(1, VisitPairs)) bytes += encoded.body.size();
  return bytes;
}

size_t Otlp() {
  const telemetry::ResourceAttributes resource{{"service.name", "weir"}};
  telemetry::OtlpMetrics metrics(resource, 1, 1);
  VisitPairs(metrics);
  size_t bytes = 0;
  for (const telemetry::Encoded& encoded : metrics.Finish()) bytes += net::Gzip(encoded.body).size();
  return bytes;
}

int Run(int rounds) {
  const std::vector<std::pair<std::string, std::function<size_t()>>> ways{
      {"text", Text}, {"remote_write", RemoteWrite}, {"otlp", Otlp}};
  std::map<std::string, std::vector<double>> rates;
  std::map<std::string, size_t> bytes;
  for (int round = 0; round < rounds; ++round) {
    for (const auto& [name, encode] : ways) {
      const auto begin = std::chrono::steady_clock::now();
      bytes[name] = encode();
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
      rates[name].push_back(static_cast<double>(kSamples) / took.count());
    }
  }
  for (auto& [name, all] : rates) {
    std::sort(all.begin(), all.end());
    std::printf("{\"bench\":\"push\",\"way\":\"%s\",\"samples\":%lu,\"bytes\":%zu,\"samples_per_second\":%.0f}\n",
                name.c_str(), static_cast<unsigned long>(kSamples), bytes[name], all[all.size() / 2]);
  }
  return 0;
}

}  // namespace
}  // namespace weir

int main(int argc, char** argv) { return weir::Run(argc > 1 ? std::max(1, std::atoi(argv[1])) : 9); }
