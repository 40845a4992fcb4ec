// From absolute values to samples: what was added since a counter was last read, and levels.
//
// Values are kept per object, not per name: an interface that is renamed goes on counting, under its new name. A
// counter that goes backwards was reset (or its object was replaced under the same number): that is counted, and
// counting goes on from the new value; what was added before the reset is not known.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "agent/node/counter_board.h"
#include "agent/node/object.h"
#include "base/clock.h"
#include "model/node_report.h"

namespace weir::agent::node {

// Thread: one.
class SampleTable {
 public:
  // What is shown at /metrics goes to `board` as well, which outlives the table. Null = nothing is shown.
  explicit SampleTable(CounterBoard* board = nullptr) : board_(board) {}

  // Values added until the next call belong to this pass.
  void BeginPass(UnixMillis time, Nanos monotonic);
  // From here on values are for the board alone, until the next pass: no samples are made of them.
  void BeginLook(UnixMillis time, Nanos monotonic);
  // How often the values that follow are read.
  void SetPeriod(uint32_t period_ms) { period_ms_ = period_ms; }

  // Returns what was added since the last value; 0 for a gauge, a base line and a reset.
  uint64_t Add(const Object& object, model::NodeSignal signal, uint64_t value, Width width = Width::k64);

  // The same of a counter, but sample and board are left to the caller, who may know that some of it is counted
  // elsewhere: SayAdded().
  uint64_t Advance(const Object& object, model::NodeSignal signal, uint64_t value, Width width = Width::k64);

  void SayAdded(const Object& object, model::NodeSignal signal, uint64_t added);

  // A level that is sent with every pass, changed or not.
  void Say(const Object& object, model::NodeSignal signal, uint64_t level);

  // Their inodes may be given to others, whose counters begin anew. What is dropped is counted by inode, whosever it
  // is.
  void ForgetNamespaces(const std::function<bool(uint32_t netns)>& gone);

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
  uint64_t Change(const Object& object, model::NodeSignal signal, uint64_t value, Width width);
  void Emit(const Object& object, model::NodeSignal signal, uint64_t value);

  CounterBoard* const board_;
  bool looking_ = false;
  std::unordered_map<Key, Value, KeyHash> values_;
  std::vector<model::NodeSample> samples_;
  UnixMillis time_ = 0;
  Nanos now_ = 0;
  Nanos forget_at_ = 0;
  uint32_t period_ms_ = 0;
};

}  // namespace weir::agent::node
