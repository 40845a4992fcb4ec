// Reads the records of a BPF iterator.
#pragma once

#include <sys/types.h>

#include <functional>

#include "agent/kernel/record_sink.h"
#include "base/status.h"

namespace weir::agent::kernel {

// As read(2): bytes, 0 at the end, -1 with errno.
using ReadFunction = std::function<ssize_t(void* to, size_t size)>;

// Until the end. A record may be split over reads, and EAGAIN only says that the kernel looked at a million
// elements without one to report. kCorrupt when the end is not the end of a record.
Status ReadRecords(const ReadFunction& read, RecordSink& sink);

}  // namespace weir::agent::kernel
