#include "store/trim.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/clock.h"
#include "store/retention.h"
#include "store/schema.h"
#include "store/sql.h"

namespace weir::store {
namespace {

// What stays of a partition is copied here; under its second name it is complete.
constexpr std::string_view kCopying = "weir.trim_copying";
constexpr std::string_view kCopied = "weir.trim_copied_";  // and the level
constexpr std::array<std::string_view, 2> kNameTables{kFlowTable, kEntityTable};
// A copy may take this share of what is free.
constexpr uint64_t kShareForCopies = 2;
// Names are looked for in passes over so many numbers of a part, which bounds memory to some 100 MiB.
constexpr uint64_t kNamesInPass = 2'000'000;
constexpr uint64_t kCuts = 16;
// Inserts wait for as long, and a step.
constexpr int64_t kLongestNanos = 2'000'000'000;

std::string_view NameOf(std::string_view table) { return table.substr(kDatabase.size() + 1); }

// Those with the oldest newest row first.
Result<std::vector<TablePart>> ReadParts(Connection& connection, std::string_view table, int64_t partition_us) {
  WEIR_ASSIGN_OR_RETURN(
      const std::string answer,
      connection.Execute(fmt::format(
          "SELECT part, rows, bytes, oldest, newest FROM (SELECT name AS part, rows, bytes_on_disk AS bytes FROM "
          "system.parts WHERE active AND database = {} AND table = {}) AS parts JOIN (SELECT toString(_part) AS part, "
          "min(received) AS oldest, max(received) AS newest FROM {} GROUP BY _part) AS times USING part ORDER BY "
          "newest",
          QuoteText(kDatabase), QuoteText(NameOf(table)), table)));
  WEIR_ASSIGN_OR_RETURN(const auto lines, ParseNamed(answer));
  std::vector<TablePart> parts;
  for (const auto& [name, numbers] : lines) {
    if (numbers.size() != 4) return Status::Internal("the store cannot read its own parts");
    parts.push_back(
        {name, numbers[2] / static_cast<uint64_t>(partition_us), numbers[0], numbers[1], numbers[2], numbers[3]});
  }
  return parts;
}

Status KeepFirst(Status first, Status status) { return first.ok() ? std::move(status) : std::move(first); }

std::string CopiedName(size_t level) { return fmt::format("{}{}", kCopied, level); }

// ClickHouse leaves parts that were merged or replaced to a thread of its own. To drop anything, be it a partition that
// never was, makes it remove them at once.
Status RemoveReplaced(Connection& connection, std::string_view table) {
  return connection.Execute(fmt::format("ALTER TABLE {} DROP PARTITION ID '0'", table)).status();
}

// All partitions of the copy take the place of the table's.
Status TakePlace(Connection& connection, size_t level) {
  const std::string copied = CopiedName(level);
  WEIR_ASSIGN_OR_RETURN(const std::string answer,
                        connection.Execute(fmt::format("SELECT DISTINCT toUInt64(partition_id) FROM system.parts WHERE "
                                                       "active AND rows > 0 AND database = {} AND table = {}",
                                                       QuoteText(kDatabase), QuoteText(NameOf(copied)))));
  WEIR_ASSIGN_OR_RETURN(const auto partitions, ParseNumbers(answer));
  for (const auto& partition : partitions) {
    WEIR_RETURN_IF_ERROR(connection
                             .Execute(fmt::format("ALTER TABLE {} REPLACE PARTITION ID '{}' FROM {}",
                                                  kLevelTable[level].table, partition.at(0), copied))
                             .status());
  }
  // A crash would bring what was replaced back beside the copy.
  if (!partitions.empty()) WEIR_RETURN_IF_ERROR(RemoveReplaced(connection, kLevelTable[level].table));
  return connection.Execute(fmt::format("DROP TABLE IF EXISTS {} SYNC", copied)).status();
}

// Questions that answer with the numbers rows have of flows, and flows of entities.
std::string FlowsOfRows() {
  std::vector<std::string> tables;
  for (const Level& level : kLevelTable) tables.push_back(fmt::format("SELECT flow AS number FROM {}", level.table));
  return fmt::format("{}", fmt::join(tables, " UNION ALL "));
}

std::string EntitiesOfFlows() {
  return fmt::format(
      "SELECT arrayJoin([client_entity, server_entity, service_entity]) AS number FROM {} WHERE number != 0",
      kFlowTable);
}

void StopMerges(Connection& connection, std::string_view verb) {
  const auto tell = [&](std::string_view table) {
    static_cast<void>(connection.Execute(fmt::format("SYSTEM {} MERGES {}", verb, table)));
  };
  for (const Level& level : kLevelTable) tell(level.table);
  for (const std::string_view table : kNameTables) tell(table);
}

}  // namespace

uint64_t OldestReceived(const TableStates& states) {
  uint64_t oldest = 0;
  for (const TableState& state : states) {
    if (state.min_received != 0 && (oldest == 0 || state.min_received < oldest)) oldest = state.min_received;
  }
  return oldest;
}

Trim::Trim(Connection& connection, Tables& tables, uint64_t free_bytes)
    : connection_(connection), tables_(tables), free_bytes_(free_bytes) {
  StopMerges(connection_, "STOP");
}

Trim::~Trim() { StopMerges(connection_, "START"); }

Status Trim::DropPart(std::string_view table, const TablePart& part) {
  return connection_.Execute(fmt::format("ALTER TABLE {} DROP PART {}", table, QuoteText(part.name))).status();
}

// Parts that are wholly older than the cut.
Status Trim::WholeParts(size_t level, uint64_t cut, Trimmed* trimmed) {
  const Level& description = kLevelTable[level];
  WEIR_ASSIGN_OR_RETURN(const std::vector<TablePart> parts,
                        ReadParts(connection_, description.table, description.partition_us));
  if (parts.empty()) return Status::Ok();
  cut = std::min(cut, parts.back().max_received);
  if (parts.front().max_received >= cut) return Status::Ok();
  const uint64_t rolled_up = RolledUp(level);
  if (level == 0) WEIR_RETURN_IF_ERROR(KeepSequences(connection_, 0, cut));
  Status first;
  for (const TablePart& part : parts) {
    if (part.max_received >= cut) break;
    const Status dropped = DropPart(description.table, part);
    first = KeepFirst(first, dropped);
    if (!dropped.ok()) continue;
    trimmed->rows += part.rows;
    trimmed->bytes += part.bytes;
    if (part.max_received > rolled_up) trimmed->not_rolled_up += part.rows;
  }
  return KeepFirst(first, Publish(level));
}

// Partitions with parts that hold both, each as a copy of what stays.
Status Trim::Straddling(size_t level, uint64_t cut, Trimmed* trimmed) {
  const Level& description = kLevelTable[level];
  WEIR_ASSIGN_OR_RETURN(const std::vector<TablePart> parts,
                        ReadParts(connection_, description.table, description.partition_us));
  if (parts.empty()) return Status::Ok();
  cut = std::min(cut, parts.back().max_received);
  std::map<uint64_t, std::pair<bool, uint64_t>> partitions;  // holds older rows; bytes
  for (const TablePart& part : parts) {
    auto& [older, bytes] = partitions[part.partition];
    older = older || part.min_received < cut;
    bytes += part.bytes;
  }
  for (const auto& [partition, about] : partitions) {
    if (!about.first || about.second > free_bytes_ / kShareForCopies) continue;
    WEIR_RETURN_IF_ERROR(CopyPartition(level, partition, cut, trimmed));
  }
  return Publish(level);
}

Status Trim::CopyPartition(size_t level, uint64_t partition, uint64_t cut, Trimmed* trimmed) {
  const Level& description = kLevelTable[level];
  const auto span = static_cast<uint64_t>(description.partition_us);
  const std::string in_partition =
      fmt::format("received >= {} AND received < {}", partition * span, (partition + 1) * span);
  WEIR_ASSIGN_OR_RETURN(const std::string answer,
                        connection_.Execute(fmt::format(
                            "SELECT countIf(received < {}), countIf(received < {} AND received > {}), count(), "
                            "(SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = {} AND "
                            "table = {} AND partition_id = '{}') FROM {} WHERE {}",
                            cut, cut, RolledUp(level), QuoteText(kDatabase), QuoteText(NameOf(description.table)),
                            partition, description.table, in_partition)));
  WEIR_ASSIGN_OR_RETURN(const auto rows, ParseNumbers(answer));
  if (rows.size() != 1 || rows[0].size() != 4) return Status::Internal("the store cannot read its own tables");
  const uint64_t older = rows[0][0];
  if (older == 0 || older == rows[0][2]) return Status::Ok();
  if (level == 0) WEIR_RETURN_IF_ERROR(KeepSequences(connection_, partition * span, cut));
  const std::string copied = CopiedName(level);
  const std::array statements{
      fmt::format("DROP TABLE IF EXISTS {} SYNC", kCopying),
      fmt::format("CREATE TABLE {} AS {}", kCopying, description.table),
      fmt::format("INSERT INTO {} SELECT * FROM {} WHERE {} AND received >= {} SETTINGS max_threads = 1", kCopying,
                  description.table, in_partition, cut),
      fmt::format("RENAME TABLE {} TO {}", kCopying, copied)};
  for (const std::string& statement : statements) WEIR_RETURN_IF_ERROR(connection_.Execute(statement).status());
  WEIR_RETURN_IF_ERROR(TakePlace(connection_, level));
  trimmed->rows += older;
  trimmed->bytes += rows[0][3] / rows[0][2] * older;
  trimmed->not_rolled_up += rows[0][1];
  return Status::Ok();
}

uint64_t Trim::RolledUp(size_t level) const {
  return level + 1 < kLevels ? tables_.Snapshot()[level + 1].watermark.received : UINT64_MAX;
}

Status Trim::Publish(size_t level) {
  WEIR_ASSIGN_OR_RETURN(const TableState state, ReadTableState(connection_, level));
  tables_.Publish(level, state);
  return Status::Ok();
}

// A condition for what stays of the names whose numbers fall into this pass.
std::string Trim::Kept(const NameTable& names, uint64_t passes, uint64_t pass) {
  return fmt::format(
      "bitAnd({0}, {1}) = {2} AND (received >= {3} OR {0} IN (SELECT number FROM ({4}) WHERE bitAnd(number, {1}) = "
      "{2}))",
      names.number, passes - 1, pass, names.before, names.used);
}

// How many rows stay of each part.
Result<std::map<std::string, uint64_t>> Trim::CountKept(const NameTable& names, uint64_t passes) {
  std::map<std::string, uint64_t> kept;
  for (uint64_t pass = 0; pass < passes; ++pass) {
    WEIR_ASSIGN_OR_RETURN(
        const std::string answer,
        connection_.Execute(fmt::format("SELECT toString(_part) AS part, count() FROM {} WHERE {} GROUP BY part",
                                        names.table, Kept(names, passes, pass))));
    WEIR_ASSIGN_OR_RETURN(const auto lines, ParseNamed(answer));
    for (const auto& [part, numbers] : lines) kept[part] += numbers.at(0);
  }
  return kept;
}

// What stays is written once more, as ever when a flow is met again, and the part goes.
Status Trim::RewriteNames(const NameTable& names, const TablePart& part, uint64_t kept, uint64_t passes,
                          Trimmed* trimmed) {
  for (uint64_t pass = 0; kept != 0 && pass < passes; ++pass) {
    WEIR_RETURN_IF_ERROR(
        connection_
            .Execute(fmt::format("INSERT INTO {0} SELECT * FROM {0} WHERE _part = {1} AND {2} SETTINGS "
                                 "max_threads = 1, max_insert_threads = 1",
                                 names.table, QuoteText(part.name), Kept(names, passes, pass)))
            .status());
  }
  WEIR_RETURN_IF_ERROR(DropPart(names.table, part));
  trimmed->bytes += part.bytes / std::max<uint64_t>(part.rows, 1) * (part.rows - kept);
  trimmed->names = true;
  return Status::Ok();
}

Status Trim::Names(const NameTable& names, Trimmed* trimmed) {
  WEIR_ASSIGN_OR_RETURN(const std::vector<TablePart> parts, ReadParts(connection_, names.table, kFlowPartitionUs));
  uint64_t rows = 0;
  for (const TablePart& part : parts) rows += part.rows;
  uint64_t passes = 1;
  while (rows / passes > kNamesInPass) passes *= 2;
  WEIR_ASSIGN_OR_RETURN(const auto kept, CountKept(names, passes));
  Status first;
  for (const TablePart& part : parts) {
    const auto found = kept.find(part.name);
    const uint64_t stays = found == kept.end() ? 0 : found->second;
    if (stays > part.rows / 4 * 3) continue;
    first = KeepFirst(first, RewriteNames(names, part, stays, passes, trimmed));
  }
  return first;
}

Status Trim::UnusedNames(uint64_t before, Trimmed* trimmed) {
  Status first = Names({kFlowTable, "flow", FlowsOfRows(), before}, trimmed);
  return KeepFirst(first, Names({kEntityTable, "id", EntitiesOfFlows(), before}, trimmed));
}

Status Trim::RowsBefore(uint64_t cut, Trimmed* trimmed) {
  const uint64_t had = trimmed->rows;
  Status first;
  for (size_t level = 0; level < kLevels; ++level) first = KeepFirst(first, WholeParts(level, cut, trimmed));
  if (trimmed->rows != had) return Status::Ok();
  for (size_t level = 0; level < kLevels; ++level) first = KeepFirst(first, Straddling(level, cut, trimmed));
  return trimmed->rows != had ? Status::Ok() : first;
}

Status Trim::Free(uint64_t bytes, uint64_t newest, Trimmed* trimmed) {
  const uint64_t oldest = OldestReceived(tables_.Snapshot());
  if (oldest == 0 || oldest >= newest) return Status::Ok();
  // Partitions that went before left names behind.
  Status first = UnusedNames(newest, trimmed);
  std::vector<TablePart> parts;
  for (const Level& level : kLevelTable) {
    WEIR_ASSIGN_OR_RETURN(const auto some, ReadParts(connection_, level.table, level.partition_us));
    parts.insert(parts.end(), some.begin(), some.end());
  }
  const int64_t stop = SystemClock().MonotonicNanos() + kLongestNanos;
  for (uint64_t i = 1; i < kCuts && trimmed->bytes < bytes && SystemClock().MonotonicNanos() < stop; ++i) {
    const uint64_t had = trimmed->rows;
    const uint64_t by_time = oldest + (newest - oldest) / kCuts * i;
    first = KeepFirst(first, RowsBefore(std::min(by_time, CutOfShare(parts, i, kCuts)), trimmed));
    if (trimmed->rows != had) first = KeepFirst(first, UnusedNames(newest, trimmed));
  }
  return trimmed->bytes != 0 ? Status::Ok() : first;
}

uint64_t CutOfShare(const std::vector<TablePart>& parts, uint64_t share, uint64_t of) {
  uint64_t low = UINT64_MAX;
  uint64_t high = 0;
  uint64_t rows = 0;
  for (const TablePart& part : parts) {
    low = std::min(low, part.min_received);
    high = std::max(high, part.max_received + 1);
    rows += part.rows;
  }
  const auto before = [&](uint64_t cut) {
    double count = 0;
    for (const TablePart& part : parts) {
      if (cut <= part.min_received) continue;
      const auto span = static_cast<double>(part.max_received + 1 - part.min_received);
      count += static_cast<double>(part.rows) * std::min(1.0, static_cast<double>(cut - part.min_received) / span);
    }
    return count;
  };
  const double wanted = static_cast<double>(rows) * static_cast<double>(share) / static_cast<double>(of);
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    if (before(middle) < wanted) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

void RemoveReplacedParts(Connection& connection) {
  for (const Level& level : kLevelTable) static_cast<void>(RemoveReplaced(connection, level.table));
  for (const std::string_view table : kNameTables) static_cast<void>(RemoveReplaced(connection, table));
}

Status FinishTrim(Connection& connection) {
  WEIR_RETURN_IF_ERROR(connection.Execute(fmt::format("DROP TABLE IF EXISTS {} SYNC", kCopying)).status());
  for (size_t level = 0; level < kLevels; ++level) WEIR_RETURN_IF_ERROR(TakePlace(connection, level));
  return Status::Ok();
}

}  // namespace weir::store
