// Samples on their way into a visitor: labels by what an object is, and a family that begins with its first sample.
#pragma once

#include <array>
#include <string_view>

#include "base/metric_family.h"
#include "model/metric_families.h"

namespace weir::agent::metrics {

// What the labels of a sample may be made from; "" = not known. Borrowed for the length of the call.
struct LabelContext {
  std::string_view instance_id{}, node{};
  std::string_view name_space{}, pod{}, uid{}, container{}, workload{}, workload_kind{};
  std::string_view iface{}, interface {
  }, device{}, port{}, cpu{}, qdisc{}, reason{};
  std::string_view version{}, mode{};
};

class FamilyOut {
 public:
  static constexpr size_t kMaxLabels = 8;

  // `family` and `visitor` outlive this.
  FamilyOut(const MetricFamily& family, MetricVisitor& visitor);

  // `own`: values of the labels that are the family's alone, blank-separated, in their order.
  void Add(const LabelContext& context, std::string_view own, double value, UnixMillis created);
  void AddHistogram(const LabelContext& context, const HistogramSample& histogram, UnixMillis created);

 private:
  using Field = std::string_view LabelContext::*;

  static Field FieldOf(std::string_view label);
  std::span<const std::string_view> LabelsOf(const LabelContext& context, std::string_view own);
  void Begin();

  const MetricFamily& family_;
  MetricVisitor& visitor_;
  std::array<Field, kMaxLabels> fields_{};  // null: the family's own
  std::array<std::string_view, kMaxLabels> values_;
  size_t labels_ = 0;
  bool begun_ = false;
};

}  // namespace weir::agent::metrics
