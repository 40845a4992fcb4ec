// Intake: the server's door. Checks a decoded batch, corrects its clock, recognises what was sent before, and
// keeps who waits for which batch until the writer says what became of it.
//
// Bounds: max_pending_reports queued or held reports (kExhausted beyond), kMaxAgents known agents. Thread-safe;
// callbacks run on the thread that decides, never under the lock.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "server/pending_batch.h"
#include "server/server.h"
#include "wire/batch_codec.h"

namespace weir::server {

struct BatchId {
  AgentNumber agent = 0;
  uint64_t sequence = 0;
};

struct IntakeOptions {
  size_t max_pending_reports = 1'000'000;
  std::chrono::milliseconds patience{10'000};  // a caller that waits longer hears kUnavailable; its batch stays
};

// Counts a batch that was turned away, as to be repeated or as rejected.
void CountRefusal(const Status& status);

class Intake {
 public:
  // `clock` outlives the intake; `watermarks`: highest sequence stored, by agent id.
  Intake(IntakeOptions options, const Clock& clock, const std::map<std::string, uint64_t>& watermarks);

  // As Server::Ingest, after decoding.
  void Accept(model::AgentBatch batch, UnixMillis sent_at, Server::AckCallback done);

  // The writer's side.
  std::vector<std::unique_ptr<PendingBatch>> Take();
  // Blocks until enough_reports wait for Take(), Close() or the timeout.
  void WaitForBatches(std::chrono::milliseconds timeout, size_t enough_reports);
  void Stored(const std::vector<BatchId>& batches);
  void Refuse(const std::vector<BatchId>& batches, const Status& status);
  // Answers callers who have waited for longer than the patience; their batches stay.
  void ReleaseImpatient(const Status& status);
  // Every later Accept() answers kUnavailable.
  void Close();

  std::vector<AgentStatus> Agents() const;
  size_t pending_reports() const;

 private:
  struct Waiting {
    size_t cost = 0;
    std::vector<std::pair<Server::AckCallback, Nanos>> callers;  // with the time they came
  };
  struct Agent {
    AgentStatus status;
    int64_t clock_shift_ms = 0;  // applied to the last batch
    std::string machine;         // "" = not told
    int64_t interval_ms = 0;
    std::string other_machine;  // that came while this one was there
    UnixMillis other_since = 0;
    std::map<uint64_t, Waiting> pending;
  };
  struct Answer {
    std::vector<Server::AckCallback> callers;
    Result<wire::Ack> result;
    void Give();
  };
  static constexpr size_t kMaxAgents = 20'000;

  // Decides what can be decided at once; nullopt = the caller waits.
  std::optional<Result<wire::Ack>> Admit(model::AgentBatch& batch, UnixMillis sent_at, Server::AckCallback& done);
  Status CheckNodeName(const model::AgentBatch& batch, UnixMillis now);
  // Whether the batch comes from where the agent's others came from: a disk may have been copied, identity and all.
  static Status CheckMachine(Agent& agent, const model::AgentBatch& batch, UnixMillis now);
  static Status RefuseRival(Agent& agent, Status refusal, UnixMillis now);
  Result<AgentNumber> NumberOf(const std::string& agent_id);
  Status CorrectTimes(Agent& agent, model::AgentBatch& batch, UnixMillis sent_at, UnixMillis now);
  std::optional<uint64_t> WatermarkOf(const std::string& agent_id) const;
  void RaiseWatermark(const std::string& agent_id, uint64_t sequence);
  // Takes the batch off the pending ones; the lock is held.
  std::vector<Server::AckCallback> Release(Agent& agent, uint64_t sequence);
  static void Describe(AgentStatus& status, model::AgentBatch& batch, UnixMillis now);

  IntakeOptions options_;
  const Clock& clock_;

  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  bool closed_ = false;
  std::unordered_map<std::string, uint64_t> watermarks_;
  std::unordered_map<std::string, AgentNumber> numbers_;
  std::deque<Agent> agents_;  // by number - 1
  struct Holder {
    std::string agent_id;
    UnixMillis last_seen = 0;
  };
  std::unordered_map<std::string, Holder> nodes_;  // by node name
  std::vector<std::unique_ptr<PendingBatch>> queue_;
  size_t queued_reports_ = 0;   // in queue_
  size_t pending_reports_ = 0;  // not yet stored, in queue_ or beyond
};

}  // namespace weir::server
