// Where an agent's batches go: over HTTP to a server, or straight into the server of the same process (weir up).
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "model/pod_names.h"

namespace weir::wire {

struct Ack {
  bool duplicate = false;   // had been stored before; nothing was counted again
  uint64_t watermark = 0;   // highest sequence stored for this agent
  model::PodNames names{};  // what has changed about the pods of the agent's node
};

class BatchSink {
 public:
  virtual ~BatchSink() = default;
  // Blocks until the batch is durable or refused. kUnavailable / kExhausted: send the same bytes again later.
  // kInvalid / kConflict: never acceptable, drop and count. kDenied: send again later, and tell the operator
  // now. Thread: the exporter's.
  virtual Result<Ack> Send(const std::string& encoded_batch, UnixMillis sent_at) = 0;
  // Makes a Send() in progress, and every later one, return kUnavailable within a second, so that an agent can
  // stop although its server hangs. For good. Any thread. A sink that never blocks longer needs none.
  virtual void Abort() {}
};

}  // namespace weir::wire
