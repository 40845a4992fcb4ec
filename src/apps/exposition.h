// Reads what an application answers at /metrics: Prometheus' text format 0.0.4 or OpenMetrics 1.0. Keeps the series of
// the table alone, adds up their label sets, and refuses what cannot be.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/inference_servers.h"

namespace weir::apps {

inline constexpr size_t kMaxBuckets = 128;      // of one histogram, infinity included
inline constexpr size_t kMaxLabelSets = 4'096;  // of one sample name
inline constexpr size_t kMaxLineBytes = 16'384;

// What one series says now, over all its label sets. Times are seconds.
struct Reading {
  double value = 0;            // of all but histograms
  std::vector<double> bounds;  // upper ones, ascending, without infinity
  std::vector<double> counts;  // in each bucket, not added up; one more than bounds
  double sum = 0;
  double count = 0;
};

struct Exposition {
  std::map<SeriesNumber, Reading> readings;
  // Series that cannot be believed, and why: a value that is none, buckets that fall.
  std::vector<std::pair<SeriesNumber, std::string>> refused;
  size_t samples = 0;     // lines with a value, of whatever name
  size_t unreadable = 0;  // lines that are no samples and no comments
};

// Pure. Takes time and memory in proportion to `text`, which the caller bounds.
Exposition ReadExposition(std::string_view text, const InferenceServers& table);

}  // namespace weir::apps
