#include "agent/metrics/family_out.h"

namespace weir::agent::metrics {

FamilyOut::FamilyOut(const MetricFamily& family, MetricVisitor& visitor) : family_(family), visitor_(visitor) {
  ForEachWord(family.labels, [this](std::string_view label) { fields_[labels_++] = FieldOf(label); });
}

FamilyOut::Field FamilyOut::FieldOf(std::string_view label) {
  struct Named {
    std::string_view label;
    Field field;
  };
  static constexpr auto kFields = std::to_array<Named>({{"instance_id", &LabelContext::instance_id},
                                                        {"node", &LabelContext::node},
                                                        {"namespace", &LabelContext::name_space},
                                                        {"pod", &LabelContext::pod},
                                                        {"uid", &LabelContext::uid},
                                                        {"container", &LabelContext::container},
                                                        {"workload", &LabelContext::workload},
                                                        {"workload_kind", &LabelContext::workload_kind},
                                                        {"iface", &LabelContext::iface},
                                                        {"interface", &LabelContext::interface},
                                                        {"eni", &LabelContext::interface},
                                                        {"device", &LabelContext::device},
                                                        {"port", &LabelContext::port},
                                                        {"cpu", &LabelContext::cpu},
                                                        {"qdisc", &LabelContext::qdisc},
                                                        {"version", &LabelContext::version},
                                                        {"mode", &LabelContext::mode}});
  for (const Named& named : kFields) {
    if (named.label == label) return named.field;
  }
  return nullptr;
}

std::span<const std::string_view> FamilyOut::LabelsOf(const LabelContext& context, std::string_view own) {
  for (size_t i = 0; i < labels_; ++i) {
    if (fields_[i] != nullptr) {
      values_[i] = context.*fields_[i];
      continue;
    }
    const size_t end = own.find(' ');
    values_[i] = own.substr(0, end);
    own = end == std::string_view::npos ? std::string_view() : own.substr(end + 1);
    // Of a family with a class and a reason the class is the family's, the reason the object's.
    if (values_[i].empty()) values_[i] = context.reason;
  }
  return {values_.data(), labels_};
}

void FamilyOut::Begin() {
  if (!begun_) visitor_.Begin(family_);
  begun_ = true;
}

void FamilyOut::Add(const LabelContext& context, std::string_view own, double value, UnixMillis created) {
  Begin();
  visitor_.Add(LabelsOf(context, own), value, created);
}

void FamilyOut::AddHistogram(const LabelContext& context, const HistogramSample& histogram, UnixMillis created) {
  Begin();
  visitor_.AddHistogram(LabelsOf(context, ""), histogram, created);
}

}  // namespace weir::agent::metrics
