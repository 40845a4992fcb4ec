#include "store/derived.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "store/packing.h"
#include "store/sql.h"

namespace weir::store {
namespace {

using model::Column;
using model::ColumnKind;

std::string ArrayAggregate(Pack pack) {
  const bool adds_up = pack == Pack::kSums || pack == Pack::kRequestSums;
  return fmt::format("{}ForEach({})", adds_up ? "sum" : "max",
                     kArrayNames[static_cast<size_t>(pack) - static_cast<size_t>(Pack::kSums)]);
}

// RTT answers come from the client's samples, and from the server's only where the client has none: the
// client's include both hosts' delays.
std::string OfMeasuringSide(std::string_view client, std::string_view server) {
  return fmt::format("if(sum(client_rtt_count) != 0, {}, {})", client, server);
}

std::string Ratio(std::string_view dividend, std::string_view divisor) {
  return fmt::format("if({1} = 0, 0., toFloat64({0}) / toFloat64({1}))", dividend, divisor);
}

std::string ReportedBy() {
  return "multiIf(sum(client_reports) != 0 AND sum(server_reports) != 0, 'both', sum(client_reports) != 0, "
         "'client', "
         "sum(server_reports) != 0, 'server', '')";
}

// Whether an address is in one of the ranges.
std::string WithinSql(std::string_view address, const std::vector<model::AddressRange>& ranges) {
  std::vector<std::string> alternatives;
  for (const model::AddressRange& range : ranges) {
    alternatives.push_back(
        range.first == range.last
            ? fmt::format("{} = {}", address, QuoteAddress(range.first))
            : fmt::format("({0} >= {1} AND {0} <= {2})", address, QuoteAddress(range.first), QuoteAddress(range.last)));
  }
  return fmt::format("({})", fmt::join(alternatives, " OR "));
}

// model::LocalityOf.
std::string LocalitySql() {
  const auto same = [](std::string_view attribute) {
    return fmt::format("client_{0} != '' AND client_{0} = server_{0}", attribute);
  };
  const auto known = [&](std::string_view attribute) {
    return fmt::format("client_{0} != '' AND server_{0} != ''", attribute);
  };
  const std::string one_cluster = "(client_cluster = '' OR server_cluster = '' OR client_cluster = server_cluster)";
  const auto is_public = [](std::string_view end) { return IsPublicSql(fmt::format("{}_address", end)); };
  const auto outside = [&](std::string_view end) { return fmt::format("({}_node = '' AND {})", end, is_public(end)); };
  const auto any_unspecified = fmt::format("({} OR {})", WithinSql("client_address", model::UnspecifiedRanges()),
                                           WithinSql("server_address", model::UnspecifiedRanges()));
  return fmt::format(
      "multiIf({} AND {}, 'loopback', {} AND {} AND client_namespace = server_namespace, 'same_pod', "
      "{} AND {}, 'same_node', {} AND client_region != server_region, 'inter_region', "
      "{}, if(client_zone = server_zone, 'same_zone', 'inter_zone'), "
      "client_cloud_service != '' OR server_cloud_service != '', 'cloud_service', {}, 'unknown', "
      "{} OR {}, 'internet', {} AND {}, 'unknown', 'private')",
      WithinSql("client_address", model::LoopbackRanges()), WithinSql("server_address", model::LoopbackRanges()),
      one_cluster, same("pod"), one_cluster, same("node"), known("region"), known("zone"), any_unspecified,
      outside("client"), outside("server"), is_public("client"), is_public("server"));
}

// Derived columns over the measures of one directory.
class Derivation {
 public:
  explicit Derivation(const Packing& packing) : packing_(packing) {}

  std::string Derived(std::string_view name) const;

 private:
  std::string Aggregate(std::string_view name) const { return AggregateSql(*model::FindColumn(name), packing_); }
  std::string Aggregate(std::string_view a, std::string_view b) const {
    return fmt::format("({} + {})", Aggregate(a), Aggregate(b));
  }

  // The counts of the buckets of a histogram.
  std::string Counts(std::string_view histogram) const {
    const Place place = packing_.Of(*model::FindColumn(histogram));
    if (place.pack == Pack::kHistogram) return AggregateOfTableColumn(histogram);
    const std::string all = AggregateOfTableColumn(kRequestHistogramsName);
    const std::string block =
        fmt::format("arraySlice({}, {}, {})", all,
                    RequestHistogramPlace(place.index, 0) - place.index % kBlockHistograms + 1, kBlockPlaces);
    return fmt::format("arrayFilter((c, i) -> (i - 1) % {} = {}, {}, arrayEnumerate({}))", kBlockHistograms,
                       place.index % kBlockHistograms, block, block);
  }

  // model::Histogram::Quantile and BucketMiddle: the first bucket whose running count reaches the wanted share.
  std::string Quantile(std::string_view stem, double share) const {
    const std::string counts = Counts(fmt::format("{}_histogram", stem));
    return fmt::format(
        "if(arraySum({0}) = 0, 0., exp2((arrayFirstIndex(c -> c >= {1} * arraySum({0}), arrayCumSum({0})) - 0.5) / 2))",
        counts, share);
  }

