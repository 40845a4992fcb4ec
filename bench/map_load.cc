// weir-map-load: how long the map takes, level by level, in a large cluster.
//
//   weir-map-load FOLDER ROWS PODS
//
// Fills the store in FOLDER, unless it has rows already, with ROWS rows of the last 15 minutes between PODS pods of 40
// namespaces, 500 workloads, 200 nodes and three zones, each pod asking four others, and rolls them up. Then asks for
// the map on every level in turn, seven times. Prints one JSON line per level: medians of the store's answer, of the
// round-trip times of what is shown, of the whole map.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "api/map.h"
#include "base/clock.h"
#include "store/store.h"

namespace weir {
namespace {

constexpr int kRounds = 7;
constexpr int64_t kSpreadMs = 840'000;
constexpr size_t kRowsPerInsert = 400'000;

model::Address AddressOf(uint32_t pod) { return model::Address::FromV4(__builtin_bswap32(0x0a000000 + pod)); }

std::vector<model::EntityRef> Pods(uint32_t count) {
  std::vector<model::EntityRef> pods;
  for (uint32_t pod = 0; pod < count; ++pod) {
    model::Entity entity;
    entity.id = model::HashOfKey({"pod", fmt::format_int(pod).c_str()});
    entity.version = 1;
    entity.kind = "pod";
    entity.cluster = "prod";
    entity.workload = fmt::format("inference-api-{}", pod % 500);
    entity.namespace_ = fmt::format("team-{}", pod % 500 % 40);
    entity.workload_kind = "Deployment";
    entity.pod = fmt::format("{}-7d9f8c6b5-{:05x}", entity.workload, pod);
    entity.container_name = "api";
    entity.container = fmt::format("{:064x}", pod);
    entity.process = "python3";
    entity.node = fmt::format("ip-10-0-{}.eu-central-1.compute.internal", pod % 200);
    entity.zone = fmt::format("eu-central-1{}", static_cast<char>('a' + pod % 200 % 3));
    entity.region = "eu-central-1";
    entity.name_source = "cluster";
    pods.push_back(std::make_shared<const model::Entity>(std::move(entity)));
  }
  return pods;
}

store::StoredRow RowOf(const std::vector<model::EntityRef>& pods, uint32_t flow, UnixMillis start,
                       std::mt19937& random) {
  const auto count = static_cast<uint32_t>(pods.size());
  const uint32_t client = flow / 4 % count;
  // A workload asks ten others at most.
  const uint32_t server_workload = (client % 500 * 7 + flow % 4 * 3 + client / 500 % 3) % 500;
  const uint32_t server = (server_workload + flow / 4 % (count / 500) * 500) % count;
  store::StoredRow stored;
  model::FlowRow& row = stored.row;
  row.start = start;
  row.end = start + 1'000;
  row.protocol = "tcp";
  row.client = pods[client];
  row.server = pods[server];
  row.client_address = AddressOf(client);
  row.server_address = AddressOf(server);
  row.server_port = static_cast<uint16_t>(8'000 + server_workload % 2);
  row.client_reports = row.server_reports = 1;
  row.bytes_to_server = random() % 100'000;
  row.bytes_to_client = random() % 1'000'000;
  row.segments_to_server = row.bytes_to_server / 1'448 + 2;
  row.segments_to_client = row.bytes_to_client / 1'448 + 2;
  row.retransmits_to_client = random() % 100 == 0 ? random() % 5 : 0;
  row.connections_opened = random() % 3;
  row.client_rtt_count = 1;
  row.client_rtt_sum_us = row.client_rtt_max_us = 100 + random() % 2'000;
  row.client_rtt_min_us = 90;
  row.client_rtt_histogram.Add(row.client_rtt_sum_us);
  return stored;
}

Status Fill(store::Store& store, uint64_t rows, uint32_t pods_count, UnixMillis now) {
  const std::vector<model::EntityRef> pods = Pods(pods_count);
  std::mt19937 random(1);
  const uint32_t flows = pods_count * 4;
  const int64_t step = std::max<int64_t>(1, kSpreadMs * flows / static_cast<int64_t>(rows));
  std::vector<store::StoredRow> batch;
  for (uint64_t i = 0; i < rows; ++i) {
    const UnixMillis start = now - kSpreadMs + static_cast<int64_t>(i / flows) * step;
    batch.push_back(RowOf(pods, static_cast<uint32_t>(i % flows), start, random));
    if (batch.size() < kRowsPerInsert && i + 1 < rows) continue;
    WEIR_RETURN_IF_ERROR(store.Insert(batch));
    batch.clear();
  }
  for (int64_t ahead = 10'000; ahead <= 3'600'000; ahead *= 2) WEIR_RETURN_IF_ERROR(store.Maintain(now + ahead));
  return Status::Ok();
}

double MillisSince(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

Status Ask(store::Store& store, model::Level level, UnixMillis newest) {
  api::MapOptions options;
  options.level = level;
  store::FlowQuery query = api::MapQuery(options);
  query.range = {(newest - 900'000) / 10'000 * 10'000, newest + 1};
  std::vector<double> answers;
  std::vector<double> rtts;
  std::vector<double> maps;
  size_t rows = 0;
  size_t edges = 0;
  for (int round = 0; round < kRounds; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    WEIR_ASSIGN_OR_RETURN(const store::FlowResult result, store.Query(query));
    answers.push_back(MillisSince(begin));
    const auto rtt = [&](const store::FlowGroups& groups) {
      const auto asked = std::chrono::steady_clock::now();
      auto found = store.RttOfGroups(query, groups);
      rtts.push_back(MillisSince(asked));
      return found;
    };
    WEIR_ASSIGN_OR_RETURN(const api::Map map, api::BuildMap(result, options, rtt));
    maps.push_back(MillisSince(begin));
    rows = result.rows.size();
    edges = map.edges.size() + map.edges_left_out;
  }
  fmt::print(
      R"({{"bench": "map", "level": "{}", "store_ms": {:.1f}, "rtt_ms": {:.1f}, "map_ms": {:.1f}, "rows": {}, "edges": {}}})"
      "\n",
      model::NameOf(level), Median(answers), Median(rtts), Median(maps), rows, edges);
  std::fflush(stdout);
  return Status::Ok();
}

Status Run(const std::string& folder, uint64_t rows, uint32_t pods) {
  store::EmbeddedOptions options;
  options.data_dir = folder;
  options.retention.disk_budget_bytes = uint64_t{40} << 30;
  WEIR_ASSIGN_OR_RETURN(const std::unique_ptr<store::Store> store, store::OpenEmbedded(options));
  WEIR_ASSIGN_OR_RETURN(store::StoreStatus status, store->GetStatus());
  if (status.tables.front().rows == 0) {
    WEIR_RETURN_IF_ERROR(Fill(*store, rows, pods, SystemClock().WallMillis()));
    WEIR_ASSIGN_OR_RETURN(status, store->GetStatus());
  }
  for (const store::TableStatus& table : status.tables) fmt::print("{}: {} rows\n", table.resolution, table.rows);
  for (size_t level = 0; level < model::kLevels.size(); ++level) {
    WEIR_RETURN_IF_ERROR(Ask(*store, static_cast<model::Level>(level), status.tables.front().newest));
  }
  return Status::Ok();
}

}  // namespace
}  // namespace weir

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: weir-map-load FOLDER ROWS PODS\n");
    return 2;
  }
  const weir::Status status =
      weir::Run(argv[1], std::strtoull(argv[2], nullptr, 10), static_cast<uint32_t>(std::atoi(argv[3])));
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.message().c_str());
  return status.ok() ? 0 : 1;
}
