// A sparse histogram of microseconds with two buckets per octave: bucket i holds values in
// [2^(i/2), 2^((i+1)/2)). 19 % worst-case error, 64 buckets reach 71 minutes; a typical row has one or two.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace weir::model {

inline constexpr uint32_t kHistogramBuckets = 64;

uint32_t BucketOf(uint64_t microseconds);  // 0 and 1 µs share bucket 0; the last bucket is open
double BucketLowerBound(uint32_t bucket);  // microseconds
double BucketMiddle(uint32_t bucket);      // geometric middle, microseconds

class Histogram {
 public:
  void Add(uint64_t microseconds, uint32_t count = 1) { AddBucket(BucketOf(microseconds), count); }
  void AddBucket(uint32_t bucket, uint32_t count);  // bucket is clamped to the last one
  void Merge(const Histogram& other);

  bool empty() const { return buckets_.empty(); }
  uint64_t total() const;
  // Value at quantile q in [0, 1]: the geometric middle of the bucket it falls in; 0 when empty.
  double Quantile(double q) const;
  // (bucket, count) in ascending order of bucket; counts are non-zero.
  const std::vector<std::pair<uint8_t, uint32_t>>& buckets() const { return buckets_; }

  bool operator==(const Histogram&) const = default;

 private:
  std::vector<std::pair<uint8_t, uint32_t>> buckets_;
};

}  // namespace weir::model