  std::string RttQuantile(double share) const {
    return OfMeasuringSide(Quantile("client_rtt", share), Quantile("server_rtt", share));
  }

  std::string RttMinimum() const {
    const std::string client = Aggregate("client_rtt_min_us");
    const std::string server = Aggregate("server_rtt_min_us");
    return fmt::format("multiIf({0} = 0, {1}, {1} = 0, {0}, least({0}, {1}))", client, server);
  }

  std::string PercentOfSegments(std::string_view what) const {
    return fmt::format("if({0} = 0, 0., 100. * toFloat64({1}) / toFloat64({0}))",
                       Aggregate("segments_to_server", "segments_to_client"), what);
  }

  std::string Retransmits() const {
    return fmt::format("({} + {})", Aggregate("retransmits_to_server", "retransmits_to_client"),
                       Aggregate("retransmits_syn"));
  }

  std::string LateSegments() const { return Aggregate("late_segments_to_server", "late_segments_to_client"); }

  const Packing& packing_;
};

std::string Derivation::Derived(std::string_view name) const {
  if (name == "reported_by") return ReportedBy();
  if (name == "bytes") return Aggregate("bytes_to_server", "bytes_to_client");
  if (name == "cost_usd") return fmt::format("toFloat64({}) / 1e9", Aggregate("cost_nano_usd"));
  if (name == "retransmits") return Retransmits();
  if (name == "retransmit_percent") return PercentOfSegments(Retransmits());
  if (name == "timeouts") return Aggregate("timeouts_to_server", "timeouts_to_client");
  if (name == "connect_avg_us") return Ratio(Aggregate("connect_sum_us"), Aggregate("connect_count"));
  if (name == "rtt_avg_us") {
    return OfMeasuringSide(Ratio(Aggregate("client_rtt_sum_us"), Aggregate("client_rtt_count")),
                           Ratio(Aggregate("server_rtt_sum_us"), Aggregate("server_rtt_count")));
  }
  if (name == "rtt_min_us") return RttMinimum();
  if (name == "rtt_max_us") return OfMeasuringSide("max(client_rtt_max_us)", "max(server_rtt_max_us)");
  if (name == "rtt_p50_us") return RttQuantile(0.5);
  if (name == "rtt_p90_us") return RttQuantile(0.9);
  if (name == "rtt_p99_us") return RttQuantile(0.99);
  if (name == "late_segments") return LateSegments();
  if (name == "late_percent") return PercentOfSegments(LateSegments());
  if (name == "closed_reset") return Aggregate("closed_reset_by_client", "closed_reset_by_server");
#define WEIR_TIMES(stem)                                                                            \
  if (name == #stem "_avg_us") return Ratio(Aggregate(#stem "_sum_us"), Aggregate(#stem "_count")); \
  if (name == #stem "_p50_us") return Quantile(#stem, 0.5);                                         \
  if (name == #stem "_p99_us") return Quantile(#stem, 0.99);
  WEIR_REQUEST_TIMES(WEIR_TIMES)
#undef WEIR_TIMES
  return "0";
}

}  // namespace

std::string AggregateSql(const Column& column, const Packing& packing) {
  const Place place = packing.Of(column);
  if (place.pack != Pack::kOwn) return fmt::format("{}[{}]", ArrayAggregate(place.pack), place.index + 1);
  return AggregateOfTableColumn(column.name);
}

std::string AggregateOfTableColumn(std::string_view name) {
  for (size_t i = 0; i < kArrays; ++i) {
    if (kArrayNames[i] == name) return ArrayAggregate(static_cast<Pack>(static_cast<size_t>(Pack::kSums) + i));
  }
  if (name == kRequestHistogramsName) return fmt::format("sumForEach({})", name);
  switch (model::FindColumn(name)->kind) {
    case ColumnKind::kHistogram: return fmt::format("sumForEach({})", name);
    case ColumnKind::kTime: return fmt::format("{}({})", name == "start" ? "min" : "max", name);
    case ColumnKind::kMin: return fmt::format("minIf({0}, {0} != 0)", name);
    case ColumnKind::kMax: return fmt::format("max({})", name);
    default: return fmt::format("sum({})", name);
  }
}

std::string IsPublicSql(std::string_view address) {
  return fmt::format("NOT {}", WithinSql(address, model::NotPublicRanges()));
}

std::string ComputedSql(const Column&) { return LocalitySql(); }

std::vector<const Column*> PartsOf(const Column&) {
  std::vector<const Column*> parts{model::FindColumn("client_address"), model::FindColumn("server_address")};
  for (const char* attribute : {"cluster", "namespace", "pod", "node", "zone", "region", "cloud_service"}) {
    for (const char* end : {"client", "server"})
      parts.push_back(model::FindColumn(fmt::format("{}_{}", end, attribute)));
  }
  return parts;
}

std::string ColumnSql(const Column& column, const Packing& packing) {
  if (column.groupable()) return std::string(column.name);
  return column.stored() ? AggregateSql(column, packing) : Derivation(packing).Derived(column.name);
}

}  // namespace weir::store
