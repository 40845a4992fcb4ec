// B11: what a pod's start was spent on, and loads that get in each other's way. See docs/detectors/startup.md.
#pragma once

#include <map>
#include <string>
#include <unordered_set>
#include <vector>

#include "diagnose/detect_load.h"

namespace weir::diagnose {

// The steps of a pod's start, in order of time, without overlap; what nobody saw is marked as unknown. `first_answer`
// is when it first answered a request, 0 = not yet. Pure.
std::vector<StartupStep> StartupSteps(const model::Pod& pod, const std::vector<const Finding*>& loads,
                                      UnixMillis first_answer);

class StartupDetector {
 public:
  // Both outlive this.
  StartupDetector(const LoadDetector& loads, const Serving& serving) : loads_(loads), serving_(serving) {}
  void Tick(const Context& context);

 private:
  void Tell(const Context& context, const model::Pod& pod);
  void AmendLoads(const Context& context, const model::Pod& pod, const std::vector<const Finding*>& loads);
  static void AddSteps(Finding& finding, double total_s);
  void LookForHerds(const Context& context);
  void ReportHerd(const Context& context, const std::vector<LoadDetector::Running>& herd, NodeNumber node);

  const LoadDetector& loads_;
  const Serving& serving_;
  std::map<std::string, UnixMillis> told_;  // by pod uid: its ready_since
};

}  // namespace weir::diagnose
