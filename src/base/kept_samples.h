// A visitor that keeps what it is told, for tests: "family label=value ..." -> value.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "base/metric_family.h"

namespace weir {

class KeptSamples final : public MetricVisitor {
 public:
  void Begin(const MetricFamily& family) override {
    family_ = &family;
    ++begun[std::string(family.name)];
  }
  void Add(std::span<const std::string_view> labels, double value, UnixMillis since) override {
    values[Key(labels)] = value;
    created[Key(labels)] = since;
  }
  void AddHistogram(std::span<const std::string_view> labels, const HistogramSample& histogram, UnixMillis) override {
    uint64_t count = 0;
    for (const uint64_t bucket : histogram.buckets) count += bucket;
    values[Key(labels) + " count"] = static_cast<double>(count);
    values[Key(labels) + " sum"] = histogram.sum;
  }

  std::map<std::string, double> values;
  std::map<std::string, UnixMillis> created;
  std::map<std::string, int> begun;

  // Those that begin with `prefix`, without it.
  std::map<std::string, double> Of(const std::string& prefix) const {
    std::map<std::string, double> found;
    for (const auto& [key, value] : values) {
      if (key.starts_with(prefix + " ") || key == prefix)
        found[key.substr(std::min(key.size(), prefix.size() + 1))] = value;
    }
    return found;
  }

 private:
  std::string Key(std::span<const std::string_view> labels) const {
    std::string key(family_->name);
    size_t i = 0;
    ForEachWord(family_->labels, [&](std::string_view label) {
      const std::string_view value = labels[i++];
      if (!value.empty()) key.append(" ").append(label).append("=").append(value);
    });
    return key;
  }
  const MetricFamily* family_ = nullptr;
};

}  // namespace weir
