// The Store over an embedded ClickHouse: holds the parts together, counts and explains what goes wrong.
#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <unordered_map>

#include "base/log.h"
#include "base/metrics.h"
#include "store/data_dir.h"
#include "store/disk_room.h"
#include "store/engine/engine.h"
#include "store/engine/process_claim.h"
#include "store/entity_catalogue.h"
#include "store/entity_lookup.h"
#include "store/finding_tables.h"
#include "store/flow_catalogue.h"
#include "store/flow_hash.h"
#include "store/flow_names.h"
#include "store/native_block.h"
#include "store/node_tables.h"
#include "store/packed_places.h"
#include "store/query_sql.h"
#include "store/reader_pool.h"
#include "store/result_binary.h"
#include "store/result_json.h"
#include "store/retention.h"
#include "store/rollup.h"
#include "store/row_binary.h"
#include "store/schema.h"
#include "store/schema_changes.h"
#include "store/sql.h"
#include "store/store.h"
#include "store/store_health.h"
#include "store/tables.h"
#include "store/trim.h"

namespace weir::store {
namespace {

constexpr size_t kReaders = 2;
constexpr int64_t kRetentionPeriodMs = 10 * kSecond;
constexpr uint64_t kLatelyUs = 2 * kHourUs;
constexpr uint64_t kNodeShareOfBudget = 8;  // at most an eighth of the disk is the nodes', the rest the flows'
constexpr uint64_t kFindingShareOfBudget = 32;
constexpr int kFiveLevelsVersion = 5;  // of the schema: before, hours were rolled up from minutes

// What a statement answers with. Totals, and how many rows lie beyond a limit, are told in JSON only, which takes ten
// times as long to read.
enum class Told : uint8_t { kRows, kRowsAndWhatElse };

struct Answer {
  std::vector<std::vector<Cell>> rows;
  std::vector<uint64_t> flows;  // one per row, where rows are flows
  std::vector<FlowEnds> ends;   // the same, where the plan wants them
  std::vector<Cell> totals;     // empty when the statement gives none
  AnswerSummary summary;
};

class EmbeddedStore final : public Store {
 public:
  EmbeddedStore(ProcessClaim claim, DataDir directory, const EmbeddedOptions& options)
      : claim_(std::move(claim)),
        directory_(std::move(directory)),
        room_(directory_.path()),
        clock_(options.clock == nullptr ? system_clock_ : *options.clock),
        retention_(options.retention),
        split_from_rows_(options.split_from_rows) {}

  Status Open(const Library& library);

  Status Insert(const std::vector<StoredRow>& rows) override;
  Status Publish(const std::vector<model::EntityRef>& entities) override;
  Result<std::map<std::string, uint64_t>> Watermarks() override;
  Result<FlowResult> Query(const FlowQuery& query) override;
  Result<std::map<uint32_t, RttDistribution>> RttOfGroups(const FlowQuery& query, const FlowGroups& groups) override;
  Result<bool> KnowsNamespaces(const TimeRange& range) override;
  Result<std::vector<model::EntityRef>> EntitiesCalled(const std::string& name, const TimeRange& range,
                                                       uint32_t limit) override {
    return LookUpEntitiesCalled({FlowsSince(range.from), 0}, name, limit,
                                [this](const std::string& sql) { return readers_.Execute(sql, "RowBinary"); });
  }
  Status Maintain(UnixMillis now) override;
  Result<StoreStatus> GetStatus() override;
  NodeStore* node() override { return node_.get(); }
  FindingStore* findings() override { return findings_.get(); }

 private:
  Status OpenTables();
  Status Convert();
  Status ReportDamage();
  Status InsertEntities(const std::vector<model::EntityRef>& entities, uint64_t received);
  Status InsertFlows(const std::vector<StoredRow>& rows, const std::vector<uint64_t>& flows, uint64_t received);
  Status TryInsert(const MemoryFile& file, size_t rows, uint64_t received);
  uint64_t NextReceived();
  Status EnforceRetention(UnixMillis now);
  Status MakeRoom(const Retention& retention, bool disk_decides, UnixMillis now, uint64_t* excess);
  Status RollUpForRoom(const Retention& retention, UnixMillis now, uint64_t* excess);
  Status TrimOldest(uint64_t* excess);
  Status DropLocked(const Partition& partition);
  void CloseWhenIdle(UnixMillis now);
  Status Drop(const Partition& partition);
  Result<FlowResult> Run(const QueryPlan& plan);
  Status AddBuckets(const QueryPlan& plan, bool all_groups, FlowResult& result);
  Result<AnswerSummary> Read(const std::string& sql, Told told, const std::vector<FieldKind>& fields,
                             const RowReader& read);
  Result<Answer> Ask(const QueryPlan& plan, const std::string& sql, Told told,
                     const std::vector<uint64_t>* order = nullptr);
  Result<Answer> AskGroups(const QueryPlan& plan);
  Result<Answer> AskGroupsOnly(const QueryPlan& plan);
  Result<std::vector<NamedFlow>> LookUpFlows(const QueryPlan& plan, const std::vector<uint64_t>& flows);

