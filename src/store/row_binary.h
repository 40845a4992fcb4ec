// Rows in ClickHouse's RowBinary format, in an anonymous file ClickHouse reads through /proc.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "store/store.h"

namespace weir::store {

// An anonymous file in memory; closed, and so gone, with the object.
class MemoryFile {
 public:
  // kExhausted: no memory or no file descriptors.
  static Result<MemoryFile> Create(const char* name);
  ~MemoryFile();
  MemoryFile(MemoryFile&& other) noexcept;
  MemoryFile& operator=(MemoryFile&&) = delete;

  Status Write(std::string_view bytes);
  // A path that opens the file from its beginning while this object lives.
  std::string path() const;

 private:
  explicit MemoryFile(int fd) : fd_(fd) {}
  int fd_;
};

// kInvalid, naming the column: a text longer than kMaxStringBytes, or a time before 1970.
Status CheckRow(const StoredRow& row);

// The columns of InsertStructure(), in its order.
void AppendRowBinary(const StoredRow& row, std::string& out);

// All rows in one file. kInvalid as CheckRow, kExhausted as MemoryFile.
Result<MemoryFile> WriteRowBinary(const std::vector<StoredRow>& rows);

}  // namespace weir::store
