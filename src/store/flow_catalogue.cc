#include "store/flow_catalogue.h"

#include <fmt/format.h>

#include <algorithm>

#include "store/schema.h"
#include "store/sql.h"

namespace weir::store {
namespace {

constexpr auto kPartitionUs = static_cast<uint64_t>(kFlowPartitionUs);

// A rolled-up row carries the receipt of the last row it was made from: later than that of its flow by no more than all
// chunks together.
constexpr uint64_t kRollupSlackUs = [] {
  uint64_t slack = 0;
  for (const Level& level : kLevelTable) slack += static_cast<uint64_t>(level.rollup_chunk_us);
  return slack;
}();

std::string PartsSql(std::string_view what, const std::vector<std::string_view>& tables) {
  std::vector<std::string> names;
  for (const std::string_view table : tables) names.push_back(QuoteText(table.substr(kDatabase.size() + 1)));
  return fmt::format("SELECT {} FROM system.parts WHERE active AND database = {} AND table IN ({})", what,
                     QuoteText(kDatabase), Join(names));
}

}  // namespace

std::vector<size_t> FlowCatalogue::Missing(const std::vector<uint64_t>& flows, uint64_t received) {
  const uint64_t partition = received / kPartitionUs;
  if (partition != partition_ || known_.size() > kMaxFlows) known_.clear();
  partition_ = partition;
  std::vector<size_t> missing;
  tsl::robin_set<uint64_t> seen;
  for (size_t i = 0; i < flows.size(); ++i) {
    if (!known_.contains(flows[i]) && seen.insert(flows[i]).second) missing.push_back(i);
  }
  return missing;
}

void FlowCatalogue::Add(const std::vector<uint64_t>& flows, const std::vector<size_t>& which) {
  for (const size_t i : which) known_.insert(flows[i]);
}

std::string FlowCatalogue::KnownSql() const {
  return fmt::format("SELECT DISTINCT flow FROM {} WHERE received >= {} LIMIT {}", kFlowTable,
                     partition_ * kPartitionUs, kMaxFlows);
}

void FlowCatalogue::Reset(const std::vector<std::vector<uint64_t>>& flows) {
  known_.clear();
  for (const auto& flow : flows) known_.insert(flow.at(0));
}

std::string InsertFlowsSql(std::string_view file, uint64_t received) {
  const std::string columns = FlowInsertColumns();
  return fmt::format(
      "INSERT INTO {} (received, {}) SELECT toUInt64({}), {} FROM file('{}', 'Native', '{}') "
      "SETTINGS max_threads = 1, max_insert_threads = 1",
      kFlowTable, columns, received, columns, file, FlowInsertStructure());
}

uint64_t FlowsSince(UnixMillis from) {
  const uint64_t from_us = static_cast<uint64_t>(std::max<UnixMillis>(from, 0)) * 1000;
  return from_us < kPartitionUs ? 0 : (from_us / kPartitionUs - 1) * kPartitionUs;
}

std::string FlowTableBytesSql() { return PartsSql("sum(bytes_on_disk)", {kFlowTable, kEntityTable}); }

Status DropUnneededFlows(Connection& connection, const TableStates& states) {
  uint64_t oldest = UINT64_MAX;
  for (const TableState& state : states) {
    if (state.min_received != 0) oldest = std::min(oldest, state.min_received);
  }
  if (oldest == UINT64_MAX) return Status::Ok();  // an empty store has nothing worth dropping
  for (const std::string_view table : {kFlowTable, kEntityTable}) {
    WEIR_ASSIGN_OR_RETURN(const std::string answer,
                          connection.Execute(PartsSql("DISTINCT toUInt64(partition_id)", {table})));
    WEIR_ASSIGN_OR_RETURN(const auto partitions, ParseNumbers(answer));
    for (const auto& partition : partitions) {
      if ((partition.at(0) + 1) * kPartitionUs + kRollupSlackUs > oldest) continue;
      WEIR_RETURN_IF_ERROR(
          connection.Execute(fmt::format("ALTER TABLE {} DROP PARTITION ID '{}'", table, partition.at(0))).status());
    }
  }
  return Status::Ok();
}

}  // namespace weir::store
