#include "agent/node/counter_board.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/metrics.h"
#include "model/metric_families.h"

namespace weir::agent::node {
namespace {

using model::NodeSignal;
using model::SignalScope;

constexpr Nanos kForgetAfter = 60'000'000'000;
// Control groups are all read in every slow pass.
constexpr Nanos kForgetGroupAfter = 11'000'000'000;

constexpr auto kShown = [] {
  std::array<bool, model::kNodeSignalCount> shown{};
  for (size_t i = 0; i < shown.size(); ++i) shown[i] = model::IsShown(static_cast<NodeSignal>(i));
  return shown;
}();

// "pod-a/NETFILTER_DROP in nft_do_chain (tcp)" -> "NETFILTER_DROP"; drops of an unknown namespace stay apart.
std::string_view ReasonIn(std::string_view name) {
  const std::string_view reason = name.substr(0, name.rfind(" in "));
  return reason.starts_with("unknown/") ? reason : reason.substr(reason.rfind('/') + 1);
}

}  // namespace

size_t CounterBoard::KeyHash::operator()(const Key& key) const {
  uint64_t hash = key.number * 0x9e3779b97f4a7c15U;
  hash ^= (uint64_t{key.netns} << 8 | static_cast<uint64_t>(key.scope)) * 0xff51afd7ed558ccdU;
  return hash ^ hash >> 32;
}

void CounterBoard::At(UnixMillis wall, Nanos monotonic) {
  wall_ = wall;
  now_ = monotonic;
}

CounterBoard::Entry* CounterBoard::At(const Key& key, const Object& object, std::string_view name) {
  auto found = entries_.find(key);
  if (found == entries_.end()) {
    if (entries_.size() >= kMaxObjects) {
      Count(Metric::agent_metrics_objects_full);
      return nullptr;
    }
    found = entries_.emplace(key, Entry{}).first;
    found->second.created = object.is_new ? wall_ : 0;
  }
  Entry& entry = found->second;
  if (entry.name != name) entry.name = name;
  entry.read_at = latest_[key.scope] = now_;
  return &entry;
}

CounterBoard::Value& CounterBoard::ValueIn(Entry& entry, NodeSignal signal) {
  const auto found = std::find_if(entry.values.begin(), entry.values.end(),
                                  [&](const Value& value) { return value.signal == signal; });
  return found != entry.values.end() ? *found : entry.values.emplace_back(Value{signal});
}

void CounterBoard::Put(const Object& object, NodeSignal signal, uint64_t value, Width width) {
  if (!kShown[static_cast<size_t>(signal)]) return;
  Entry* entry = At({object.netns, model::Describe(signal).scope, object.number}, object, object.name);
  if (entry == nullptr) return;
  Value& known = ValueIn(*entry, signal);
  const uint64_t before = std::exchange(known.raw, value);
  if (width == Width::k64) {
    known.value = value;
  } else if (value >= before) {
    known.value += value - before;
  } else {
    known.value = HasWrapped(before, value, width) ? known.value + (uint64_t{1} << 32) - before + value : value;
  }
}

void CounterBoard::AddTo(const Object& object, NodeSignal signal, uint64_t added) {
  if (!kShown[static_cast<size_t>(signal)]) return;
  Object counted = object;
  counted.is_new = true;
  Entry* entry = At({object.netns, model::Describe(signal).scope, object.number}, counted, object.name);
  if (entry != nullptr) ValueIn(*entry, signal).value += added;
}

void CounterBoard::AddToReason(const Object& object, NodeSignal signal, uint64_t added) {
  if (!kShown[static_cast<size_t>(signal)]) return;
  const std::string_view name = ReasonIn(object.name);
  const Key key{object.netns, model::Describe(signal).scope, std::hash<std::string_view>()(name)};
  Object counted = object;
  counted.is_new = true;
  if (Entry* entry = At(key, counted, name); entry != nullptr) ValueIn(*entry, signal).value += added;
}

const CounterBoard::Entry* CounterBoard::Find(uint32_t netns, SignalScope scope, uint64_t number) const {
  const auto found = entries_.find({netns, scope, number});
  return found == entries_.end() ? nullptr : &found->second;
}

void CounterBoard::ForEachOther(const Visit& visit) const {
  for (const auto& [key, entry] : entries_) {
    if (key.scope != SignalScope::kInterface && key.scope != SignalScope::kNetns) visit(key.netns, key.scope, entry);
  }
}

void CounterBoard::Forget(const std::function<bool(uint32_t netns)>& there) {
  std::erase_if(entries_, [&](const auto& item) {
    const auto& [key, entry] = item;
    if (!there(key.netns)) return true;
    const Nanos limit = key.scope == SignalScope::kCgroup ? kForgetGroupAfter : kForgetAfter;
    // What is counted here alone stays while its namespace does.
    return key.scope != SignalScope::kDrop && latest_.at(key.scope) - entry.read_at > limit;
  });
}

}  // namespace weir::agent::node
