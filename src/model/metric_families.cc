#include "model/metric_families.h"

namespace weir::model {

std::string_view FamilyTypeName(FamilyType type) {
  switch (type) {
    case FamilyType::kCounter:
    case FamilyType::kPlainCounter: return "counter";
    case FamilyType::kGauge: return "gauge";
    case FamilyType::kHistogram: return "histogram";
  }
  return "gauge";
}

std::string_view FamilyRoleName(FamilyRole role) {
  switch (role) {
    case FamilyRole::kCompatible: return "compatible";
    case FamilyRole::kPod: return "pod";
    case FamilyRole::kNode: return "node";
    case FamilyRole::kContainer: return "container";
    case FamilyRole::kFabric: return "fabric";
    case FamilyRole::kWorkload: return "workload";
    case FamilyRole::kInference: return "inference";
    case FamilyRole::kVerdict: return "verdict";
  }
  return "node";
}

std::string_view AttributeOf(std::string_view label) {
  static constexpr std::array kLabels = std::to_array<std::array<std::string_view, 2>>({
#define WEIR_LABEL_ROW(label, attribute) {#label, attribute},
      WEIR_METRIC_LABELS(WEIR_LABEL_ROW)
#undef WEIR_LABEL_ROW
  });
  for (const auto& [name, attribute] : kLabels) {
    if (name == label) return attribute;
  }
  return label;
}

}  // namespace weir::model
