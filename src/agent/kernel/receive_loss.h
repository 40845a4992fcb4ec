// Whose arrivals are watched packet by packet, to see what was lost on the way in (docs/adr/0006).
#pragma once

namespace weir::agent {

enum class ReceiveLoss {
  kOff,
  kOnEvidence,  // control groups whose sockets received something out of order, for a minute after the last time
  kAlways,      // all: costs a little on every packet that arrives
};

}  // namespace weir::agent
