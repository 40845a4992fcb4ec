#include "store/data_dir.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <string>
#include <utility>

namespace weir::store {
namespace {

namespace fs = std::filesystem;

class File {
 public:
  File(const fs::path& path, int flags) : fd_(open(path.c_str(), flags | O_CLOEXEC, 0640)) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  int fd() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

// What stands in a small file, without the newline at its end.
std::string ReadLine(int fd) {
  std::array<char, 64> buffer{};
  const ssize_t size = pread(fd, buffer.data(), buffer.size(), 0);
  std::string text(buffer.data(), size > 0 ? static_cast<size_t>(size) : 0);
  return text.substr(0, text.find('\n'));
}

Status CannotWrite(int error_number, const fs::path& path) {
  Status status = Status::FromErrno(error_number, fmt::format("cannot write the data directory {}", path.string()));
  const char* remedy = status.code() == Code::kDenied ? "give its owner to the user weir runs as, or choose another"
                       : status.code() == Code::kExhausted ? "make room on its file system, or choose another"
                                                           : "choose another";
  return std::move(status).WithRemedy(remedy);
}

Result<int> Lock(const fs::path& directory) {
  File file(directory / "lock", O_RDWR | O_CREAT);
  if (file.fd() < 0) return CannotWrite(errno, directory);
  if (flock(file.fd(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return CannotWrite(errno, directory);
    return Status::Conflict(fmt::format("{} is in use by process {}", directory.string(), ReadLine(file.fd())))
        .WithRemedy("stop it or choose another data directory");
  }
  const std::string pid = fmt::format("{}\n", getpid());
  if (ftruncate(file.fd(), 0) != 0 ||
      pwrite(file.fd(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return CannotWrite(errno, directory);
  }
  return file.Release();
}

// Written beside and renamed, so that there is always a whole version or none.
Status WriteVersion(const fs::path& directory) {
  const fs::path fresh = directory / "version.new";
  {
    File file(fresh, O_WRONLY | O_CREAT | O_TRUNC);
    const std::string text = fmt::format("{}\n", kSchemaVersion);
    if (file.fd() < 0 || write(file.fd(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
        fsync(file.fd()) != 0) {
      return CannotWrite(errno, directory);
    }
  }
  if (rename(fresh.c_str(), (directory / "version").c_str()) != 0) return CannotWrite(errno, directory);
  const File folder(directory, O_RDONLY | O_DIRECTORY);
  if (folder.fd() < 0 || fsync(folder.fd()) != 0) return CannotWrite(errno, directory);
  return Status::Ok();
}

// Of the tables in the directory; writes it when the directory is new.
Result<int> CheckVersion(const fs::path& directory) {
  const File file(directory / "version", O_RDONLY);
  std::error_code ignored;
  if (file.fd() < 0) {
    if (errno != ENOENT) return CannotWrite(errno, directory);
    if (!fs::exists(directory / "clickhouse", ignored)) {
      WEIR_RETURN_IF_ERROR(WriteVersion(directory));
      return kSchemaVersion;
    }
  }
  const std::string text = file.fd() < 0 ? std::string() : ReadLine(file.fd());
  int version = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  if (error != std::errc{} || end != text.data() + text.size() || version < 1) {
    return Status::Corrupt(fmt::format("{} holds data but no readable schema version, so nothing in it was touched",
                                       directory.string()))
        .WithRemedy(
            fmt::format("restore the file {}/version from a backup, or write into it the number of the Weir that "
                        "made the data (this one writes {})",
                        directory.string(), kSchemaVersion));
  }
  if (version > kSchemaVersion) {
    return Status::Unsupported(fmt::format("{} was written by a newer Weir (schema {}, this one knows {})",
                                           directory.string(), version, kSchemaVersion))
        .WithRemedy("upgrade weir or choose another data directory");
  }
  if (version < kOldestConvertible) {
    return Status::Unsupported(
               fmt::format(
                   "{} was written by an older Weir (schema {}, this one writes {}), which this one cannot read",
                   directory.string(), version, kSchemaVersion))
        .WithRemedy("it is left as it is: open it with that version, or choose another data directory for this one");
  }
  return version;
}

}  // namespace

Result<DataDir> DataDir::Open(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return CannotWrite(error.value(), path);
  WEIR_ASSIGN_OR_RETURN(const int lock, Lock(path));
  DataDir directory(fs::absolute(path, error), lock);
  WEIR_ASSIGN_OR_RETURN(directory.version_, CheckVersion(path));
  fs::create_directories(directory.clickhouse(), error);
  if (error) return CannotWrite(error.value(), path);
  // ClickHouse's own message about a directory it may not write is of no help to anybody.
  const fs::path probe = directory.clickhouse() / ".weir-probe";
  if (const File file(probe, O_WRONLY | O_CREAT); file.fd() < 0 || write(file.fd(), "x", 1) != 1) {
    return CannotWrite(errno, path);
  }
  fs::remove(probe, error);
  return directory;
}

Status DataDir::WriteCurrentVersion() {
  WEIR_RETURN_IF_ERROR(WriteVersion(path_));
  version_ = kSchemaVersion;
  return Status::Ok();
}

DataDir::DataDir(DataDir&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)), version_(other.version_) {}

DataDir& DataDir::operator=(DataDir&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(lock_, other.lock_);
  std::swap(version_, other.version_);
  return *this;
}

// The file stays: removing it would let two processes lock two files of one name.
DataDir::~DataDir() {
  if (lock_ >= 0) close(lock_);
}

}  // namespace weir::store
