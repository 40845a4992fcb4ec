#include "store/node_sql.h"

#include <fmt/format.h>

#include "store/row_binary.h"
#include "store/schema.h"
#include "store/sql.h"

namespace weir::store {
namespace {

// As for flows: what is answered is on the disk, and one damaged part does not keep the rest from being read.
constexpr std::string_view kDurable =
    "SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, "
    "max_suspicious_broken_parts = 1000000, max_suspicious_broken_parts_bytes = 1000000000000000";
constexpr std::string_view kOnePart =
    "SETTINGS max_threads = 2, max_insert_threads = 1, min_insert_block_size_rows = 1000000000, "
    "min_insert_block_size_bytes = 0, compile_aggregate_expressions = 0, compile_expressions = 0";

template <typename Integer>
void AppendNumbers(std::string& out, const std::vector<Integer>& values) {
  AppendLength(out, values.size());
  for (const Integer value : values) AppendNumber(out, value);
}

// The structure names the file's columns, which are the table's but `received`, in any order.
std::string InsertSql(NodeTable table, std::string_view path, uint64_t received, std::string_view structure) {
  std::vector<std::string> names;
  for (size_t at = 0; at != std::string_view::npos; at = structure.find(", ", at)) {
    if (at != 0) at += 2;
    names.emplace_back(structure.substr(at, structure.find(' ', at) - at));
  }
  return fmt::format(
      "INSERT INTO {0} (received, {1}) SELECT toUInt64({2}), {1} FROM file('{3}', 'RowBinary', '{4}') {5}",
      kNodeTableList[table].table, Join(names), received, path, structure, kOnePart);
}

std::string NamesOfSignals(const std::vector<model::NodeSignal>& signals) {
  std::vector<std::string> names;
  for (const model::NodeSignal signal : signals) names.push_back(QuoteText(model::Describe(signal).name));
  return Join(names);
}

// Both tables as one, in the shape of the minute table; each row of the raw table is in one of the two parts.
std::string Rows(const TimeRange& range, const std::string& node, bool from_minutes, uint64_t rolled_up) {
  std::string where = fmt::format("time >= {} AND time < {}", range.from, range.to);
  if (!node.empty()) where += fmt::format(" AND node = {}", QuoteText(node));
  const std::string raw = fmt::format(
      "SELECT node, subject, netns, signal, time, time AS first_time, time AS last_time, value AS sum, value AS last, "
      "value AS highest, toUInt64(1) AS samples FROM {} WHERE {}{}",
      kNodeTableList[kNodeRaw].table, where, from_minutes ? fmt::format(" AND received > {}", rolled_up) : "");
  if (!from_minutes) return raw;
  // A minute's own time is its first sample's: an edge of the range within it takes or leaves it whole.
  return fmt::format(
      "{} UNION ALL SELECT node, subject, netns, signal, time, first_time, last_time, sum, last, highest, samples "
      "FROM {} WHERE {} AND received <= {}",
      raw, kNodeTableList[kNodeMinute].table, where, rolled_up);
}

}  // namespace

std::vector<std::string> CreateNodeTablesSql() {
  constexpr std::string_view kText = "LowCardinality(String)";
  const auto partition = [](NodeTable table) { return kNodeTableList[table].partition_us; };
  return {
      fmt::format("CREATE TABLE IF NOT EXISTS {} (received UInt64, agent {t}, sequence UInt64, node {t}, subject {t}, "
                  "netns UInt32, signal {t}, value UInt64, time Int64, period_ms UInt32, "
                  "INDEX time_range time TYPE minmax GRANULARITY 1) ENGINE = MergeTree "
                  "PARTITION BY intDiv(received, {p}) ORDER BY (node, signal, subject, received) {s}",
                  kNodeTableList[kNodeRaw].table, fmt::arg("t", kText), fmt::arg("p", partition(kNodeRaw)),
                  fmt::arg("s", kDurable)),
      fmt::format("CREATE TABLE IF NOT EXISTS {} (received UInt64, node {t}, subject {t}, netns UInt32, signal {t}, "
                  "time Int64, first_time Int64, last_time Int64, sum UInt64, last UInt64, highest UInt64, "
                  "samples UInt64, INDEX time_range time TYPE minmax GRANULARITY 1) ENGINE = MergeTree "
                  "PARTITION BY intDiv(received, {p}) ORDER BY (node, signal, subject, received) {s}",
                  kNodeTableList[kNodeMinute].table, fmt::arg("t", kText), fmt::arg("p", partition(kNodeMinute)),
                  fmt::arg("s", kDurable)),
      fmt::format("CREATE TABLE IF NOT EXISTS {} (received UInt64, agent {t}, sequence UInt64, place UInt32, node {t}, "
                  "subject {t}, cause {t}, cause_subject {t}, event Int64, start Int64, step_us Array(UInt32), "
                  "rx_bytes Array(UInt64), tx_bytes Array(UInt64), rx_packets Array(UInt64), "
                  "tx_packets Array(UInt64)) ENGINE = MergeTree PARTITION BY intDiv(received, {p}) "
                  "ORDER BY (node, event) {s}",
                  kNodeTableList[kNodeWindows].table, fmt::arg("t", kText), fmt::arg("p", partition(kNodeWindows)),
                  fmt::arg("s", kDurable)),
      fmt::format("CREATE TABLE IF NOT EXISTS {} (agent String, sequence UInt64) ENGINE = ReplacingMergeTree(sequence) "
                  "ORDER BY agent SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, "
                  "min_rows_to_fsync_after_merge = 1",
                  kNodeSequenceTable)};
}

std::string SampleRows(const std::vector<NodeBatch>& batches) {
  std::string rows;
  for (const NodeBatch& batch : batches) {
    for (const model::NodeSample& sample : batch.samples) {
      AppendText(rows, batch.agent);
      AppendNumber(rows, batch.sequence);
      AppendText(rows, batch.node);
      AppendText(rows, sample.subject);
      AppendNumber(rows, sample.netns);
      AppendText(rows, model::Describe(sample.signal).name);
      AppendNumber(rows, sample.value);
      AppendNumber(rows, sample.time);
      AppendNumber(rows, sample.period_ms);
    }
  }
  return rows;
}

std::string WindowRows(const std::vector<NodeBatch>& batches) {
  std::string rows;
  for (const NodeBatch& batch : batches) {
    for (size_t place = 0; place < batch.windows.size(); ++place) {
      const model::RateWindow& window = batch.windows[place];
      AppendText(rows, batch.agent);
      AppendNumber(rows, batch.sequence);
      AppendNumber(rows, static_cast<uint32_t>(place));
      AppendText(rows, batch.node);
      AppendText(rows, window.subject);
      AppendText(rows, model::Describe(window.cause).name);
      AppendText(rows, window.cause_subject);
      AppendNumber(rows, window.event);
      AppendNumber(rows, window.start);
      AppendNumbers(rows, window.step_us);
      AppendNumbers(rows, window.rx_bytes);
      AppendNumbers(rows, window.tx_bytes);
      AppendNumbers(rows, window.rx_packets);
      AppendNumbers(rows, window.tx_packets);
    }
  }
  return rows;
}

std::string InsertSamplesSql(std::string_view path, uint64_t received) {
  return InsertSql(kNodeRaw, path, received,
                   "agent String, sequence UInt64, node String, subject String, netns UInt32, signal String, "
                   "value UInt64, time Int64, period_ms UInt32");
}

std::string InsertWindowsSql(std::string_view path, uint64_t received) {
  return InsertSql(kNodeWindows, path, received,
                   "agent String, sequence UInt64, place UInt32, node String, subject String, cause String, "
                   "cause_subject String, event Int64, start Int64, step_us Array(UInt32), rx_bytes Array(UInt64), "
                   "tx_bytes Array(UInt64), rx_packets Array(UInt64), tx_packets Array(UInt64)");
}

std::string NodeRollupSql(uint64_t after, uint64_t upto) {
  return fmt::format(
      "INSERT INTO {} (received, node, subject, netns, signal, time, first_time, last_time, sum, last, highest, "
      "samples) SELECT {}, node, subject, netns, signal, min(time), min(time), max(time), sum(value), "
      "argMax(value, time), max(value), count() FROM {} WHERE received > {} AND received <= {} "
      "GROUP BY node, subject, netns, signal, intDiv(time, {}) {}",
      kNodeTableList[kNodeMinute].table, upto, kNodeTableList[kNodeRaw].table, after, upto, kMinuteMs, kOnePart);
}

std::string TotalsSql(const NodeTotalsQuery& query, bool from_minutes, uint64_t rolled_up) {
  const std::string signals =
      query.signals.empty() ? "" : fmt::format("WHERE signal IN ({}) ", NamesOfSignals(query.signals));
  return fmt::format(
      "SELECT node, subject, netns, signal, sum(sum), argMax(last, last_time), max(highest), min(first_time), "
      "max(last_time), sum(samples) FROM ({}) {}GROUP BY node, subject, netns, signal "
      "ORDER BY node, subject, signal, netns LIMIT {} SETTINGS prefer_column_name_to_alias = 1",
      Rows(query.range, query.node, from_minutes, rolled_up), signals, uint64_t{query.limit} + 1);
}

std::string SeriesSql(const NodeSeriesQuery& query, bool from_minutes, uint64_t rolled_up) {
  const bool counter = model::Describe(query.signal).kind == model::SignalKind::kCounter;
  std::string where = fmt::format("signal = {}", QuoteText(model::Describe(query.signal).name));
  if (!query.any_subject) where += fmt::format(" AND subject = {}", QuoteText(query.subject));
  // Samples carry the end of their period: the one at a step's very beginning belongs to the step before, but for a
  // millisecond nobody will miss the simpler rule.
  return fmt::format(
      "SELECT intDiv(time, {0}) * {0} AS step, {1} FROM ({2}) WHERE {3} GROUP BY step ORDER BY step LIMIT 100000 "
      "SETTINGS prefer_column_name_to_alias = 1",
      query.step_ms, counter ? "sum(sum)" : "max(highest)", Rows(query.range, query.node, from_minutes, rolled_up),
      where);
}

std::string WindowsSql(const TimeRange& range, const std::string& node, uint32_t limit) {
  std::string where = fmt::format("event >= {} AND event < {}", range.from, range.to);
  if (!node.empty()) where += fmt::format(" AND node = {}", QuoteText(node));
  return fmt::format(
      "SELECT node, subject, cause, cause_subject, event, start, step_us, rx_bytes, tx_bytes, rx_packets, tx_packets "
      "FROM {} WHERE {} ORDER BY event DESC, node, subject LIMIT 1 BY agent, sequence, place LIMIT {}",
      kNodeTableList[kNodeWindows].table, where, limit);
}

std::string NodeWatermarksSql() {
  return fmt::format(
      "SELECT hex(agent), max(sequence) FROM (SELECT toString(agent) AS agent, sequence FROM {} UNION ALL "
      "SELECT agent, sequence FROM {}) GROUP BY agent",
      kNodeTableList[kNodeRaw].table, kNodeSequenceTable);
}

std::string NodePartitionsSql() {
  std::vector<std::string> tables;
  for (const NodeTableDescription& table : kNodeTableList) {
    tables.push_back(QuoteText(table.table.substr(kDatabase.size() + 1)));
  }
  return fmt::format(
      "SELECT indexOf([{}], table) AS place, toUInt64(partition_id), sum(rows), sum(bytes_on_disk) FROM system.parts "
      "WHERE active AND database = {} AND place > 0 GROUP BY place, partition_id ORDER BY partition_id, place",
      Join(tables), QuoteText(kDatabase));
}

std::string KeepNodeSequencesSql(uint64_t received_from, uint64_t received_until) {
  return fmt::format(
      "INSERT INTO {} SELECT toString(agent), max(sequence) FROM {} WHERE received >= {} AND received < {} "
      "GROUP BY agent",
      kNodeSequenceTable, kNodeTableList[kNodeRaw].table, received_from, received_until);
}

}  // namespace weir::store
