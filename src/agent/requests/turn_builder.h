// Test support: literal steps of one connection, in milliseconds.
#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "bpf/requests_abi.h"

namespace weir::agent::requests {

inline weir_step MakeStep(weir_step_kind kind, double at_ms, uint32_t bytes = 0, std::string_view ends_in = "") {
  weir_step step{};
  step.kind = static_cast<weir_u8>(kind);
  step.socket = 0x1000;
  step.time_ns = static_cast<uint64_t>(at_ms * 1e6);
  step.bytes = bytes;
  if (ends_in.size() >= WEIR_TAIL_BYTES) {
    step.tail_bytes = WEIR_TAIL_BYTES;
    std::memcpy(step.tail, ends_in.data() + ends_in.size() - WEIR_TAIL_BYTES, WEIR_TAIL_BYTES);
  }
  return step;
}

inline weir_step_head MakeHead(weir_step_kind kind, double at_ms, std::string_view text, uint32_t request_bytes = 0) {
  weir_step_head head{};
  head.step = MakeStep(kind, at_ms, static_cast<uint32_t>(text.size()), text);
  head.step.request_bytes = request_bytes;
  head.netns = 7;
  head.family = AF_INET;
  inet_pton(AF_INET, "10.0.0.2", head.local_address);
  inet_pton(AF_INET, "10.0.0.1", head.remote_address);
  head.local_port = 8080;
  head.remote_port = 40'000;
  head.text_bytes = static_cast<weir_u16>(std::min<size_t>(text.size(), sizeof(head.text)));
  std::memcpy(head.text, text.data(), head.text_bytes);
  if (kind == WEIR_STEP_ANSWER) {
    head.pid = 10;
    std::memcpy(head.comm, "server", 6);
  }
  return head;
}

}  // namespace weir::agent::requests
