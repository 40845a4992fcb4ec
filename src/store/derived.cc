#include "store/derived.h"

#include <fmt/format.h>

#include <array>

namespace weir::store {
namespace {

using model::Column;
using model::ColumnKind;

std::string Sum(std::string_view column) { return fmt::format("sum({})", column); }
std::string Sum(std::string_view a, std::string_view b) { return fmt::format("(sum({}) + sum({}))", a, b); }

// RTT answers come from the client's samples, and from the server's only where the client has none: the
// client's include both hosts' delays.
std::string OfMeasuringSide(std::string_view client, std::string_view server) {
  return fmt::format("if(sum(client_rtt_count) != 0, {}, {})", client, server);
}

std::string Ratio(std::string_view dividend, std::string_view divisor) {
  return fmt::format("if({1} = 0, 0., toFloat64({0}) / toFloat64({1}))", dividend, divisor);
}

// model::Histogram::Quantile and BucketMiddle. One aggregate serves the three quantiles: the weighted
// quantile of bucket numbers is the first bucket whose running count reaches the wanted share, and much
// faster than merging maps.
std::string Quantile(std::string_view stem, std::string_view rows, int index) {
  return fmt::format(
      "if(sumArray{2}({0}_histogram_count{3}) = 0, 0., exp2((quantilesExactWeightedArray{2}(0.5, 0.9, 0.99)"
      "({0}_histogram_bucket, {0}_histogram_count{3})[{1}] + 0.5) / 2))",
      stem, index, rows.empty() ? "" : "If", rows);
}

// Where the server's distribution is wanted no row has samples of the client; gathering it only from such rows
// is the same, and spares most flows half of what an answer costs.
std::string RttQuantile(int index) {
  return OfMeasuringSide(Quantile("client_rtt", "", index), Quantile("server_rtt", ", client_rtt_count = 0", index));
}

std::string RttMinimum() {
  const std::string client = AggregateSql(*model::FindColumn("client_rtt_min_us"));
  const std::string server = AggregateSql(*model::FindColumn("server_rtt_min_us"));
  return fmt::format("multiIf({0} = 0, {1}, {1} = 0, {0}, least({0}, {1}))", client, server);
}

std::string ReportedBy() {
  return "multiIf(sum(client_reports) != 0 AND sum(server_reports) != 0, 'both', sum(client_reports) != 0, "
         "'client', "
         "sum(server_reports) != 0, 'server', '')";
}

std::string PercentOfSegments(std::string_view what) {
  return fmt::format("if({0} = 0, 0., 100. * toFloat64({1}) / toFloat64({0}))",
                     Sum("segments_to_server", "segments_to_client"), what);
}

std::string RetransmitPercent() {
  return PercentOfSegments("sum(retransmits_to_server) + sum(retransmits_to_client) + sum(retransmits_syn)");
}

std::string LatePercent() { return PercentOfSegments(Sum("late_segments_to_server", "late_segments_to_client")); }

std::string DerivedSql(std::string_view name) {
  if (name == "reported_by") return ReportedBy();
  if (name == "bytes") return Sum("bytes_to_server", "bytes_to_client");
  if (name == "retransmits") {
    return "(sum(retransmits_to_server) + sum(retransmits_to_client) + sum(retransmits_syn))";
  }
  if (name == "retransmit_percent") return RetransmitPercent();
  if (name == "timeouts") return Sum("timeouts_to_server", "timeouts_to_client");
  if (name == "connect_avg_us") return Ratio(Sum("connect_sum_us"), Sum("connect_count"));
  if (name == "rtt_avg_us") {
    return OfMeasuringSide(Ratio(Sum("client_rtt_sum_us"), Sum("client_rtt_count")),
                           Ratio(Sum("server_rtt_sum_us"), Sum("server_rtt_count")));
  }
  if (name == "rtt_min_us") return RttMinimum();
  if (name == "rtt_max_us") return OfMeasuringSide("max(client_rtt_max_us)", "max(server_rtt_max_us)");
  if (name == "rtt_p50_us") return RttQuantile(1);
  if (name == "rtt_p90_us") return RttQuantile(2);
  if (name == "rtt_p99_us") return RttQuantile(3);
  if (name == "late_segments") return Sum("late_segments_to_server", "late_segments_to_client");
  if (name == "late_percent") return LatePercent();
  if (name == "closed_reset") return Sum("closed_reset_by_client", "closed_reset_by_server");
#define WEIR_TIMES(stem)                                                                \
  if (name == #stem "_avg_us") return Ratio(Sum(#stem "_sum_us"), Sum(#stem "_count")); \
  if (name == #stem "_p50_us") return Quantile(#stem, "", 1);                           \
  if (name == #stem "_p99_us") return Quantile(#stem, "", 3);
  WEIR_REQUEST_TIMES(WEIR_TIMES)
#undef WEIR_TIMES
  return "0";
}

}  // namespace

std::string AggregateSql(const Column& column) {
  switch (column.kind) {
    case ColumnKind::kTime: return fmt::format("{}({})", column.name == "start" ? "min" : "max", column.name);
    case ColumnKind::kMin: return fmt::format("minIf({0}, {0} != 0)", column.name);
    case ColumnKind::kMax: return fmt::format("max({})", column.name);
    default: return Sum(column.name);
  }
}

HistogramSql AggregateHistogramSql(const Column& column) {
  // sumMap() would do, but costs more than everything else in a roll-up. Instead each entry is
  // packed into one number, count << 8 | bucket, the numbers of a group are strung together, and equal
  // buckets added up.
  const std::string packed =
      fmt::format("groupArrayArray(arrayMap((b, c) -> bitOr(bitShiftLeft(c, 8), toUInt64(b)), {0}_bucket, {0}_count))",
                  column.name);
  const std::string buckets = fmt::format("arrayDistinct(arrayMap(p -> toUInt8(bitAnd(p, 255)), {}))", packed);
  return {buckets,
          fmt::format("arrayMap(b -> arraySum(arrayMap(p -> if(bitAnd(p, 255) = b, bitShiftRight(p, 8), 0), {})), {})",
                      packed, buckets)};
}

std::string ColumnSql(const Column& column) {
  if (column.groupable()) return std::string(column.name);
  return column.stored() ? AggregateSql(column) : DerivedSql(column.name);
}

}  // namespace weir::store
