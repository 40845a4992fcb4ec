// AgentBatch <-> bytes: protobuf (proto/weir/v1/batch.proto) inside one zstd frame.
//
// Decoding trusts nobody. Before anything is allocated the frame must declare its size and the size must be
// within kMaxDecodedBytes; then counts, string lengths, address lengths, dictionary indexes, ports, UTF-8 and
// interval bounds are checked. A bad batch is refused whole with the reason. Fuzzed by batch_codec_fuzz.cc.
//
// Text: a process may call itself anything, so the encoder replaces what clean_text.h forbids by U+FFFD and cuts
// long names; the decoder refuses a batch that still has such text, for no agent of ours sends it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/status.h"
#include "model/side_report.h"

namespace weir::wire {

inline constexpr uint32_t kFormat = 1;
inline constexpr size_t kMaxEncodedBytes = size_t{16} << 20;  // of a compressed batch
inline constexpr size_t kMaxDecodedBytes = size_t{64} << 20;  // after decompression
inline constexpr size_t kMaxReports = 200'000;
inline constexpr size_t kMaxLocalAddresses = 65'536;
inline constexpr size_t kMaxProbes = 256;
inline constexpr size_t kMaxCounters = 256;
inline constexpr int64_t kMaxIntervalMs = 3'600'000;  // longest end - start
inline constexpr std::string_view kContentType = "application/x-protobuf";
inline constexpr std::string_view kContentEncoding = "zstd";
inline constexpr std::string_view kIngestPath = "/api/v1/ingest";
inline constexpr std::string_view kSentAtHeader = "X-Weir-Sent-At";  // Unix ms by the agent's clock, at sending

// kInvalid when the batch breaks a bound above (the agent splits before it comes to that). The frame carries a
// checksum, so a bit that flips on disk or in a proxy is noticed.
Result<std::string> EncodeBatch(const model::AgentBatch& batch);

// kInvalid with what is wrong and where, in words for the agent's log.
Result<model::AgentBatch> DecodeBatch(std::string_view bytes);

}  // namespace weir::wire
