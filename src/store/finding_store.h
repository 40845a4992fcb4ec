// Findings and health indicators, kept beside the flows they are about. The store knows who, when and how sure, so that
// it can be asked; the rest is a text it hands back as it was given (JSON, see diagnose/finding_json.h).
//
// Rows have a key and a revision. Storing a revision again changes nothing, and answers have the latest one alone: so
// each finding is stored exactly once however often a writer repeats itself.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "store/query.h"

namespace weir::store {

struct StoredFinding {
  uint64_t id = 0;
  uint32_t revision = 0;  // of several of one id the highest holds
  UnixMillis start = 0;
  UnixMillis end = 0;  // of an open one: so far
  bool open = false;
  std::string detector;
  std::string confidence;
  std::vector<std::string> about;  // whom it concerns, as questions name them: "pod:shop/web-1"
  std::string text;
};

struct FindingQuery {
  TimeRange range{};                     // of which it overlaps some part; an open one reaches until now
  uint64_t id = 0;                       // 0 = any; with an id the range is ignored
  bool open_only = false;                //
  bool closed_only = false;              //
  std::vector<std::string> detectors{};  // empty = all, so are the next two
  std::vector<std::string> confidences{};
  std::string about{};
  uint32_t limit = 1'000;
};

struct Findings {
  std::vector<StoredFinding> findings;  // the latest start first; without detector, confidence and about
  bool complete = true;                 // false: there are more than the limit
};

// One stretch of time in which a scope's indicator had one value.
struct StoredIndicator {
  std::string scope;  // as questions name it: "node:n1"
  UnixMillis start = 0;
  UnixMillis end = 0;  // of several of one scope and start the latest end holds
  int value = -1;      // -1 = unknown
  std::string text;
};

struct IndicatorQuery {
  TimeRange range{};
  std::string scope{};  // "" = all
  uint32_t limit = 10'000;
};

struct Indicators {
  std::vector<StoredIndicator> indicators;  // by scope, then by start
  bool complete = true;
};

class FindingStore {
 public:
  virtual ~FindingStore() = default;

  // Durable when they return OK; on an error a repetition does no harm. Thread: one writer.
  virtual Status Insert(const std::vector<StoredFinding>& findings) = 0;
  virtual Status Insert(const std::vector<StoredIndicator>& indicators) = 0;

  // Thread-safe, concurrent with Insert.
  virtual Result<Findings> Find(const FindingQuery& query) = 0;
  virtual Result<Indicators> Find(const IndicatorQuery& query) = 0;
};

inline constexpr size_t kMaxFindingBytes = 256 * 1024;  // of a text; a longer one is refused

}  // namespace weir::store
