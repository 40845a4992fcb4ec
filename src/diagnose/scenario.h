// Scenario: a stream of samples written down as a few lines of text, for tests and benches. docs/detectors/README.md
// explains the lines. A seed varies every number a little; an option bends the stream as life does.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "diagnose/judge.h"

namespace weir::diagnose {

// One line, split: words in order, and NAME=VALUE.
struct ScenarioLine {
  int number = 0;
  int64_t from = 0;  // seconds since the scenario began
  int64_t to = 0;    // inclusive
  std::vector<std::string> words;
  std::map<std::string, std::string> values;

  std::string Text(const std::string& name, const std::string& fallback = "") const;
  double Number(const std::string& name, double fallback = 0) const;  // "5M", "40k", "1.5"
  bool Has(const std::string& name) const { return values.contains(name); }
};

struct ScenarioOptions {
  uint64_t seed = 1;
  double jitter = 0.03;                            // of every rate
  double scale = 1;                                // of rates and sizes, capacities included
  double delay = 1;                                // of round trips and of how long answers take
  double parallel = 1;                             // of connections open at once
  double duplicate_share = 0;                      // of samples, sent twice
  double lost_share = 0;                           // of samples, never sent
  int64_t late_s = 0;                              // samples come this much late
  int64_t flows_late_s = 0;                        // flows and requests come this much later than readings
  int64_t skew_s = 0;                              // the second node's clock is ahead by this, the third's behind
  std::vector<std::pair<int64_t, int64_t>> blind;  // seconds without any reading of any node
  bool no_capacity = false;
  std::map<std::string, double> thresholds;
};

class Scenario {
 public:
  // Aborts the test with a message when the text is none.
  explicit Scenario(std::string_view text);

  struct Outcome {
    std::map<uint64_t, Finding> findings;  // latest state of each
    std::vector<HealthIndicator> epochs;
    std::map<uint64_t, int64_t> first_seen_s;  // when each finding first came out
    JudgeCounters counters;
  };
  Outcome Run(const ScenarioOptions& options = {}) const;

  const std::vector<ScenarioLine>& expectations() const { return expectations_; }
  // What an expectation says of an outcome; "" = it holds.
  static std::string Check(const ScenarioLine& expectation, const Outcome& outcome);
  // Every finding as one line, in order: for golden texts.
  static std::string Golden(const Outcome& outcome);

 private:
  std::vector<ScenarioLine> lines_;
  std::vector<ScenarioLine> expectations_;
  int64_t seconds_ = 60;
};

}  // namespace weir::diagnose
