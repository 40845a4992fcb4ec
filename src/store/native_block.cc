#include "store/native_block.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <type_traits>
#include <utility>

#include "store/entity_sql.h"
#include "store/packing.h"
#include "store/row_binary.h"
#include "store/schema.h"

namespace weir::store {
namespace {

using model::Column;
using model::ColumnKind;
using model::ColumnSource;

// One column of a block in the making.
struct ColumnBuffer {
  std::string header;    // name and type
  std::string values;    // of an array, where each one ends
  std::string elements;  // of arrays only
  uint64_t end = 0;      // elements so far
};

template <typename Number>
void AppendArray(ColumnBuffer& column, const Number* values, size_t count) {
  column.elements.append(reinterpret_cast<const char*>(values), count * sizeof(*values));
  AppendNumber(column.values, column.end += count);
}

// A block, column by column.
class Block {
 public:
  void AddColumn(std::string_view name, std::string_view type) {
    ColumnBuffer& column = columns_.emplace_back();
    AppendText(column.header, name);
    AppendText(column.header, type);
  }
  std::vector<ColumnBuffer>& columns() { return columns_; }

  // Writes the block of so many rows and begins the next.
  Status Finish(MemoryFile& file, size_t rows) {
    std::string counts;
    AppendLength(counts, columns_.size());
    AppendLength(counts, rows);
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
  std::vector<ColumnBuffer> columns_;
};

// Numbers of one array of a row, to be cut after the last that is not 0.
template <typename Number>
class Packed {
 public:
  explicit Packed(size_t places) : values_(places) {}

  // REQUIRES: the index is below the number of places.
  void Set(size_t index, Number value) {
    if (value == 0) return;
    for (; size_ <= index; ++size_) values_[size_] = 0;
    values_[index] = value;
  }
  void AppendTo(ColumnBuffer& column) {
    AppendArray(column, values_.data(), size_);
    size_ = 0;
  }

 private:
  std::vector<Number> values_;
  size_t size_ = 0;
};

// Rows of the raw table. They are taken one by one, for each of them fills many cache lines, and dealt out to their
// columns.
class RowsBlock {
 public:
  explicit RowsBlock(const Packing& packing)
      : packing_(packing),
        packed_{Packed<uint64_t>(packing.names()[0].size()), Packed<uint64_t>(packing.names()[1].size()),
                Packed<uint64_t>(packing.names()[2].size()), Packed<uint64_t>(packing.names()[3].size())},
        counts_(model::kHistogramBuckets),
        request_histograms_(packing.request_histogram_places()) {
    block_.AddColumn("client_agent", FileType<std::string>());
    block_.AddColumn("client_sequence", kMeasureType);
    block_.AddColumn("server_agent", FileType<std::string>());
    block_.AddColumn("server_sequence", kMeasureType);
    block_.AddColumn("flow", FileType<uint64_t>());
    for (const Column& column : model::kColumns) {
      const Pack pack = PackOf(column);
      if (pack == Pack::kHistogram) block_.AddColumn(column.name, kCountsType);
      if (pack != Pack::kOwn) continue;
      block_.AddColumn(column.name, column.kind == ColumnKind::kTime ? FileType<UnixMillis>() : kMeasureType);
    }
    for (const std::string_view array : kArrayNames) block_.AddColumn(array, kArrayType);
    block_.AddColumn(kRequestHistogramsName, kCountsType);
  }

  void Add(const StoredRow& row, uint64_t flow) {
    at_ = block_.columns().begin();
    AppendText((at_++)->values, row.client_agent);
    AppendNumber((at_++)->values, row.client_sequence);
    AppendText((at_++)->values, row.server_agent);
    AppendNumber((at_++)->values, row.server_sequence);
    AppendNumber((at_++)->values, flow);
    model::VisitStored(row.row, [&](const Column& column, const auto& value) { AddValue(packing_.Of(column), value); });
    for (auto& packed : packed_) packed.AppendTo(*at_++);
    request_histograms_.AppendTo(*at_);
  }

  Status Finish(MemoryFile& file, size_t rows) { return block_.Finish(file, rows); }

