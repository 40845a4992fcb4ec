// Whole small files that survive kill -9 and power loss: written beside, synced, renamed. A reader sees the
// old content or the new one, never a part.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"

namespace weir::agent {

// Suffix of files being written; one that is found at start was left by a crash and is worth nothing.
inline constexpr std::string_view kTemporarySuffix = ".tmp";

class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int number) : number_(number) {}
  FileDescriptor(FileDescriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~FileDescriptor() {
    if (number_ >= 0) close(number_);
  }
  int number() const { return number_; }
  bool valid() const { return number_ >= 0; }

 private:
  int number_ = -1;
};

// Makes `directory`/`name` hold the pieces, mode 0600, replacing what was there. Durable when OK; on an error
// nothing has changed. Codes of Status::FromErrno: kExhausted when the disk is full, kDenied, ...
Status WriteFileDurably(const std::filesystem::path& directory, std::string_view name,
                        std::initializer_list<std::string_view> pieces);

// kNotFound; kCorrupt when it is larger than `max_bytes`, which is checked before anything is read.
Result<std::string> ReadFile(const std::filesystem::path& file, size_t max_bytes);

}  // namespace weir::agent
