#include "agent/export/durable_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>

namespace weir::agent {
namespace {

Status WriteAll(int file, std::string_view bytes, std::string_view what) {
  while (!bytes.empty()) {
    const ssize_t written = write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Status::FromErrno(errno, what);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return Status::Ok();
}

Status WriteAndSync(const std::filesystem::path& path, std::initializer_list<std::string_view> pieces) {
  const std::string what = "write " + path.string();
  const FileDescriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) return Status::FromErrno(errno, what);
  for (const std::string_view piece : pieces) WEIR_RETURN_IF_ERROR(WriteAll(file.number(), piece, what));
  if (fsync(file.number()) != 0) return Status::FromErrno(errno, what);
  return Status::Ok();
}

}  // namespace

Status WriteFileDurably(const std::filesystem::path& directory, std::string_view name,
                        std::initializer_list<std::string_view> pieces) {
  const std::filesystem::path target = directory / name;
  std::filesystem::path temporary = target;
  temporary += kTemporarySuffix;
  Status status = WriteAndSync(temporary, pieces);
  if (status.ok() && rename(temporary.c_str(), target.c_str()) != 0) {
    status = Status::FromErrno(errno, "rename to " + target.string());
  }
  if (!status.ok()) {
    unlink(temporary.c_str());
    return status;
  }
  // The name is durable only once its directory is. Failing here would be wrong: the file is in place.
  const FileDescriptor parent(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (parent.valid()) fsync(parent.number());
  return Status::Ok();
}

Result<std::string> ReadFile(const std::filesystem::path& path, size_t max_bytes) {
  const std::string what = "read " + path.string();
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file.valid()) return Status::FromErrno(errno, what);
  struct stat info {};
  if (fstat(file.number(), &info) != 0) return Status::FromErrno(errno, what);
  if (!S_ISREG(info.st_mode)) return Status::Corrupt(what + ": not a regular file");
  const auto size = static_cast<size_t>(info.st_size);
  if (size > max_bytes) return Status::Corrupt(fmt::format("{}: {} bytes, more than {}", what, size, max_bytes));
  std::string content(size, '\0');
  size_t have = 0;
  while (have < size) {
    const ssize_t got = read(file.number(), content.data() + have, size - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Status::FromErrno(errno, what);
    if (got == 0) break;
    have += static_cast<size_t>(got);
  }
  content.resize(have);
  return content;
}

}  // namespace weir::agent
