// Metrics as OTLP requests: the samples of one visit.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metric_family.h"
#include "foreign/otlp.pb.h"
#include "telemetry/otlp.h"
#include "telemetry/remote_write.h"

namespace weir::telemetry {

// "weir_workload_io_bytes" -> "weir.workload.io": the unit is a field of its own. Families that OpenTelemetry has a
// name for have that one.
std::string OtelNameOf(const MetricFamily& family);
// "By", "s", "{packet}"-like annotations are not used: "1" where there is none.
std::string_view OtelUnitOf(const MetricFamily& family);

// Thread: one.
class OtlpMetrics final : public MetricVisitor {
 public:
  // Both outlive this. `started`: when counters began that do not say so themselves.
  OtlpMetrics(const ResourceAttributes& resource, UnixMillis now, UnixMillis started)
      : resource_(resource), now_(now), started_(started) {}

  void Begin(const MetricFamily& family) override;
  void Add(std::span<const std::string_view> labels, double value, UnixMillis created) override;
  void AddHistogram(std::span<const std::string_view> labels, const HistogramSample& histogram,
                    UnixMillis created) override;
  // Not packed yet.
  std::vector<Encoded> Finish();

 private:
  otlp::Metric& MetricAtHand();
  template <typename Point>
  void Describe(Point& point, std::span<const std::string_view> labels, UnixMillis created);
  void Flush();

  const ResourceAttributes& resource_;
  const UnixMillis now_;
  const UnixMillis started_;
  const MetricFamily* family_ = nullptr;
  std::vector<std::string_view> attributes_;  // of the family's labels
  otlp::MetricsRequest request_;
  otlp::Metric* metric_ = nullptr;  // of request_; null: the family has none there yet
  uint64_t points_ = 0;             // in request_
  std::vector<Encoded> done_;
};

}  // namespace weir::telemetry
