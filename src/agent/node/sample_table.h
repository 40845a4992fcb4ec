// From absolute values to samples: what was added since a counter was last read, and levels.
//
// Values are kept per object, not per name: an interface that is renamed goes on counting, under its new name. A
// counter that goes backwards was reset (or its object was replaced under the same number): that is counted, and
// counting goes on from the new value; what was added before the reset is not known.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "model/node_report.h"

namespace weir::agent::node {

// Whose value it is. `name` is the sample's subject.
struct Object {
  uint32_t netns = 0;
  uint64_t number = 0;  // ifindex, inode of a control group, ...: unique within scope and namespace
  std::string_view name;
  // It came to be after the last pass, so its counters began at 0: a first value counts whole. Otherwise a first
  // value is the base line.
  bool is_new = false;
};

enum class Width { k64, k32 };  // of the kernel's counter: one of 32 bits that passes 2^32 goes on, it is not reset

// Thread: one.
class SampleTable {
 public:
  // Values added until the next call belong to this pass.
  void BeginPass(UnixMillis time, Nanos monotonic);
  // How often the values that follow are read.
  void SetPeriod(uint32_t period_ms) { period_ms_ = period_ms; }

  // Returns what was added since the last value; 0 for a gauge, a base line and a reset.
  uint64_t Add(const Object& object, model::NodeSignal signal, uint64_t value, Width width = Width::k64);

  // The same of a counter, but the sample is left to the caller, who may know that some of it is counted elsewhere.
  uint64_t Advance(const Object& object, model::NodeSignal signal, uint64_t value, Width width = Width::k64);

  // A level that is sent with every pass, changed or not; or what Advance() said was added.
  void Say(const Object& object, model::NodeSignal signal, uint64_t value) { Emit(object, signal, value); }

  std::vector<model::NodeSample> Take();
  size_t values() const { return values_.size(); }

 private:
  struct Key {
    uint32_t netns;
    model::NodeSignal signal;
    uint64_t number;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    size_t operator()(const Key& key) const;
  };
  struct Value {
    uint64_t value = 0;
    Nanos read_at = 0;
    Nanos sent_at = 0;  // gauges
  };

  // nullptr: there is no room.
  Value* Find(const Object& object, model::NodeSignal signal, bool* is_first);
  void Forget();
  void Emit(const Object& object, model::NodeSignal signal, uint64_t value);

  std::unordered_map<Key, Value, KeyHash> values_;
  std::vector<model::NodeSample> samples_;
  UnixMillis time_ = 0;
  Nanos now_ = 0;
  Nanos forget_at_ = 0;
  uint32_t period_ms_ = 0;
};

}  // namespace weir::agent::node
