#include "diagnose/serving.h"

#include <algorithm>
#include <cmath>

namespace weir::diagnose {
namespace {

constexpr size_t kMaxServers = 20'000;

// Running count at the border between two buckets grows as fast as this there: between them, and never falling.
double SlopeBetween(double below, double above) {
  return below == 0 || above == 0 ? 0 : 2 * below * above / (below + above);
}

// Where in a bucket, 0 to 1, a running count is reached that runs smoothly through its borders (monotone cubic).
double PlaceIn(double before, double count, double after, double wanted) {
  const double left = SlopeBetween(before, count);
  const double right = SlopeBetween(count, after);
  double low = 0;
  double high = 1;
  for (int step = 0; step < 20; ++step) {
    const double t = (low + high) / 2;
    const double reached = left * t * (1 - t) * (1 - t) + count * t * t * (3 - 2 * t) - right * t * t * (1 - t);
    (reached < wanted ? low : high) = t;
  }
  return high;
}

}  // namespace

double ServingSum::Quantile(double q) const {
  if (samples == 0) return 0;
  const double wanted = q * static_cast<double>(samples);
  double seen = 0;
  double value = 0;
  for (uint32_t bucket = 0; bucket < buckets.size() && value == 0; ++bucket) {
    const auto count = static_cast<double>(buckets[bucket]);
    if (count != 0 && seen + count >= wanted) {
      const double before = bucket == 0 ? 0 : static_cast<double>(buckets[bucket - 1]);
      const double after = bucket + 1 == buckets.size() ? 0 : static_cast<double>(buckets[bucket + 1]);
      value = std::exp2((bucket + PlaceIn(before, count, after, wanted - seen)) / 2);
    }
    seen += count;
  }
  // As many samples as wanted lie in steps that had nothing longer than this.
  auto ordered = tops;
  std::sort(ordered.begin(), ordered.end());
  double within = 0;
  for (const auto& [most_us, count] : ordered) {
    within += static_cast<double>(count);
    if (within >= wanted) return most_us == 0 ? value : std::min(value, static_cast<double>(most_us));
  }
  return value;
}

void Serving::Add(PartyNumber server, const RequestSample& sample, int64_t second) {
  if (server == kNobody || second < 0) return;
  if (servers_.size() >= kMaxServers && !servers_.contains(server)) return;
  Server& known = servers_[server];
  if (known.first_s < 0) known.first_s = second;
  known.latest_s = std::max(known.latest_s, second);
  const int64_t number = second / kServingStep;
  ServingStep& step = known.steps[static_cast<size_t>(number) % kServingSteps];
  if (step.step > number) return;
  if (step.step != number) {
    step = {};
    step.step = number;
  }
  step.requests += sample.requests;
  step.streamed += sample.requests_streamed;
  const auto add = [&](ServingTime time, const Times& times) {
    const auto index = static_cast<size_t>(time);
    step.times[index].Merge(times.histogram);
    step.sum_us[index] += times.sum_us;
    step.most_us[index] = std::max(step.most_us[index], times.max_us);
  };
  add(ServingTime::kFirstChunk, sample.first_chunk);
  add(ServingTime::kChunkGap, sample.chunk_gap);
  add(ServingTime::kReceiveWait, sample.receive_wait);
  add(ServingTime::kAcceptWait, sample.accept_wait);
}

ServingSum Serving::Sum(PartyNumber server, ServingTime time, int64_t from, int64_t to, Steps steps) const {
  ServingSum sum;
  const auto known = servers_.find(server);
  if (known == servers_.end()) return sum;
  const auto index = static_cast<size_t>(time);
  for (const ServingStep& step : known->second.steps) {
    const int64_t begin = step.step * kServingStep;
    const int64_t end = begin + kServingStep - 1;
    const bool meant = steps == Steps::kWhole ? begin >= from && end <= to : end >= from && begin <= to;
    if (step.step < 0 || !meant) continue;
    const uint64_t before = sum.samples;
    for (const auto& [bucket, count] : step.times[index].buckets()) {
      sum.buckets[bucket] += count;
      sum.samples += count;
    }
    sum.sum_us += step.sum_us[index];
    sum.tops.emplace_back(step.most_us[index], sum.samples - before);
  }
  return sum;
}

uint64_t Serving::Requests(PartyNumber server, int64_t from, int64_t to) const {
  uint64_t requests = 0;
  const auto known = servers_.find(server);
  if (known == servers_.end()) return 0;
  for (const ServingStep& step : known->second.steps) {
    if (step.step >= 0 && step.step * kServingStep + kServingStep > from && step.step * kServingStep <= to) {
      requests += step.requests;
    }
  }
  return requests;
}

std::vector<PartyNumber> Serving::Servers() const {
  std::vector<PartyNumber> servers;
  servers.reserve(servers_.size());
  for (const auto& [server, known] : servers_) servers.push_back(server);
  std::sort(servers.begin(), servers.end());
  return servers;
}

int64_t Serving::FirstSeen(PartyNumber server) const {
  const auto known = servers_.find(server);
  return known == servers_.end() ? -1 : known->second.first_s;
}

void Serving::Forget(int64_t before_s) {
  std::erase_if(servers_, [&](const auto& entry) { return entry.second.latest_s < before_s; });
}

}  // namespace weir::diagnose
