#include "agent/export/spool.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <system_error>
#include <vector>

#include "agent/export/durable_file.h"
#include "base/metrics.h"
#include "wire/batch_codec.h"

namespace weir::agent {
namespace {

constexpr std::string_view kSuffix = ".batch";
constexpr size_t kKeyDigits = 20;
constexpr std::array<char, 8> kMagic = {'W', 'E', 'I', 'R', 'S', 'P', 'L', '1'};

// As it lies on disk: written and read by the same machine, so in its byte order.
struct Header {
  std::array<char, 8> magic = kMagic;
  uint64_t sequence = 0;
  uint64_t length = 0;
  uint64_t hash = 0;  // of the batch, seeded with the sequence
};
static_assert(sizeof(Header) == 32);

uint64_t HashOf(std::string_view bytes, uint64_t sequence) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), sequence);
}

std::string NameOf(uint64_t key) { return fmt::format("{:020}{}", key, kSuffix); }

// 0 when the name is not one of a batch.
uint64_t KeyOf(std::string_view name) {
  if (name.size() != kKeyDigits + kSuffix.size() || !name.ends_with(kSuffix)) return 0;
  uint64_t key = 0;
  const char* const end = name.data() + kKeyDigits;
  const auto [stopped, error] = std::from_chars(name.data(), end, key);
  return error == std::errc() && stopped == end && key <= INT64_MAX ? key : 0;
}

Status MakeDirectory(const std::filesystem::path& path) {
  if (mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return Status::Ok();
  return Status::FromErrno(errno, "create " + path.string());
}

}  // namespace

Result<std::unique_ptr<Spool>> Spool::Open(const std::filesystem::path& directory, uint64_t limit_bytes) {
  WEIR_RETURN_IF_ERROR(MakeDirectory(directory));
  WEIR_RETURN_IF_ERROR(MakeDirectory(directory / "damaged"));
  std::unique_ptr<Spool> spool(new Spool(directory, limit_bytes));
  WEIR_RETURN_IF_ERROR(spool->Scan());
  spool->DropOldestBeyondLimit();
  return spool;
}

Status Spool::Scan() {
  std::error_code error;
  std::filesystem::directory_iterator files(directory_, error);
  for (; !error && files != std::filesystem::directory_iterator(); files.increment(error)) {
    const std::string name = files->path().filename().string();
    if (name.ends_with(kTemporarySuffix)) {
      unlink(files->path().c_str());
      continue;
    }
    const uint64_t key = KeyOf(name);
    struct stat info {};
    if (key == 0 || lstat(files->path().c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    SetSize(key, std::max<uint64_t>(static_cast<uint64_t>(info.st_size), 1));  // an empty file is still there
  }
  if (error) return Status::FromErrno(error.value(), "read spool directory " + directory_.string());
  SetGauge(Metric::agent_spool_bytes, total_bytes_);
  return Status::Ok();
}

std::filesystem::path Spool::PathOf(uint64_t key) const { return directory_ / NameOf(key); }

void Spool::SetSize(uint64_t key, uint64_t size) {
  if (const auto at = sizes_.find(key); at != sizes_.end()) {
    total_bytes_ -= at->second;
    sizes_.erase(at);
  }
  if (size > 0) {
    sizes_[key] = size;
    total_bytes_ += size;
  }
  SetGauge(Metric::agent_spool_bytes, total_bytes_);
}

Status Spool::Append(const SpooledBatch& batch) {
  const uint64_t size = sizeof(Header) + batch.bytes.size();
  if (size > limit_bytes_) {
    return Status::Exhausted(fmt::format("a batch of {} bytes does not fit into a spool of {}: raise --spool-limit",
                                         batch.bytes.size(), limit_bytes_));
  }
  Header header;
  header.sequence = batch.sequence;
  header.length = batch.bytes.size();
  header.hash = HashOf(batch.bytes, batch.sequence);
  const std::string_view head(reinterpret_cast<const char*>(&header), sizeof(header));
  WEIR_RETURN_IF_ERROR(WriteFileDurably(directory_, NameOf(batch.key), {head, batch.bytes}));
  SetSize(batch.key, size);
  DropOldestBeyondLimit();
  return Status::Ok();
}

void Spool::DropOldestBeyondLimit() {
  uint64_t dropped = 0;
  for (; total_bytes_ > limit_bytes_ && !sizes_.empty(); ++dropped) Remove(sizes_.begin()->first);
  if (dropped == 0) return;
  Count(Metric::agent_spool_dropped, dropped);
  if (uint64_t suppressed = 0; drop_log_.Allow(&suppressed)) {
    LogWarn(
        "the spool is full ({} bytes): the oldest {} batches were dropped; raise --spool-limit or bring the "
        "server back",
        limit_bytes_, dropped + suppressed);
  }
}

void Spool::Remove(uint64_t key) {
  if (sizes_.find(key) == sizes_.end()) return;
  SetSize(key, 0);
  // A file that cannot be removed is sent again after a restart, and the server recognises it.
  if (unlink(PathOf(key).c_str()) != 0 && errno != ENOENT) {
    if (uint64_t suppressed = 0; drop_log_.Allow(&suppressed)) {
      LogWarn("remove {}: {}", PathOf(key).string(), std::strerror(errno));
    }
  }
}

Result<SpooledBatch> Spool::Load(uint64_t key) const {
  WEIR_ASSIGN_OR_RETURN(const std::string content, ReadFile(PathOf(key), sizeof(Header) + wire::kMaxEncodedBytes));
  const std::string_view all = content;
  Header header;
  if (all.size() < sizeof(header)) return Status::Corrupt("cut short");
  std::memcpy(&header, all.data(), sizeof(header));
  const std::string_view batch = all.substr(sizeof(header));
  if (header.magic != kMagic) return Status::Corrupt("not a spooled batch");
  if (header.length != batch.size()) return Status::Corrupt("cut short");
  if (header.hash != HashOf(batch, header.sequence)) return Status::Corrupt("the checksum is wrong");
  return SpooledBatch{key, header.sequence, std::string(batch)};
}

Result<SpooledBatch> Spool::Oldest() {
  while (!sizes_.empty()) {
    const uint64_t key = sizes_.begin()->first;
    Result<SpooledBatch> batch = Load(key);
    if (batch.ok()) return batch;
    SetAside(key, batch.status());
  }
  return Status::NotFound("the spool is empty");
}

void Spool::SetAside(uint64_t key, const Status& why) {
  Count(Metric::agent_spool_damaged);
  if (uint64_t suppressed = 0; damage_log_.Allow(&suppressed)) {
    LogError("spooled batch {} is lost: {}; set aside in {} (and {} more since the last message)", PathOf(key).string(),
             why.message(), (directory_ / "damaged").string(), suppressed);
  }
  SetSize(key, 0);
  const std::filesystem::path target = directory_ / "damaged" / NameOf(key);
  if (rename(PathOf(key).c_str(), target.c_str()) != 0) unlink(PathOf(key).c_str());
  TrimDamaged();
}

void Spool::TrimDamaged() {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  std::filesystem::directory_iterator entries(directory_ / "damaged", error);
  for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
    files.push_back(entries->path());
  }
  if (files.size() <= kMaxDamagedFiles) return;
  std::sort(files.begin(), files.end());
  files.resize(files.size() - kMaxDamagedFiles);
  for (const std::filesystem::path& file : files) unlink(file.c_str());
}

}  // namespace weir::agent
