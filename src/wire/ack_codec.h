// Ack <-> bytes: protobuf (proto/weir/v1/ack.proto), uncompressed. Decoding trusts nobody: sizes and counts are checked
// before anything is allocated, names must be clean text. Fuzzed by ack_codec_fuzz.cc.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "model/pod_names.h"
#include "wire/batch_sink.h"

namespace weir::wire {

inline constexpr size_t kMaxAckBytes = size_t{1} << 20;

// Names are made clean and cut to model::kMaxStringBytes. kInvalid when there are more than model::kMaxPodNames.
Result<std::string> EncodeAck(const Ack& ack);
Result<Ack> DecodeAck(std::string_view bytes);

// The names alone, as an agent keeps them on its disk: any number up to `max_pods`.
std::string EncodePodNames(const model::PodNames& names);
Result<model::PodNames> DecodePodNames(std::string_view bytes, size_t max_pods);

}  // namespace weir::wire