  const ProcessClaim claim_;  // this and the lock outlive the connections
  DataDir directory_;
  DiskRoom room_;
  const SystemClock system_clock_;
  const Clock& clock_;
  const Retention retention_;
  const uint64_t split_from_rows_;
  std::string version_;
  Tables tables_;
  StoreHealth health_;

  std::mutex write_mutex_;  // a raw partition is not dropped while rows are put into it
  std::unique_ptr<Connection> writer_;
  uint64_t last_received_ = 0;
  std::atomic<uint64_t> received_ahead_us_{0};  // of the clock, after it was set back
  FlowCatalogue flow_catalogue_;
  EntityCatalogue entity_catalogue_;

  Packing packing_;  // changes in Open() only

  std::unique_ptr<Connection> maintainer_;
  std::unique_ptr<Rollup> rollup_;
  std::unique_ptr<NodeTables> node_;
  std::unique_ptr<FindingTables> findings_;
  UnixMillis next_retention_ = 0;

  ReaderPool readers_;
  FlowNames names_;
};

Status EmbeddedStore::Open(const Library& library) {
  WEIR_ASSIGN_OR_RETURN(writer_, Connection::Open(library, directory_.clickhouse()));
  WEIR_ASSIGN_OR_RETURN(maintainer_, Connection::Open(library, directory_.clickhouse()));
  for (size_t i = 0; i < kReaders; ++i) {
    WEIR_ASSIGN_OR_RETURN(auto reader, Connection::Open(library, directory_.clickhouse()));
    readers_.Add(std::move(reader));
  }
  WEIR_ASSIGN_OR_RETURN(version_, writer_->Execute("SELECT version()"));
  version_ = version_.substr(0, version_.find('\n'));

  WEIR_RETURN_IF_ERROR(OpenTables());
  for (size_t level = 0; level < kLevels; ++level) {
    WEIR_ASSIGN_OR_RETURN(TableState state, ReadTableState(*writer_, level));
    if (level > 0) {
      WEIR_ASSIGN_OR_RETURN(state.watermark.start, ReadRolledUpUntil(*writer_, level, state.watermark.received));
    }
    tables_.Publish(level, state);
    // Of all tables, for retention may have emptied the raw one.
    last_received_ = std::max(last_received_, state.watermark.received);
  }
  rollup_ = std::make_unique<Rollup>(*maintainer_, tables_);
  WEIR_RETURN_IF_ERROR(Convert());
  WEIR_ASSIGN_OR_RETURN(node_, NodeTables::Open(library, directory_.clickhouse(), clock_, retention_,
                                                retention_.disk_budget_bytes / kNodeShareOfBudget));
  WEIR_ASSIGN_OR_RETURN(findings_, FindingTables::Open(library, directory_.clickhouse(), retention_,
                                                       retention_.disk_budget_bytes / kFindingShareOfBudget));
  return ReportDamage();
}

Status EmbeddedStore::OpenTables() {
  WEIR_RETURN_IF_ERROR(writer_->Execute(fmt::format("CREATE DATABASE IF NOT EXISTS {}", kDatabase)).status());
  if (directory_.version() != kSchemaVersion) {
    LogInfo("converting the store from schema {} to {}; a month of data takes minutes", directory_.version(),
            kSchemaVersion);
  }
  WEIR_RETURN_IF_ERROR(ChangeSchema(*writer_, directory_.version()));
  std::vector<std::string> statements{CreateSequenceTableSql(), CreateFlowTableSql(), CreateEntityTableSql(),
                                      CreatePlaceTableSql()};
  for (size_t level = 0; level < kLevels; ++level) statements.push_back(CreateTableSql(level));
  for (std::string& statement : ExtendTablesSql()) statements.push_back(std::move(statement));
  for (const std::string& statement : statements) {
    WEIR_RETURN_IF_ERROR(writer_->Execute(statement).status());
  }
  WEIR_ASSIGN_OR_RETURN(packing_, OpenPacking(*writer_));
  return FinishTrim(*writer_);
}

// Version 4 rolled hours up from minutes; the level in between is made for what they hold. Interrupted, it goes on.
Status EmbeddedStore::Convert() {
  if (directory_.version() < kFiveLevelsVersion) WEIR_RETURN_IF_ERROR(rollup_->FillIn(kLevels - 2));
  if (directory_.version() != kSchemaVersion) WEIR_RETURN_IF_ERROR(directory_.WriteCurrentVersion());
  return DropLeftovers(*writer_);
}

// ClickHouse sets parts it cannot read aside and goes on; what was in them is missing from then on.
Status EmbeddedStore::ReportDamage() {
  WEIR_ASSIGN_OR_RETURN(const std::string answer,
                        writer_->Execute(fmt::format("SELECT count() FROM system.detached_parts WHERE database = {}",
                                                     QuoteText(kDatabase))));
  WEIR_ASSIGN_OR_RETURN(const auto rows, ParseNumbers(answer));
  if (rows.empty() || rows[0][0] == 0) return Status::Ok();
  const Status damage = health_.Note(
      StoreHealth::kDamage,
      Status::Corrupt(
          fmt::format("{} damaged parts of the store were set aside and their flows are missing from answers",
                      rows[0][0]))
          .WithRemedy(fmt::format("check the disk; the parts are kept in the folders named detached under {}",
                                  directory_.clickhouse().string())));
  LogWarn("{}", damage.message());
  return Status::Ok();
}

Status EmbeddedStore::TryInsert(const MemoryFile& file, size_t rows, uint64_t received) {
  const std::string columns = InsertColumns(0);
  // One block, hence one part: see RollupSql().
  const std::string sql = fmt::format(
      "INSERT INTO {} (received, {}) SELECT toUInt64({}), {} FROM file('{}', 'Native', '{}') "
      "SETTINGS max_threads = 1, max_insert_threads = 1, min_insert_block_size_rows = 1000000000, "
      "min_insert_block_size_bytes = 0",
      kLevelTable[0].table, columns, received, columns, file.path(), InsertStructure());
  Status status = writer_->Execute(sql).status();
  if (status.ok()) return status;

  // The error may have come after the part was committed. What is stored must not be sent again.
  const auto stored =
      writer_->Execute(fmt::format("SELECT count() FROM {} WHERE received = {}", kLevelTable[0].table, received));
  return stored.ok() && *stored == fmt::format("{}\n", rows) ? Status::Ok() : status;
}

// REQUIRES: none is null, their texts are not too long.
Status EmbeddedStore::InsertEntities(const std::vector<model::EntityRef>& entities, uint64_t received) {
  const auto look_up = [&](const std::vector<model::EntityId>& ids) {
    return LookUpEntities({}, ids, [&](const std::string& sql) { return writer_->Execute(sql, "RowBinary"); });
  };
  WEIR_ASSIGN_OR_RETURN(const std::vector<model::EntityRef> missing,
                        entity_catalogue_.Missing(entities, received, look_up));
  if (missing.empty()) return Status::Ok();
  WEIR_ASSIGN_OR_RETURN(const MemoryFile file, WriteEntities(missing));
  WEIR_RETURN_IF_ERROR(writer_->Execute(InsertEntitiesSql(file.path(), received)).status());
  entity_catalogue_.Add(missing, received);
  names_.Put(missing);
  return Status::Ok();
}

// What rows are about is stored before them: a crash in between leaves flows nobody names, which harms nobody.
Status EmbeddedStore::InsertFlows(const std::vector<StoredRow>& rows, const std::vector<uint64_t>& flows,
                                  uint64_t received) {
  const std::vector<size_t> missing = flow_catalogue_.Missing(flows, received);
  if (missing.empty()) return Status::Ok();
  WEIR_ASSIGN_OR_RETURN(const MemoryFile file, WriteFlows(rows, flows, missing));
  WEIR_RETURN_IF_ERROR(writer_->Execute(InsertFlowsSql(file.path(), received)).status());
  flow_catalogue_.Add(flows, missing);
  return Status::Ok();
}

// Grows even when the clock is set back, and when an insert fails; then it goes on as fast as the clock does, so that
// partitions still follow each other. The write lock is held.
uint64_t EmbeddedStore::NextReceived() {
  const auto now_us = static_cast<uint64_t>(clock_.WallNanos() / 1000);
  if (now_us + received_ahead_us_ <= last_received_) received_ahead_us_ = last_received_ + 1 - now_us;
  return last_received_ = now_us + received_ahead_us_;
}

Status EmbeddedStore::Publish(const std::vector<model::EntityRef>& entities) {
  if (entities.empty()) return Status::Ok();
  for (const model::EntityRef& entity : entities) WEIR_RETURN_IF_ERROR(CheckEntity(*entity, "entity"));
  const std::lock_guard lock(write_mutex_);
  NextReceived();
  const Status status = health_.Note(StoreHealth::kInsert, InsertEntities(entities, last_received_));
  if (!status.ok()) Count(Metric::store_insert_errors);
  return status;
}

Status EmbeddedStore::Insert(const std::vector<StoredRow>& rows) {
  if (rows.empty()) return Status::Ok();
  if (rows.size() > kMaxRowsPerInsert) {
    return Status::Invalid(fmt::format("{} rows in one insert, more than {}", rows.size(), kMaxRowsPerInsert));
  }
  std::vector<uint64_t> flows;
  flows.reserve(rows.size());
  for (const StoredRow& stored : rows) flows.push_back(FlowHash(stored.row));
  WEIR_ASSIGN_OR_RETURN(const std::vector<model::EntityRef> entities, EntitiesOf(rows));
  WEIR_ASSIGN_OR_RETURN(const MemoryFile file, WriteRows(rows, flows, packing_));
  const std::lock_guard lock(write_mutex_);
  NextReceived();
  Status status = InsertEntities(entities, last_received_);
  if (status.ok()) status = InsertFlows(rows, flows, last_received_);
  if (status.ok()) status = TryInsert(file, rows.size(), last_received_);
  room_.NoteInsert(file.size(), status.code() == Code::kExhausted);
  if (status.code() == Code::kExhausted) {
    status = std::move(status)
                 .Shortened(kMaxEngineMessageBytes)
                 .WithRemedy(fmt::format(
                     "the oldest rows make room for new ones, and a larger disk for {} keeps them for longer",
                     directory_.path().string()));
  }
  status = health_.Note(StoreHealth::kInsert, std::move(status));
  if (!status.ok()) {
    Count(Metric::store_insert_errors);
    return status;
  }
  UnixMillis oldest = rows.front().row.start;
  UnixMillis newest = rows.front().row.end;
  for (const StoredRow& stored : rows) {
    oldest = std::min(oldest, stored.row.start);
    newest = std::max(newest, stored.row.end);
  }
  tables_.PublishInsert(last_received_, oldest, newest, rows.size());
  return status;
}

Result<std::map<std::string, uint64_t>> EmbeddedStore::Watermarks() {
  WEIR_ASSIGN_OR_RETURN(const std::string answer,
                        readers_.Execute(fmt::format(
                            "SELECT hex(agent), max(sequence) FROM ("
                            "SELECT toString(client_agent) AS agent, client_sequence AS sequence FROM {0} "
                            "UNION ALL SELECT toString(server_agent) AS agent, server_sequence AS sequence FROM {0} "
                            "UNION ALL SELECT agent, sequence FROM {1}) WHERE agent != '' GROUP BY agent",
                            kLevelTable[0].table, kSequenceTable)));
  WEIR_ASSIGN_OR_RETURN(const auto lines, ParseNamed(answer));
  std::map<std::string, uint64_t> watermarks;
  for (const auto& [agent, sequence] : lines) watermarks[Unhex(agent)] = sequence.at(0);
  return watermarks;
}

// Runs a statement and reads the fields of each row.
Result<AnswerSummary> EmbeddedStore::Read(const std::string& sql, Told told, const std::vector<FieldKind>& fields,
                                          const RowReader& read) {
  if (told == Told::kRowsAndWhatElse) {
    WEIR_ASSIGN_OR_RETURN(const std::string text, readers_.Execute(sql, "JSONCompact"));
    return ParseJsonCompact(text, fields, read);
  }
  AnswerSummary summary;
  WEIR_ASSIGN_OR_RETURN(const std::string bytes, readers_.Execute(sql, "RowBinary", &summary.rows_read));
  WEIR_RETURN_IF_ERROR(ReadRowBinary(bytes, fields, read));
  return summary;
}

Result<Answer> EmbeddedStore::AskGroups(const QueryPlan& plan) {
  if (!plan.totals) return AskGroupsOnly(plan);
  if (!WorthTwoSteps(plan)) return Ask(plan, GroupsSql(plan, plan.limit), Told::kRowsAndWhatElse);
  std::vector<uint64_t> flows;
  WEIR_ASSIGN_OR_RETURN(const AnswerSummary chosen,
                        Read(ChosenFlowsSql(plan), Told::kRowsAndWhatElse, {FieldKind::kFlow},
                             [&](const AnswerRow& row, bool) { flows.push_back(row.flow); }));
  if (chosen.rows_before_limit <= flows.size()) {  // all are shown
    return Ask(plan, GroupsSql(plan, plan.limit), Told::kRowsAndWhatElse);
  }
  WEIR_ASSIGN_OR_RETURN(Answer answer, Ask(plan, ChosenGroupsSql(plan, flows), Told::kRowsAndWhatElse, &flows));
  answer.summary.rows_before_limit = chosen.rows_before_limit;
  answer.summary.rows_read += chosen.rows_read;
  return answer;
}

// Groups without totals: how many there are in all is asked only where it cannot be seen from the answer.
Result<Answer> EmbeddedStore::AskGroupsOnly(const QueryPlan& plan) {
  WEIR_ASSIGN_OR_RETURN(Answer answer, Ask(plan, GroupsSql(plan, plan.limit + 1), Told::kRows));
  answer.summary.rows_before_limit = answer.rows.size();
  if (answer.rows.size() <= plan.limit) return answer;
  answer.rows.resize(plan.limit);
  if (plan.by_flow || plan.fold) answer.flows.resize(plan.limit);
  if (plan.whole_ends) answer.ends.resize(plan.limit);
  const auto read = [&](const AnswerRow& row, bool) { answer.summary.rows_before_limit = row.cells[0].exact; };
  WEIR_ASSIGN_OR_RETURN(const AnswerSummary count, Read(CountGroupsSql(plan), Told::kRows, {FieldKind::kNumber}, read));
  answer.summary.rows_read += count.rows_read;
  return answer;
}

// Runs a statement that answers with the plan's columns. With `order`, only rows of these flows, in this order.
Result<Answer> EmbeddedStore::Ask(const QueryPlan& plan, const std::string& sql, Told told,
                                  const std::vector<uint64_t>* order) {
  AnswerShape shape = ShapeOf(plan);
  Answer answer;
  std::unordered_map<uint64_t, size_t> places;
  if (order != nullptr) {
    answer.rows.resize(order->size());
    answer.flows = *order;
    for (size_t i = 0; i < order->size(); ++i) places[(*order)[i]] = i;
  }
  const auto read = [&](AnswerRow& row, bool totals) {
    if (totals) {
      answer.totals = shape.Cells(row);
    } else if (order == nullptr) {
      answer.rows.push_back(shape.Cells(row));
      if (plan.by_flow || plan.fold) answer.flows.push_back(row.flow);
    } else if (const auto place = places.find(row.flow); place != places.end()) {
      answer.rows[place->second] = shape.Cells(row);
    }
  };
  WEIR_ASSIGN_OR_RETURN(answer.summary, Read(sql, told, shape.fields(), read));
  // A flow's rows may have been dropped between the two steps.
  for (size_t i = answer.rows.size(); order != nullptr && i-- > 0;) {
    if (!answer.rows[i].empty()) continue;
    answer.rows.erase(answer.rows.begin() + static_cast<ptrdiff_t>(i));
    answer.flows.erase(answer.flows.begin() + static_cast<ptrdiff_t>(i));
  }
  if (!plan.by_flow) return answer;
  const FlowNames::Tables tables{[&](const std::vector<uint64_t>& flows) { return LookUpFlows(plan, flows); },
                                 [&](const std::vector<model::EntityId>& ids) {
                                   return LookUpEntities(plan.as_of, ids, [&](const std::string& text) {
                                     return readers_.Execute(text, "RowBinary");
                                   });
                                 }};
  WEIR_RETURN_IF_ERROR(names_.Fill(answer.flows, plan.group_by, tables, plan.as_of.at == 0, answer.rows,
                                   plan.whole_ends ? &answer.ends : nullptr));
  return answer;
}

Result<std::vector<NamedFlow>> EmbeddedStore::LookUpFlows(const QueryPlan& plan, const std::vector<uint64_t>& flows) {
  WEIR_ASSIGN_OR_RETURN(const MemoryFile file, MemoryFile::OfNumbers(flows));
  std::vector<FieldKind> fields(4, FieldKind::kNumber);
  for (const model::Column* column : ConnectionDimensions()) fields.push_back(KindOfDimension(*column));
  std::vector<NamedFlow> found;
  const auto read = [&](AnswerRow& row, bool) {
    NamedFlow& flow = found.emplace_back();
    flow.flow = row.cells[0].exact;
    for (size_t i = 0; i < flow.entities.size(); ++i) flow.entities[i] = row.cells[1 + i].exact;
    flow.connection.assign(std::make_move_iterator(row.cells.begin() + 4), std::make_move_iterator(row.cells.end()));
  };
  WEIR_RETURN_IF_ERROR(Read(FlowsByNumberSql(plan, file.path()), Told::kRows, fields, read).status());
  return found;
}

Status EmbeddedStore::AddBuckets(const QueryPlan& plan, bool all_groups, FlowResult& result) {
  WEIR_ASSIGN_OR_RETURN(Answer parsed, Ask(plan, BucketsSql(plan, all_groups), Told::kRows));
  if (parsed.rows.size() > kMaxResultRows) {
    return Status::Exhausted(fmt::format("the answer has more than {} points", kMaxResultRows))
        .WithRemedy("choose a longer step, a shorter range or a lower limit");
  }
  result.rows = std::move(parsed.rows);
  result.rows_read += parsed.summary.rows_read;
  return Status::Ok();
}

Result<FlowResult> EmbeddedStore::Run(const QueryPlan& plan) {
  WEIR_ASSIGN_OR_RETURN(Answer parsed, AskGroups(plan));
  FlowResult result;
  result.columns = plan.columns;
  result.groups = std::max<uint64_t>(parsed.summary.rows_before_limit, parsed.rows.size());
  result.groups_left_out = result.groups - parsed.rows.size();
  result.rows_read = parsed.summary.rows_read;
  if (plan.totals && plan.group_by.empty() && !plan.by_flow && !parsed.rows.empty())
    parsed.totals = parsed.rows.front();
  result.totals = std::move(parsed.totals);
  if (plan.totals) result.totals.resize(plan.columns.size());
  for (size_t i = 0; i < result.totals.size(); ++i) {
    const auto type = plan.columns[i]->type;
    result.totals[i].is_text = type == model::ColumnType::kString || type == model::ColumnType::kAddress;
    result.totals[i].text.clear();
  }
  if (plan.bucket_ms == 0 || result.groups == 0) {
    result.rows = std::move(parsed.rows);
    result.flows = std::move(parsed.flows);
    result.ends = std::move(parsed.ends);
    return result;
  }
  const bool all_groups = result.groups_left_out == 0 && plan.filter.groups.empty();
  WEIR_RETURN_IF_ERROR(AddBuckets(plan, all_groups, result));
  return result;
}

Result<FlowResult> EmbeddedStore::Query(const FlowQuery& query) {
  const auto begin = std::chrono::steady_clock::now();
  WEIR_ASSIGN_OR_RETURN(const QueryPlan plan, PlanQuery(query, tables_.Snapshot(), split_from_rows_, packing_));
  Result<FlowResult> result = Run(plan);
  if (!result.ok()) {
    const Status status = result.status();
    if (status.code() != Code::kExhausted) return status;
    return Status::Exhausted("the question costs too much")
        .Because(status.message(), kMaxEngineMessageBytes)
        .WithRemedy("ask for a shorter range, fewer groups or a filter");
  }
  result->resolution = kLevelTable[plan.level].resolution;
  result->oldest = OldestAt(plan.states, plan.level);
  result->elapsed_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  return result;
}

Result<std::map<uint32_t, RttDistribution>> EmbeddedStore::RttOfGroups(const FlowQuery& query,
                                                                       const FlowGroups& groups) {
  std::map<uint32_t, RttDistribution> distributions;
  if (groups.flows.empty()) return distributions;
  std::string list;
  for (size_t i = 0; i < groups.flows.size(); ++i) {
    AppendNumber(list, groups.flows[i]);
    AppendNumber(list, groups.groups[i]);
  }
  WEIR_ASSIGN_OR_RETURN(MemoryFile file, MemoryFile::Create("weir-groups"));
  WEIR_RETURN_IF_ERROR(file.Write(list));
  FlowQuery rows;
  if (query.fold) rows = query;  // its groups have flows the filter leaves out
  rows.range = query.range;
  WEIR_ASSIGN_OR_RETURN(const QueryPlan plan, PlanQuery(rows, tables_.Snapshot(), split_from_rows_, packing_));
  const auto read = [&](const AnswerRow& row, bool) {
    distributions[static_cast<uint32_t>(row.cells[0].exact)] = {HistogramFrom(row.arrays[1]),
                                                                HistogramFrom(row.arrays[2])};
  };
  const std::vector<FieldKind> fields{FieldKind::kNumber, FieldKind::kArray, FieldKind::kArray};
  WEIR_RETURN_IF_ERROR(Read(RttOfGroupsSql(plan, file.path()), Told::kRows, fields, read).status());
  return distributions;
}

Result<bool> EmbeddedStore::KnowsNamespaces(const TimeRange& range) {
  WEIR_ASSIGN_OR_RETURN(const std::string answer, readers_.Execute(KnowsNamespacesSql(FlowsSince(range.from))));
  return !answer.empty();
}

Status EmbeddedStore::Drop(const Partition& partition) {
  // Decided before the lock was taken; rows may have come since.
  const std::lock_guard lock(write_mutex_);
  return MayDrop(partition, tables_.Snapshot()) ? DropLocked(partition) : Status::Ok();
}

Status EmbeddedStore::DropLocked(const Partition& partition) {
  WEIR_RETURN_IF_ERROR(DropPartition(*maintainer_, partition));
  WEIR_ASSIGN_OR_RETURN(const TableState state, ReadTableState(*maintainer_, partition.level));
  tables_.Publish(partition.level, state);
  Count(Metric::store_partitions_dropped);
  return Status::Ok();
}

Status EmbeddedStore::EnforceRetention(UnixMillis now) {
  if (room_.IsCrowded()) RemoveReplacedParts(*maintainer_);
  WEIR_ASSIGN_OR_RETURN(const std::string answer, maintainer_->Execute(PartitionsSql()));
  WEIR_ASSIGN_OR_RETURN(std::vector<Partition> partitions, ParsePartitions(answer));
  uint64_t bytes = 0;
  for (const Partition& partition : partitions) bytes += partition.bytes;
  uint64_t excess = 0;
  Retention retention = retention_;
  WEIR_ASSIGN_OR_RETURN(const std::string flow_answer, maintainer_->Execute(FlowTableBytesSql()));
  WEIR_ASSIGN_OR_RETURN(const auto flow_bytes, ParseNumbers(flow_answer));
  const uint64_t other_bytes = node_->disk_bytes() + findings_->disk_bytes() + flow_bytes.at(0).at(0);
  WEIR_ASSIGN_OR_RETURN(const DiskSpace space, ReadDiskSpace(directory_.path()));
  room_.GiveSpare(space);
  retention.disk_budget_bytes =
      BudgetOnDisk(retention_.disk_budget_bytes, bytes + other_bytes, room_.Reserve(space), space);
  const bool disk_decides = retention.disk_budget_bytes < retention_.disk_budget_bytes;
  node_->SetBudget(retention.disk_budget_bytes / kNodeShareOfBudget);
  retention.disk_budget_bytes -= std::min(other_bytes, retention.disk_budget_bytes);
  const auto ahead_ms = static_cast<int64_t>(received_ahead_us_ / 1000);
  for (const Partition& partition :
       PartitionsToDrop(std::move(partitions), retention, tables_.Snapshot(), now, &excess, &clock_, ahead_ms)) {
    WEIR_RETURN_IF_ERROR(Drop(partition));
    if (disk_decides) Count(Metric::store_room_made);
    bytes -= partition.bytes;
  }
  SetGauge(Metric::store_disk_bytes, bytes + other_bytes);
  WEIR_RETURN_IF_ERROR(DropUnneededFlows(*maintainer_, tables_.Snapshot()));
  if (excess != 0) WEIR_RETURN_IF_ERROR(MakeRoom(retention, disk_decides, now, &excess));
  room_.KeepSpare(space);
  if (excess == 0) return Status::Ok();
  if (disk_decides) {
    return Status::Exhausted(
               fmt::format("the disk of {} has {} bytes left and the store holds nothing more it may drop",
                           directory_.path().string(), space.free_bytes))
        .WithRemedy("give it a larger disk, or make room there");
  }
  return Status::Exhausted(
             fmt::format("the store is {} bytes over its disk budget and holds nothing it may drop", excess))
      .WithRemedy("raise the budget");
}

// Nothing that is rolled up and settled is left to drop. Where all there is came lately, rows at hand are rolled up as
// they are and the raw ones go; then the oldest go, in pieces smaller than a partition.
Status EmbeddedStore::MakeRoom(const Retention& retention, bool disk_decides, UnixMillis now, uint64_t* excess) {
  const std::lock_guard lock(write_mutex_);
  const uint64_t oldest = OldestReceived(tables_.Snapshot());
  if (disk_decides && oldest + kLatelyUs > last_received_) {
    // Where the disk has no room for a roll-up, rows go without.
    const Status rolled_up = RollUpForRoom(retention, now, excess);
    if (!rolled_up.ok() && rolled_up.code() != Code::kExhausted) return rolled_up;
  }
  return *excess == 0 ? Status::Ok() : TrimOldest(excess);
}

// The write lock is held.
Status EmbeddedStore::RollUpForRoom(const Retention& retention, UnixMillis now, uint64_t* excess) {
  TableState raw = tables_.Snapshot()[0];
  if (raw.rows == 0) return Status::Ok();
  raw.watermark.received = NextReceived();
  tables_.Publish(0, raw);
  WEIR_RETURN_IF_ERROR(rollup_->RollUpAll(raw.newest));
  WEIR_ASSIGN_OR_RETURN(const std::string answer, maintainer_->Execute(PartitionsSql()));
  WEIR_ASSIGN_OR_RETURN(std::vector<Partition> partitions, ParsePartitions(answer));
  const auto ahead_ms = static_cast<int64_t>(received_ahead_us_ / 1000);
  for (const Partition& partition :
       PartitionsToDrop(std::move(partitions), retention, tables_.Snapshot(), now, excess, &clock_, ahead_ms)) {
    WEIR_RETURN_IF_ERROR(DropLocked(partition));
    Count(Metric::store_room_made);
  }
  return Status::Ok();
}

// The write lock is held.
Status EmbeddedStore::TrimOldest(uint64_t* excess) {
  WEIR_ASSIGN_OR_RETURN(const DiskSpace space, ReadDiskSpace(directory_.path()));
  Trimmed trimmed;
  const Status status = Trim(*maintainer_, tables_, space.free_bytes).Free(*excess, last_received_, &trimmed);
  Count(Metric::store_rows_trimmed, trimmed.rows);
  Count(Metric::store_rows_cut, trimmed.not_rolled_up);
  if (trimmed.rows != 0) Count(Metric::store_room_made);
  if (trimmed.names) {
    entity_catalogue_.Forget();
    WEIR_ASSIGN_OR_RETURN(const std::string answer, writer_->Execute(flow_catalogue_.KnownSql()));
    WEIR_ASSIGN_OR_RETURN(const auto flows, ParseNumbers(answer));
    flow_catalogue_.Reset(flows);
  }
  *excess -= std::min(*excess, trimmed.bytes);
  return status;
}

// A roll-up needs a receipt number above its last one. Where no rows come any more, it gets one without rows, or the
// last step would wait for ever.
void EmbeddedStore::CloseWhenIdle(UnixMillis now) {
  const std::lock_guard lock(write_mutex_);
  const TableStates states = tables_.Snapshot();
  TableState raw = states[0];
  const Watermark& rolled_up = states[1].watermark;
  const bool settled = raw.newest > 0 && now - kSettleMs >= raw.newest + kLevelTable[1].step_ms;
  if (!settled || raw.newest <= rolled_up.start || raw.watermark.received > rolled_up.received) return;
  raw.watermark.received = NextReceived();
  tables_.Publish(0, raw);
}

Status EmbeddedStore::Maintain(UnixMillis now) {
  const Status node = health_.Note(StoreHealth::kNode, node_->Maintain(now));
  const Status findings =
      health_.Note(StoreHealth::kFindings, findings_->Maintain(now).Annotate("retention of findings"));
  CloseWhenIdle(now);
  const Status rolled_up = health_.Note(StoreHealth::kRollup, rollup_->Run(now));
  if (now < next_retention_ && now >= next_retention_ - kRetentionPeriodMs && !room_.IsCrowded()) return rolled_up;
  next_retention_ = now + kRetentionPeriodMs;
  const Status retained = health_.Note(StoreHealth::kRetention, EnforceRetention(now).Annotate("retention"));
  if (!rolled_up.ok()) return rolled_up;
  if (!retained.ok()) return retained;
  return node.ok() ? findings : node;
}

Result<StoreStatus> EmbeddedStore::GetStatus() {
  StoreStatus status;
  status.engine = fmt::format("embedded ClickHouse {}", version_);
  status.path = directory_.path().string();
  status.disk_budget_bytes = retention_.disk_budget_bytes;
  status.last_error = health_.last_error();
  const TableStates states = tables_.Snapshot();
  for (size_t level = 0; level < kLevels; ++level) {
    status.tables.push_back(
        {std::string(kLevelTable[level].resolution), 0, 0, states[level].oldest, states[level].newest});
  }
  WEIR_ASSIGN_OR_RETURN(const std::string answer, readers_.Execute(PartitionsSql()));
  WEIR_ASSIGN_OR_RETURN(const std::vector<Partition> partitions, ParsePartitions(answer));
  for (const Partition& partition : partitions) {
    status.tables[partition.level].rows += partition.rows;
    status.tables[partition.level].bytes += partition.bytes;
    status.disk_bytes += partition.bytes;
  }
  WEIR_ASSIGN_OR_RETURN(const std::string flow_answer, readers_.Execute(FlowTableBytesSql()));
  WEIR_ASSIGN_OR_RETURN(const auto flow_bytes, ParseNumbers(flow_answer));
  status.disk_bytes += flow_bytes.at(0).at(0) + node_->disk_bytes() + findings_->disk_bytes();
  SetGauge(Metric::store_disk_bytes, status.disk_bytes);
  return status;
}

}  // namespace

Result<std::unique_ptr<Store>> OpenEmbedded(EmbeddedOptions options) {
  WEIR_ASSIGN_OR_RETURN(const std::filesystem::path path, FindLibrary(options.library));
  ProcessClaim claim;
  if (!claim.held()) {
    return Status::Conflict("this process has a store open already")
        .WithRemedy("ClickHouse serves one directory per process");
  }
  WEIR_ASSIGN_OR_RETURN(DataDir directory, DataDir::Open(options.data_dir));
  WEIR_ASSIGN_OR_RETURN(const Library* library, LoadLibrary(path));
  auto store = std::make_unique<EmbeddedStore>(std::move(claim), std::move(directory), options);
  WEIR_RETURN_IF_ERROR(store->Open(*library).Annotate("open the store"));
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace weir::store
