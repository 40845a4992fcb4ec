// The FindingStore over the embedded ClickHouse: two tables, connections of their own, retention by age and size.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "store/engine/engine.h"
#include "store/finding_store.h"
#include "store/store.h"

namespace weir::store {

class FindingTables final : public FindingStore {
 public:
  // `directory` is the one the process's other connections have open. `budget_bytes`: of these tables alone.
  static Result<std::unique_ptr<FindingTables>> Open(const Library& library, const std::filesystem::path& directory,
                                                     const Retention& retention, uint64_t budget_bytes);

  Status Insert(const std::vector<StoredFinding>& findings) override;
  Status Insert(const std::vector<StoredIndicator>& indicators) override;
  Result<Findings> Find(const FindingQuery& query) override;
  Result<Indicators> Find(const IndicatorQuery& query) override;

  // Drops what is too old or too much. Thread: the store's maintainer.
  Status Maintain(UnixMillis now);
  uint64_t disk_bytes() const { return disk_bytes_; }

 private:
  FindingTables(const Retention& retention, uint64_t budget_bytes)
      : retention_(retention), budget_bytes_(budget_bytes) {}
  Status Write(const std::string& rows, size_t table);
  Result<std::string> Ask(const std::string& sql);
  uint64_t NextReceived();

  const Retention retention_;
  const uint64_t budget_bytes_;

  std::mutex write_mutex_;
  std::unique_ptr<Connection> writer_;
  uint64_t last_received_ = 0;

  std::mutex read_mutex_;
  std::unique_ptr<Connection> reader_;

  std::unique_ptr<Connection> maintainer_;
  UnixMillis next_retention_ = 0;
  std::atomic<uint64_t> disk_bytes_{0};
};

}  // namespace weir::store
