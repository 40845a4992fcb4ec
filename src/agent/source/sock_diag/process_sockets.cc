#include "agent/source/sock_diag/process_sockets.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>
#include <system_error>

#include "agent/kernel/unique_fd.h"
#include "bpf/process_name.h"

namespace weir::agent::source {
namespace {

namespace fs = std::filesystem;

constexpr Nanos kPeriod = 10'000'000'000;
constexpr size_t kMaxHolders = 1'000'000;

// The number at the start of `text`; 0 when there is none or more than it.
uint32_t NumberIn(std::string_view text) {
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() ? number : 0;
}

// N of "socket:[N]"; 0 for other descriptors.
uint32_t SocketInode(std::string_view target) {
  constexpr std::string_view kPrefix = "socket:[";
  if (!target.starts_with(kPrefix) || !target.ends_with("]")) return 0;
  return NumberIn(target.substr(kPrefix.size(), target.size() - kPrefix.size() - 1));
}

using Comm = std::array<char, WEIR_COMM_BYTES>;

// The name of the file the process was started from; empty when it cannot be read.
Comm ReadProgram(const fs::path& process) {
  std::error_code unreadable;
  const std::string name = fs::read_symlink(process / "exe", unreadable).filename();
  const std::string_view shown = std::string_view(name).substr(0, name.find(" (deleted)"));
  Comm comm{};
  std::copy_n(shown.begin(), std::min(shown.size(), comm.size() - 1), comm.begin());
  return comm;
}

Comm ReadComm(const fs::path& process) {
  Comm comm{};
  const kernel::UniqueFd fd(::open((process / "comm").c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return comm;
  const ssize_t size = ::read(fd.get(), comm.data(), comm.size());
  const auto end = comm.begin() + std::max<ssize_t>(size, 0);
  std::fill(std::find(comm.begin(), end, '\n'), comm.end(), '\0');
  if (weir_is_thread_name(comm.data()) == 0) return comm;
  const Comm program = ReadProgram(process);
  return program[0] != '\0' ? program : comm;
}

}  // namespace

const SocketHolder* ProcessSockets::Find(uint32_t inode) const {
  const auto found = holders_.find(inode);
  return found != holders_.end() ? &found->second : nullptr;
}

void ProcessSockets::Refresh(Nanos now) {
  if (now < next_) return;
  next_ = now + kPeriod;
  holders_.clear();
  std::error_code ignored;  // processes end while we look
  for (fs::directory_iterator item(proc_, ignored); item != fs::directory_iterator(); item.increment(ignored)) {
    if (const uint32_t pid = NumberIn(item->path().filename().native()); pid != 0) ReadProcess(pid);
  }
}

void ProcessSockets::ReadProcess(uint32_t pid) {
  const fs::path folder = proc_ / std::to_string(pid);
  SocketHolder holder{.pid = pid};
  std::error_code ignored;
  for (fs::directory_iterator item(folder / "fd", ignored); item != fs::directory_iterator(); item.increment(ignored)) {
    std::array<char, 64> target{};
    const ssize_t length = ::readlink(item->path().c_str(), target.data(), target.size());
    const uint32_t inode = length > 0 ? SocketInode({target.data(), static_cast<size_t>(length)}) : 0;
    if (inode == 0 || holders_.size() >= kMaxHolders) continue;
    if (holder.comm[0] == '\0') holder.comm = ReadComm(folder);
    SocketHolder& known = holders_[inode];
    const bool better = known.pid <= 1 || (pid != 1 && pid < known.pid);
    if (better) known = holder;
  }
}

}  // namespace weir::agent::source
