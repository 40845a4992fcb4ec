#include "agent/requests/hello_assembly.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/metrics.h"

namespace weir::agent::requests {

std::optional<HelloAssembly::Hello> HelloAssembly::Read(uint64_t socket, uint64_t time_ns, const std::string& text) {
  auto said = ParseClientHello(text);
  if (!said) return std::nullopt;
  return Hello{socket, time_ns, *std::move(said)};
}

std::optional<HelloAssembly::Hello> HelloAssembly::Put(const weir_step_hello& piece) {
  const uint64_t socket = piece.step.socket;
  const std::string_view text(piece.text, std::min<size_t>(piece.text_bytes, sizeof(piece.text)));
  if (piece.step.bytes == 0) {
    Forget(socket);  // of the connection before, at the same place of memory
    std::string begin(text);
    auto hello = Read(socket, piece.step.time_ns, begin);
    if (hello && hello->said.is_whole) return hello;  // most are, and are never stored
    if (pending_.size() >= kMaxHellos || bytes_ + text.size() > kMaxBytes) {
      Count(Metric::agent_request_table_full);
    } else {
      bytes_ += text.size();
      pending_.emplace(socket, Pending{piece.step.time_ns, std::move(begin)});
    }
    return hello;
  }
  const auto known = pending_.find(socket);
  if (known == pending_.end()) return std::nullopt;  // its beginning is lost, or nobody waits for more
  Pending& pending = known->second;
  const bool fits = pending.text.size() + text.size() <= WEIR_HELLO_BYTES && bytes_ + text.size() <= kMaxBytes;
  if (pending.text.size() != piece.step.bytes || !fits) {  // a piece is lost
    Drop(known);
    return std::nullopt;
  }
  bytes_ += text.size();
  pending.text += text;
  auto hello = Read(socket, pending.time_ns, pending.text);
  if (hello && hello->said.is_whole) Drop(known);
  return hello;
}

void HelloAssembly::Forget(uint64_t socket) {
  if (const auto known = pending_.find(socket); known != pending_.end()) Drop(known);
}

void HelloAssembly::Expire(uint64_t now_ns) {
  for (auto item = pending_.begin(); item != pending_.end();) {
    const auto here = item++;
    if (now_ns > here->second.time_ns && now_ns - here->second.time_ns > kPatienceNs) Drop(here);
  }
}

void HelloAssembly::Clear() {
  pending_ = {};
  bytes_ = 0;
}

void HelloAssembly::Drop(Pieces::iterator item) {
  bytes_ -= item->second.text.size();
  pending_.erase(item);
}

}  // namespace weir::agent::requests
