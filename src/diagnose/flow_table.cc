#include "diagnose/flow_table.h"

#include <algorithm>

namespace weir::diagnose {

// Where the flow is, or where it would be. REQUIRES: a free place somewhere.
FlowState& FlowTable::Place(uint64_t flow) {
  size_t place = flow & (slots_.size() - 1);
  while (slots_[place].flow != 0 && slots_[place].flow != flow) place = (place + 1) & (slots_.size() - 1);
  return slots_[place];
}

// Into a table of so many places, without what was not used since.
void FlowTable::Rebuild(size_t places, int64_t before_s) {
  std::vector<FlowState> old(places);
  old.swap(slots_);
  used_ = 0;
  for (const FlowState& state : old) {
    if (state.flow == 0 || state.used_s < before_s) continue;
    Place(state.flow) = state;
    ++used_;
  }
}

FlowState* FlowTable::Find(const FlowSample& sample, Names& names) {
  const uint64_t flow = sample.flow == 0 ? 1 : sample.flow;
  FlowState* state = &Place(flow);
  if (state->flow == flow) return state;
  if (used_ >= kMaxFlows) return nullptr;
  if ((used_ + 1) * 4 > slots_.size() * 3) {
    Rebuild(slots_.size() * 2, INT64_MIN);
    state = &Place(flow);
  }
  ++used_;
  state->flow = flow;
  state->client = names.Of(sample.client);
  state->server = names.Of(sample.server);
  state->port = sample.server_port;
  return state;
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
  size_t old = 0;
  Visit([&](const FlowState& state) { old += state.used_s < before_s ? 1 : 0; });
  if (old == 0) return;
  size_t places = kFewest;
  while (places * 3 < (used_ - old + 1) * 4) places *= 2;
  Rebuild(places, before_s);
}

}  // namespace weir::diagnose
