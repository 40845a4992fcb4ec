#include "store/native_block.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <type_traits>
#include <utility>

#include "store/schema.h"

namespace weir::store {
namespace {

using model::Column;
using model::ColumnKind;

static_assert(std::endian::native == std::endian::little, "the Native format is little-endian");

template <typename Integer>
void AppendInteger(std::string& out, Integer value) {
  char bytes[sizeof(value)];
  std::memcpy(bytes, &value, sizeof(value));
  out.append(bytes, sizeof(value));
}

// LEB128, as ClickHouse writes lengths.
void AppendLength(std::string& out, size_t length) {
  while (length >= 0x80) {
    out += static_cast<char>((length & 0x7f) | 0x80);
    length >>= 7;
  }
  out += static_cast<char>(length);
}

void AppendText(std::string& out, std::string_view text) {
  AppendLength(out, text.size());
  out += text;
}

// Writes one column after the other, keeping no more than one in memory.
class BlockWriter {
 public:
  BlockWriter(const std::vector<StoredRow>& rows, MemoryFile& file) : rows_(rows), file_(file) {}

  Status Begin(size_t columns) {
    AppendLength(buffer_, columns);
    AppendLength(buffer_, rows_.size());
    return Flush();
  }

  // `field(row)` is the row's value; `kind` says how wide it is stored.
  template <typename Field>
  Status Add(std::string_view name, ColumnKind kind, const Field& field) {
    using Value = std::remove_cvref_t<decltype(field(rows_.front()))>;
    if constexpr (std::is_same_v<Value, model::Histogram>) {
      WEIR_RETURN_IF_ERROR(
          AddArray(fmt::format("{}_bucket", name), "Array(UInt8)", field,
                   [](std::string& out, const auto& entry) { out += static_cast<char>(entry.first); }));
      return AddArray(
          fmt::format("{}_count", name), "Array(UInt64)", field,
          [](std::string& out, const auto& entry) { AppendInteger(out, uint64_t{entry.second}); });
    } else {
      const bool wide = kind != ColumnKind::kTime && kind != ColumnKind::kDimension;
      AppendText(buffer_, name);
      AppendText(buffer_, wide ? kMeasureType : FileType<Value>());
      for (const StoredRow& row : rows_) AppendValue(field(row), wide);
      return Flush();
    }
  }

 private:
  template <typename Value>
  void AppendValue(const Value& value, bool wide) {
    if constexpr (std::is_same_v<Value, std::string>) {
      AppendText(buffer_, value);
    } else if constexpr (std::is_same_v<Value, model::Address>) {
      buffer_.append(reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size());
    } else if (wide) {
      AppendInteger(buffer_, static_cast<uint64_t>(value));
    } else {
      AppendInteger(buffer_, value);
    }
  }

  // All end offsets, then all elements.
  template <typename Field, typename Append>
  Status AddArray(std::string_view name, std::string_view type, const Field& field, const Append& append) {
    AppendText(buffer_, name);
    AppendText(buffer_, type);
    uint64_t end = 0;
    for (const StoredRow& row : rows_) AppendInteger(buffer_, end += field(row).buckets().size());
    for (const StoredRow& row : rows_) {
      for (const auto& entry : field(row).buckets()) append(buffer_, entry);
    }
    return Flush();
  }

  Status Flush() {
    Status status = file_.Write(buffer_);
    buffer_.clear();
    return status;
  }

  const std::vector<StoredRow>& rows_;
  MemoryFile& file_;
  std::string buffer_;
};

Status CheckText(std::string_view name, std::string_view text) {
  if (text.size() <= model::kMaxStringBytes) return Status::Ok();
  return Status::Invalid(
      fmt::format("{} is {} bytes long, more than {}", name, text.size(), model::kMaxStringBytes));
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

Status CheckRows(const std::vector<StoredRow>& rows) {
  for (size_t i = 0; i < rows.size(); ++i) {
    WEIR_RETURN_IF_ERROR(CheckRow(rows[i]).Annotate(fmt::format("row {}", i)));
  }
  return Status::Ok();
}

Result<MemoryFile> WriteNativeBlock(const std::vector<StoredRow>& rows) {
  WEIR_ASSIGN_OR_RETURN(MemoryFile file, MemoryFile::Create("weir-insert"));
  BlockWriter block(rows, file);
  WEIR_RETURN_IF_ERROR(block.Begin(InsertColumnCount()));
  const auto add = [&](std::string_view name, ColumnKind kind, auto field) {
    return block.Add(name, kind, field);
  };
#define WEIR_ADD(name, value, kind) \
  WEIR_RETURN_IF_ERROR(add(         \
      name, ColumnKind::kind, [](const StoredRow& row) -> const auto& { return row.value; }))
  WEIR_ADD("client_agent", client_agent, kDimension);
  WEIR_ADD("client_sequence", client_sequence, kSum);
  WEIR_ADD("server_agent", server_agent, kDimension);
  WEIR_ADD("server_sequence", server_sequence, kSum);
#define WEIR_ADD_STORED(column, cpp, type, kind, unit, help) WEIR_ADD(#column, row.column, kind);
  WEIR_STORED_COLUMNS(WEIR_ADD_STORED)
#undef WEIR_ADD_STORED
#undef WEIR_ADD
  return file;
}

}  // namespace weir::store
