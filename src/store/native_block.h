// Rows in ClickHouse's Native format, column by column, in an anonymous file ClickHouse reads through /proc.
// ClickHouse reads columns several times faster than rows.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "store/packing.h"
#include "store/store.h"

namespace weir::store {

// An anonymous file in memory; closed, and so gone, with the object.
class MemoryFile {
 public:
  // kExhausted: no memory or no file descriptors.
  static Result<MemoryFile> Create(const char* name);
  // Of these numbers, 8 bytes each.
  static Result<MemoryFile> OfNumbers(const std::vector<uint64_t>& numbers);
  ~MemoryFile();
  MemoryFile(MemoryFile&& other) noexcept;
  MemoryFile& operator=(MemoryFile&&) = delete;

  Status Write(std::string_view bytes);
  // A path that opens the file from its beginning while this object lives.
  std::string path() const;
  uint64_t size() const { return size_; }  // bytes

 private:
  explicit MemoryFile(int fd) : fd_(fd) {}
  int fd_;
  uint64_t size_ = 0;
};

// Blocks with the columns of InsertStructure(), in its order; flows[i] is the number of rows[i]'s flow. kExhausted as
// MemoryFile; kInvalid, naming row and column: an agent longer than kMaxStringBytes, or a time before 1970.
Result<MemoryFile> WriteRows(const std::vector<StoredRow>& rows, const std::vector<uint64_t>& flows,
                             const Packing& packing);

// Blocks with the columns of FlowInsertStructure(): the flows of rows[i] for i in `which`. Errors as
// WriteRows(), of any text.
Result<MemoryFile> WriteFlows(const std::vector<StoredRow>& rows, const std::vector<uint64_t>& flows,
                              const std::vector<size_t>& which);

// Blocks with the columns of EntityInsertStructure(). None of them null.
Result<MemoryFile> WriteEntities(const std::vector<model::EntityRef>& entities);

// kInvalid, naming the attribute as a column of that end: a text longer than kMaxStringBytes.
Status CheckEntity(const model::Entity& entity, std::string_view end);

}  // namespace weir::store
