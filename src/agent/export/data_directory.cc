#include "agent/export/data_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "base/log.h"
#include "base/text.h"

namespace weir::agent {
namespace {

constexpr std::string_view kIdFile = "agent_id";
constexpr size_t kIdDigits = 32;
constexpr std::string_view kMachineWord = "machine ";

Status MakeDirectory(const std::filesystem::path& path) {
  if (path.empty()) return Status::Invalid("the data directory has no name: pass --data-dir");
  std::error_code error;
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), error);
  if (!error && mkdir(path.c_str(), 0700) == 0) return Status::Ok();
  if (!error && errno == EEXIST && std::filesystem::is_directory(path, error)) return Status::Ok();
  return Status::FromErrno(error ? error.value() : errno, "create data directory " + path.string())
      .Annotate("choose another one with --data-dir");
}

Result<FileDescriptor> Lock(const std::filesystem::path& path) {
  const std::filesystem::path file = path / "lock";
  FileDescriptor lock(open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock.valid()) return Status::FromErrno(errno, "open " + file.string());
  if (flock(lock.number(), LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno != EWOULDBLOCK) return Status::FromErrno(errno, "lock " + file.string());
  return Status::Conflict(fmt::format(
      "another agent runs with data directory {}: stop it, or give this one its own with --data-dir", path.string()));
}

// Once privileges are dropped, root is an ordinary owner: a directory of somebody else's would fail at the
// first batch, hours later, instead of now.
Status CheckOwner(const std::filesystem::path& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return Status::FromErrno(errno, "stat " + path.string());
  if (info.st_uid == geteuid()) return Status::Ok();
  return Status::Denied(
      fmt::format("data directory {} belongs to user id {}, the agent runs as {}: chown it, or "
                  "choose another one with --data-dir",
                  path.string(), info.st_uid, geteuid()));
}

Result<std::string> NewAgentId() {
  std::array<uint8_t, kIdDigits / 2> bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return Status::FromErrno(errno, "getrandom");
  }
  std::string id;
  for (const uint8_t byte : bytes) id += fmt::format("{:02x}", byte);
  return id;
}

struct Identity {
  std::string id;       // "" = none that can be used
  std::string machine;  // "" = not told
};

Identity ParseIdentity(std::string_view text) {
  const std::string_view id = text.substr(0, text.find('\n'));
  if (!IsAgentId(id)) return {};
  Identity identity{std::string(id), ""};
  text.remove_prefix(std::min(text.size(), id.size() + 1));
  if (text.starts_with(kMachineWord)) {
    text.remove_prefix(kMachineWord.size());
    identity.machine = text.substr(0, text.find('\n'));
  }
  return identity;
}

Status WriteIdentity(const std::filesystem::path& path, const Identity& identity) {
  const std::string machine = identity.machine.empty() ? "" : std::string(kMachineWord) + identity.machine + "\n";
  return WriteFileDurably(path, kIdFile, {identity.id, "\n", machine});
}

Result<std::string> LoadOrMakeAgentId(const std::filesystem::path& path, const std::string& machine) {
  Result<std::string> stored = ReadFile(path / kIdFile, 4'096);
  if (stored.ok()) {
    const Identity identity = ParseIdentity(*stored);
    const bool elsewhere = !machine.empty() && !identity.machine.empty() && identity.machine != machine;
    if (!identity.id.empty() && !elsewhere) {
      if (identity.machine.empty() && !machine.empty())
        WEIR_RETURN_IF_ERROR(WriteIdentity(path, {identity.id, machine}));
      return identity.id;
    }
    LogWarn("{} {}: this agent gets a new id and looks like a new one to the server", (path / kIdFile).string(),
            elsewhere ? "was made on another machine" : "is damaged");
  } else if (stored.status().code() != Code::kNotFound && stored.status().code() != Code::kCorrupt) {
    return stored.status();
  }
  WEIR_ASSIGN_OR_RETURN(std::string id, NewAgentId());
  WEIR_RETURN_IF_ERROR(WriteIdentity(path, {id, machine}));
  return id;
}

}  // namespace

std::string MachineMark() {
  std::string text;
  for (const char* file : {"/sys/class/dmi/id/product_uuid", "/etc/machine-id"}) {
    const Result<std::string> read = ReadFile(file, 256);
    if (read.ok()) text += *read;
  }
  return text.empty() ? "" : fmt::format("{:016x}", XXH3_64bits(text.data(), text.size()));
}

Result<DataDirectory> DataDirectory::Open(const std::filesystem::path& path, const std::string& machine) {
  WEIR_RETURN_IF_ERROR(MakeDirectory(path));
  WEIR_RETURN_IF_ERROR(CheckOwner(path));
  WEIR_ASSIGN_OR_RETURN(FileDescriptor lock, Lock(path));
  WEIR_ASSIGN_OR_RETURN(std::string id, LoadOrMakeAgentId(path, machine));
  return DataDirectory(path, std::move(lock), std::move(id));
}

}  // namespace weir::agent
