#include "server/writer.h"

#include <algorithm>
#include <utility>

#include "base/metrics.h"
#include "base/thread.h"

namespace weir::server {
namespace {

constexpr size_t kMaxReportsPerInsert = 200'000;
// Agents send one batch at a time: waiting out the interval with this much at hand would only slow them down.
constexpr size_t kReportsWorthAnInsert = 20'000;
constexpr size_t kMaxExcessRowsPerInsert = 50'000;
// A report makes at most one row, and one more when remembering it makes the matcher forget another flow.
static_assert(2 * kMaxReportsPerInsert + kMaxExcessRowsPerInsert + 10'000 <= store::kMaxRowsPerInsert);
static_assert(wire::kMaxReports <= kMaxReportsPerInsert);

constexpr size_t kMaxNodeSamplesPerInsert = 100'000;
constexpr size_t kMaxChangedNames = 100'000;
constexpr size_t kRowsKept = 100'000;  // some 100 MB

constexpr std::chrono::milliseconds kFirstBackOff{100};
constexpr std::chrono::milliseconds kLongestBackOff{5'000};
constexpr int kFinalAttempts = 3;

}  // namespace

Writer::Writer(WriterOptions options, Intake& intake, store::Store& store, LiveHub& live, const Clock& clock,
               Namer* namer)
    : options_(options),
      intake_(intake),
      store_(store),
      live_(live),
      clock_(clock),
      namer_(namer),
      hold_(options.matcher.match_hold_ms, neighbourhood_),
      matcher_(options.matcher, neighbourhood_) {}

void Writer::Start() {
  thread_ = std::thread([this] {
    NameThisThread("weir-writer");
    while (!stopping_) {
      intake_.WaitForBatches(options_.flush_interval, kReportsWorthAnInsert);
      if (!stopping_) Step();
    }
  });
}

void Writer::Stop() {
  if (stopping_.exchange(true)) return;
  if (thread_.joinable()) thread_.join();
  Step(true);
}

void Writer::Step(bool final_round) {
  TakeBatches();
  if (!final_round && clock_.MonotonicNanos() < retry_at_) {
    intake_.ReleaseImpatient(last_failure_);
    return;
  }
  if (!StoreNode(final_round) || !StoreNames()) return;
  while (true) {
    if (outbox_.rows.empty()) FillOutbox(clock_.WallMillis(), final_round);
    if (outbox_.rows.empty()) return;
    Status status = EmptyOutbox();
    for (int attempt = 1; final_round && !status.ok() && attempt < kFinalAttempts; ++attempt) status = EmptyOutbox();
    if (status.ok()) continue;
    Failed(status);
    if (final_round) GiveUp();
    return;
  }
}

bool Writer::StoreNode(bool final_round) {
  Status status = EmptyNodeOutbox();
  for (int attempt = 1; final_round && !status.ok() && attempt < kFinalAttempts; ++attempt) status = EmptyNodeOutbox();
  if (status.ok()) return true;
  Failed(status);
  if (final_round) GiveUp();
  return false;
}

bool Writer::StoreNames() {
  if (namer_ == nullptr) return true;
  const UnixMillis now = clock_.WallMillis();
  std::vector<model::EntityRef> changed = namer_->TakeChanged(now);
  live_.Rename(changed, now);
  for (model::EntityRef& entity : changed) {
    // They come again with the next row that names them.
    if (changed_names_.size() >= kMaxChangedNames) {
      Count(Metric::server_names_lost);
      continue;
    }
    const model::EntityId id = entity->id;
    changed_names_[id] = std::move(entity);
  }
  if (changed_names_.empty()) return true;
  std::vector<model::EntityRef> entities;
  entities.reserve(changed_names_.size());
  for (const auto& [id, entity] : changed_names_) entities.push_back(entity);
  if (const Status status = store_.Publish(entities); !status.ok()) {
    Failed(status);
    return false;
  }
  changed_names_.clear();
  return true;
}

void Writer::TakeNode(PendingBatch& pending) {
  model::AgentBatch& batch = pending.batch;
  if (batch.node_samples.empty() && batch.rate_windows.empty()) return;
  node_outbox_.batches.push_back({batch.agent_id, batch.sequence, batch.node, std::exchange(batch.node_samples, {}),
                                  std::exchange(batch.rate_windows, {})});
  if (batch.reports.empty()) node_outbox_.complete.push_back({pending.agent, batch.sequence});
}

Status Writer::EmptyNodeOutbox() {
  store::NodeStore* const node_store = store_.node();
  for (size_t begin = 0; node_store != nullptr && begin < node_outbox_.batches.size();) {
    std::vector<store::NodeBatch> some;
    for (size_t samples = 0; begin < node_outbox_.batches.size() && samples < kMaxNodeSamplesPerInsert; ++begin) {
      samples += node_outbox_.batches[begin].samples.size();
      some.push_back(node_outbox_.batches[begin]);  // a copy: a failure repeats all, and what was stored is recognised
    }
    WEIR_RETURN_IF_ERROR(node_store->Insert(some));
  }
  if (node_store != nullptr) live_.Publish(std::exchange(node_outbox_.batches, {}), clock_.WallMillis());
  node_outbox_.batches.clear();
  if (!node_outbox_.complete.empty()) intake_.Stored(std::exchange(node_outbox_.complete, {}));
  return Status::Ok();
}

void Writer::TakeBatches() {
  const UnixMillis now = clock_.WallMillis();
  std::vector<std::unique_ptr<PendingBatch>> batches = intake_.Take();
  // All are observed before any is held: batches that arrived together need not wait for each other.
  for (const auto& batch : batches) neighbourhood_.Observe(batch->agent, batch->batch, now);
  for (auto& batch : batches) {
    if (namer_ != nullptr) namer_->Observe(batch->batch, now);
    TakeNode(*batch);
    if (!batch->batch.reports.empty()) hold_.Add(std::move(batch), now);
  }
}

void Writer::FillOutbox(UnixMillis now, bool everything) {
  const std::vector<std::unique_ptr<PendingBatch>> due = hold_.TakeDue(now, everything, kMaxReportsPerInsert);
  std::vector<PendingBatch*> borrowed;
  size_t reports = 0;
  for (const auto& batch : due) {
    borrowed.push_back(batch.get());
    outbox_.batches.push_back({batch->agent, batch->batch.sequence});
    reports += batch->batch.reports.size();
  }
  outbox_.rows.reserve(reports);
  matcher_.Match(borrowed, now, outbox_.rows);
  matcher_.SettleQuiet(now, kMaxExcessRowsPerInsert, outbox_.rows);
  if (namer_ != nullptr) namer_->Name(outbox_.rows, now);
}

Status Writer::EmptyOutbox() {
  WEIR_RETURN_IF_ERROR(store_.Insert(outbox_.rows));
  Count(Metric::server_rows_stored, outbox_.rows.size());
  retry_at_ = 0;
  back_off_ = std::chrono::milliseconds(0);
  intake_.Stored(std::exchange(outbox_.batches, {}));
  std::vector<model::FlowRow> rows;
  rows.reserve(outbox_.rows.size());
  for (store::StoredRow& row : outbox_.rows) rows.push_back(std::move(row.row));
  live_.Publish(std::move(rows), clock_.WallMillis());
  // Fresh memory for every flush would cost more than matching; a flood's memory is given back.
  if (outbox_.rows.capacity() > kRowsKept) outbox_.rows = {};
  outbox_.rows.clear();
  return Status::Ok();
}

void Writer::Failed(const Status& status) {
  Count(Metric::store_insert_errors);
  back_off_ = std::clamp(back_off_ * 2, kFirstBackOff, kLongestBackOff);
  retry_at_ = clock_.MonotonicNanos() + std::chrono::nanoseconds(back_off_).count();
  last_failure_ = Status::Unavailable("the store refuses writes").Because(status.problem()).WithRemedy(status.remedy());
  uint64_t suppressed = 0;
  if (failure_log_.Allow(&suppressed)) {
    LogError("insert of {} rows failed, will be repeated: {} (and {} failures before)", outbox_.rows.size(),
             status.message(), suppressed);
  }
  intake_.ReleaseImpatient(last_failure_);
}

void Writer::GiveUp() {
  std::vector<BatchId> unstored = std::exchange(outbox_, {}).batches;
  for (const BatchId& id : std::exchange(node_outbox_, {}).complete) unstored.push_back(id);
  for (const auto& batch : hold_.TakeDue(0, true, ~size_t{0})) {
    unstored.push_back({batch->agent, batch->batch.sequence});
  }
  intake_.Refuse(unstored, last_failure_);
}

}  // namespace weir::server
