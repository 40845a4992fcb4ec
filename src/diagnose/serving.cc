#include "diagnose/serving.h"

#include <algorithm>

namespace weir::diagnose {
namespace {

constexpr size_t kMaxServers = 20'000;

}  // namespace

double ServingSum::Quantile(double q) const {
  if (samples == 0) return 0;
  const double wanted = q * static_cast<double>(samples);
  double seen = 0;
  for (uint32_t bucket = 0; bucket < buckets.size(); ++bucket) {
    seen += static_cast<double>(buckets[bucket]);
    if (seen >= wanted && buckets[bucket] != 0) return model::BucketMiddle(bucket);
  }
  return 0;
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
  step.times[static_cast<size_t>(ServingTime::kFirstChunk)].Merge(sample.first_chunk.histogram);
  step.times[static_cast<size_t>(ServingTime::kChunkGap)].Merge(sample.chunk_gap.histogram);
  step.times[static_cast<size_t>(ServingTime::kReceiveWait)].Merge(sample.receive_wait.histogram);
  step.times[static_cast<size_t>(ServingTime::kAcceptWait)].Merge(sample.accept_wait.histogram);
}

ServingSum Serving::Sum(PartyNumber server, ServingTime time, int64_t from, int64_t to) const {
  ServingSum sum;
  const auto known = servers_.find(server);
  if (known == servers_.end()) return sum;
  for (const ServingStep& step : known->second.steps) {
    if (step.step < 0 || step.step * kServingStep + kServingStep <= from || step.step * kServingStep > to) continue;
    for (const auto& [bucket, count] : step.times[static_cast<size_t>(time)].buckets()) {
      sum.buckets[bucket] += count;
      sum.samples += count;
    }
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
