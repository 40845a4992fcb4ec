#include "model/flow_row.h"

#include <algorithm>
#include <type_traits>

namespace weir::model {
namespace {

template <typename T>
void AccumulateColumn(const Column& column, T& into, const T& from) {
  if constexpr (std::is_integral_v<T>) {
    switch (column.kind) {
      case ColumnKind::kSum: into = static_cast<T>(into + from); break;
      case ColumnKind::kMax: into = std::max(into, from); break;
      case ColumnKind::kMin:
        if (from != 0 && (into == 0 || from < into)) into = from;
        break;
      default: break;
    }
  } else if constexpr (std::is_same_v<T, Histogram>) {
    into.Merge(from);
  }
}

double Ratio(uint64_t dividend, uint64_t divisor) {
  return divisor == 0 ? 0 : static_cast<double>(dividend) / static_cast<double>(divisor);
}

bool ClientMeasuresRtt(const FlowRow& row) { return row.client_rtt_count != 0; }

}  // namespace

void Accumulate(FlowRow& into, const FlowRow& from) {
#define WEIR_ACCUMULATE(name, cpp, type, kind, unit, help) AccumulateColumn(*FindColumn(#name), into.name, from.name);
  WEIR_STORED_COLUMNS(WEIR_ACCUMULATE)
#undef WEIR_ACCUMULATE
  into.start = into.start == 0 ? from.start : std::min(into.start, from.start);
  into.end = std::max(into.end, from.end);
}

std::string_view ReportedBy(const FlowRow& row) {
  if (row.client_reports != 0) return row.server_reports != 0 ? "both" : "client";
  return row.server_reports != 0 ? "server" : "";
}

uint64_t Retransmits(const FlowRow& row) {
  return row.retransmits_to_server + row.retransmits_to_client + row.retransmits_syn;
}

double RetransmitPercent(const FlowRow& row) {
  return 100 * Ratio(Retransmits(row), row.segments_to_server + row.segments_to_client);
}

uint64_t LateSegments(const FlowRow& row) { return row.late_segments_to_server + row.late_segments_to_client; }

double LatePercent(const FlowRow& row) {
  return 100 * Ratio(LateSegments(row), row.segments_to_server + row.segments_to_client);
}

double ConnectAverage(const FlowRow& row) { return Ratio(row.connect_sum_us, row.connect_count); }

double RttAverage(const FlowRow& row) {
  const uint64_t count = ClientMeasuresRtt(row) ? row.client_rtt_count : row.server_rtt_count;
  const uint64_t sum = ClientMeasuresRtt(row) ? row.client_rtt_sum_us : row.server_rtt_sum_us;
  return Ratio(sum, count);
}

uint64_t RttMinimum(const FlowRow& row) {
  if (row.client_rtt_min_us == 0) return row.server_rtt_min_us;
  if (row.server_rtt_min_us == 0) return row.client_rtt_min_us;
  return std::min(row.client_rtt_min_us, row.server_rtt_min_us);
}

uint64_t RttMaximum(const FlowRow& row) {
  return ClientMeasuresRtt(row) ? row.client_rtt_max_us : row.server_rtt_max_us;
}

const Histogram& RttHistogram(const FlowRow& row) {
  return ClientMeasuresRtt(row) ? row.client_rtt_histogram : row.server_rtt_histogram;
}

namespace {

double DerivedNumber(const FlowRow& row, std::string_view name) {
  if (name == "bytes") return static_cast<double>(row.bytes_to_server + row.bytes_to_client);
  if (name == "retransmits") return static_cast<double>(Retransmits(row));
  if (name == "retransmit_percent") return RetransmitPercent(row);
  if (name == "timeouts") return static_cast<double>(row.timeouts_to_server + row.timeouts_to_client);
  if (name == "connect_avg_us") return ConnectAverage(row);
  if (name == "rtt_avg_us") return RttAverage(row);
  if (name == "rtt_min_us") return static_cast<double>(RttMinimum(row));
  if (name == "rtt_max_us") return static_cast<double>(RttMaximum(row));
  if (name == "rtt_p50_us") return RttHistogram(row).Quantile(0.50);
  if (name == "rtt_p90_us") return RttHistogram(row).Quantile(0.90);
  if (name == "rtt_p99_us") return RttHistogram(row).Quantile(0.99);
  if (name == "late_segments") return static_cast<double>(LateSegments(row));
  if (name == "late_percent") return LatePercent(row);
  if (name == "closed_reset") return static_cast<double>(row.closed_reset_by_client + row.closed_reset_by_server);
#define WEIR_TIMES(stem)                                                          \
  if (name == #stem "_avg_us") return Ratio(row.stem##_sum_us, row.stem##_count); \
  if (name == #stem "_p50_us") return row.stem##_histogram.Quantile(0.50);        \
  if (name == #stem "_p99_us") return row.stem##_histogram.Quantile(0.99);
  WEIR_REQUEST_TIMES(WEIR_TIMES)
#undef WEIR_TIMES
  return 0;
}

}  // namespace

std::span<const std::string_view> SampleColumns(const Column& column) {
  static constexpr std::string_view kClient[] = {"client_rtt_count"};
  static constexpr std::string_view kServer[] = {"server_rtt_count"};
  static constexpr std::string_view kEither[] = {"client_rtt_count", "server_rtt_count"};
  // The kernel's own minimum can be known in an interval without a fresh smoothed sample.
  static constexpr std::string_view kClientMinimum[] = {"client_rtt_min_us"};
  static constexpr std::string_view kServerMinimum[] = {"server_rtt_min_us"};
  static constexpr std::string_view kMinimum[] = {"client_rtt_min_us", "server_rtt_min_us"};
  static constexpr std::string_view kConnect[] = {"connect_count"};
  static constexpr std::string_view kSegments[] = {"segments_to_server", "segments_to_client"};

  const std::string_view name = column.name;
  if (name == "client_rtt_min_us") return kClientMinimum;
  if (name == "server_rtt_min_us") return kServerMinimum;
  if (name == "client_rtt_max_us") return kClient;
  if (name == "server_rtt_max_us") return kServer;
  if (name == "connect_max_us" || name == "connect_avg_us") return kConnect;
  if (name == "retransmit_percent" || name == "late_percent") return kSegments;
#define WEIR_TIMES(stem)                                                                 \
  if (name.starts_with(#stem "_") && name.ends_with("_us") && name != #stem "_sum_us") { \
    static constexpr std::string_view kSamples[] = {#stem "_count"};                     \
    return kSamples;                                                                     \
  }
  WEIR_REQUEST_TIMES(WEIR_TIMES)
#undef WEIR_TIMES
  if (name == "rtt_min_us") return kMinimum;
  if (name.starts_with("rtt_")) return kEither;
  return {};
}

double NumberOf(const FlowRow& row, const Column& column) {
  if (!column.stored()) return DerivedNumber(row, column.name);
  double number = 0;
  VisitStored(row, [&](const Column& visited, const auto& value) {
    if constexpr (std::is_integral_v<std::remove_cvref_t<decltype(value)>>) {
      if (&visited == &column || visited.name == column.name) number = static_cast<double>(value);
    }
  });
  return number;
}

std::string TextOf(const FlowRow& row, const Column& column) {
  if (column.name == "reported_by") return std::string(ReportedBy(row));
  std::string text;
  VisitStored(row, [&](const Column& visited, const auto& value) {
    if (visited.name != column.name) return;
    using Value = std::remove_cvref_t<decltype(value)>;
    if constexpr (std::is_same_v<Value, std::string>) text = value;
    if constexpr (std::is_same_v<Value, Address>) text = value.ToString();
  });
  return text;
}

}  // namespace weir::model
