// A first look at an uncompressed batch that allocates nothing. A protobuf message takes up to a hundred
// times its bytes once parsed (an empty FlowReport is 2 bytes on the wire), so how many there are must be
// known, and refused, before the parser makes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/status.h"

namespace weir::wire {

struct BatchCounts {
  uint32_t format = 0;  // 0 = absent
  size_t flows = 0;
  size_t strings = 0;
  size_t probes = 0;
  size_t counters = 0;
  size_t local_addresses = 0;
  size_t node_samples = 0;
  size_t rate_windows = 0;
  size_t namespaces = 0;
  size_t resolved = 0;
};

// kInvalid when the top level is not well-formed or a report, sample or window is larger than any honest one.
Result<BatchCounts> ScanBatch(std::string_view plain);

}  // namespace weir::wire
