#include "model/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace weir::model {

uint32_t BucketOf(uint64_t microseconds) {
  if (microseconds <= 1) return 0;
  if (microseconds >> 32 != 0) return kHistogramBuckets - 1;
  const auto octave = static_cast<uint32_t>(std::bit_width(microseconds)) - 1;
  // The half-octave border is 2^octave * sqrt(2); comparing squares keeps it exact and within 64 bits.
  const bool upper = microseconds * microseconds >= (uint64_t{1} << (2 * octave + 1));
  return 2 * octave + (upper ? 1U : 0U);
}

double BucketLowerBound(uint32_t bucket) { return std::exp2(bucket / 2.0); }
double BucketMiddle(uint32_t bucket) { return std::exp2((bucket + 0.5) / 2.0); }

void Histogram::AddBucket(uint32_t bucket, uint32_t count) {
  if (count == 0) return;
  const auto key = static_cast<uint8_t>(std::min(bucket, kHistogramBuckets - 1));
  // There are few, and one after the other is faster than by halves.
  auto at = buckets_.begin();
  while (at != buckets_.end() && at->first < key) ++at;
  if (at != buckets_.end() && at->first == key) {
    at->second += count;
  } else {
    buckets_.insert(at, {key, count});
  }
}

void Histogram::Merge(const Histogram& other) {
  for (const auto& [bucket, count] : other.buckets_) AddBucket(bucket, count);
}

uint64_t Histogram::total() const {
  uint64_t sum = 0;
  for (const auto& [bucket, count] : buckets_) sum += count;
  return sum;
}

double Histogram::Quantile(double q) const {
  if (buckets_.empty()) return 0;
  const double wanted = q * static_cast<double>(total());
  uint64_t seen = 0;
  for (const auto& [bucket, count] : buckets_) {
    seen += count;
    if (static_cast<double>(seen) >= wanted) return BucketMiddle(bucket);
  }
  return BucketMiddle(buckets_.back().first);
}

}  // namespace weir::model
