#include "cli/reports.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/render.h"
#include "cli/table.h"
#include "cli/units.h"
#include "model/counter_sum.h"

namespace weir::cli {
namespace {

// Of an ordered kind, for the columns of CSV.
using OrderedJson = nlohmann::ordered_json;

std::string_view SideName(model::Side side) { return side == model::Side::kClient ? "client" : "server"; }

OrderedJson Buckets(const model::Histogram& histogram) {
  OrderedJson buckets = OrderedJson::array();
  for (const auto& [bucket, count] : histogram.buckets()) buckets.push_back({bucket, count});
  return buckets;
}

void PutEnds(const model::SideReport& report, OrderedJson& row) {
  const model::FlowEnds& ends = report.ends;
  row["protocol"] = model::ProtocolName(ends.protocol);
  row["side"] = SideName(ends.side);
  row["client_address"] = ends.client_address.ToString();
  row["server_address"] = ends.server_address.ToString();
  row["server_port"] = ends.server_port;
  row["service_address"] = ends.service_address.ToString();
  row["service_port"] = ends.service_port;
  row["snat_address"] = ends.snat_address.ToString();
  row["netns"] = ends.netns;
  row["peer_netns"] = ends.peer_netns;
  row["netns_name"] = report.identity.netns_name;
  row["process"] = report.identity.process;
  row["container"] = report.identity.container;
  row["unit"] = report.identity.unit;
  row["server_name"] = report.identity.server_name;
  row["alpn"] = report.identity.alpn;
  row["application"] = report.identity.application;
  row["request_application"] = report.request.application;
  row["request_operation"] = report.request.operation;
  row["request_resource"] = report.request.resource;
  row["request_result"] = report.request.result;
}

OrderedJson RowOf(const model::AgentBatch& batch, const model::SideReport& report, bool histograms) {
  OrderedJson row;
  row["start_ms"] = batch.start;
  row["end_ms"] = batch.end;
  row["node"] = batch.node;
  PutEnds(report, row);
#define WEIR_PUT(name) row[#name] = report.counters.name;
  WEIR_SIDE_COUNTERS(WEIR_PUT)
#undef WEIR_PUT
  if (!histograms) return row;
#define WEIR_PUT(name) row[#name] = Buckets(report.counters.name);
  WEIR_SIDE_HISTOGRAMS(WEIR_PUT)
#undef WEIR_PUT
  return row;
}

std::string Text(const OrderedJson& value) { return value.dump(-1, ' ', false, OrderedJson::error_handler_t::replace); }

std::string CsvLine(const OrderedJson& row) {
  std::string line;
  for (const auto& value : row) {
    if (!line.empty()) line += ',';
    line += value.is_string() ? CsvField(value.get<std::string>(), false) : Text(value);
  }
  return line + "\r\n";
}

std::string CsvHeader(const OrderedJson& row) {
  std::string line;
  for (const auto& [name, value] : row.items()) line += (line.empty() ? "" : ",") + name;
  return line + "\r\n";
}

// Everything that makes two reports one end of one flow.
std::string KeyOf(const model::SideReport& report) {
  OrderedJson ends;
  PutEnds(report, ends);
  return Text(ends);
}

uint64_t Bytes(const model::SideReport& report) { return report.counters.bytes_sent + report.counters.bytes_received; }

// The row of `weir flows` that this end alone would make.
std::string Ends(const model::SideReport& report, const std::string& side) {
  Json row;
  row["client_address"] = report.ends.client_address.ToString();
  row["server_address"] = report.ends.server_address.ToString();
  row["server_port"] = report.ends.server_port;
  const std::string own(SideName(report.ends.side));
  row[own + "_process"] = report.identity.process;
  row[own + "_container"] = report.identity.container;
  row[own + "_netns_name"] = report.identity.netns_name;
  return EndText(row, side, side == "server");
}

std::string About(const model::SideReport& report) {
  if (report.request.empty()) return std::string(model::ProtocolName(report.ends.protocol));
  return fmt::format("{} {} {} {}", report.request.application, report.request.operation, report.request.resource,
                     report.request.result);
}

std::string Average(uint64_t sum, uint64_t count) {
  return count == 0 ? "-" : FormatMicros(static_cast<double>(sum) / static_cast<double>(count));
}

std::string Count(uint64_t count) { return FormatCount(static_cast<double>(count)); }

std::vector<TableCell> Cells(const model::SideReport& report) {
  const model::SideCounters& counters = report.counters;
  const bool requests = !report.request.empty();
  const auto transport = [requests](std::string text) { return requests ? std::string("-") : text; };
  return {{Ends(report, "client")},
          {Ends(report, "server")},
          {std::string(SideName(report.ends.side)), Color::kDim},
          {About(report)},
          {transport(FormatBytes(static_cast<double>(counters.bytes_sent)))},
          {transport(FormatBytes(static_cast<double>(counters.bytes_received)))},
          {transport(Count(counters.opened))},
          {transport(Count(counters.closed))},
          {transport(Count(counters.open))},
          {transport(Count(counters.failed())), counters.failed() > 0 ? Color::kRed : Color::kNone},
          {transport(Count(counters.retransmits))},
          {Average(counters.rtt_sum_us, counters.rtt_count)},
          {requests ? Count(counters.requests) : "-"},
          {Average(counters.request_latency_sum_us, counters.request_latency_count)}};
}

}  // namespace

std::string ReportPrinter::Add(const model::AgentBatch& batch) {
  std::string text;
  for (const model::SideReport& report : batch.reports) {
    ++rows_;
    if (format_.output == OutputFormat::kTable) {
      const auto [sum, is_new] = sums_.try_emplace(KeyOf(report), report);
      if (!is_new) model::Add(sum->second.counters, report.counters);
      continue;
    }
    const OrderedJson row = RowOf(batch, report, format_.output == OutputFormat::kJson);
    if (format_.output == OutputFormat::kJson) {
      text += (began_ ? ",\n" : "[\n") + Text(row);
    } else {
      if (!began_ && format_.headers) text += CsvHeader(row);
      text += CsvLine(row);
    }
    began_ = true;
  }
  return text;
}

std::string ReportPrinter::Finish() {
  switch (format_.output) {
    case OutputFormat::kJson: return began_ ? "\n]\n" : "[]\n";
    case OutputFormat::kCsv: return "";
    case OutputFormat::kTable: break;
  }
  return rows_ == 0 ? "no reports\n" : Table();
}

std::string ReportPrinter::Table() const {
  std::vector<const model::SideReport*> rows;
  for (const auto& [key, report] : sums_) rows.push_back(&report);
  std::stable_sort(rows.begin(), rows.end(), [](const auto* a, const auto* b) { return Bytes(*a) > Bytes(*b); });
  const size_t left_out = rows.size() > format_.limit ? rows.size() - format_.limit : 0;
  rows.resize(rows.size() - left_out);
  cli::Table table({{"CLIENT", false, 44},
                    {"SERVER", false, 44},
                    {"SEEN BY"},
                    {"WHAT", false, 48},
                    {"SENT", true},
                    {"RECEIVED", true},
                    {"OPENED", true},
                    {"CLOSED", true},
                    {"OPEN", true},
                    {"FAILED", true},
                    {"RETRANS", true},
                    {"RTT", true},
                    {"REQUESTS", true},
                    {"LATENCY", true}});
  for (const model::SideReport* report : rows) table.Add(Cells(*report));
  std::string text = table.Render(format_.headers, format_.color, format_.width);
  if (left_out > 0) text += fmt::format("{} of {} rows not shown: raise --limit\n", left_out, sums_.size());
  return text;
}

}  // namespace weir::cli
