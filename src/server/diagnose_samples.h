// What rows of flows say to the detectors: one sample per row, and the entities nobody told them of yet.
#pragma once

#include <tsl/robin_map.h>

#include <vector>

#include "diagnose/samples.h"
#include "model/flow_row.h"

namespace weir::server {

struct DiagnoseSamples {
  std::vector<model::EntityRef> entities;  // to be learned before the samples are judged
  std::vector<diagnose::FlowSample> flows;
  std::vector<diagnose::RequestSample> requests;

  size_t size() const { return flows.size() + requests.size(); }
};

// Thread: one at a time.
class SampleMaker {
 public:
  DiagnoseSamples Make(const std::vector<model::FlowRow>& rows, UnixMillis now);
  // Entities were lost on their way: all are told again.
  void TellAgain() { told_.clear(); }

 private:
  static constexpr size_t kMaxTold = 500'000;
  // Detectors forget after two hours what nobody used.
  static constexpr int64_t kForgetMs = 1'800'000;

  void Tell(const model::EntityRef& entity, DiagnoseSamples& samples);

  tsl::robin_map<model::EntityId, model::EntityRef> told_;
  UnixMillis forget_at_ = 0;
};

}  // namespace weir::server
