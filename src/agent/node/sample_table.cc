#include "agent/node/sample_table.h"

#include <algorithm>
#include <utility>

#include "base/metrics.h"

namespace weir::agent::node {
namespace {

constexpr Nanos kSecondNanos = 1'000'000'000;
// Longer than several of the slowest passes. What is gone for longer is gone.
constexpr Nanos kForgetAfter = 60 * kSecondNanos;
// A level that does not change is repeated, so that a question about the last minute finds it.
constexpr Nanos kRepeatGaugesAfter = 15 * kSecondNanos;
constexpr size_t kMaxValues = 500'000;  // some 40 MB

}  // namespace

size_t SampleTable::KeyHash::operator()(const Key& key) const {
  uint64_t hash = key.number * 0x9e3779b97f4a7c15U;
  hash ^= (uint64_t{key.netns} << 16 | static_cast<uint64_t>(key.signal)) * 0xff51afd7ed558ccdU;
  return hash ^ hash >> 32;
}

void SampleTable::BeginPass(UnixMillis time, Nanos monotonic) {
  time_ = time;
  now_ = monotonic;
  looking_ = false;
  if (board_ != nullptr) board_->At(time, monotonic);
  if (now_ >= forget_at_) Forget();
}

void SampleTable::BeginLook(UnixMillis time, Nanos monotonic) {
  looking_ = true;
  if (board_ != nullptr) board_->At(time, monotonic);
}

void SampleTable::Forget() {
  std::erase_if(values_, [this](const auto& entry) { return now_ - entry.second.read_at > kForgetAfter; });
  forget_at_ = now_ + kForgetAfter / 6;
}

void SampleTable::ForgetNamespaces(const std::function<bool(uint32_t netns)>& gone) {
  std::erase_if(values_, [&](const auto& entry) {
    return model::Describe(entry.first.signal).scope != model::SignalScope::kDrop && gone(entry.first.netns);
  });
}

SampleTable::Value* SampleTable::Find(const Object& object, model::NodeSignal signal, bool* is_first) {
  const Key key{object.netns, signal, object.number};
  auto found = values_.find(key);
  *is_first = found == values_.end();
  if (*is_first) {
    if (values_.size() >= kMaxValues) {
      Count(Metric::agent_node_samples_dropped);
      return nullptr;
    }
    found = values_.emplace(key, Value{}).first;
  }
  found->second.read_at = now_;
  return &found->second;
}

uint64_t SampleTable::Add(const Object& object, model::NodeSignal signal, uint64_t value, Width width) {
  // Kinds of drops come and go, so what they add is added up by reason.
  const bool is_drop = model::Describe(signal).scope == model::SignalScope::kDrop;
  if (board_ != nullptr && !is_drop) board_->Put(object, signal, value, width);
  if (looking_) return 0;
  const uint64_t added = Change(object, signal, value, width);
  if (board_ != nullptr && is_drop && added > 0) board_->AddToReason(object, signal, added);
  return added;
}

void SampleTable::Say(const Object& object, model::NodeSignal signal, uint64_t level) {
  if (!looking_) Emit(object, signal, level);
}

void SampleTable::SayAdded(const Object& object, model::NodeSignal signal, uint64_t added) {
  if (board_ != nullptr) board_->AddTo(object, signal, added);
  if (added > 0) Emit(object, signal, added);
}

uint64_t SampleTable::Change(const Object& object, model::NodeSignal signal, uint64_t value, Width width) {
  if (model::Describe(signal).kind != model::SignalKind::kGauge) {
    const uint64_t added = Advance(object, signal, value, width);
    if (added > 0) Emit(object, signal, added);
    return added;
  }
  bool is_first = false;
  Value* known = Find(object, signal, &is_first);
  if (known == nullptr) return 0;
  const uint64_t before = std::exchange(known->value, value);
  if (!is_first && before == value && now_ - known->sent_at < kRepeatGaugesAfter) return 0;
  known->sent_at = now_;
  Emit(object, signal, std::min(value, model::kMaxNodeValue));
  return 0;
}

uint64_t SampleTable::Advance(const Object& object, model::NodeSignal signal, uint64_t value, Width width) {
  bool is_first = false;
  Value* known = Find(object, signal, &is_first);
  if (known == nullptr) return 0;
  const uint64_t before = std::exchange(known->value, value);
  uint64_t added = 0;
  if (is_first) {
    added = object.is_new ? value : 0;
  } else if (value >= before) {
    added = value - before;
  } else if (HasWrapped(before, value, width)) {
    added = (uint64_t{1} << 32) - before + value;
  } else {
    Count(Metric::agent_node_resets);
  }
  if (added <= model::kMaxNodeValue) return added;
  Count(Metric::agent_node_resets);
  return 0;
}

void SampleTable::Emit(const Object& object, model::NodeSignal signal, uint64_t value) {
  if (samples_.size() >= model::kMaxNodeSamples) {
    Count(Metric::agent_node_samples_dropped);
    return;
  }
  samples_.push_back({signal, std::string(object.name), object.netns, value, time_, period_ms_});
}

std::vector<model::NodeSample> SampleTable::Take() { return std::exchange(samples_, {}); }

}  // namespace weir::agent::node