 private:
  template <typename Value>
  void AddValue(const Place& place, const Value& value) {
    if constexpr (std::is_same_v<Value, model::Histogram>) {
      if (place.pack == Pack::kHistogram) {
        for (const auto& [bucket, count] : value.buckets()) counts_.Set(bucket, count);
        counts_.AppendTo(*at_++);
      } else {
        for (const auto& [bucket, count] : value.buckets()) {
          request_histograms_.Set(RequestHistogramPlace(place.index, bucket), count);
        }
      }
    } else if constexpr (std::is_integral_v<Value>) {
      if (place.pack == Pack::kOwn) {
        AppendNumber((at_++)->values, static_cast<uint64_t>(value));  // a time is never before 1970, see CheckRow()
      } else if (place.pack != Pack::kNone) {
        packed_[static_cast<size_t>(place.pack) - static_cast<size_t>(Pack::kSums)].Set(place.index, value);
      }
    }
  }

  const Packing& packing_;
  Block block_;
  std::vector<ColumnBuffer>::iterator at_;
  std::array<Packed<uint64_t>, kArrays> packed_;
  Packed<uint32_t> counts_;
  Packed<uint32_t> request_histograms_;
};

void AppendValue(ColumnBuffer& column, const std::string& value) { AppendText(column.values, value); }
void AppendValue(ColumnBuffer& column, const model::Address& value) {
  column.values.append(reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size());
}
template <typename Integer>
requires std::is_integral_v<Integer>
void AppendValue(ColumnBuffer& column, Integer value) { AppendNumber(column.values, value); }

// Rows of the table of flows.
class FlowsBlock {
 public:
  FlowsBlock() {
    block_.AddColumn("flow", FileType<uint64_t>());
    for (const ColumnSource end : {ColumnSource::kClient, ColumnSource::kServer, ColumnSource::kService}) {
      block_.AddColumn(EntityColumn(end), FileType<model::EntityId>());
    }
    model::VisitConnection({}, [&](const Column& column, const auto& value) {
      block_.AddColumn(column.name, FileType<std::remove_cvref_t<decltype(value)>>());
    });
  }

  void Add(const model::FlowRow& row, uint64_t flow) {
    auto at = block_.columns().begin();
    AppendValue(*at++, flow);
    for (const model::EntityRef* entity : {&row.client, &row.server, &row.service}) AppendValue(*at++, Of(*entity).id);
    model::VisitConnection(row, [&](const Column&, const auto& value) { AppendValue(*at++, value); });
  }

  Status Finish(MemoryFile& file, size_t rows) { return block_.Finish(file, rows); }

 private:
  Block block_;
};

// Rows of the table of entities.
class EntitiesBlock {
 public:
  EntitiesBlock() {
    block_.AddColumn("id", FileType<model::EntityId>());
    block_.AddColumn("version", FileType<uint64_t>());
    block_.AddColumn("valid_from", FileType<UnixMillis>());
    block_.AddColumn("valid_to", FileType<UnixMillis>());
    block_.AddColumn("address", FileType<model::Address>());
    model::VisitEntity(model::Of(nullptr), [&](model::EntityField field, const auto& value) {
      block_.AddColumn(model::kEntityFields[static_cast<size_t>(field)].name,
                       FileType<std::remove_cvref_t<decltype(value)>>());
    });
  }

  void Add(const model::Entity& entity) {
    auto at = block_.columns().begin();
    AppendValue(*at++, entity.id);
    AppendValue(*at++, entity.version);
    AppendValue(*at++, entity.valid_from);
    AppendValue(*at++, entity.valid_to);
    AppendValue(*at++, entity.address);
    model::VisitEntity(entity, [&](model::EntityField, const auto& value) { AppendValue(*at++, value); });
  }

  Status Finish(MemoryFile& file, size_t rows) { return block_.Finish(file, rows); }

