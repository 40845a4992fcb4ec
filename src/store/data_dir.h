// The store's directory: made, locked and checked before ClickHouse touches it.
//
//   <data_dir>/lock         held while open; the holder's pid
//   <data_dir>/version      schema version, decimal
//   <data_dir>/clickhouse/  ClickHouse's own
#pragma once

#include <filesystem>

#include "base/status.h"

namespace weir::store {

// Grows when a binary that does not know the change would misread the tables.
inline constexpr int kSchemaVersion = 6;
// The oldest a store can convert: 5 added a level between 1 min and 1 h, 6 made the ends of flows entities.
inline constexpr int kOldestConvertible = 4;

// Holds the lock while it lives; movable.
class DataDir {
 public:
  // Creates the directory and writes a version when it is new.
  // kConflict: another process (named by pid), or this one, has it open. kDenied, kExhausted: cannot be
  // written. kUnsupported: made by a newer or an older Weir. kCorrupt: no readable version although there is data.
  static Result<DataDir> Open(const std::filesystem::path& path);
  ~DataDir();
  DataDir(DataDir&& other) noexcept;
  DataDir& operator=(DataDir&& other) noexcept;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path clickhouse() const { return path_ / "clickhouse"; }
  // Of the tables, kOldestConvertible to kSchemaVersion.
  int version() const { return version_; }
  // The tables are converted.
  Status WriteCurrentVersion();

 private:
  DataDir(std::filesystem::path path, int lock) : path_(std::move(path)), lock_(lock) {}

  std::filesystem::path path_;
  int lock_ = -1;
  int version_ = kSchemaVersion;
};

}  // namespace weir::store
