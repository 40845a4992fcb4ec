#include "agent/kernel/snapshot_reader.h"

#include <cerrno>
#include <cstring>
#include <vector>

namespace weir::agent::kernel {
namespace {

constexpr size_t kBufferRecords = 1'024;

}  // namespace

Status ReadRecords(const ReadFunction& read, RecordSink& sink) {
  std::vector<weir_record> buffer(kBufferRecords);
  char* const bytes = reinterpret_cast<char*>(buffer.data());
  const size_t capacity = buffer.size() * sizeof(weir_record);
  size_t have = 0;
  for (;;) {
    const ssize_t size = read(bytes + have, capacity - have);
    if (size < 0) {
      if (errno == EAGAIN || errno == EINTR) continue;
      return Status::FromErrno(errno, "read the snapshot");
    }
    if (size == 0) break;
    have += static_cast<size_t>(size);
    const size_t whole = have / sizeof(weir_record);
    for (size_t i = 0; i < whole; ++i) sink.OnRecord(buffer[i]);
    have -= whole * sizeof(weir_record);
    std::memmove(bytes, bytes + whole * sizeof(weir_record), have);
  }
  return have == 0 ? Status::Ok() : Status::Corrupt("the snapshot ended within a record");
}

}  // namespace weir::agent::kernel
