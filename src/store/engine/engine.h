// Connections to the embedded ClickHouse of this process.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "store/engine/library.h"

namespace weir::store {

// One connection: statements one after the other. Use by one thread at a time.
class Connection {
 public:
  // Opens `directory` as ClickHouse's data directory; all connections of a process must name the same one.
  // Leaves a working directory this user may not enter. kCorrupt when ClickHouse refuses the directory.
  static Result<std::unique_ptr<Connection>> Open(const Library& library, const std::filesystem::path& directory);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Runs one statement; the answer in ClickHouse's `format`. Errors carry ClickHouse's own message.
  // kExhausted: memory, time or disk limits; kCorrupt: damaged data; kInternal: anything else.
  Result<std::string> Execute(std::string_view sql, std::string_view format = "TabSeparated");
  // Rows of tables the last statement read.
  uint64_t rows_read() const { return rows_read_; }

 private:
  Connection(const Library& library, ChdbConnection* handle) : library_(library), handle_(handle) {}
  void DiscardHalfAnswer();

  const Library& library_;  // lives as long as the process
  ChdbConnection* handle_;
  uint64_t rows_read_ = 0;
};

// What a ClickHouse error message ("Code: 241. DB::Exception: ...") asks of the caller.
Code CodeOfEngineError(std::string_view message);

}  // namespace weir::store
