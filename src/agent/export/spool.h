// The spool: batches waiting on disk for a server that is away, one file each, bounded in bytes.
//
//   <key, 20 digits>.batch   header (magic, sequence, length, XXH3-64 of the batch), then the batch
//   damaged/                 files whose content is not what was written; the newest few are kept for
//   inspection
//
// Keys are the order of sending. A batch's key is the sequence it was made with, and stays when the batch has
// to be renumbered, so that a renumbering replaces the file in one step.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/log.h"
#include "base/status.h"

namespace weir::agent {

struct SpooledBatch {
  uint64_t key = 0;
  uint64_t sequence = 0;
  std::string bytes;
};

// Thread: one at a time.
class Spool {
 public:
  static constexpr size_t kMaxDamagedFiles = 8;

  // Creates the directory when absent, forgets half-written files, and drops the oldest batches when the
  // limit has become smaller. kDenied / kExhausted / ...: the directory cannot be used.
  static Result<std::unique_ptr<Spool>> Open(const std::filesystem::path& directory, uint64_t limit_bytes);

  // Durable when OK, and the oldest batches beyond the limit are dropped and counted. Replaces a batch of the
  // same key. On an error nothing is kept: kExhausted when the disk is full or the batch exceeds the limit
  // alone.
  Status Append(const SpooledBatch& batch);
  // The batch with the smallest key; kNotFound when there is none. Damaged ones on the way are set aside and
  // counted.
  Result<SpooledBatch> Oldest();
  void Remove(uint64_t key);

  bool empty() const { return sizes_.empty(); }
  size_t batches() const { return sizes_.size(); }
  uint64_t bytes() const { return total_bytes_; }
  uint64_t highest_key() const { return sizes_.empty() ? 0 : sizes_.rbegin()->first; }

 private:
  Spool(std::filesystem::path directory, uint64_t limit_bytes)
      : directory_(std::move(directory)), limit_bytes_(limit_bytes) {}

  Status Scan();
  std::filesystem::path PathOf(uint64_t key) const;
  Result<SpooledBatch> Load(uint64_t key) const;
  void SetAside(uint64_t key, const Status& why);
  void TrimDamaged();
  void DropOldestBeyondLimit();
  void SetSize(uint64_t key, uint64_t size);  // 0 = gone

  const std::filesystem::path directory_;
  const uint64_t limit_bytes_;
  std::map<uint64_t, uint64_t> sizes_;  // bytes on disk by key
  uint64_t total_bytes_ = 0;
  RateLimit drop_log_{std::chrono::seconds(30)};
  RateLimit damage_log_{std::chrono::seconds(30)};
};

}  // namespace weir::agent
