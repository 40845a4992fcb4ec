// What --remote-write and --otlp ask for.
#pragma once

#include <memory>

#include "base/clock.h"
#include "base/status.h"
#include "cmd/settings.h"
#include "telemetry/push.h"

namespace weir::cmd {

// Null where nothing is asked for. kInvalid, kNotFound: a URL, an interval or the file of headers. `clock` outlives it.
Result<std::unique_ptr<telemetry::Push>> PushOf(const Settings& settings, const Clock& clock);

}  // namespace weir::cmd
