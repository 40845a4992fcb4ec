// The NodeStore over the embedded ClickHouse: its own tables, connections, roll-up and retention, apart from the
// flows'.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "store/engine/engine.h"
#include "store/node_sql.h"
#include "store/node_store.h"
#include "store/store.h"

namespace weir::store {

class NodeTables final : public NodeStore {
 public:
  // `directory` is the one the process's other connections have open. `budget_bytes`: of these tables alone.
  // `clock` outlives the tables.
  static Result<std::unique_ptr<NodeTables>> Open(const Library& library, const std::filesystem::path& directory,
                                                  const Clock& clock, const Retention& retention,
                                                  uint64_t budget_bytes);

  Status Insert(const std::vector<NodeBatch>& batches) override;
  Result<NodeTotals> Totals(const NodeTotalsQuery& query) override;
  Result<NodeSeries> Series(const NodeSeriesQuery& query) override;
  Result<std::vector<StoredRateWindow>> RateWindows(const TimeRange& range, const std::string& node,
                                                    uint32_t limit) override;

  // Rolls up and drops what is too old or too much. Thread: the store's maintainer.
  Status Maintain(UnixMillis now);
  uint64_t disk_bytes() const { return disk_bytes_; }
  // From the next Maintain() on. Same thread.
  void SetBudget(uint64_t bytes) { budget_bytes_ = bytes; }

 private:
  struct Partition {
    NodeTable table = kNodeRaw;
    uint64_t id = 0;
    uint64_t bytes = 0;
    uint64_t end_us() const { return (id + 1) * static_cast<uint64_t>(kNodeTableList[table].partition_us); }
  };

  NodeTables(const Clock& clock, const Retention& retention, uint64_t budget_bytes)
      : clock_(clock), retention_(retention), budget_bytes_(budget_bytes) {}
  Status ReadState();
  // What of the batches has not been stored.
  std::vector<NodeBatch> Unstored(const std::vector<NodeBatch>& batches) const;
  // An error may come after the rows were committed; then they are counted.
  Status Execute(const std::string& sql, NodeTable table, uint64_t received, uint64_t rows);
  uint64_t NextReceived();
  Result<std::string> Ask(const std::string& sql);
  // Whether the question is better answered from minutes: long, or older than what is kept in full.
  bool FromMinutes(const TimeRange& range) const;
  Status RollUp(UnixMillis now);
  Status EnforceRetention(UnixMillis now);
  bool MayDrop(const Partition& partition) const;
  Status Drop(const Partition& partition);

  const Clock& clock_;
  const Retention retention_;
  uint64_t budget_bytes_;  // maintainer's thread

  std::mutex write_mutex_;  // guards the writer's connection and what follows, to the reader's mutex
  std::unique_ptr<Connection> writer_;
  std::unordered_map<std::string, uint64_t> stored_;  // highest sequence, by agent
  uint64_t last_received_ = 0;
  std::atomic<uint64_t> received_ahead_us_{0};  // of the clock, after it was set back

  std::mutex read_mutex_;
  std::unique_ptr<Connection> reader_;

  std::unique_ptr<Connection> maintainer_;
  UnixMillis next_rollup_ = 0;
  UnixMillis next_retention_ = 0;

  std::atomic<uint64_t> newest_received_{0};  // durably stored
  std::atomic<uint64_t> rolled_up_{0};        // receipts in the minute table
  std::atomic<UnixMillis> raw_since_{0};      // what came before has been dropped from the raw table
  std::atomic<uint64_t> disk_bytes_{0};
};

}  // namespace weir::store
