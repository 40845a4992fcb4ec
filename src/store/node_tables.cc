#include "store/node_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/metrics.h"
#include "store/native_block.h"
#include "store/sql.h"
#include "store/tables.h"

namespace weir::store {
namespace {

using Json = nlohmann::json;

constexpr int64_t kMaintainPeriodMs = 10'000;
constexpr int64_t kRawRangeMs = 30 * kMinuteMs;  // longer questions are read from minutes
constexpr size_t kMaxMessageBytes = 300;

// A number of JSONCompact: ClickHouse may quote 64 bits.
uint64_t NumberIn(const Json& cell) {
  if (cell.is_string()) return std::strtoull(cell.get_ref<const std::string&>().c_str(), nullptr, 10);
  return cell.is_number() ? cell.get<uint64_t>() : 0;
}

std::string TextIn(const Json& cell) { return cell.is_string() ? cell.get<std::string>() : ""; }

template <typename Number>
std::vector<Number> NumbersIn(const Json& cell) {
  std::vector<Number> numbers;
  for (const Json& number : cell) numbers.push_back(static_cast<Number>(NumberIn(number)));
  return numbers;
}

// The rows of an answer, each of `columns` cells. Only ClickHouse writes such text; what is odd is our mistake.
Result<Json> RowsOf(const std::string& answer, size_t columns) {
  Json document = Json::parse(answer, nullptr, false);
  if (!document.is_object() || !document.contains("data")) return Status::Internal("the store's answer is no table");
  Json rows = std::move(document["data"]);
  for (const Json& row : rows) {
    if (!row.is_array() || row.size() != columns) return Status::Internal("the store's answer has another shape");
  }
  return rows;
}

}  // namespace

Result<std::unique_ptr<NodeTables>> NodeTables::Open(const Library& library, const std::filesystem::path& directory,
                                                     const Clock& clock, const Retention& retention,
                                                     uint64_t budget_bytes) {
  std::unique_ptr<NodeTables> tables(new NodeTables(clock, retention, budget_bytes));
  for (std::unique_ptr<Connection>* connection : {&tables->writer_, &tables->reader_, &tables->maintainer_}) {
    WEIR_ASSIGN_OR_RETURN(*connection, Connection::Open(library, directory));
  }
  for (const std::string& statement : CreateNodeTablesSql()) {
    WEIR_RETURN_IF_ERROR(tables->writer_->Execute(statement).status());
  }
  WEIR_RETURN_IF_ERROR(tables->ReadState());
  return tables;
}

Status NodeTables::ReadState() {
  WEIR_ASSIGN_OR_RETURN(const std::string sequences, writer_->Execute(NodeWatermarksSql(), "JSONCompact"));
  WEIR_ASSIGN_OR_RETURN(const Json agents, RowsOf(sequences, 2));
  for (const Json& row : agents) stored_[Unhex(TextIn(row[0]))] = NumberIn(row[1]);
  uint64_t received[kNodeTables] = {};
  for (size_t table = 0; table < kNodeTables; ++table) {
    WEIR_ASSIGN_OR_RETURN(const std::string answer,
                          writer_->Execute(fmt::format("SELECT max(received) FROM {}", kNodeTableList[table].table)));
    WEIR_ASSIGN_OR_RETURN(const auto rows, ParseNumbers(answer));
    received[table] = rows.at(0).at(0);
  }
  last_received_ = std::max({received[kNodeRaw], received[kNodeMinute], received[kNodeWindows]});
  newest_received_ = std::max(received[kNodeRaw], received[kNodeMinute]);
  rolled_up_ = received[kNodeMinute];
  // What the minutes hold from before the oldest raw partition has been dropped there.
  WEIR_ASSIGN_OR_RETURN(
      const std::string oldest,
      writer_->Execute(fmt::format("SELECT (SELECT min(received) FROM {}), (SELECT min(received) FROM {})",
                                   kNodeTableList[kNodeRaw].table, kNodeTableList[kNodeMinute].table)));
  WEIR_ASSIGN_OR_RETURN(const auto rows, ParseNumbers(oldest));
  const uint64_t raw_begin = rows.at(0).at(0);
  if (rolled_up_ != 0 && (raw_begin == 0 || raw_begin > rows.at(0).at(1))) {
    raw_since_ = static_cast<UnixMillis>((raw_begin == 0 ? rolled_up_.load() : raw_begin) / 1'000);
  }
  return Status::Ok();
}

std::vector<NodeBatch> NodeTables::Unstored(const std::vector<NodeBatch>& batches) const {
  std::vector<NodeBatch> fresh;
  for (const NodeBatch& batch : batches) {
    const auto known = stored_.find(batch.agent);
    if (known == stored_.end() || batch.sequence > known->second) fresh.push_back(batch);
  }
  return fresh;
}

uint64_t NodeTables::NextReceived() {
  const auto now_us = static_cast<uint64_t>(clock_.WallNanos() / 1'000);
  if (now_us + received_ahead_us_ <= last_received_) received_ahead_us_ = last_received_ + 1 - now_us;
  return last_received_ = now_us + received_ahead_us_;
}

Status NodeTables::Execute(const std::string& sql, NodeTable table, uint64_t received, uint64_t rows) {
  const Status status = writer_->Execute(sql).status();
  if (status.ok()) return status;
  const auto stored = writer_->Execute(
      fmt::format("SELECT count() FROM {} WHERE received = {}", kNodeTableList[table].table, received));
  if (stored.ok() && *stored == fmt::format("{}\n", rows)) return Status::Ok();
  Count(Metric::store_insert_errors);
  return {status.code(), status.message().substr(0, kMaxMessageBytes)};
}

Status NodeTables::Insert(const std::vector<NodeBatch>& batches) {
  const std::lock_guard lock(write_mutex_);
  const std::vector<NodeBatch> fresh = Unstored(batches);
  uint64_t samples = 0;
  uint64_t windows = 0;
  for (const NodeBatch& batch : fresh) {
    samples += batch.samples.size();
    windows += batch.windows.size();
  }
  if (windows > 0) {
    const uint64_t received = NextReceived();
    WEIR_ASSIGN_OR_RETURN(MemoryFile file, MemoryFile::Create("weir-node-windows"));
    WEIR_RETURN_IF_ERROR(file.Write(WindowRows(fresh)));
    WEIR_RETURN_IF_ERROR(Execute(InsertWindowsSql(file.path(), received), kNodeWindows, received, windows));
  }
  if (samples > 0) {
    const uint64_t received = NextReceived();
    WEIR_ASSIGN_OR_RETURN(MemoryFile file, MemoryFile::Create("weir-node-samples"));
    WEIR_RETURN_IF_ERROR(file.Write(SampleRows(fresh)));
    WEIR_RETURN_IF_ERROR(Execute(InsertSamplesSql(file.path(), received), kNodeRaw, received, samples));
    newest_received_ = received;
    Count(Metric::server_node_samples, samples);
  }
  for (const NodeBatch& batch : fresh) {
    uint64_t& highest = stored_[batch.agent];
    highest = std::max(highest, batch.sequence);
  }
  return Status::Ok();
}

Result<std::string> NodeTables::Ask(const std::string& sql) {
  const std::lock_guard lock(read_mutex_);
  Result<std::string> answer = reader_->Execute(sql, "JSONCompact");
  if (answer.ok()) return answer;
  return Status(answer.status().code(), answer.status().message().substr(0, kMaxMessageBytes));
}

bool NodeTables::FromMinutes(const TimeRange& range) const {
  return range.to - range.from > kRawRangeMs || range.from < raw_since_;
}

Result<NodeTotals> NodeTables::Totals(const NodeTotalsQuery& query) {
  const bool from_minutes = FromMinutes(query.range);
  WEIR_ASSIGN_OR_RETURN(const std::string answer, Ask(TotalsSql(query, from_minutes, rolled_up_)));
  WEIR_ASSIGN_OR_RETURN(const Json rows, RowsOf(answer, 10));
  NodeTotals result;
  result.from_minutes = from_minutes;
  result.complete = rows.size() <= query.limit;
  for (const Json& row : rows) {
    const auto signal = model::FindNodeSignal(TextIn(row[3]));
    if (!signal || result.totals.size() == query.limit) continue;
    result.totals.push_back({.node = TextIn(row[0]),
                             .subject = TextIn(row[1]),
                             .netns = static_cast<uint32_t>(NumberIn(row[2])),
                             .signal = *signal,
                             .sum = NumberIn(row[4]),
                             .last = NumberIn(row[5]),
                             .highest = NumberIn(row[6]),
                             .first_time = static_cast<UnixMillis>(NumberIn(row[7])),
                             .last_time = static_cast<UnixMillis>(NumberIn(row[8])),
                             .samples = NumberIn(row[9])});
  }
  return result;
}

Result<NodeSeries> NodeTables::Series(const NodeSeriesQuery& query) {
  const bool from_minutes = FromMinutes(query.range);
  NodeSeriesQuery question = query;
  if (from_minutes) question.step_ms = (query.step_ms + kMinuteMs - 1) / kMinuteMs * kMinuteMs;
  WEIR_ASSIGN_OR_RETURN(const std::string answer, Ask(SeriesSql(question, from_minutes, rolled_up_)));
  WEIR_ASSIGN_OR_RETURN(const Json rows, RowsOf(answer, 2));
  NodeSeries series{question.step_ms, {}};
  for (const Json& row : rows) series.points.push_back({static_cast<UnixMillis>(NumberIn(row[0])), NumberIn(row[1])});
  return series;
}

Result<std::vector<StoredRateWindow>> NodeTables::RateWindows(const TimeRange& range, const std::string& node,
                                                              uint32_t limit) {
  WEIR_ASSIGN_OR_RETURN(const std::string answer, Ask(WindowsSql(range, node, limit)));
  WEIR_ASSIGN_OR_RETURN(const Json rows, RowsOf(answer, 11));
  std::vector<StoredRateWindow> windows;
  for (const Json& row : rows) {
    const auto cause = model::FindNodeSignal(TextIn(row[2]));
    if (!cause) continue;
    windows.push_back({TextIn(row[0]),
                       {.subject = TextIn(row[1]),
                        .cause = *cause,
                        .cause_subject = TextIn(row[3]),
                        .event = static_cast<UnixMillis>(NumberIn(row[4])),
                        .start = static_cast<UnixMillis>(NumberIn(row[5])),
                        .step_us = NumbersIn<uint32_t>(row[6]),
                        .rx_bytes = NumbersIn<uint64_t>(row[7]),
                        .tx_bytes = NumbersIn<uint64_t>(row[8]),
                        .rx_packets = NumbersIn<uint64_t>(row[9]),
                        .tx_packets = NumbersIn<uint64_t>(row[10])}});
  }
  return windows;
}

Status NodeTables::Maintain(UnixMillis now) {
  Status rolled_up;
  if (now >= next_rollup_ || now < next_rollup_ - kMinuteMs) {
    next_rollup_ = now + kMinuteMs;
    rolled_up = RollUp(now);
  }
  if (now < next_retention_ && now >= next_retention_ - kMaintainPeriodMs) return rolled_up;
  next_retention_ = now + kMaintainPeriodMs;
  const Status retained = EnforceRetention(now).Annotate("retention of node signals");
  return rolled_up.ok() ? retained : rolled_up;
}

// After an outage a chunk of an hour at a time, which bounds memory.
Status NodeTables::RollUp(UnixMillis) {
  const uint64_t newest = newest_received_;
  while (rolled_up_ < newest) {
    WEIR_ASSIGN_OR_RETURN(
        const std::string answer,
        maintainer_->Execute(fmt::format("SELECT min(received) FROM {} WHERE received > {} AND received <= {}",
                                         kNodeTableList[kNodeRaw].table, rolled_up_.load(), newest)));
    WEIR_ASSIGN_OR_RETURN(const auto rows, ParseNumbers(answer));
    if (rows.empty() || rows[0][0] == 0) break;
    const uint64_t upto = std::min(newest, rows[0][0] + static_cast<uint64_t>(kNodeTableList[kNodeRaw].partition_us));
    WEIR_RETURN_IF_ERROR(
        maintainer_->Execute(NodeRollupSql(rolled_up_, upto)).status().Annotate("roll-up of node signals"));
    rolled_up_ = upto;
    Count(Metric::store_rollups);
  }
  return Status::Ok();
}

bool NodeTables::MayDrop(const Partition& partition) const {
  if (partition.end_us() > newest_received_) return false;
  // The watermark of the roll-up is read back from the minutes at the next start.
  if (partition.table == kNodeMinute) return partition.end_us() <= rolled_up_;
  return partition.table != kNodeRaw || partition.end_us() - 1 <= rolled_up_;
}

Status NodeTables::Drop(const Partition& partition) {
  const NodeTableDescription& description = kNodeTableList[partition.table];
  const auto span = static_cast<uint64_t>(description.partition_us);
  if (partition.table == kNodeRaw) {
    WEIR_RETURN_IF_ERROR(
        maintainer_->Execute(KeepNodeSequencesSql(partition.id * span, (partition.id + 1) * span)).status());
    raw_since_ = std::max(raw_since_.load(), static_cast<UnixMillis>(partition.end_us() / 1'000));
  }
  WEIR_RETURN_IF_ERROR(
      maintainer_->Execute(fmt::format("ALTER TABLE {} DROP PARTITION ID '{}'", description.table, partition.id))
          .status());
  Count(Metric::store_partitions_dropped);
  return Status::Ok();
}

Status NodeTables::EnforceRetention(UnixMillis now) {
  WEIR_ASSIGN_OR_RETURN(const std::string answer, maintainer_->Execute(NodePartitionsSql()));
  WEIR_ASSIGN_OR_RETURN(const auto rows, ParseNumbers(answer));
  const int64_t ages[kNodeTables] = {retention_.raw_seconds, retention_.minute_seconds, retention_.minute_seconds};
  std::vector<Partition> kept;
  uint64_t bytes = 0;
  for (const auto& row : rows) {
    if (row.size() != 4 || row[0] > kNodeTables) return Status::Internal("the store cannot read its own partitions");
    kept.push_back({static_cast<NodeTable>(row[0] - 1), row[1], row[3]});
    bytes += row[3];
  }
  std::sort(kept.begin(), kept.end(), [](const Partition& a, const Partition& b) { return a.end_us() < b.end_us(); });
  for (const Partition& partition : kept) {
    const auto end = static_cast<UnixMillis>(partition.end_us() / 1'000);
    const UnixMillis begin = end - kNodeTableList[partition.table].partition_us / 1'000;
    const UnixMillis oldest = now + static_cast<int64_t>(received_ahead_us_ / 1'000) - ages[partition.table] * 1'000;
    const bool old = end <= oldest && end <= oldest - clock_.SkippedSince(begin);  // by elapsed time
    if ((!old && bytes <= budget_bytes_) || !MayDrop(partition)) continue;
    WEIR_RETURN_IF_ERROR(Drop(partition));
    bytes -= partition.bytes;
  }
  disk_bytes_ = bytes;
  return Status::Ok();
}

}  // namespace weir::store
