#define XXH_INLINE_ALL
#include <xxhash.h>

#include "agent/recording/replay_sender.h"

#include <fmt/format.h>

#include <chrono>
#include <thread>
#include <utility>

#include "agent/export/batch_split.h"
#include "wire/batch_codec.h"

namespace weir::agent::recording {
namespace {

constexpr int kAttempts = 10;
constexpr std::chrono::milliseconds kBetweenAttempts{500};

std::string AgentIdOf(const model::AgentBatch& first) {
  const std::string text = fmt::format("replay of {} from {}", first.agent_id, first.start);
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace

Status ReplaySender::Send(model::AgentBatch batch) {
  if (agent_id_.empty()) {
    agent_id_ = AgentIdOf(batch);
    if (node_.empty()) node_ = batch.node + "-replay";
  }
  batch.agent_id = agent_id_;
  batch.node = node_;
  for (model::AgentBatch& part : SplitInterval(std::move(batch), kReportsPerBatch)) {
    part.sequence = ++sequence_;
    WEIR_ASSIGN_OR_RETURN(const std::string encoded, wire::EncodeBatch(part));
    WEIR_RETURN_IF_ERROR(SendPart(encoded));
  }
  ++sent_;
  return Status::Ok();
}

Status ReplaySender::SendPart(const std::string& encoded) {
  Status status;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (attempt > 0) std::this_thread::sleep_for(kBetweenAttempts);
    const Result<wire::Ack> ack = sink_.Send(encoded, clock_.WallMillis());
    if (ack.ok()) {
      known_ += ack->duplicate ? 1 : 0;
      return Status::Ok();
    }
    status = ack.status();
    if (status.code() != Code::kUnavailable && status.code() != Code::kExhausted) break;
  }
  return status;
}

}  // namespace weir::agent::recording
