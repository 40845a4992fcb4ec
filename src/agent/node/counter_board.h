// CounterBoard: the values of the signals that /metrics shows, as they stand. Counters are the kernel's own, so that a
// restart of the agent is no reset of them; those of 32 bits go on beyond 2^32.
//
// Objects that are gone leave when Forget() is told so or nothing was read of them for a minute while others of their
// kind were. Bounded by kMaxObjects; what does not fit is counted (agent_metrics_objects_full). Thread: one.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "agent/node/object.h"
#include "base/clock.h"
#include "model/node_signals.h"

namespace weir::agent::node {

class CounterBoard {
 public:
  static constexpr size_t kMaxObjects = 50'000;  // some 20 MB

  struct Value {
    model::NodeSignal signal;
    uint64_t value = 0;
    uint64_t raw = 0;  // as last read
  };
  struct Entry {
    std::string name;
    UnixMillis created = 0;  // when its counters were 0; 0 = not known
    Nanos read_at = 0;       // monotonic
    std::vector<Value> values;
  };
  using Visit = std::function<void(uint32_t netns, model::SignalScope scope, const Entry& entry)>;

  // The time of the values that follow.
  void At(UnixMillis wall, Nanos monotonic);
  // Signals that are not shown are left alone.
  void Put(const Object& object, model::NodeSignal signal, uint64_t value, Width width);
  // Adds to a counter that is kept here alone.
  void AddTo(const Object& object, model::NodeSignal signal, uint64_t added);
  // The same of drops, by their reason: what stands before " in " in the name.
  void AddToReason(const Object& object, model::NodeSignal signal, uint64_t added);

  const Entry* Find(uint32_t netns, model::SignalScope scope, uint64_t number) const;
  // All but interfaces and network namespaces, of which whoever lists them knows which there are.
  void ForEachOther(const Visit& visit) const;
  // Drops the namespaces for which `there` is false, and what was not read for a minute.
  void Forget(const std::function<bool(uint32_t netns)>& there);
  size_t objects() const { return entries_.size(); }

 private:
  struct Key {
    uint32_t netns;
    model::SignalScope scope;
    uint64_t number;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    size_t operator()(const Key& key) const;
  };

  Entry* At(const Key& key, const Object& object, std::string_view name);
  static Value& ValueIn(Entry& entry, model::NodeSignal signal);

  std::unordered_map<Key, Entry, KeyHash> entries_;
  std::unordered_map<model::SignalScope, Nanos> latest_;  // when any of a scope was last read
  UnixMillis wall_ = 0;
  Nanos now_ = 0;
};

}  // namespace weir::agent::node
