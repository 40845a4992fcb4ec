// What agents say of their nodes' limits, kept beside the flows: samples as reported and rolled up to minutes, and
// windows of fine-grained traffic around events.
//
// Writing is exactly-once, like that of flows: an insert is one part of one table, every row carries agent and
// sequence, and a batch at or below an agent's highest stored sequence has been stored before and is passed over.
// Windows are written before samples: a repetition after a crash between the two is recognised by a window's agent,
// sequence and place when it is read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "model/node_report.h"
#include "store/query.h"

namespace weir::store {

// The node's part of one batch.
struct NodeBatch {
  std::string agent;
  uint64_t sequence = 0;
  std::string node;
  std::vector<model::NodeSample> samples;
  std::vector<model::RateWindow> windows;
};

// One signal of one subject over a range.
struct NodeTotal {
  std::string node;
  std::string subject;
  uint32_t netns = 0;
  model::NodeSignal signal = model::NodeSignal::node_pass_us;
  uint64_t sum = 0;           // counter: added in the range
  uint64_t last = 0;          // the latest value, of a counter or a gauge
  uint64_t highest = 0;       // of one sample
  UnixMillis first_time = 0;  // ends of the periods of the first and the last sample
  UnixMillis last_time = 0;
  uint64_t samples = 0;
};

struct NodeTotalsQuery {
  TimeRange range{};                         // matched against the ends of periods
  std::string node{};                        // "" = all
  std::vector<model::NodeSignal> signals{};  // empty = all
  uint32_t limit = 100'000;
};

struct NodeTotals {
  std::vector<NodeTotal> totals;  // by node, subject, signal
  bool complete = true;           // false: there are more than the limit
  bool from_minutes = false;      // read from minutes: the range's edges are whole ones
};

struct NodeSeriesQuery {
  TimeRange range;
  std::string node;
  model::NodeSignal signal = model::NodeSignal::node_pass_us;
  std::string subject;  // with any_subject: ignored, all of them added up
  bool any_subject = false;
  int64_t step_ms = 1'000;
};

struct NodePoint {
  UnixMillis time = 0;  // where the step begins
  uint64_t value = 0;   // counter: added in the step; gauge: the highest level
};

struct StoredRateWindow {
  std::string node;
  model::RateWindow window;
};

struct NodeSeries {
  int64_t step_ms = 0;  // as asked, or rounded up to minutes where only those are kept
  std::vector<NodePoint> points;
};

class NodeStore {
 public:
  virtual ~NodeStore() = default;

  // Durable when it returns OK; on an error a repetition stores what is missing, once. Thread: one writer.
  virtual Status Insert(const std::vector<NodeBatch>& batches) = 0;

  // Thread-safe, concurrent with Insert.
  virtual Result<NodeTotals> Totals(const NodeTotalsQuery& query) = 0;
  // Steps without samples have no point, in order of time.
  virtual Result<NodeSeries> Series(const NodeSeriesQuery& query) = 0;
  // Latest events first. node "" = all.
  virtual Result<std::vector<StoredRateWindow>> RateWindows(const TimeRange& range, const std::string& node,
                                                            uint32_t limit) = 0;
};

}  // namespace weir::store
