// Small statistics that several detectors use. Pure.
#pragma once

#include <cstdint>
#include <span>

namespace weir::diagnose {

// Lower end of the 95 % Wilson interval of a share: what can be said of it with so few samples. 0 when total is 0.
double WilsonLower(double hits, double total);

// Mean and coefficient of variation; 0 when there is nothing.
double MeanOf(std::span<const double> values);
double VariationOf(std::span<const double> values);

// Value at quantile q in [0, 1] by linear interpolation; 0 when there is nothing.
double QuantileOf(std::span<const double> values, double q);

// Whether a condition held in each of the last 64 seconds.
class RecentSeconds {
 public:
  // Notes one second; a second that was noted before keeps what was true in it. Older than 64 s: ignored.
  void Note(int64_t second, bool holds);
  // Of the `window` seconds up to and with `second`, in how many it held. REQUIRES: window <= 64.
  int Count(int64_t second, int window) const;
  // The first of these seconds in which it held; `second` when in none.
  int64_t FirstOf(int64_t second, int window) const;
  // First second of the last 64 in which it held; -1: none.
  int64_t First() const;
  int64_t last() const { return last_; }

 private:
  uint64_t bits_ = 0;  // bit i: it held in second last_ - i
  int64_t last_ = -1;
};

}  // namespace weir::diagnose
