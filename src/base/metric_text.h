// The text of /metrics: OpenMetrics 1.0 (github.com/prometheus/OpenMetrics) and Prometheus' format 0.0.4.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/metric_family.h"

namespace weir {

enum class MetricFormat : uint8_t { kOpenMetrics, kPrometheus };

// What the client likes best of the two by its Accept header (RFC 9110, 12.5.1); Prometheus' format when it likes both
// alike or does not say.
MetricFormat FormatFor(std::string_view accept);
std::string_view ContentTypeOf(MetricFormat format);

// Label values are escaped, and invalid UTF-8 in them becomes U+FFFD. Thread: one.
class MetricText final : public MetricVisitor {
 public:
  // `created`: also when counters began, in OpenMetrics alone. Prometheus stores these as series of their own.
  MetricText(MetricFormat format, bool created) : format_(format), created_(created) {}

  void Begin(const MetricFamily& family) override;
  void Add(std::span<const std::string_view> labels, double value, UnixMillis created) override;
  void AddHistogram(std::span<const std::string_view> labels, const HistogramSample& histogram,
                    UnixMillis created) override;

  // Ends the text and hands it over.
  std::string Finish();
  size_t samples() const { return samples_; }

 private:
  bool open_metrics() const { return format_ == MetricFormat::kOpenMetrics; }
  void RenderLabels(std::span<const std::string_view> labels);
  void Line(std::string_view suffix, std::string_view more_labels, double value);
  void CreatedLine(UnixMillis created);

  const MetricFormat format_;
  const bool created_;
  std::string text_;
  std::string labels_;  // of the sample at hand, without braces
  const MetricFamily* family_ = nullptr;
  std::vector<std::string_view> names_;  // of its labels
  size_t samples_ = 0;
};

// As in JSON, YAML and both formats: 3, 0.25, 1e+30, +Inf, -Inf, NaN.
void AppendNumber(std::string& out, double value);

}  // namespace weir
