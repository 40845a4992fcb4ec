// libchdb: ClickHouse as a shared library, loaded at run time so that the binary starts, and explains itself,
// without it. The few C entry points Weir uses are declared here and nowhere else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/status.h"

namespace weir::store {

// chdb's opaque types. A connection handle is a pointer to a pointer, which chdb_close_conn() frees.
struct ChdbConnectionRef;
using ChdbConnection = ChdbConnectionRef*;
struct ChdbResult;

struct Library {
  std::filesystem::path path;
  ChdbConnection* (*connect)(int argc, char** argv) = nullptr;  // nullptr = failed
  void (*close_connection)(ChdbConnection* connection) = nullptr;
  ChdbResult* (*query)(ChdbConnection connection, const char* sql, size_t sql_size, const char* format,
                       size_t format_size) = nullptr;
  void (*destroy_result)(ChdbResult* result) = nullptr;
  char* (*result_buffer)(ChdbResult* result) = nullptr;
  size_t (*result_length)(ChdbResult* result) = nullptr;
  const char* (*result_error)(ChdbResult* result) = nullptr;  // nullptr = no error
  uint64_t (*rows_read)(ChdbResult* result) = nullptr;        // of tables
  // Optional (26.3 and later); 0 = leave SIGSEGV and its kind alone.
  void (*set_signal_handlers_enabled)(int enabled) = nullptr;
};

// Where libchdb.so is looked for, in order: $WEIR_LIBCHDB, beside the executable, ../lib/weir, the build
// tree's deps, /usr/local/lib, /usr/lib/weir.
std::vector<std::filesystem::path> LibraryCandidates();

// The library to load: `wanted` when given, else the first candidate that exists. kNotFound says where it was
// looked for and how to get it.
Result<std::filesystem::path> FindLibrary(const std::string& wanted);

// Loads it, once; it stays loaded for the life of the process, for ClickHouse does not survive being
// unloaded. The result lives as long as the process. kUnsupported: not a libchdb, or too old.
Result<const Library*> LoadLibrary(const std::filesystem::path& path);

}  // namespace weir::store
