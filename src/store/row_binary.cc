#include "store/row_binary.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <type_traits>
#include <utility>

namespace weir::store {
namespace {

using model::Column;
using model::ColumnKind;

static_assert(std::endian::native == std::endian::little, "RowBinary is little-endian");

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

struct Appender {
  std::string& out;

  void operator()(const Column&, const std::string& text) const { AppendText(out, text); }
  void operator()(const Column&, const model::Address& address) const {
    out.append(reinterpret_cast<const char*>(address.bytes.data()), address.bytes.size());
  }
  void operator()(const Column&, const model::Histogram& histogram) const {
    AppendLength(out, histogram.buckets().size());
    for (const auto& [bucket, count] : histogram.buckets()) out += static_cast<char>(bucket);
    AppendLength(out, histogram.buckets().size());
    for (const auto& [bucket, count] : histogram.buckets()) AppendInteger(out, uint64_t{count});
  }
  template <typename Integer>
  void operator()(const Column& column, Integer value) const {
    if (column.kind == ColumnKind::kTime || column.kind == ColumnKind::kDimension) {
      AppendInteger(out, value);
    } else {
      AppendInteger(out, static_cast<uint64_t>(value));
    }
  }
};

Status CheckText(std::string_view name, std::string_view text) {
  if (text.size() <= model::kMaxStringBytes) return Status::Ok();
  return Status::Invalid(
      fmt::format("{} is {} bytes long, more than {}", name, text.size(), model::kMaxStringBytes));
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

void AppendRowBinary(const StoredRow& row, std::string& out) {
  AppendText(out, row.client_agent);
  AppendInteger(out, row.client_sequence);
  AppendText(out, row.server_agent);
  AppendInteger(out, row.server_sequence);
  model::VisitStored(row.row, Appender{out});
}

Result<MemoryFile> WriteRowBinary(const std::vector<StoredRow>& rows) {
  constexpr size_t kChunkBytes = size_t{1} << 20;
  WEIR_ASSIGN_OR_RETURN(MemoryFile file, MemoryFile::Create("weir-insert"));
  std::string chunk;
  chunk.reserve(kChunkBytes + 16 * 1024);
  for (size_t i = 0; i < rows.size(); ++i) {
    WEIR_RETURN_IF_ERROR(CheckRow(rows[i]).Annotate(fmt::format("row {}", i)));
    AppendRowBinary(rows[i], chunk);
    if (chunk.size() >= kChunkBytes) {
      WEIR_RETURN_IF_ERROR(file.Write(chunk));
      chunk.clear();
    }
  }
  WEIR_RETURN_IF_ERROR(file.Write(chunk));
  return file;
}

}  // namespace weir::store
