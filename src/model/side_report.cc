#include "model/side_report.h"

namespace weir::model {

std::string_view ProtocolName(Protocol protocol) {
  switch (protocol) {
    case Protocol::kTcp: return "tcp";
    case Protocol::kUdp: return "udp";
  }
  return "other";
}

}  // namespace weir::model
