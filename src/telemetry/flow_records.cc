#include "telemetry/flow_records.h"

#include <array>
#include <charconv>
#include <string>

#include "model/columns.h"

namespace weir::telemetry {
namespace {

constexpr size_t kRecordsPerRequest = 1'000;
constexpr int kInfo = 9;  // SeverityNumber
constexpr uint64_t kNanosPerMilli = 1'000'000;

// Columns that OpenTelemetry has an attribute for. Others are called weir. and their name, ends with a dot.
constexpr auto kConventions = std::to_array<std::array<std::string_view, 2>>({
    {"protocol", "network.transport"},
    {"client_address", "client.address"},
    {"server_address", "server.address"},
    {"server_port", "server.port"},
    {"server_name", "tls.client.server_name"},
});

// "client_namespace" -> "weir.client.namespace", "bytes_to_server" -> "weir.bytes_to_server".
std::string AttributeName(const model::Column& column) {
  for (const auto& [name, attribute] : kConventions) {
    if (name == column.name) return std::string(attribute);
  }
  for (const std::string_view end : {"client_", "server_"}) {
    if (column.of_entity() && column.name.starts_with(end)) {
      std::string name("weir.");
      name.append(end.substr(0, end.size() - 1)).append(".").append(column.name.substr(end.size()));
      return name;
    }
  }
  return "weir." + std::string(column.name);
}

// By their place in the column table.
const std::vector<std::string>& AttributeNames() {
  static const std::vector<std::string> kNames = [] {
    std::vector<std::string> names;
    for (const model::Column& column : model::kColumns) names.push_back(AttributeName(column));
    return names;
  }();
  return kNames;
}

void AddColumn(otlp::LogRecord& record, const model::FlowRow& row, const model::Column& column, std::string_view name) {
  switch (column.type) {
    case model::ColumnType::kUint: {
      const uint64_t value =
          column.of_entity() ? model::UintOf(model::EntityOf(row, column), column.field()) : model::UintOf(row, column);
      if (value != 0) AddInteger(record, name, static_cast<int64_t>(value));
      return;
    }
    case model::ColumnType::kAddress: {
      const model::Address& address = model::AddressOf(row, column);
      if (!address.is_unspecified()) AddText(record, name, address.ToString());
      return;
    }
    case model::ColumnType::kString: {
      const std::string value = model::TextOf(row, column);
      if (!value.empty()) AddText(record, name, value);
      return;
    }
    default: return;
  }
}

// What was asked, in the words of the protocol it was asked by.
void AddRequest(otlp::LogRecord& record, const model::FlowRow& row) {
  if (row.application.empty()) return;
  if (row.application == "dns") {
    AddText(record, "network.protocol.name", "dns");
    AddText(record, "dns.question.name", row.resource);
    return;
  }
  const bool http2 = row.application == "h2";
  if (!http2 && row.application != "http1") return;
  AddText(record, "network.protocol.name", "http");
  AddText(record, "network.protocol.version", http2 ? "2" : "1.1");
  if (!row.operation.empty()) AddText(record, "http.request.method", row.operation);
  if (!row.resource.empty()) AddText(record, "http.route", row.resource);
  int status = 0;
  const char* end = row.result.data() + row.result.size();
  if (const auto [rest, error] = std::from_chars(row.result.data(), end, status); error == std::errc{} && rest == end) {
    AddInteger(record, "http.response.status_code", status);
  } else if (!row.result.empty()) {
    AddText(record, "error.type", row.result);
  }
}

void Fill(otlp::LogRecord& record, const model::FlowRow& row, UnixMillis observed) {
  record.set_time_unix_nano(static_cast<uint64_t>(row.end) * kNanosPerMilli);
  record.set_observed_time_unix_nano(static_cast<uint64_t>(observed) * kNanosPerMilli);
  record.set_severity_number(kInfo);
  record.set_severity_text("INFO");
  record.set_event_name("weir.flow");
  AddInteger(record, "weir.interval_ms", row.end - row.start);
  const std::vector<std::string>& names = AttributeNames();
  size_t place = 0;
  for (const model::Column& column : model::kColumns) {
    const std::string& name = names[place++];
    const bool dimension = column.kind == model::ColumnKind::kDimension;
    const bool measure = column.kind == model::ColumnKind::kSum || column.kind == model::ColumnKind::kMax ||
                         column.kind == model::ColumnKind::kMin;
    // Derived columns can be had from the others.
    if ((dimension || measure) && column.source != model::ColumnSource::kComputed) AddColumn(record, row, column, name);
  }
  AddRequest(record, row);
}

}  // namespace

std::vector<Encoded> FlowRecords(const std::vector<model::FlowRow>& rows, UnixMillis observed,
                                 const ResourceAttributes& resource) {
  std::vector<Encoded> requests;
  for (size_t begin = 0; begin < rows.size(); begin += kRecordsPerRequest) {
    const size_t end = std::min(rows.size(), begin + kRecordsPerRequest);
    otlp::LogsRequest request;
    otlp::ResourceLogs* part = request.add_resource_logs();
    AddResource(*part, resource);
    otlp::ScopeLogs* logs = part->add_scope_logs();
    SetScope(*logs);
    for (size_t i = begin; i < end; ++i) Fill(*logs->add_log_records(), rows[i], observed);
    requests.push_back({request.SerializeAsString(), end - begin});
  }
  return requests;
}

}  // namespace weir::telemetry
