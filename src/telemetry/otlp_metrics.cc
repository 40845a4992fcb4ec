#include "telemetry/otlp_metrics.h"

#include "model/metric_families.h"

namespace weir::telemetry {
namespace {

constexpr uint64_t kPointsPerRequest = 2'000;
constexpr uint64_t kNanosPerMilli = 1'000'000;

uint64_t NanosOf(UnixMillis time) { return static_cast<uint64_t>(time) * kNanosPerMilli; }

}  // namespace

std::string OtelNameOf(const MetricFamily& family) {
  if (!family.otel.empty()) return std::string(family.otel);
  std::string name(family.name);
  if (!name.starts_with("weir_")) return name;  // under somebody else's name, which is kept
  if (!family.unit.empty()) name.resize(name.size() - family.unit.size() - 1);
  // The first two words are name spaces.
  size_t from = 0;
  for (int i = 0; i < 2; ++i) {
    const size_t place = name.find('_', from);
    if (place == std::string::npos) break;
    name[place] = '.';
    from = place + 1;
  }
  return name;
}

std::string_view OtelUnitOf(const MetricFamily& family) {
  if (family.unit == "bytes") return "By";
  if (family.unit == "seconds") return "s";
  return family.unit.empty() ? "1" : family.unit;
}

void OtlpMetrics::Begin(const MetricFamily& family) {
  family_ = &family;
  metric_ = nullptr;
  attributes_.clear();
  ForEachWord(family.labels, [&](std::string_view label) { attributes_.push_back(model::AttributeOf(label)); });
}

otlp::Metric& OtlpMetrics::MetricAtHand() {
  if (points_ == kPointsPerRequest) Flush();
  if (metric_ != nullptr) return *metric_;
  if (request_.resource_metrics_size() == 0) {
    otlp::ResourceMetrics* part = request_.add_resource_metrics();
    AddResource(*part, resource_);
    SetScope(*part->add_scope_metrics());
  }
  metric_ = request_.mutable_resource_metrics(0)->mutable_scope_metrics(0)->add_metrics();
  metric_->set_name(OtelNameOf(*family_));
  metric_->set_description(std::string(family_->help));
  metric_->set_unit(std::string(OtelUnitOf(*family_)));
  return *metric_;
}

template <typename Point>
void OtlpMetrics::Describe(Point& point, std::span<const std::string_view> labels, UnixMillis created) {
  point.set_time_unix_nano(NanosOf(now_));
  if (family_->type != FamilyType::kGauge) point.set_start_time_unix_nano(NanosOf(created != 0 ? created : started_));
  for (size_t i = 0; i < attributes_.size(); ++i) {
    if (!labels[i].empty()) AddText(point, attributes_[i], labels[i]);
  }
  ++points_;
}

void OtlpMetrics::Add(std::span<const std::string_view> labels, double value, UnixMillis created) {
  otlp::Metric& metric = MetricAtHand();
  otlp::NumberPoint* point = nullptr;
  if (family_->type == FamilyType::kGauge) {
    point = metric.mutable_gauge()->add_points();
  } else {
    metric.mutable_sum()->set_temporality(otlp::CUMULATIVE);
    metric.mutable_sum()->set_monotonic(true);
    point = metric.mutable_sum()->add_points();
  }
  point->set_as_double(value);
  Describe(*point, labels, created);
}

void OtlpMetrics::AddHistogram(std::span<const std::string_view> labels, const HistogramSample& histogram,
                               UnixMillis created) {
  otlp::Metric& metric = MetricAtHand();
  metric.mutable_histogram()->set_temporality(otlp::CUMULATIVE);
  otlp::HistogramPoint* point = metric.mutable_histogram()->add_points();
  uint64_t count = 0;
  for (const uint64_t bucket : histogram.buckets) {
    count += bucket;
    point->add_bucket_counts(bucket);
  }
  for (const double bound : histogram.bounds) point->add_explicit_bounds(bound);
  point->set_count(count);
  point->set_sum(histogram.sum);
  Describe(*point, labels, created);
}

void OtlpMetrics::Flush() {
  if (points_ == 0) return;
  done_.push_back({request_.SerializeAsString(), points_});
  request_.Clear();
  metric_ = nullptr;
  points_ = 0;
}

std::vector<Encoded> OtlpMetrics::Finish() {
  Flush();
  return std::move(done_);
}

}  // namespace weir::telemetry
