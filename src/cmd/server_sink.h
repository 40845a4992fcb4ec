// The server that --server names, as a sink of batches.
#pragma once

#include <memory>

#include "base/clock.h"
#include "base/status.h"
#include "cmd/settings.h"
#include "wire/batch_sink.h"

namespace weir::cmd {

// With the token and the certificates the settings name. `clock` outlives the sink. Nothing is sent yet.
Result<std::unique_ptr<wire::BatchSink>> SinkOf(const Settings& settings, const Clock& clock);

}  // namespace weir::cmd
