#include "server/intake.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/log.h"
#include "base/metrics.h"
#include "server/validate.h"

namespace weir::server {
namespace {

constexpr int64_t kNodeNameHoldMs = 30'000;
constexpr int64_t kMachineHoldMs = 10'000;
constexpr size_t kMaxCallersPerBatch = 16;  // an agent resends one at a time
constexpr size_t kMaxNodes = 40'000;

}  // namespace

void CountRefusal(const Status& status) {
  const bool later = status.code() == Code::kExhausted || status.code() == Code::kUnavailable;
  Count(later ? Metric::server_batches_deferred : Metric::server_batches_rejected);
}

Intake::Intake(IntakeOptions options, const Clock& clock, const std::map<std::string, uint64_t>& watermarks)
    : options_(options), clock_(clock), watermarks_(watermarks.begin(), watermarks.end()) {}

void Intake::Answer::Give() {
  for (Server::AckCallback& caller : callers) caller(result);
}

void Intake::Accept(model::AgentBatch batch, UnixMillis sent_at, Server::AckCallback done) {
  Status content = CheckContent(batch);
  if (content.ok() && (sent_at <= 0 || sent_at > kLatestTime)) {
    content = Status::Invalid(
        fmt::format("the sending time {} is not in Unix milliseconds ({})", sent_at, wire::kSentAtHeader));
  }
  std::optional<Result<wire::Ack>> decided;
  if (content.ok()) {
    const std::lock_guard lock(mutex_);
    decided = Admit(batch, sent_at, done);
  } else {
    decided = std::move(content);
  }
  if (!decided) return;
  if (!decided->ok()) CountRefusal(decided->status());
  done(*std::move(decided));
}

std::optional<Result<wire::Ack>> Intake::Admit(model::AgentBatch& batch, UnixMillis sent_at,
                                               Server::AckCallback& done) {
  if (closed_) return Result<wire::Ack>(Status::Unavailable("the server is stopping"));
  const UnixMillis now = clock_.WallMillis();
  const Result<AgentNumber> number = NumberOf(batch.agent_id);
  if (!number.ok()) return Result<wire::Ack>(number.status());
  Agent& agent = agents_[*number - 1];
  if (Status status = CheckMachine(agent, batch, now); !status.ok()) return Result<wire::Ack>(std::move(status));
  if (Status status = CheckNodeName(batch, now); !status.ok()) return Result<wire::Ack>(std::move(status));
  agent.status.last_seen = now;
  agent.status.clock_offset_ms = sent_at - now;

  if (const auto pending = agent.pending.find(batch.sequence); pending != agent.pending.end()) {
    if (pending->second.callers.size() >= kMaxCallersPerBatch) {
      return Result<wire::Ack>(Status::Exhausted("this batch is being stored and has been sent too often already"));
    }
    pending->second.callers.emplace_back(std::move(done), clock_.MonotonicNanos());
    return std::nullopt;
  }
  const std::optional<uint64_t> watermark = WatermarkOf(batch.agent_id);
  if (watermark && batch.sequence <= *watermark) {
    Count(Metric::server_batches_duplicate);
    return Result<wire::Ack>(wire::Ack{true, *watermark});
  }
  const size_t cost = std::max<size_t>(batch.reports.size() + batch.node_samples.size() + batch.rate_windows.size(), 1);
  if (pending_reports_ != 0 && pending_reports_ + cost > options_.max_pending_reports) {
    return Result<wire::Ack>(Status::Exhausted(fmt::format("{} reports are waiting to be stored", pending_reports_))
                                 .WithRemedy("send this batch again later"));
  }
  if (Status status = CorrectTimes(agent, batch, sent_at, now); !status.ok())
    return Result<wire::Ack>(std::move(status));
  Describe(agent.status, batch, now);

  const uint64_t sequence = batch.sequence;
  const bool empty = batch.empty();
  std::string agent_id = batch.agent_id;
  pending_reports_ += cost;
  queued_reports_ += cost;
  queue_.push_back(std::make_unique<PendingBatch>(PendingBatch{*number, std::move(batch)}));
  if (empty) {  // nothing to store; it travels on to say how far its agent is
    Count(Metric::server_batches_accepted);
    RaiseWatermark(agent_id, sequence);
    agent.status.sequence = std::max(agent.status.sequence, sequence);
    return Result<wire::Ack>(wire::Ack{false, *WatermarkOf(agent_id)});
  }
  Waiting& waiting = agent.pending[sequence];
  waiting.cost = cost;
  waiting.callers.emplace_back(std::move(done), clock_.MonotonicNanos());
  arrived_.notify_one();
  return std::nullopt;
}

Status Intake::CheckMachine(Agent& agent, const model::AgentBatch& batch, UnixMillis now) {
  AgentStatus& status = agent.status;
  const bool both_told = !agent.machine.empty() && !batch.machine.empty();
  const bool same = both_told ? agent.machine == batch.machine : status.node == batch.node;
  const int64_t silent_ms = std::abs(now - status.last_seen);
  const int64_t hold_ms = both_told ? std::max(kMachineHoldMs, 3 * agent.interval_ms) : kNodeNameHoldMs;
  // Who was refused so far has no name yet.
  if (status.node.empty() || same || silent_ms > hold_ms) {
    agent.machine = batch.machine;
    agent.interval_ms = batch.end - batch.start;
    if (!same) agent.other_machine.clear();
    return Status::Ok();
  }
  if (agent.other_machine != batch.machine || agent.other_since == 0) {
    agent.other_machine = batch.machine;
    agent.other_since = now;
  }
  const std::string problem = fmt::format(
      "agent identity {} is used on node '{}' and now also on node '{}': the disk of one is a copy of the other's",
      batch.agent_id, status.node, batch.node);
  constexpr std::string_view kRemedy =
      "on the copy stop weir, delete the file agent_id in its data directory and start it again, which costs no stored "
      "flows";
  // A machine that has just booted again looks like another one, until the old boot would have been heard again.
  const bool proven = !both_told || status.last_seen > agent.other_since + hold_ms;
  return RefuseRival(agent, (proven ? Status::Conflict(problem) : Status::Unavailable(problem)).WithRemedy(kRemedy),
                     now);
}

Status Intake::RefuseRival(Agent& agent, Status refusal, UnixMillis now) {
  if (refusal.code() == Code::kConflict) {
    agent.status.rival = refusal.message();
    agent.status.rival_seen = now;
  }
  return refusal;
}

Status Intake::CheckNodeName(const model::AgentBatch& batch, UnixMillis now) {
  if (nodes_.size() >= kMaxNodes && !nodes_.contains(batch.node)) {
    std::erase_if(nodes_, [&](const auto& entry) { return now - entry.second.last_seen > kNodeNameHoldMs; });
    if (nodes_.size() >= kMaxNodes) return Status::Exhausted("too many node names at once");
  }
  Holder& holder = nodes_[batch.node];
  if (!holder.agent_id.empty() && holder.agent_id != batch.agent_id &&
      std::abs(now - holder.last_seen) <= kNodeNameHoldMs) {
    Agent& first = agents_[numbers_.at(holder.agent_id) - 1];
    return RefuseRival(first,
                       Status::Conflict(fmt::format("node name '{}' is used by agent {} and now also by agent {}",
                                                    batch.node, holder.agent_id, batch.agent_id))
                           .WithRemedy("give one of them another name with --node, or stop it"),
                       now);
  }
  holder = {batch.agent_id, now};
  return Status::Ok();
}

Result<AgentNumber> Intake::NumberOf(const std::string& agent_id) {
  if (const auto found = numbers_.find(agent_id); found != numbers_.end()) return found->second;
  if (agents_.size() >= kMaxAgents) {
    return Status::Exhausted(
               fmt::format("{} agents have been seen since the server's start, the most it keeps apart", kMaxAgents))
        .WithRemedy("agents must keep their data directory across restarts");
  }
  Agent& agent = agents_.emplace_back();
  agent.status.agent_id = agent_id;
  agent.status.sequence = WatermarkOf(agent_id).value_or(0);
  const auto number = static_cast<AgentNumber>(agents_.size());
  numbers_.emplace(agent_id, number);
  return number;
}

Status Intake::CorrectTimes(Agent& agent, model::AgentBatch& batch, UnixMillis sent_at, UnixMillis now) {
  const int64_t shift = ClockCorrection(sent_at - now, batch.end - batch.start, agent.clock_shift_ms);
  batch.start -= shift;
  batch.end -= shift;
  for (model::NodeSample& sample : batch.node_samples) sample.time -= shift;
  for (model::RateWindow& window : batch.rate_windows) {
    window.start -= shift;
    window.event -= shift;
  }
  WEIR_RETURN_IF_ERROR(CheckInterval(batch, now));
  if (shift != 0) Count(Metric::server_clock_corrections);
  if (shift != 0 && agent.clock_shift_ms == 0) {
    LogWarn("the clock of node '{}' is off by {} ms; its times are corrected, run NTP there", batch.node, shift);
  }
  agent.clock_shift_ms = shift;
  return Status::Ok();
}

void Intake::Describe(AgentStatus& status, model::AgentBatch& batch, UnixMillis now) {
  status.node = batch.node;
  status.mode = std::move(batch.mode);
  status.version = std::move(batch.version);
  status.last_seen = now;
  status.batches += 1;
  status.reports += batch.reports.size();
  status.probes = std::move(batch.probes);
  status.counters = std::move(batch.counters);
}

std::optional<uint64_t> Intake::WatermarkOf(const std::string& agent_id) const {
  const auto found = watermarks_.find(agent_id);
  return found == watermarks_.end() ? std::nullopt : std::optional(found->second);
}

void Intake::RaiseWatermark(const std::string& agent_id, uint64_t sequence) {
  uint64_t& watermark = watermarks_[agent_id];
  watermark = std::max(watermark, sequence);
}

std::vector<std::unique_ptr<PendingBatch>> Intake::Take() {
  const std::lock_guard lock(mutex_);
  for (const auto& batch : queue_) {
    if (batch->batch.empty()) --pending_reports_;
  }
  queued_reports_ = 0;
  return std::exchange(queue_, {});
}

void Intake::WaitForBatches(std::chrono::milliseconds timeout, size_t enough_reports) {
  std::unique_lock lock(mutex_);
  arrived_.wait_for(lock, timeout, [&] { return closed_ || queued_reports_ >= enough_reports; });
}

void Intake::Stored(const std::vector<BatchId>& batches) {
  std::vector<Answer> answers;
  {
    const std::lock_guard lock(mutex_);
    for (const BatchId& id : batches) {
      Agent& agent = agents_[id.agent - 1];
      RaiseWatermark(agent.status.agent_id, id.sequence);
      agent.status.sequence = std::max(agent.status.sequence, id.sequence);
      Count(Metric::server_batches_accepted);
      answers.push_back({Release(agent, id.sequence), wire::Ack{false, agent.status.sequence}});
    }
  }
  for (Answer& answer : answers) answer.Give();
}

void Intake::Refuse(const std::vector<BatchId>& batches, const Status& status) {
  std::vector<Answer> answers;
  {
    const std::lock_guard lock(mutex_);
    for (const BatchId& id : batches) answers.push_back({Release(agents_[id.agent - 1], id.sequence), status});
  }
  for (Answer& answer : answers) {
    for (size_t i = 0; i < answer.callers.size(); ++i) CountRefusal(status);
    answer.Give();
  }
}

std::vector<Server::AckCallback> Intake::Release(Agent& agent, uint64_t sequence) {
  std::vector<Server::AckCallback> callers;
  const auto found = agent.pending.find(sequence);
  if (found == agent.pending.end()) return callers;
  pending_reports_ -= found->second.cost;
  for (auto& [caller, since] : found->second.callers) callers.push_back(std::move(caller));
  agent.pending.erase(found);
  return callers;
}

void Intake::ReleaseImpatient(const Status& status) {
  Answer answer{{}, status};
  {
    const std::lock_guard lock(mutex_);
    const Nanos latest = clock_.MonotonicNanos() - std::chrono::nanoseconds(options_.patience).count();
    for (Agent& agent : agents_) {
      for (auto& [sequence, waiting] : agent.pending) {
        std::erase_if(waiting.callers, [&](auto& entry) {
          if (entry.second > latest) return false;
          answer.callers.push_back(std::move(entry.first));
          return true;
        });
      }
    }
  }
  for (size_t i = 0; i < answer.callers.size(); ++i) CountRefusal(status);
  answer.Give();
}

void Intake::Close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  arrived_.notify_all();
}

std::vector<AgentStatus> Intake::Agents() const {
  const std::lock_guard lock(mutex_);
  std::vector<AgentStatus> statuses;
  statuses.reserve(agents_.size());
  for (const Agent& agent : agents_) {
    if (agent.status.last_seen != 0) statuses.push_back(agent.status);  // others were refused from the start
  }
  return statuses;
}

size_t Intake::pending_reports() const {
  const std::lock_guard lock(mutex_);
  return pending_reports_;
}

}  // namespace weir::server
