#include "base/metrics.h"

#include <unordered_map>

namespace weir {
namespace {

std::array<std::atomic<uint64_t>, kMetricCount> g_values{};  // the one global the house allows besides the log

constexpr std::string_view kCounted = "_total";
constexpr std::string_view kMicroseconds = "_microseconds";

// A row of the catalogue as /metrics shows it.
struct OwnFamily {
  std::string name;    // with _total
  std::string title;   // without, what `family` borrows
  double divisor = 1;  // from what is counted to what is shown
  MetricFamily family;

  bool counter() const { return family.type == FamilyType::kCounter; }
};

OwnFamily MakeFamily(const MetricDescription& metric) {
  OwnFamily own;
  own.title = metric.name;
  const bool counter = metric.kind == MetricKind::kCounter;
  if (counter) own.title.resize(own.title.size() - kCounted.size());
  if (own.title.ends_with(kMicroseconds)) {
    own.title.resize(own.title.size() - kMicroseconds.size());
    own.title += "_seconds";
    own.divisor = 1e6;
  }
  own.name = own.title + std::string(counter ? kCounted : "");
  own.family.type = counter ? FamilyType::kCounter : FamilyType::kGauge;
  for (const std::string_view unit : {"bytes", "seconds"}) {
    if (own.title.ends_with("_" + std::string(unit))) own.family.unit = unit;
  }
  own.family.help = metric.help;
  return own;
}

const OwnFamily& FamilyOf(Metric metric) {
  static const std::array<OwnFamily, kMetricCount> kFamilies = [] {
    std::array<OwnFamily, kMetricCount> families;
    for (size_t i = 0; i < kMetricCount; ++i) {
      families[i] = MakeFamily(MetricCatalogue()[i]);
      families[i].family.name = families[i].title;  // where it stays
    }
    return families;
  }();
  return kFamilies[static_cast<size_t>(metric)];
}

template <typename Wanted>
void VisitOwn(UnixMillis created, MetricVisitor& visitor, Wanted wanted) {
  for (size_t i = 0; i < kMetricCount; ++i) {
    const auto metric = static_cast<Metric>(i);
    const OwnFamily& own = FamilyOf(metric);
    if (!wanted(own.name)) continue;
    visitor.Begin(own.family);
    visitor.Add({}, static_cast<double>(Read(metric)) / own.divisor, own.counter() ? created : 0);
  }
}

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

void AddToGauge(Metric metric, int64_t by) {
  g_values[static_cast<size_t>(metric)].fetch_add(static_cast<uint64_t>(by), std::memory_order_relaxed);
}

uint64_t Read(Metric metric) { return g_values[static_cast<size_t>(metric)].load(std::memory_order_relaxed); }

std::string ExpositionName(Metric metric) { return FamilyOf(metric).name; }

void VisitMetrics(std::string_view prefix, UnixMillis created, MetricVisitor& visitor) {
  VisitOwn(created, visitor, [&](std::string_view name) { return name.starts_with(prefix); });
}

void VisitMetricsBut(std::string_view prefix, UnixMillis created, MetricVisitor& visitor) {
  VisitOwn(created, visitor, [&](std::string_view name) { return !name.starts_with(prefix); });
}

std::optional<Metric> MetricNamed(std::string_view name) {
  static const std::unordered_map<std::string_view, Metric> kNames = [] {
    std::unordered_map<std::string_view, Metric> names;
    for (size_t i = 0; i < kMetricCount; ++i) names.emplace(MetricCatalogue()[i].name, static_cast<Metric>(i));
    return names;
  }();
  const auto found = kNames.find(name);
  if (found == kNames.end()) return std::nullopt;
  return found->second;
}

void VisitReported(std::span<const ReportedMetrics> reports, MetricVisitor& visitor) {
  static const std::array<MetricFamily, kMetricCount> kFamilies = [] {
    std::array<MetricFamily, kMetricCount> families;
    for (size_t i = 0; i < kMetricCount; ++i) {
      families[i] = FamilyOf(static_cast<Metric>(i)).family;
      families[i].labels = "node";
    }
    return families;
  }();
  std::array<std::vector<std::pair<std::string_view, uint64_t>>, kMetricCount> found;
  for (const ReportedMetrics& report : reports) {
    for (const auto& [metric, value] : report.values)
      found[static_cast<size_t>(metric)].emplace_back(report.node, value);
  }
  for (size_t i = 0; i < kMetricCount; ++i) {
    if (found[i].empty()) continue;
    visitor.Begin(kFamilies[i]);
    const double divisor = FamilyOf(static_cast<Metric>(i)).divisor;
    for (const auto& [node, value] : found[i]) visitor.Add({&node, 1}, static_cast<double>(value) / divisor, 0);
  }
}

}  // namespace weir
