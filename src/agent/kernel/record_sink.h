// The seam between the kernel and everything that makes sense of it: records come in by one call, from the
// ring, from an iterator, from netlink or from a test that writes them as literals.
#pragma once

#include "bpf/abi.h"

namespace weir::agent::kernel {

class RecordSink {
 public:
  virtual ~RecordSink() = default;
  // `record` is borrowed for the call.
  virtual void OnRecord(const weir_record& record) = 0;
};

}  // namespace weir::agent::kernel
