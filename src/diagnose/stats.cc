#include "diagnose/stats.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

namespace weir::diagnose {

double WilsonLower(double hits, double total) {
  if (total <= 0 || hits <= 0) return 0;
  constexpr double kZ = 1.96;  // 95 %
  const double share = std::min(1.0, hits / total);
  const double square = kZ * kZ;
  const double middle = share + square / (2 * total);
  const double margin = kZ * std::sqrt(share * (1 - share) / total + square / (4 * total * total));
  return std::max(0.0, (middle - margin) / (1 + square / total));
}

double MeanOf(std::span<const double> values) {
  if (values.empty()) return 0;
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

double VariationOf(std::span<const double> values) {
  const double mean = MeanOf(values);
  if (values.size() < 2 || mean <= 0) return 0;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / static_cast<double>(values.size() - 1)) / mean;
}

double QuantileOf(std::span<const double> values, double q) {
  if (values.empty()) return 0;
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  const double place = std::clamp(q, 0.0, 1.0) * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

void RecentSeconds::Note(int64_t second, bool holds) {
  if (last_ < 0 || second > last_) {
    const int64_t step = last_ < 0 ? 64 : second - last_;
    bits_ = step >= 64 ? 0 : bits_ << step;
    last_ = second;
  }
  const int64_t age = last_ - second;
  if (holds && age < 64) bits_ |= uint64_t{1} << age;
}

int RecentSeconds::Count(int64_t second, int window) const {
  if (last_ < 0 || second - last_ >= window) return 0;
  const int64_t skipped = std::max<int64_t>(0, second - last_);  // seconds nothing was said about
  const int64_t bits = window - skipped;
  const uint64_t mask = bits >= 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1;
  return std::popcount(bits_ & mask);
}

int64_t RecentSeconds::FirstOf(int64_t second, int window) const {
  for (int64_t at = second - window + 1; at < second; ++at) {
    const int64_t age = last_ - at;
    if (last_ >= 0 && age >= 0 && age < 64 && (bits_ >> age & 1) != 0) return at;
  }
  return second;
}

int64_t RecentSeconds::First() const {
  if (bits_ == 0) return -1;
  return last_ - (63 - std::countl_zero(bits_));
}

}  // namespace weir::diagnose
