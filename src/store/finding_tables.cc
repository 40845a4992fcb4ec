#include "store/finding_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/metrics.h"
#include "store/native_block.h"
#include "store/row_binary.h"
#include "store/schema.h"
#include "store/sql.h"
#include "store/tables.h"

namespace weir::store {
namespace {

using Json = nlohmann::json;

constexpr int64_t kMaintainPeriodMs = 60'000;
constexpr size_t kMaxMessageBytes = 300;

enum Table : size_t { kFindings, kIndicators, kTables };

struct TableDescription {
  std::string_view table;
  int64_t partition_us;        // span of `received` in one partition
  std::string_view structure;  // of the rows as they are written
  std::string_view order;
  int64_t Retention::*kept;  // seconds
};
constexpr TableDescription kTableList[kTables] = {
    {"weir.findings", 7 * 24 * kHourUs,
     "id UInt64, revision UInt32, start Int64, end Int64, open UInt8, detector String, confidence String, "
     "about Array(String), text String",
     "id, revision", &Retention::findings_seconds},
    {"weir.health_indicators", 24 * kHourUs, "scope String, start Int64, end Int64, value Int8, text String",
     "scope, start, end", &Retention::minute_seconds},
};

// "a, b" of "a T, b T".
std::string NamesIn(std::string_view structure) {
  std::vector<std::string> names;
  for (size_t at = 0; at < structure.size();) {
    const size_t space = structure.find(' ', at);
    names.emplace_back(structure.substr(at, space - at));
    const size_t comma = structure.find(", ", space);
    at = comma == std::string_view::npos ? structure.size() : comma + 2;
  }
  return Join(names);
}

std::string CreateSql(const TableDescription& table) {
  return fmt::format(
      "CREATE TABLE IF NOT EXISTS {} (received UInt64, {}) ENGINE = MergeTree PARTITION BY intDiv(received, {}) "
      "ORDER BY ({}) SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, "
      "max_suspicious_broken_parts = 1000000, max_suspicious_broken_parts_bytes = 1000000000000000",
      table.table, table.structure, table.partition_us, table.order);
}

int64_t IntegerIn(const Json& cell) {
  if (cell.is_string()) return std::strtoll(cell.get_ref<const std::string&>().c_str(), nullptr, 10);
  return cell.is_number() ? cell.get<int64_t>() : 0;
}
std::string TextIn(const Json& cell) { return cell.is_string() ? cell.get<std::string>() : ""; }

// The rows of an answer, each of `columns` cells.
Result<Json> RowsOf(const std::string& answer, size_t columns) {
  Json document = Json::parse(answer, nullptr, false);
  if (!document.is_object() || !document.contains("data")) return Status::Internal("the store's answer is no table");
  Json rows = std::move(document["data"]);
  for (const Json& row : rows) {
    if (!row.is_array() || row.size() != columns) return Status::Internal("the store's answer has another shape");
  }
  return rows;
}

std::string OneOf(std::string_view column, const std::vector<std::string>& values) {
  std::vector<std::string> quoted;
  for (const std::string& value : values) quoted.push_back(QuoteText(value));
  return fmt::format(" AND {} IN ({})", column, Join(quoted));
}

// The latest revision of each first, conditions on that alone: an earlier one may have been open, or less sure.
std::string FindSql(const FindingQuery& query) {
  std::string where = query.id != 0
                          ? fmt::format("id = {}", query.id)
                          : fmt::format("start < {} AND (open = 1 OR end >= {})", query.range.to, query.range.from);
  if (query.open_only) where += " AND open = 1";
  if (query.closed_only) where += " AND open = 0";
  if (!query.detectors.empty()) where += OneOf("detector", query.detectors);
  if (!query.confidences.empty()) where += OneOf("confidence", query.confidences);
  if (!query.about.empty()) where += fmt::format(" AND has(about, {})", QuoteText(query.about));
  const std::string scan = query.id != 0 ? fmt::format(" WHERE id = {}", query.id) : "";
  return fmt::format(
      "SELECT id, revision, start, end, open, text FROM (SELECT * FROM {}{} ORDER BY id, revision DESC LIMIT 1 BY id) "
      "WHERE {} ORDER BY start DESC, id LIMIT {}",
      kTableList[kFindings].table, scan, where, uint64_t{query.limit} + 1);
}

std::string FindSql(const IndicatorQuery& query) {
  std::string where = fmt::format("start < {} AND end > {}", query.range.to, query.range.from);
  if (!query.scope.empty()) where += fmt::format(" AND scope = {}", QuoteText(query.scope));
  return fmt::format(
      "SELECT scope, start, end, value, text FROM (SELECT * FROM {} WHERE {} ORDER BY scope, start, end DESC "
      "LIMIT 1 BY scope, start) ORDER BY scope, start LIMIT {}",
      kTableList[kIndicators].table, where, uint64_t{query.limit} + 1);
}

}  // namespace

Result<std::unique_ptr<FindingTables>> FindingTables::Open(const Library& library,
                                                           const std::filesystem::path& directory,
                                                           const Retention& retention, uint64_t budget_bytes) {
  std::unique_ptr<FindingTables> tables(new FindingTables(retention, budget_bytes));
  for (std::unique_ptr<Connection>* connection : {&tables->writer_, &tables->reader_, &tables->maintainer_}) {
    WEIR_ASSIGN_OR_RETURN(*connection, Connection::Open(library, directory));
  }
  for (const TableDescription& table : kTableList) {
    WEIR_RETURN_IF_ERROR(tables->writer_->Execute(CreateSql(table)).status());
  }
  return tables;
}

uint64_t FindingTables::NextReceived() {
  const auto now_us = static_cast<uint64_t>(SystemClock().WallNanos() / 1'000);
  return last_received_ = std::max(now_us, last_received_ + 1);
}

Status FindingTables::Write(const std::string& rows, size_t table) {
  WEIR_ASSIGN_OR_RETURN(MemoryFile file, MemoryFile::Create("weir-findings"));
  WEIR_RETURN_IF_ERROR(file.Write(rows));
  const TableDescription& description = kTableList[table];
  const std::string names = NamesIn(description.structure);
  const std::lock_guard lock(write_mutex_);
  const Status status =
      writer_
          ->Execute(fmt::format("INSERT INTO {0} (received, {1}) SELECT toUInt64({2}), {1} FROM "
                                "file('{3}', 'RowBinary', '{4}') SETTINGS max_threads = 1, "
                                "max_insert_threads = 1",
                                description.table, names, NextReceived(), file.path(), description.structure))
          .status();
  return Status(status.code(), status.message().substr(0, kMaxMessageBytes));
}

Status FindingTables::Insert(const std::vector<StoredFinding>& findings) {
  std::string rows;
  for (const StoredFinding& finding : findings) {
    if (finding.text.size() > kMaxFindingBytes) {
      return Status::Invalid(fmt::format("a finding of {} bytes, more than {}", finding.text.size(), kMaxFindingBytes));
    }
    AppendNumber(rows, finding.id);
    AppendNumber(rows, finding.revision);
    AppendNumber(rows, finding.start);
    AppendNumber(rows, finding.end);
    AppendNumber(rows, static_cast<uint8_t>(finding.open ? 1 : 0));
    AppendText(rows, finding.detector);
    AppendText(rows, finding.confidence);
    AppendLength(rows, finding.about.size());
    for (const std::string& about : finding.about) AppendText(rows, about);
    AppendText(rows, finding.text);
  }
  return findings.empty() ? Status::Ok() : Write(rows, kFindings);
}

Status FindingTables::Insert(const std::vector<StoredIndicator>& indicators) {
  std::string rows;
  for (const StoredIndicator& indicator : indicators) {
    AppendText(rows, indicator.scope);
    AppendNumber(rows, indicator.start);
    AppendNumber(rows, indicator.end);
    AppendNumber(rows, static_cast<int8_t>(indicator.value));
    AppendText(rows, indicator.text);
  }
  return indicators.empty() ? Status::Ok() : Write(rows, kIndicators);
}

Result<std::string> FindingTables::Ask(const std::string& sql) {
  const std::lock_guard lock(read_mutex_);
  Result<std::string> answer = reader_->Execute(sql, "JSONCompact");
  if (answer.ok()) return answer;
  return Status(answer.status().code(), answer.status().message().substr(0, kMaxMessageBytes));
}

Result<Findings> FindingTables::Find(const FindingQuery& query) {
  WEIR_ASSIGN_OR_RETURN(const std::string answer, Ask(FindSql(query)));
  WEIR_ASSIGN_OR_RETURN(const Json rows, RowsOf(answer, 6));
  Findings result;
  result.complete = rows.size() <= query.limit;
  for (const Json& row : rows) {
    if (result.findings.size() == query.limit) break;
    StoredFinding finding;
    finding.id = static_cast<uint64_t>(IntegerIn(row[0]));
    finding.revision = static_cast<uint32_t>(IntegerIn(row[1]));
    finding.start = IntegerIn(row[2]);
    finding.end = IntegerIn(row[3]);
    finding.open = IntegerIn(row[4]) != 0;
    finding.text = TextIn(row[5]);
    result.findings.push_back(std::move(finding));
  }
  return result;
}

Result<Indicators> FindingTables::Find(const IndicatorQuery& query) {
  WEIR_ASSIGN_OR_RETURN(const std::string answer, Ask(FindSql(query)));
  WEIR_ASSIGN_OR_RETURN(const Json rows, RowsOf(answer, 5));
  Indicators result;
  result.complete = rows.size() <= query.limit;
  for (const Json& row : rows) {
    if (result.indicators.size() == query.limit) break;
    result.indicators.push_back(
        {TextIn(row[0]), IntegerIn(row[1]), IntegerIn(row[2]), static_cast<int>(IntegerIn(row[3])), TextIn(row[4])});
  }
  return result;
}

Status FindingTables::Maintain(UnixMillis now) {
  if (now < next_retention_ && now >= next_retention_ - kMaintainPeriodMs) return Status::Ok();
  next_retention_ = now + kMaintainPeriodMs;
  std::vector<std::string> names;
  for (const TableDescription& table : kTableList) {
    names.push_back(QuoteText(table.table.substr(kDatabase.size() + 1)));
  }
  WEIR_ASSIGN_OR_RETURN(
      const std::string answer,
      maintainer_->Execute(fmt::format(
          "SELECT indexOf([{}], table) AS place, toUInt64(partition_id), sum(bytes_on_disk) FROM system.parts WHERE "
          "active AND database = {} AND place > 0 GROUP BY place, partition_id ORDER BY min(min_time), place",
          Join(names), QuoteText(kDatabase))));
  WEIR_ASSIGN_OR_RETURN(const auto rows, ParseNumbers(answer));
  uint64_t bytes = 0;
  for (const auto& row : rows) bytes += row.at(2);
  for (const auto& row : rows) {
    const TableDescription& table = kTableList[row[0] - 1];
    const int64_t end_us = (static_cast<int64_t>(row[1]) + 1) * table.partition_us;
    const bool old = end_us / 1'000 <= now - retention_.*table.kept * kSecond;
    const bool current = end_us / 1'000 > now;
    if (current || (!old && bytes <= budget_bytes_)) continue;
    WEIR_RETURN_IF_ERROR(
        maintainer_->Execute(fmt::format("ALTER TABLE {} DROP PARTITION ID '{}'", table.table, row[1])).status());
    Count(Metric::store_partitions_dropped);
    bytes -= row[2];
  }
  disk_bytes_ = bytes;
  return Status::Ok();
}

}  // namespace weir::store
