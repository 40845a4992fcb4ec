#include "diagnose/thresholds.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace weir::diagnose {

Status SetThreshold(Thresholds& thresholds, std::string_view assignment) {
  const size_t equals = assignment.find('=');
  const std::string_view name = assignment.substr(0, equals);
  const std::string_view text = equals == std::string_view::npos ? "" : assignment.substr(equals + 1);
  for (const ThresholdDescription& threshold : kThresholds) {
    if (threshold.name != name) continue;
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value) || value < 0) {
      return Status::Invalid(fmt::format("threshold {}: '{}' is no number of 0 or more; its default is {}", name, text,
                                         threshold.fallback));
    }
    thresholds.*threshold.member = value;
    return Status::Ok();
  }
  return Status::Invalid(
      fmt::format("there is no threshold '{}'; docs/detectors/thresholds.md lists them (NAME=VALUE)", name));
}

}  // namespace weir::diagnose
