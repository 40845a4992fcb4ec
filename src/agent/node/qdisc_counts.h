// What each queueing discipline of a namespace did itself. A parent counts again what its children count: that is taken
// off, so that the disciplines of an interface add up to what happened there.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "agent/node/link_message.h"
#include "agent/node/sample_table.h"

namespace weir::agent::node {

// A discipline and how its samples are called.
struct NamedQdisc {
  Qdisc qdisc;
  std::string subject;
};

// For each of `qdiscs`, the place of the discipline it hangs below, or -1.
std::vector<int> ParentsOf(const std::vector<NamedQdisc>& qdiscs);

// Adds the counters of the disciplines of one namespace, all of them at once. `netns` and `is_new` as in Object;
// `on_rise` hears of a counter that is evidence of a limit and grew.
void AddQdiscs(const std::vector<NamedQdisc>& qdiscs, uint32_t netns, bool is_new, SampleTable& table,
               const std::function<void(const NamedQdisc&, model::NodeSignal)>& on_rise);

}  // namespace weir::agent::node
