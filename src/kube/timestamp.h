// Times as the Kubernetes API writes them (RFC 3339).
#pragma once

#include <string_view>

#include "base/clock.h"

namespace weir::kube {

// "2026-11-30T09:00:00Z", with or without a fraction, or with an offset such as +02:00. 0 when it is none of these.
UnixMillis ParseTimestamp(std::string_view text);

}  // namespace weir::kube
