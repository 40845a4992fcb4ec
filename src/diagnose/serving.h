// Serving: how fast each server answered lately, in steps of five seconds over three minutes. Detectors compare now
// with before by it: who suffers from a breach, whose answers stall.
#pragma once

#include <array>
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "diagnose/names.h"
#include "diagnose/samples.h"

namespace weir::diagnose {

inline constexpr int64_t kServingStep = 5;
inline constexpr size_t kServingSteps = 36;

// The times of requests that detectors compare.
enum class ServingTime : uint8_t { kFirstChunk, kChunkGap, kReceiveWait, kAcceptWait, kCount };
inline constexpr size_t kServingTimes = static_cast<size_t>(ServingTime::kCount);

struct ServingStep {
  int64_t step = -1;  // second / kServingStep
  uint64_t requests = 0;
  uint64_t streamed = 0;
  std::array<model::Histogram, kServingTimes> times;
  std::array<uint64_t, kServingTimes> sum_us{};
  std::array<uint64_t, kServingTimes> most_us{};
};

// A time over a while.
struct ServingSum {
  uint64_t samples = 0;
  uint64_t sum_us = 0;
  std::array<uint64_t, model::kHistogramBuckets> buckets{};
  std::vector<std::pair<uint64_t, uint64_t>> tops;  // longest of each step, and the samples of that step

  double Mean() const { return samples == 0 ? 0 : static_cast<double>(sum_us) / static_cast<double>(samples); }
  // Microseconds, 0 without samples. Smooth within its bucket, and not above what the longest times of the steps allow.
  double Quantile(double q) const;
};

enum class Steps : uint8_t { kTouched, kWhole };  // those that overlap a time, or those that lie within it

class Serving {
 public:
  void Add(PartyNumber server, const RequestSample& sample, int64_t second);
  // Of [from, to] in seconds.
  ServingSum Sum(PartyNumber server, ServingTime time, int64_t from, int64_t to, Steps steps = Steps::kTouched) const;
  uint64_t Requests(PartyNumber server, int64_t from, int64_t to) const;
  bool Serves(PartyNumber server) const { return servers_.contains(server); }
  std::vector<PartyNumber> Servers() const;
  int64_t FirstSeen(PartyNumber server) const;  // second; -1 = never
  void Forget(int64_t before_s);

 private:
  struct Server {
    int64_t first_s = -1;
    int64_t latest_s = -1;
    std::array<ServingStep, kServingSteps> steps;
  };
  std::unordered_map<PartyNumber, Server> servers_;
};

}  // namespace weir::diagnose
