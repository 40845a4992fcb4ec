// The store: durable flow rows and questions about them. The whole public surface of the storage wing.
//
// Writing is exactly-once. Insert() puts all its rows into one part of one partition (by time of receipt), so
// it happens entirely or not at all; every row carries the agents and sequences it came from, so after a crash
// Watermark() says what had been stored. Roll-ups read rows by their receipt number and carry it on, so each
// row is rolled up exactly once too, however late it is. See docs/adr/0003.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "model/flow_row.h"
#include "store/finding_store.h"
#include "store/node_store.h"
#include "store/query.h"

namespace weir::store {

// A row and the batches that made it, for de-duplication. Empty agent = that end did not report.
struct StoredRow {
  model::FlowRow row;
  std::string client_agent;
  uint64_t client_sequence = 0;
  std::string server_agent;
  uint64_t server_sequence = 0;
};

struct Retention {
  int64_t raw_seconds = 24 * 3600;
  int64_t ten_seconds_seconds = 3 * 24 * 3600;
  int64_t minute_seconds = 30LL * 24 * 3600;
  int64_t hour_seconds = 400LL * 24 * 3600;
  int64_t findings_seconds = 400LL * 24 * 3600;
  uint64_t disk_budget_bytes = uint64_t{10} << 30;  // over all tables; oldest partitions go first
};

struct TableStatus {
  std::string resolution;
  uint64_t rows = 0;
  uint64_t bytes = 0;
  UnixMillis oldest = 0;  // 0 = empty
  UnixMillis newest = 0;
};

struct StoreStatus {
  std::string engine;  // "embedded ClickHouse 26.5.1.1"
  std::string path;
  std::vector<TableStatus> tables;
  uint64_t disk_bytes = 0;
  uint64_t disk_budget_bytes = 0;
  std::string last_error;  // "" = healthy
};

class Store {
 public:
  virtual ~Store() = default;

  // Durable (fsync) when it returns OK; on any error nothing was stored. At most kMaxRowsPerInsert rows.
  // Thread: one writer.
  virtual Status Insert(const std::vector<StoredRow>& rows) = 0;
  // New versions of entities, whether or not a flow that names them moves; none of them null. A version that is not
  // above the stored one changes nothing. Durable when it returns OK. Thread: the writer's, too.
  virtual Status Publish(const std::vector<model::EntityRef>& /*entities*/) { return Status::Ok(); }
  // Highest sequence stored for each agent, either side. Called once at start.
  virtual Result<std::map<std::string, uint64_t>> Watermarks() = 0;
  // Thread-safe, concurrent with Insert and Maintain.
  virtual Result<FlowResult> Query(const FlowQuery& query) = 0;
  // The round-trip times of groups of what `query` answered with, as each side measured them; by group. Groups without
  // any are left out. Thread-safe, too.
  virtual Result<std::map<uint32_t, RttDistribution>> RttOfGroups(const FlowQuery& query, const FlowGroups& groups) = 0;
  // Whether a Kubernetes namespace is known of any end in or shortly before the range. Cheap. Thread-safe, too.
  virtual Result<bool> KnowsNamespaces(const TimeRange& /*range*/) { return false; }
  // The ends, as they are known now, whose pod, workload, node or process is called so, of flows in or shortly before
  // the range; at most `limit`. Cheap, for no flow is read. Thread-safe, too.
  virtual Result<std::vector<model::EntityRef>> EntitiesCalled(const std::string& /*name*/, const TimeRange& /*range*/,
                                                               uint32_t /*limit*/) {
    return std::vector<model::EntityRef>{};
  }
  // Rolls up what is due and enforces retention. Called every second or so by one thread.
  virtual Status Maintain(UnixMillis now) = 0;
  virtual Result<StoreStatus> GetStatus() = 0;
  // Where the nodes' signals are kept; nullptr: this store keeps none. Lives as long as the store.
  virtual NodeStore* node() { return nullptr; }
  // Where findings are kept; nullptr: this store keeps none. Lives as long as the store.
  virtual FindingStore* findings() { return nullptr; }
};

inline constexpr size_t kMaxRowsPerInsert = 500'000;

struct EmbeddedOptions {
  std::filesystem::path data_dir;  // created when absent
  std::string library;             // path of libchdb.so; "" = search (see FindLibrary)
  Retention retention;
  uint64_t split_from_rows =
      500'000;                   // rows from which the middle of a range is read from roll-ups (faster, same answer)
  const Clock* clock = nullptr;  // stamps what is received, and says how old that is; nullptr: the system's
};

// Opens ClickHouse as a library (libchdb, loaded at run time). One per process.
// kNotFound: no libchdb, with where it was looked for and how to get it. kDenied / kExhausted: the directory.
// kConflict: another process has the directory open.
Result<std::unique_ptr<Store>> OpenEmbedded(EmbeddedOptions options);

}  // namespace weir::store