 private:
  Block block_;
};

Status CheckText(std::string_view name, std::string_view text) {
  if (text.size() <= model::kMaxStringBytes) return Status::Ok();
  return Status::Invalid(fmt::format("{} is {} bytes long, more than {}", name, text.size(), model::kMaxStringBytes));
}

Status CheckRow(const StoredRow& row) {
  WEIR_RETURN_IF_ERROR(CheckText("client_agent", row.client_agent));
  WEIR_RETURN_IF_ERROR(CheckText("server_agent", row.server_agent));
  if (row.row.start < 0) return Status::Invalid("start is before 1970");
  if (row.row.end < 0) return Status::Invalid("end is before 1970");
  return Status::Ok();
}

Status CheckFlow(const model::FlowRow& row) {
  Status status;
  model::VisitConnection(row, [&](const Column& column, const auto& value) {
    if constexpr (std::is_same_v<std::remove_cvref_t<decltype(value)>, std::string>) {
      if (status.ok()) status = CheckText(column.name, value);
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

Result<MemoryFile> MemoryFile::OfNumbers(const std::vector<uint64_t>& numbers) {
  WEIR_ASSIGN_OR_RETURN(MemoryFile file, Create("weir-numbers"));
  WEIR_RETURN_IF_ERROR(file.Write({reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(uint64_t)}));
  return file;
}

MemoryFile::MemoryFile(MemoryFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)), size_(other.size_) {}

MemoryFile::~MemoryFile() {
  if (fd_ >= 0) close(fd_);
}

Status MemoryFile::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Status::FromErrno(errno, "write to memory file");
    bytes.remove_prefix(static_cast<size_t>(written));
    size_ += static_cast<uint64_t>(written);
  }
  return Status::Ok();
}

std::string MemoryFile::path() const { return fmt::format("/proc/self/fd/{}", fd_); }

namespace {

constexpr size_t kRowsPerBlock = 65'536;

// Calls add(i) for i below `count` and writes the blocks that makes.
template <typename AnyBlock, typename Add>
Result<MemoryFile> WriteBlocks(AnyBlock& block, size_t count, const char* name, const Add& add) {
  WEIR_ASSIGN_OR_RETURN(MemoryFile file, MemoryFile::Create(name));
  size_t rows = 0;
  for (size_t i = 0; i < count; ++i) {
    WEIR_RETURN_IF_ERROR(add(i));
    if (++rows < kRowsPerBlock && i + 1 < count) continue;
    WEIR_RETURN_IF_ERROR(block.Finish(file, std::exchange(rows, 0)));
  }
  return file;
}

}  // namespace

Result<MemoryFile> WriteRows(const std::vector<StoredRow>& rows, const std::vector<uint64_t>& flows,
                             const Packing& packing) {
  RowsBlock block(packing);
  return WriteBlocks(block, rows.size(), "weir-insert", [&](size_t i) {
    WEIR_RETURN_IF_ERROR(CheckRow(rows[i]).Annotate(fmt::format("row {}", i)));
    block.Add(rows[i], flows[i]);
    return Status::Ok();
  });
}

Result<MemoryFile> WriteFlows(const std::vector<StoredRow>& rows, const std::vector<uint64_t>& flows,
                              const std::vector<size_t>& which) {
  FlowsBlock block;
  return WriteBlocks(block, which.size(), "weir-flows", [&](size_t i) {
    WEIR_RETURN_IF_ERROR(CheckFlow(rows[which[i]].row).Annotate(fmt::format("row {}", which[i])));
    block.Add(rows[which[i]].row, flows[which[i]]);
    return Status::Ok();
  });
}

Result<MemoryFile> WriteEntities(const std::vector<model::EntityRef>& entities) {
  EntitiesBlock block;
  return WriteBlocks(block, entities.size(), "weir-entities", [&](size_t i) {
    block.Add(*entities[i]);
    return Status::Ok();
  });
}

Status CheckEntity(const model::Entity& entity, std::string_view end) {
  Status status;
  model::VisitEntity(entity, [&](model::EntityField field, const auto& value) {
    if constexpr (std::is_same_v<std::remove_cvref_t<decltype(value)>, std::string>) {
      if (status.ok() && value.size() > model::kMaxStringBytes) {
        status = CheckText(fmt::format("{}_{}", end, model::kEntityFields[static_cast<size_t>(field)].name), value);
      }
    }
  });
  return status;
}

}  // namespace weir::store
