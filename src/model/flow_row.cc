#include "model/flow_row.h"

#include <algorithm>
#include <array>
#include <type_traits>
#include <utility>

#include "model/locality.h"

namespace weir::model {
namespace {

template <typename T>
void AccumulateColumn(ColumnKind kind, T& into, const T& from) {
  if constexpr (std::is_integral_v<T>) {
    switch (kind) {
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
#define WEIR_ACCUMULATE(name, cpp, type, kind, unit, help) AccumulateColumn(ColumnKind::kind, into.name, from.name);
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

uint64_t DerivedUint(const FlowRow& row, std::string_view name) {
  if (name == "bytes") return row.bytes_to_server + row.bytes_to_client;
  if (name == "retransmits") return Retransmits(row);
  if (name == "timeouts") return row.timeouts_to_server + row.timeouts_to_client;
  if (name == "rtt_min_us") return RttMinimum(row);
  if (name == "rtt_max_us") return RttMaximum(row);
  if (name == "late_segments") return LateSegments(row);
  if (name == "closed_reset") return row.closed_reset_by_client + row.closed_reset_by_server;
  return 0;
}

double DerivedNumber(const FlowRow& row, const Column& column) {
  if (column.type == ColumnType::kUint) return static_cast<double>(DerivedUint(row, column.name));
  const std::string_view name = column.name;
  if (name == "cost_usd") return static_cast<double>(row.cost_nano_usd) / 1e9;
  if (name == "retransmit_percent") return RetransmitPercent(row);
  if (name == "connect_avg_us") return ConnectAverage(row);
  if (name == "rtt_avg_us") return RttAverage(row);
  if (name == "rtt_p50_us") return RttHistogram(row).Quantile(0.50);
  if (name == "rtt_p90_us") return RttHistogram(row).Quantile(0.90);
  if (name == "rtt_p99_us") return RttHistogram(row).Quantile(0.99);
  if (name == "late_percent") return LatePercent(row);
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
  static constexpr std::string_view kFailedAfter[] = {"failed_after_max_us"};
  static constexpr std::string_view kSegments[] = {"segments_to_server", "segments_to_client"};

  const std::string_view name = column.name;
  if (name == "client_rtt_min_us") return kClientMinimum;
  if (name == "server_rtt_min_us") return kServerMinimum;
  if (name == "client_rtt_max_us") return kClient;
  if (name == "server_rtt_max_us") return kServer;
  if (name == "connect_max_us" || name == "connect_avg_us") return kConnect;
  if (name == "failed_after_max_us") return kFailedAfter;
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

namespace {

// Ways to one field each, by its place: a row is asked for many columns.
struct Access {
  uint64_t (*get)(const FlowRow&) = nullptr;  // integers only
  void (*set)(FlowRow&, uint64_t) = nullptr;
  Histogram& (*histogram)(FlowRow&) = nullptr;
  std::string (*text)(const FlowRow&) = nullptr;  // strings and addresses
  const Address& (*address)(const FlowRow&) = nullptr;
};

template <auto Member>
constexpr Access AccessTo() {
  using Value = std::remove_cvref_t<decltype(std::declval<FlowRow>().*Member)>;
  if constexpr (std::is_integral_v<Value>) {
    return {.get = [](const FlowRow& row) { return static_cast<uint64_t>(row.*Member); },
            .set = [](FlowRow& row, uint64_t value) { row.*Member = static_cast<Value>(value); }};
  } else if constexpr (std::is_same_v<Value, Histogram>) {
    return {.histogram = [](FlowRow& row) -> Histogram& { return row.*Member; }};
  } else if constexpr (std::is_same_v<Value, Address>) {
    return {.text = [](const FlowRow& row) { return (row.*Member).ToString(); },
            .address = [](const FlowRow& row) -> const Address& { return row.*Member; }};
  } else {
    return {.text = [](const FlowRow& row) { return row.*Member; }};
  }
}

constexpr auto kAccess = std::to_array<Access>({
#define WEIR_ACCESS(name, cpp, type, kind, unit, help) AccessTo<&FlowRow::name>(),
    WEIR_STORED_COLUMNS(WEIR_ACCESS)
#undef WEIR_ACCESS
});

const Access& AccessOf(const Column& column) { return kAccess[column.place]; }

}  // namespace

const Entity& EntityOf(const FlowRow& row, const Column& column) {
  return Of(column.source == ColumnSource::kClient   ? row.client
            : column.source == ColumnSource::kServer ? row.server
                                                     : row.service);
}

uint64_t UintOf(const FlowRow& row, const Column& column) {
  if (column.of_entity()) return UintOf(EntityOf(row, column), column.field());
  if (!column.stored()) return DerivedUint(row, column.name);
  const auto get = AccessOf(column).get;
  return get == nullptr ? 0 : get(row);
}

void SetUint(FlowRow& row, const Column& column, uint64_t value) { AccessOf(column).set(row, value); }

const Address& AddressOf(const FlowRow& row, const Column& column) { return AccessOf(column).address(row); }

Histogram& HistogramOf(FlowRow& row, const Column& column) { return AccessOf(column).histogram(row); }

double NumberOf(const FlowRow& row, const Column& column) {
  if (column.source == ColumnSource::kComputed) return DerivedNumber(row, column);
  return static_cast<double>(UintOf(row, column));
}

std::string TextOf(const FlowRow& row, const Column& column) {
  if (column.of_entity()) return TextOf(EntityOf(row, column), column.field());
  if (column.stored()) {
    const auto text = AccessOf(column).text;
    return text == nullptr ? "" : text(row);
  }
  if (column.name == "locality") {
    return std::string(LocalityOf(Of(row.client), Of(row.server), row.client_address, row.server_address));
  }
  return column.name == "reported_by" ? std::string(ReportedBy(row)) : "";
}

}  // namespace weir::model
