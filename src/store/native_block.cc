#include "store/native_block.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <type_traits>
#include <utility>

#include "store/flow_hash.h"
#include "store/row_binary.h"
#include "store/schema.h"

namespace weir::store {
namespace {

using model::Column;
using model::ColumnKind;

// One column of a block in the making.
struct ColumnBuffer {
  std::string header;    // name and type
  std::string values;    // of an array, where each one ends
  std::string elements;  // of arrays only
  uint64_t end = 0;      // elements so far
};

// Rows are taken one by one, for each of them fills many cache lines, and dealt out to their columns.
class BlockWriter {
 public:
  BlockWriter() {
    AddColumn("client_agent", FileType<std::string>());
    AddColumn("client_sequence", kMeasureType);
    AddColumn("server_agent", FileType<std::string>());
    AddColumn("server_sequence", kMeasureType);
    AddColumn("flow", FileType<uint64_t>());
    const model::FlowRow row;
    model::VisitStored(row, [&](const Column& column, const auto& value) {
      using Value = std::remove_cvref_t<decltype(value)>;
      if constexpr (std::is_same_v<Value, model::Histogram>) {
        AddColumn(fmt::format("{}_bucket", column.name), "Array(UInt8)");
        AddColumn(fmt::format("{}_count", column.name), "Array(UInt64)");
      } else {
        AddColumn(column.name, IsMeasure(column) ? kMeasureType : FileType<Value>());
      }
    });
  }

  void Add(const StoredRow& row) {
    at_ = columns_.begin();
    AppendText((at_++)->values, row.client_agent);
    AppendNumber((at_++)->values, row.client_sequence);
    AppendText((at_++)->values, row.server_agent);
    AppendNumber((at_++)->values, row.server_sequence);
    AppendNumber((at_++)->values, FlowHash(row.row));
    model::VisitStored(row.row, [&](const Column& column, const auto& value) { AddValue(column, value); });
    ++rows_;
  }

  size_t rows() const { return rows_; }

  // Writes the block and begins the next.
  Status Finish(MemoryFile& file) {
    std::string counts;
    AppendLength(counts, columns_.size());
    AppendLength(counts, std::exchange(rows_, 0));
    WEIR_RETURN_IF_ERROR(file.Write(counts));
    for (ColumnBuffer& column : columns_) {
      WEIR_RETURN_IF_ERROR(file.Write(column.header));
      WEIR_RETURN_IF_ERROR(file.Write(column.values));
      WEIR_RETURN_IF_ERROR(file.Write(column.elements));
      column.values.clear();
      column.elements.clear();
      column.end = 0;
    }
    return Status::Ok();
  }

 private:
  static bool IsMeasure(const Column& column) {
    return column.kind != ColumnKind::kTime && column.kind != ColumnKind::kDimension;
  }

  void AddColumn(std::string_view name, std::string_view type) {
    ColumnBuffer& column = columns_.emplace_back();
    AppendText(column.header, name);
    AppendText(column.header, type);
  }

  void AddValue(const Column&, const std::string& text) { AppendText((at_++)->values, text); }
  void AddValue(const Column&, const model::Address& address) {
    (at_++)->values.append(reinterpret_cast<const char*>(address.bytes.data()), address.bytes.size());
  }
  void AddValue(const Column&, const model::Histogram& histogram) {
    ColumnBuffer& buckets = *at_++;
    ColumnBuffer& counts = *at_++;
    for (const auto& [bucket, count] : histogram.buckets()) {
      AppendNumber(buckets.elements, bucket);
      AppendNumber(counts.elements, uint64_t{count});
    }
    AppendNumber(buckets.values, buckets.end += histogram.buckets().size());
    AppendNumber(counts.values, counts.end += histogram.buckets().size());
  }
  template <typename Integer>
  void AddValue(const Column& column, Integer value) {
    if (IsMeasure(column)) {
      AppendNumber((at_++)->values, static_cast<uint64_t>(value));
    } else {
      AppendNumber((at_++)->values, value);
    }
  }

  std::vector<ColumnBuffer> columns_;
  std::vector<ColumnBuffer>::iterator at_;
  size_t rows_ = 0;
};

Status CheckText(std::string_view name, std::string_view text) {
  if (text.size() <= model::kMaxStringBytes) return Status::Ok();
  return Status::Invalid(fmt::format("{} is {} bytes long, more than {}", name, text.size(), model::kMaxStringBytes));
}

Status CheckRow(const StoredRow& row) {
  WEIR_RETURN_IF_ERROR(CheckText("client_agent", row.client_agent));
  WEIR_RETURN_IF_ERROR(CheckText("server_agent", row.server_agent));
  Status status;
  model::VisitStored(row.row, [&](const Column& column, const auto& value) {
    using Value = std::remove_cvref_t<decltype(value)>;
    if (!status.ok()) return;
    if constexpr (std::is_same_v<Value, std::string>) {
      status = CheckText(column.name, value);
    } else if constexpr (std::is_same_v<Value, int64_t>) {
      if (value < 0) status = Status::Invalid(fmt::format("{} is before 1970", column.name));
    }
  });
  return status;
}

}  // namespace

Result<MemoryFile> MemoryFile::Create(const char* name) {
  const int fd = memfd_create(name, MFD_CLOEXEC);
  if (fd < 0) return Status::FromErrno(errno, "memfd_create");
  return MemoryFile(fd);
}

MemoryFile::MemoryFile(MemoryFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

MemoryFile::~MemoryFile() {
  if (fd_ >= 0) close(fd_);
}

Status MemoryFile::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Status::FromErrno(errno, "write to memory file");
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return Status::Ok();
}

std::string MemoryFile::path() const { return fmt::format("/proc/self/fd/{}", fd_); }

Result<MemoryFile> WriteNativeBlocks(const std::vector<StoredRow>& rows) {
  constexpr size_t kRowsPerBlock = 65'536;
  WEIR_ASSIGN_OR_RETURN(MemoryFile file, MemoryFile::Create("weir-insert"));
  BlockWriter block;
  for (size_t i = 0; i < rows.size(); ++i) {
    WEIR_RETURN_IF_ERROR(CheckRow(rows[i]).Annotate(fmt::format("row {}", i)));
    block.Add(rows[i]);
    if (block.rows() == kRowsPerBlock) WEIR_RETURN_IF_ERROR(block.Finish(file));
  }
  if (block.rows() > 0) WEIR_RETURN_IF_ERROR(block.Finish(file));
  return file;
}

}  // namespace weir::store
