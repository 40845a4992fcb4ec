// The decorator that records: a source over any origin, and everything that passes from the one to the other goes into
// a recording. Neither notices.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>

#include "agent/observe.h"
#include "agent/origin.h"
#include "agent/recording/header.h"
#include "agent/source.h"
#include "base/status.h"

namespace weir::agent::recording {

struct RecordOptions {
  std::filesystem::path file;
  uint64_t limit_bytes = uint64_t{256} << 20;
  std::function<void()> on_thread;  // called first on the thread that writes; may be empty
};

// A source as MakeObserver() gives, recorded. `header` tells who records; its `observed` is taken from `options`. Ends
// the recording when it is destroyed. Errors as for Writer::Create.
Result<std::unique_ptr<Source>> MakeRecorder(RecordOptions recording, Header header, const ObserveOptions& options,
                                             std::unique_ptr<Origin> origin);

}  // namespace weir::agent::recording
