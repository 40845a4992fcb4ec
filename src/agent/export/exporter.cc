#include "agent/export/exporter.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <utility>

#include "agent/export/batch_split.h"
#include "base/metrics.h"
#include "base/thread.h"
#include "wire/batch_codec.h"

namespace weir::agent {
namespace {

constexpr std::chrono::seconds kLongestSleep{60};
constexpr uint64_t kHighestSequence = INT64_MAX;  // microseconds until the year 294,000

// While the spool is drained, new batches wait in memory; more than this go to disk, where a crash cannot
// reach.
constexpr size_t kQueuedBehindSpool = 4;

}  // namespace

Result<std::unique_ptr<Exporter>> Exporter::Open(ExporterOptions options, wire::BatchSink& sink, const Clock& clock) {
  WEIR_ASSIGN_OR_RETURN(auto spool, Spool::Open(options.spool_directory, options.spool_limit_bytes));
  if (!spool->empty()) LogInfo("{} batches of an earlier run wait in the spool", spool->batches());
  return std::unique_ptr<Exporter>(new Exporter(std::move(options), std::move(spool), sink, clock));
}

Exporter::Exporter(ExporterOptions options, std::unique_ptr<Spool> spool, wire::BatchSink& sink, const Clock& clock)
    : options_(std::move(options)),
      spool_(std::move(spool)),
      sink_(sink),
      clock_(clock),
      inherited_key_(spool_->highest_key()),
      backoff_(options_.retry_shortest, options_.retry_longest, options_.jitter_seed) {
  const auto now_us = static_cast<uint64_t>(std::max<Nanos>(clock_.WallNanos() / 1'000, 0));
  next_sequence_ = std::max(now_us, inherited_key_ + 1);
}

Exporter::~Exporter() { Stop(std::chrono::milliseconds(0)); }

// ---- The agent's loop ----

void Exporter::Submit(model::AgentBatch interval) {
  for (model::AgentBatch& part : SplitInterval(std::move(interval), kReportsPerBatch)) {
    EncodeAndQueue(std::move(part));
  }
  wake_.notify_all();
}

void Exporter::EncodeAndQueue(model::AgentBatch part) {
  part.sequence = NextSequence();
  Result<std::string> bytes = wire::EncodeBatch(part);
  if (bytes.ok()) {
    Queue({.key = part.sequence, .sequence = part.sequence, .bytes = *std::move(bytes)});
    return;
  }
  if (part.reports.size() > 1) {
    // Too many bytes, or one report that cannot be encoded: halving finds out which and loses no other.
    const size_t half = (part.reports.size() + 1) / 2;
    for (model::AgentBatch& smaller : SplitInterval(std::move(part), half)) EncodeAndQueue(std::move(smaller));
    return;
  }
  Count(Metric::agent_batches_rejected);
  if (uint64_t suppressed = 0; loss_log_.Allow(&suppressed)) {
    LogError("a batch cannot be encoded and is lost: {} (and {} more since the last message)", bytes.status().message(),
             suppressed);
  }
}

uint64_t Exporter::NextSequence() {
  const std::lock_guard lock(mutex_);
  const auto now_us = static_cast<uint64_t>(std::max<Nanos>(clock_.WallNanos() / 1'000, 0));
  const uint64_t sequence = std::max(next_sequence_, now_us);
  next_sequence_ = sequence + 1;
  return sequence;
}

void Exporter::Queue(SpooledBatch batch) {
  uint64_t dropped = 0;
  {
    const std::lock_guard lock(mutex_);
    submitted_ = true;
    queued_bytes_ += batch.bytes.size();
    queue_.push_back(std::move(batch));
    for (; queue_.size() > options_.max_queued_batches || queued_bytes_ > options_.max_queued_bytes; ++dropped) {
      queued_bytes_ -= queue_.front().bytes.size();
      queue_.pop_front();
    }
  }
  if (dropped == 0) return;
  Count(Metric::agent_spool_dropped, dropped);
  if (uint64_t suppressed = 0; loss_log_.Allow(&suppressed)) {
    LogError("{} batches were dropped: neither the server nor {} takes them; repair one of the two",
             dropped + suppressed, options_.spool_directory.string());
  }
}

// ---- The exporter's thread ----

void Exporter::Start(const std::function<void()>& on_thread) {
  std::promise<void> prepared;
  std::future<void> ready = prepared.get_future();
  thread_ = std::thread([this, &on_thread, promise = std::move(prepared)]() mutable {
    NameThisThread("weir-export");
    WakeThisThreadLoosely();
    if (on_thread) on_thread();
    promise.set_value();  // on_thread is gone from here on
    Run();
  });
  ready.get();
}

void Exporter::Run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    submitted_ = false;
    lock.unlock();
    const auto sleep = std::min<std::chrono::nanoseconds>(kLongestSleep, std::chrono::nanoseconds(RunOnce()));
    lock.lock();
    // Also woken while backing off: what is new then goes to the spool.
    wake_.wait_for(lock, sleep, [this] { return stopping_ || submitted_; });
  }
  lock.unlock();
  if (!server_away_) RunOnce();  // an absent server would only use up the time that spooling needs
  SpoolQueue();
  DropWhatIsLeft();
  lock.lock();
  finished_ = true;
  wake_.notify_all();
}

void Exporter::Stop(std::chrono::milliseconds budget) {
  if (!thread_.joinable()) return;
  // Half the time to send; a send that hangs then takes up to a second to give up, which BatchSink promises.
  std::unique_lock lock(mutex_);
  stopping_ = true;
  send_until_ = std::chrono::steady_clock::now() + budget / 2;
  wake_.notify_all();
  const bool finished = wake_.wait_until(lock, send_until_, [this] { return finished_; });
  lock.unlock();
  if (!finished) sink_.Abort();
  thread_.join();
}

bool Exporter::TimeIsUp() {
  const std::lock_guard lock(mutex_);
  return stopping_ && std::chrono::steady_clock::now() >= send_until_;
}

Nanos Exporter::RunOnce() {
  if (const Nanos now = clock_.MonotonicNanos(); now < retry_at_) {
    SpoolQueue();
    return retry_at_ - now;
  }
  while (!TimeIsUp()) {
    std::optional<Pending> head = Head();
    if (!head) return kNothingToDo;
    Outcome outcome = SendHead(*head);
    if (outcome == Outcome::kAgain) outcome = SendHead(*head);
    if (outcome == Outcome::kAgain) {  // its watermark runs ahead of us: no hot loop
      outcome = Failed(*head, Status::Unavailable("the server calls a renumbered batch a duplicate again"));
    }
    if (outcome == Outcome::kLater) {
      PutBack(*std::move(head));
      SpoolQueue();
      return std::max<Nanos>(retry_at_ - clock_.MonotonicNanos(), 0);
    }
  }
  return 0;
}

std::optional<Exporter::Pending> Exporter::Head() {
  Result<SpooledBatch> oldest = spool_->Oldest();
  std::unique_lock lock(mutex_);
  if (oldest.ok()) {
    const bool many = queue_.size() > kQueuedBehindSpool;
    lock.unlock();
    if (many) SpoolQueue();
    return Pending{*std::move(oldest), /*spooled=*/true};
  }
  if (queue_.empty()) return std::nullopt;
  Pending head{std::move(queue_.front()), /*spooled=*/false};
  queue_.pop_front();
  queued_bytes_ -= head.batch.bytes.size();
  return head;
}

Exporter::Outcome Exporter::SendHead(Pending& head) {
  const bool inherited = head.spooled && head.batch.key <= inherited_key_;
  const bool sent_before = inherited || head.batch.key <= highest_attempted_key_;
  // Known to collide with a sequence the server has from an earlier life of this agent.
  if (!sent_before && head.batch.sequence <= watermark_ && !Renumber(head)) return Outcome::kDone;
  const Result<wire::Ack> ack = sink_.Send(head.batch.bytes, clock_.WallMillis());
  if (!ack.ok()) {
    highest_attempted_key_ = std::max(highest_attempted_key_, head.batch.key);
    highest_attempted_sequence_ = std::max(highest_attempted_sequence_, head.batch.sequence);
    return Failed(head, ack.status());
  }
  return Acknowledged(head, *ack, sent_before);
}

Exporter::Outcome Exporter::Acknowledged(Pending& head, const wire::Ack& ack, bool sent_before) {
  if (ack.watermark > kHighestSequence) return Failed(head, Status::Unavailable("the watermark makes no sense"));
  watermark_ = std::max(watermark_, ack.watermark);
  if (options_.on_ack) options_.on_ack(ack);
  retry_at_ = 0;
  backoff_.Reset();
  if (std::exchange(server_away_, false)) {
    LogInfo("the server is back; {} batches wait in the spool", spool_->batches());
  }
  const bool inherited = head.spooled && head.batch.key <= inherited_key_;
  // The server cannot have a batch that was never sent; and a watermark beyond everything this agent has sent
  // is one of an earlier life with a clock ahead of ours, so the "duplicate" is a collision of numbers.
  const bool collision = ack.duplicate && !inherited && head.batch.sequence <= ack.watermark &&
                         (!sent_before || ack.watermark > highest_attempted_sequence_);
  highest_attempted_key_ = std::max(highest_attempted_key_, head.batch.key);
  highest_attempted_sequence_ = std::max(highest_attempted_sequence_, head.batch.sequence);
  if (collision) return Renumber(head) ? Outcome::kAgain : Outcome::kDone;
  Count(Metric::agent_batches_sent);
  Forget(head);
  return Outcome::kDone;
}

Exporter::Outcome Exporter::Failed(Pending& head, const Status& status) {
  uint64_t suppressed = 0;
  if (status.code() == Code::kInvalid || status.code() == Code::kConflict) {
    Count(Metric::agent_batches_rejected);
    if (loss_log_.Allow(&suppressed)) {
      LogError("the server refused a batch for good: {} (and {} more since the last message)", status.message(),
               suppressed);
    }
    Forget(head);
    return Outcome::kDone;
  }
  Count(Metric::agent_batches_retried);
  server_away_ = true;
  const Nanos wait = backoff_.Next();
  retry_at_ = clock_.MonotonicNanos() + wait;
  if (status.code() == Code::kDenied) {
    if (denied_log_.Allow(&suppressed)) {
      LogError("THE SERVER DENIES THIS AGENT, nothing arrives there: {}; batches are kept and tried again",
               status.message());
    }
  } else if (failure_log_.Allow(&suppressed)) {
    LogWarn("the server takes no batches: {}; they are kept, next attempt in {:.1f} s", status.message(),
            static_cast<double>(wait) / 1e9);
  }
  return Outcome::kLater;
}

// Gives the batch a sequence above the server's watermark. False when it cannot be done: the batch is gone.
bool Exporter::Renumber(Pending& head) {
  {
    const std::lock_guard lock(mutex_);
    next_sequence_ = std::max(next_sequence_, watermark_ + 1);
  }
  Result<model::AgentBatch> batch = wire::DecodeBatch(head.batch.bytes);
  Status status = batch.status();
  if (batch.ok()) {
    batch->sequence = NextSequence();
    Result<std::string> bytes = wire::EncodeBatch(*batch);
    status = bytes.status();
    if (bytes.ok()) {
      head.batch.sequence = batch->sequence;
      head.batch.bytes = *std::move(bytes);
    }
  }
  uint64_t suppressed = 0;
  if (!status.ok()) {
    Count(Metric::agent_batches_rejected);
    if (loss_log_.Allow(&suppressed)) LogError("a batch cannot be renumbered and is lost: {}", status.message());
    Forget(head);
    return false;
  }
  if (clock_log_.Allow(&suppressed)) {
    LogWarn("this node's clock went back since the agent last ran: batches are renumbered from {}; run NTP here",
            head.batch.sequence);
  }
  // Under the old key, in one step: a crash leaves the one or the other, never both. When it fails, the old
  // one stays, which the server will call a duplicate.
  if (head.spooled) static_cast<void>(spool_->Append(head.batch));
  return true;
}

void Exporter::Forget(const Pending& head) {
  if (head.spooled) spool_->Remove(head.batch.key);
}

void Exporter::PutBack(Pending head) {
  if (head.spooled) return;  // it never left
  const std::lock_guard lock(mutex_);
  queued_bytes_ += head.batch.bytes.size();
  queue_.push_front(std::move(head.batch));
}

// Moves the queue to disk, oldest first, until the disk refuses; what it refuses stays in memory.
void Exporter::SpoolQueue() {
  for (;;) {
    SpooledBatch batch;
    {
      const std::lock_guard lock(mutex_);
      if (queue_.empty()) return;
      batch = std::move(queue_.front());
      queue_.pop_front();
      queued_bytes_ -= batch.bytes.size();
    }
    const Status status = spool_->Append(batch);
    if (status.ok()) continue;
    PutBack({std::move(batch), /*spooled=*/false});
    if (uint64_t suppressed = 0; spool_log_.Allow(&suppressed)) {
      LogError("the spool cannot be written, batches wait in memory: {}", status.message());
    }
    return;
  }
}

void Exporter::DropWhatIsLeft() {
  const std::lock_guard lock(mutex_);
  if (queue_.empty()) return;
  Count(Metric::agent_spool_dropped, queue_.size());
  LogError("{} batches are lost: neither the server nor the spool took them before the agent stopped", queue_.size());
  queue_.clear();
  queued_bytes_ = 0;
}

}  // namespace weir::agent
