#include "model/histogram_total.h"

namespace weir::model {
namespace {

constexpr double kMicrosPerSecond = 1e6;

}  // namespace

std::vector<double> ShownBounds::InSeconds() const {
  std::vector<double> bounds;
  for (uint32_t power = first; power <= last; power += step) {
    bounds.push_back(static_cast<double>(uint64_t{1} << power) / kMicrosPerSecond);
  }
  return bounds;
}

void HistogramTotal::Add(const Histogram& histogram, uint64_t sum_us) {
  for (const auto& [bucket, count] : histogram.buckets()) {
    buckets_[bucket] += count;
    count_ += count;
  }
  sum_us_ += static_cast<double>(sum_us);
}

HistogramSample HistogramTotal::Show(const ShownBounds& shown, const std::vector<double>& bounds,
                                     std::vector<uint64_t>& buckets) const {
  buckets.assign(bounds.size() + 1, 0);
  for (uint32_t i = 0; i < kHistogramBuckets; ++i) {
    // Bucket i ends at 2^((i + 1) / 2) microseconds; it belongs below the first power of two that is no less.
    const uint32_t power = (i + 2) / 2;
    size_t place = power <= shown.first ? 0 : (power - shown.first + shown.step - 1) / shown.step;
    if (place > bounds.size()) place = bounds.size();
    buckets[place] += buckets_[i];
  }
  return {bounds, buckets, sum_us_ / kMicrosPerSecond};
}

}  // namespace weir::model
