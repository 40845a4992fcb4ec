#include "diagnose/flow_table.h"

#include <algorithm>

namespace weir::diagnose {

FlowState* FlowTable::Find(const FlowSample& sample, Names& names) {
  const auto found = flows_.find(sample.flow);
  if (found != flows_.end()) return &found.value();
  if (flows_.size() >= kMaxFlows) return nullptr;
  FlowState& state = flows_[sample.flow];
  state.client = names.Of(sample.client);
  state.server = names.Of(sample.server);
  state.port = sample.server_port;
  return &state;
}

bool FlowTable::Accept(FlowState& state, const FlowSample& sample) {
  const int64_t second = sample.start / 1'000;
  if (second > state.last_s) {
    const int64_t step = state.last_s < 0 ? 64 : second - state.last_s;
    state.seen_by_client = step >= 64 ? 0 : state.seen_by_client << step;
    state.seen_by_server = step >= 64 ? 0 : state.seen_by_server << step;
    state.last_s = second;
  }
  const int64_t age = state.last_s - second;
  if (age >= 64) return false;  // too old to know
  const uint64_t bit = uint64_t{1} << age;
  const uint8_t sides = sample.reported_by == 0 ? uint8_t{kByClient} : sample.reported_by;
  const bool known = ((sides & kByClient) == 0 || (state.seen_by_client & bit) != 0) &&
                     ((sides & kByServer) == 0 || (state.seen_by_server & bit) != 0);
  if (known) return false;
  if ((sides & kByClient) != 0) state.seen_by_client |= bit;
  if ((sides & kByServer) != 0) state.seen_by_server |= bit;
  return true;
}

void FlowTable::Forget(int64_t before_s) {
  for (auto entry = flows_.begin(); entry != flows_.end();) {
    entry = entry->second.used_s < before_s ? flows_.erase(entry) : std::next(entry);
  }
}

}  // namespace weir::diagnose
