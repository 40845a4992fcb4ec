// Two intervals of one end as one.
#pragma once

#include <algorithm>

#include "model/side_counters.h"

namespace weir::model {

// clang-format off
// Adds what adds up; keeps the larger of maxima, the smaller known minimum, and the later level of open connections.
inline void Add(SideCounters& into, const SideCounters& from) {
#define WEIR_ADD(name) into.name += from.name;
  WEIR_SHARED_COUNTERS(WEIR_ADD)
  WEIR_SENDER_COUNTERS(WEIR_ADD)
  WEIR_RECEIVER_COUNTERS(WEIR_ADD)
  WEIR_END_COUNTERS(WEIR_ADD)
  WEIR_ADD(retransmits_syn)
  WEIR_ADD(rtt_count)
  WEIR_ADD(rtt_sum_us)
#undef WEIR_ADD
#define WEIR_ADD(name) into.name = std::max(into.name, from.name);
  WEIR_SENDER_MAXIMA(WEIR_ADD)
  WEIR_RECEIVER_MAXIMA(WEIR_ADD) WEIR_END_MAXIMA(WEIR_ADD) WEIR_ADD(rtt_max_us)
#undef WEIR_ADD
#define WEIR_ADD(name) into.name.Merge(from.name);
      WEIR_SIDE_HISTOGRAMS(WEIR_ADD)
#undef WEIR_ADD
          if (from.rtt_min_us != 0 && (into.rtt_min_us == 0 || from.rtt_min_us < into.rtt_min_us)) {
    into.rtt_min_us = from.rtt_min_us;
  }
  into.open = from.open;
}

// clang-format on

}  // namespace weir::model
