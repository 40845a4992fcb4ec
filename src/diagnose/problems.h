// What is wrong with Weir itself: its store, its agents, what was lost. Sentences that say what to do. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "diagnose/thresholds.h"
#include "model/side_report.h"

namespace weir::diagnose {

// Texts and spans belong to the caller.
struct AgentFacts {
  std::string_view node;
  std::string_view mode;
  int64_t silent_ms = 0;        // since its last batch
  int64_t clock_offset_ms = 0;  // its clock minus the server's
  std::string_view refusal;     // what another was told lately that came under this one's name; "" = none came
  std::span<const model::ProbeReport> probes;
  std::span<const model::AgentCounter> counters;
};

struct StoreFacts {
  bool answers = true;
  std::string_view error;  // its last one; "" = none
  std::string_view path;
};

bool IsStale(int64_t silent_ms, const Thresholds& thresholds = {});

std::vector<std::string> AgentProblems(const AgentFacts& agent, const Thresholds& thresholds = {});
std::vector<std::string> StoreProblems(const StoreFacts& store);
// Of this process; values in the order of MetricCatalogue().
std::vector<std::string> CounterProblems(std::span<const uint64_t> own_counters);

// Everything lost so far: in this process, and in one agent. An agent in this process counts into its catalogue and
// reports the same numbers in its batches; they are taken from the reports alone, like every other agent's.
uint64_t OwnLosses(std::span<const uint64_t> own_counters);
uint64_t AgentLosses(std::span<const model::AgentCounter> counters);

}  // namespace weir::diagnose
