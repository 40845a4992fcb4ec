// HistogramTotal: what many intervals' histograms add up to, shown with a bound per power of two microseconds, so that
// counts are exact: these are bounds of the histograms too.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/metric_family.h"
#include "model/histogram.h"

namespace weir::model {

// Powers of two of microseconds: from 2^first to 2^last, each `step`th.
struct ShownBounds {
  uint32_t first = 0;
  uint32_t last = 0;
  uint32_t step = 1;

  std::vector<double> InSeconds() const;
};

inline constexpr ShownBounds kLookupBounds{8, 23};     // 256 us .. 8.4 s
inline constexpr ShownBounds kRoundTripBounds{5, 21};  // 32 us .. 2.1 s
inline constexpr ShownBounds kConnectBounds{7, 25};    // 128 us .. 33.6 s
inline constexpr ShownBounds kResponseBounds{10, 26};  // 1 ms .. 67 s
inline constexpr ShownBounds kChunkGapBounds{10, 24};  // 1 ms .. 16.8 s

class HistogramTotal {
 public:
  void Add(const Histogram& histogram, uint64_t sum_us);
  bool empty() const { return count_ == 0; }
  uint64_t count() const { return count_; }
  // `bounds` as InSeconds() of the same. `buckets` is filled; the sample borrows both.
  HistogramSample Show(const ShownBounds& shown, const std::vector<double>& bounds,
                       std::vector<uint64_t>& buckets) const;

 private:
  std::array<uint64_t, kHistogramBuckets> buckets_{};
  uint64_t count_ = 0;
  double sum_us_ = 0;
};

}  // namespace weir::model
