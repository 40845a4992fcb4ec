// Fuzzes a whole replay twice per input: the input as a file, which reaches header and block checks, and as the frames
// of a file that is otherwise sound, which carries the fuzzer past checksums to what a recording says happened.
#include <zstd.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <sstream>
#include <string>

#include "agent/recording/format.h"
#include "agent/recording/replay.h"
#include "base/log.h"

namespace {

using namespace weir::agent::recording;

template <typename T>
std::string BytesOf(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

void Run(std::string file) {
  auto replay = Replay::Open(std::make_unique<std::istringstream>(std::move(file)));
  if (!replay.ok()) return;
  while ((*replay)->Next()) {
  }
  (void)(*replay)->Remarks();
  (void)(*replay)->status();
}

std::string SoundFile(std::string_view frames, bool small) {
  Header header;
  header.started = 1;
  header.abi = 1;
  header.observed.max_sockets = header.observed.max_flows = small ? 1 : 1'000;
  header.observed.udp = header.observed.dns = header.observed.requests = header.observed.nat = true;
  std::string stored(ZSTD_compressBound(frames.size()), '\0');
  stored.resize(ZSTD_compress(stored.data(), stored.size(), frames.data(), frames.size(), 1));
  const BlockHeader block{static_cast<uint32_t>(stored.size()), static_cast<uint32_t>(frames.size())};
  return FileStart(header) + BytesOf(block) + stored;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  weir::SetLogLevel(weir::LogLevel::kError);
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  Run(std::string(input));
  if (!input.empty()) Run(SoundFile(input.substr(1), (data[0] & 1) != 0));
  return 0;
}
