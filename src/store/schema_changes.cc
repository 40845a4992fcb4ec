#include "store/schema_changes.h"

#include <fmt/format.h>

#include "store/packed_places.h"
#include "store/schema.h"
#include "store/sql.h"
#include "store/tables.h"

namespace weir::store {
namespace {

// Until schema 6 the table of flows held the attributes of both ends, and their names were part of a flow's number.
constexpr std::string_view kFlowsWithNames = "weir.flows_with_names";

std::string HasColumn(std::string_view table, std::string_view column) {
  return fmt::format("SELECT count() FROM system.columns WHERE database = {} AND table = {} AND name = {}",
                     QuoteText(kDatabase), QuoteText(table.substr(kDatabase.size() + 1)), QuoteText(column));
}

// Attributes as they were then; not all of such tables have them all.
constexpr std::string_view kTexts[] = {"kind",          "cluster",       "namespace",      "workload",  "workload_kind",
                                       "pod",           "image",         "container_name", "container", "process",
                                       "unit",          "node",          "zone",           "region",    "netns_name",
                                       "cloud_service", "external_name", "name_source"};

std::string AddMissingColumns() {
  std::vector<std::string> additions{"ADD COLUMN IF NOT EXISTS locality LowCardinality(String)"};
  for (const std::string_view end : {"client", "server"}) {
    for (const std::string_view text : kTexts) {
      additions.push_back(fmt::format("ADD COLUMN IF NOT EXISTS {}_{} LowCardinality(String)", end, text));
    }
    additions.push_back(fmt::format("ADD COLUMN IF NOT EXISTS {}_netns UInt32", end));
  }
  for (const std::string_view text :
       {"protocol", "server_name", "alpn", "application", "operation", "resource", "result"}) {
    additions.push_back(fmt::format("ADD COLUMN IF NOT EXISTS {} LowCardinality(String)", text));
  }
  additions.emplace_back("ADD COLUMN IF NOT EXISTS service_address FixedString(16)");
  additions.emplace_back("ADD COLUMN IF NOT EXISTS service_port UInt16");
  return fmt::format("ALTER TABLE {} {}", kFlowsWithNames, Join(additions));
}

// model::HashOfKey of these expressions, each of them a text.
std::string HashOfKeySql(const std::vector<std::string>& parts) {
  std::vector<std::string> items;
  for (const std::string& part : parts) {
    items.push_back(fmt::format("toString(length({})), ':'", part));
    items.push_back(part);
  }
  return fmt::format("greatest(xxh3(concat({})), 1)", Join(items));
}

// Nobody reported this end. Older rows say so by saying nothing.
std::string IsAddress(std::string_view end) {
  return fmt::format(
      "({0}_kind = 'address' OR ({0}_kind = '' AND {0}_process = '' AND {0}_container = '' AND {0}_unit = '' AND "
      "{0}_node = '' AND {0}_netns = 0))",
      end);
}

// The node an address belongs to: as it was told, or the other end's where the flow never left it.
std::string HolderSql(std::string_view end) {
  const std::string_view other = end == "client" ? "server" : "client";
  return fmt::format("if({0}_node = '' AND locality = 'same_node', toString({1}_node), toString({0}_node))", end,
                     other);
}

// model::AgentEndId and model::AddressId.
std::string IdSql(std::string_view end) {
  const std::string unspecified =
      fmt::format("{0}_address IN ({1}, {2})", end, QuoteAddress({}), QuoteAddress(*model::Address::Parse("0.0.0.0")));
  const std::string by_address = HashOfKeySql({"'address'", fmt::format("{}_address", end), HolderSql(end)});
  const std::string by_agent =
      HashOfKeySql({"'agent'", fmt::format("toString({}_node)", end),
                    fmt::format("toString(if({0}_container = '', {0}_unit, {0}_container))", end),
                    fmt::format("toString({}_process)", end), fmt::format("toString({}_netns)", end)});
  return fmt::format("if({}, if({}, 0, {}), {})", IsAddress(end), unspecified, by_address, by_agent);
}

// The entities of one end of the flows of one partition; their version is the time they were last told of.
std::string InsertEntitiesOf(std::string_view end) {
  const std::string name = fmt::format("{}_", end);
  std::vector<std::string> columns{"address"};
  std::vector<std::string> values{fmt::format("if({}, {}_address, {})", IsAddress(end), end, QuoteAddress({}))};
  for (const std::string_view text : kTexts) {
    columns.emplace_back(text);
    if (text == "kind") {
      values.push_back(
          fmt::format("multiIf({0}_kind != '', toString({0}_kind), {1}, 'address', {0}_container != '', 'container', "
                      "{0}_process != '', 'process', 'node')",
                      end, IsAddress(end)));
    } else if (text == "node") {
      values.push_back(fmt::format("if({}, {}, toString({}_node))", IsAddress(end), HolderSql(end), end));
    } else if (text == "name_source") {
      values.push_back(
          fmt::format("if({0}_name_source = '' AND NOT {1}, 'agent', toString({0}_name_source))", end, IsAddress(end)));
    } else {
      values.push_back(fmt::format("toString({}_{})", end, text));
    }
  }
  columns.emplace_back("netns");
  values.push_back(fmt::format("{}_netns", end));
  std::vector<std::string> keys;
  for (size_t i = 0; i < values.size(); ++i) keys.push_back(fmt::format("value{}", i));
  for (size_t i = 0; i < values.size(); ++i) values[i] += fmt::format(" AS value{}", i);
  return fmt::format(
      "INSERT INTO {} (received, id, version, {}) SELECT max(received), entity, max(received), {} FROM (SELECT "
      "received, "
      "{} AS entity, {} FROM {} WHERE intDiv(received, {}) = {{}}) WHERE entity != 0 GROUP BY entity, {}",
      kEntityTable, Join(columns), Join(keys), IdSql(end), Join(values), kFlowsWithNames, kFlowPartitionUs, Join(keys));
}

std::string InsertFlowsOf() {
  constexpr std::string_view kConnection =
      "protocol, client_address, server_address, server_port, service_address, service_port, server_name, alpn, "
      "application, operation, resource, result";
  return fmt::format(
      "INSERT INTO {0} (received, flow, client_entity, server_entity, {1}) SELECT received, flow, {2}, {3}, {1} FROM "
      "{4} "
      "WHERE intDiv(received, {5}) = {{}}",
      kFlowTable, kConnection, IdSql("client"), IdSql("server"), kFlowsWithNames, kFlowPartitionUs);
}

// clang-format off
// Where packed measures stood by their position in the column table.
Packing::Names PlacesOfSchema5() {
  return {{{"retransmits_syn", "timeouts_to_server", "timeouts_to_client", "retransmits_rto_to_server",
            "retransmits_rto_to_client", "retransmits_probe_to_server", "retransmits_probe_to_client",
            "spurious_retransmits_to_server", "spurious_retransmits_to_client", "ecn_marks_to_server",
            "ecn_marks_to_client", "window_limited_us_to_server", "window_limited_us_to_client",
            "buffer_limited_us_to_server", "buffer_limited_us_to_client", "out_of_order_to_server",
            "out_of_order_to_client", "late_segments_to_server", "late_segments_to_client", "late_bytes_to_server",
            "late_bytes_to_client", "gaps_to_server", "gaps_to_client", "reordered_to_server", "reordered_to_client",
            "zero_windows_to_server", "zero_windows_to_client", "failed_refused", "failed_timed_out",
            "failed_unreachable", "failed_abandoned", "failed_no_port", "failed_other", "closed_reset_by_client",
            "closed_reset_by_server", "closed_timed_out", "accept_overflows", "retransmitted_bytes_to_server",
            "retransmitted_bytes_to_client"},
           {"unread_max_to_server", "unread_max_to_client", "accept_queue_max", "failed_after_max_us"},
           {"requests", "requests_failed", "requests_unanswered", "requests_repeated", "requests_unusable",
            "requests_streamed", "requests_body_bytes", "request_latency_count", "request_latency_sum_us",
            "first_chunk_count", "first_chunk_sum_us", "chunk_gap_count", "chunk_gap_sum_us", "request_duration_count",
            "request_duration_sum_us", "request_upload_count", "request_upload_sum_us", "receive_wait_count",
            "receive_wait_sum_us", "accept_wait_count", "accept_wait_sum_us", "client_idle_count",
            "client_idle_sum_us"},
           {"request_latency_max_us", "first_chunk_max_us", "chunk_gap_max_us", "request_duration_max_us",
            "request_upload_max_us", "receive_wait_max_us", "accept_wait_max_us", "client_idle_max_us"},
           {"request_latency_histogram", "first_chunk_histogram", "chunk_gap_histogram", "request_duration_histogram",
            "request_upload_histogram", "receive_wait_histogram", "accept_wait_histogram", "client_idle_histogram"}}};
}
// clang-format on

// Ends become entities, and places are told by name.
SchemaChange EndsBecomeEntities() {
  const std::string converting = HasColumn(kFlowsWithNames, "client_process");
  const std::string partitions = fmt::format("SELECT DISTINCT intDiv(received, {}) AS day FROM {} ORDER BY day",
                                             kFlowPartitionUs, kFlowsWithNames);
  return {6,
          {{.sql = fmt::format("RENAME TABLE {} TO {}", kFlowTable, kFlowsWithNames),
            .only_if = HasColumn(kFlowTable, "client_process")},
           {.sql = CreateFlowTableSql()},
           {.sql = CreateEntityTableSql()},
           {.sql = CreatePlaceTableSql()},
           {.sql = AddMissingColumns(), .only_if = converting},
           {.sql = fmt::format("TRUNCATE TABLE {}", kFlowTable), .only_if = converting},
           {.sql = fmt::format("TRUNCATE TABLE {}", kEntityTable), .only_if = converting},
           {.sql = InsertEntitiesOf("client"), .only_if = converting, .for_each = partitions},
           {.sql = InsertEntitiesOf("server"), .only_if = converting, .for_each = partitions},
           {.sql = InsertFlowsOf(), .only_if = converting, .for_each = partitions},
           {.sql = InsertPlacesSql(PlacesOfSchema5(), {})}}};
}

Result<uint64_t> AskNumber(Connection& connection, const std::string& sql) {
  WEIR_ASSIGN_OR_RETURN(const std::string answer, connection.Execute(sql));
  WEIR_ASSIGN_OR_RETURN(const auto rows, ParseNumbers(answer));
  if (rows.empty() || rows[0].empty()) return Status::Internal("the store cannot read its own tables");
  return rows[0][0];
}

Status Run(Connection& connection, const SchemaStatement& statement) {
  if (!statement.only_if.empty()) {
    WEIR_ASSIGN_OR_RETURN(const uint64_t wanted, AskNumber(connection, statement.only_if));
    if (wanted == 0) return Status::Ok();
  }
  if (statement.for_each.empty()) return connection.Execute(statement.sql).status();
  WEIR_ASSIGN_OR_RETURN(const std::string answer, connection.Execute(statement.for_each));
  WEIR_ASSIGN_OR_RETURN(const auto rows, ParseNumbers(answer));
  for (const auto& row : rows) {
    WEIR_RETURN_IF_ERROR(connection.Execute(fmt::format(fmt::runtime(statement.sql), row.at(0))).status());
  }
  return Status::Ok();
}

}  // namespace

std::vector<SchemaChange> SchemaChanges() { return {EndsBecomeEntities()}; }

Status ChangeSchema(Connection& connection, int version) {
  for (const SchemaChange& change : SchemaChanges()) {
    if (version >= change.version) continue;
    for (const SchemaStatement& statement : change.statements) WEIR_RETURN_IF_ERROR(Run(connection, statement));
  }
  return Status::Ok();
}

Status DropLeftovers(Connection& connection) {
  return connection.Execute(fmt::format("DROP TABLE IF EXISTS {} SYNC", kFlowsWithNames)).status();
}

}  // namespace weir::store
