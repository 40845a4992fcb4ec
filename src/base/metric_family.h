// What a metric family is, and who visits the samples of one: the text of /metrics, remote write and OTLP are visitors
// of the same visit.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/clock.h"

namespace weir {

enum class FamilyType : uint8_t {
  kCounter,
  kGauge,
  kHistogram,
  // A counter whose samples are called like the family, without _total: OpenMetrics knows no such thing and says
  // "unknown", Prometheus' text says "counter".
  kPlainCounter,
};

struct MetricFamily {
  std::string_view name;  // without _total
  FamilyType type = FamilyType::kGauge;
  std::string_view unit;    // the end of the name, "bytes" or "seconds"; "" = none
  std::string_view labels;  // names, one blank apart, in the order of the values
  std::string_view otel;    // OpenTelemetry's name, "" = made from `name`
  std::string_view help;
};

struct HistogramSample {
  std::span<const double> bounds;     // upper ones, ascending, without infinity
  std::span<const uint64_t> buckets;  // what is in each, not added up; one more than bounds
  double sum = 0;
};

class MetricVisitor {
 public:
  virtual ~MetricVisitor() = default;
  // Samples until the next Begin() are of `family`, which outlives the visit. A family begins once in a visit.
  virtual void Begin(const MetricFamily& family) = 0;
  // `labels`: one value for each of the family's, "" = not known, which leaves the label out. `created`: when the
  // counter began at 0; 0 = not known.
  virtual void Add(std::span<const std::string_view> labels, double value, UnixMillis created = 0) = 0;
  virtual void AddHistogram(std::span<const std::string_view> labels, const HistogramSample& histogram,
                            UnixMillis created = 0) = 0;
};

// Calls visit(name) for each blank-separated word.
template <typename Visit>
void ForEachWord(std::string_view words, Visit visit) {
  while (!words.empty()) {
    const size_t end = words.find(' ');
    visit(words.substr(0, end));
    words = end == std::string_view::npos ? std::string_view() : words.substr(end + 1);
  }
}

}  // namespace weir
