#include "base/metrics.h"

namespace weir {
namespace {

std::array<std::atomic<uint64_t>, kMetricCount> g_values{};  // the one global the house allows besides the log

}  // namespace

const std::array<MetricDescription, kMetricCount>& MetricCatalogue() {
  static constexpr std::array<MetricDescription, kMetricCount> kCatalogue{{
#define WEIR_METRIC_ROW(id, name, kind, severity, help) {name, MetricKind::kind, MetricSeverity::severity, help},
      WEIR_METRICS(WEIR_METRIC_ROW)
#undef WEIR_METRIC_ROW
  }};
  return kCatalogue;
}

void Count(Metric metric, uint64_t by) {
  g_values[static_cast<size_t>(metric)].fetch_add(by, std::memory_order_relaxed);
}

void SetGauge(Metric metric, uint64_t value) {
  g_values[static_cast<size_t>(metric)].store(value, std::memory_order_relaxed);
}

uint64_t Read(Metric metric) { return g_values[static_cast<size_t>(metric)].load(std::memory_order_relaxed); }

std::string RenderOpenMetrics() {
  std::string out;
  for (size_t i = 0; i < kMetricCount; ++i) {
    const MetricDescription& metric = MetricCatalogue()[i];
    const bool counter = metric.kind == MetricKind::kCounter;
    std::string_view family = metric.name;
    if (counter) family.remove_suffix(std::string_view("_total").size());
    out.append("# TYPE ").append(family).append(counter ? " counter\n" : " gauge\n");
    out.append("# HELP ").append(family).append(" ").append(metric.help).append("\n");
    out.append(metric.name).append(" ").append(std::to_string(Read(static_cast<Metric>(i)))).append("\n");
  }
  out += "# EOF\n";
  return out;
}

}  // namespace weir
