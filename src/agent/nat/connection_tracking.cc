#include "agent/nat/connection_tracking.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <unordered_set>
#include <utility>

#include "agent/kernel/own_namespaces.h"
#include "agent/node/link_message.h"

namespace weir::agent::nat {
namespace {

constexpr const char* kOwnCount = "/proc/sys/net/netfilter/nf_conntrack_count";
// The kernel keeps the entries of all network namespaces in one cache. A number above zero may be memory that is not
// given back yet; zero is certain.
constexpr const char* kSlab = "/sys/kernel/slab/nf_conntrack/total_objects";

constexpr Nanos kSecond = 1'000'000'000;
constexpr Nanos kActivePeriod = kSecond;     // looking whether nothing is tracked any more: asking still is no mistake
constexpr Nanos kOpenPeriod = kSecond;       // looking for connection tracking that was not there
constexpr Nanos kLookPeriod = 5 * kSecond;   // whether a namespace has entries by now
constexpr Nanos kListPeriod = 10 * kSecond;  // which namespaces there are
constexpr Nanos kListAtMost = kSecond;       // although a client of an unknown one was asked for
constexpr Nanos kYoung = 60 * kSecond;       // a namespace may get its interfaces one by one
constexpr size_t kMaxSpaces = 500;           // each a descriptor while they are listed, of 1,024
constexpr size_t kMaxRouters = 8;
constexpr size_t kMaxOpen = 64;
constexpr uint32_t kEnterQuestions = 8;  // entering a namespace costs as much as so many questions

uint32_t InodeOf(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 ? static_cast<uint32_t>(info.st_ino) : 0;
}

kernel::UniqueFd OpenFile(const std::filesystem::path& path) {
  return kernel::UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

// Whether the number at the begin of a file of /proc or /sys is above zero; true when it cannot be read.
bool IsAboveZero(int fd) {
  std::array<char, 32> text{};
  const ssize_t size = ::pread(fd, text.data(), text.size() - 1, 0);
  return size <= 0 || (text[0] != '0');
}

}  // namespace

KernelTracking::KernelTracking(const Clock& clock) : clock_(clock) {
  own_inode_ = InodeOf(OpenFile("/proc/thread-self/ns/net").get());
  machines_processes_ = kernel::ProcShowsMachine();
}

bool KernelTracking::Active() {
  if (checked_) return active_;
  checked_ = true;
  const Nanos now = clock_.MonotonicNanos();
  if (active_ && now - looked_active_ < kActivePeriod) return true;
  looked_active_ = now;
  active_ = LooksActive(now);
  return active_;
}

// Asking a kernel that tracks nothing would make it load the modules that do.
bool KernelTracking::LooksActive(Nanos now) {
  if (!own_count_.valid()) {
    if (now < next_open_) return false;
    next_open_ = now + kOpenPeriod;
    own_count_ = OpenFile(kOwnCount);
    if (!own_count_.valid()) return false;
    slab_ = OpenFile(kSlab);
  }
  return !slab_.valid() || IsAboveZero(slab_.get());
}

void KernelTracking::ReadOwnEntries() {
  if (own_read_) return;
  own_read_ = true;
  own_tracks_ = IsAboveZero(own_count_.get());
  if (!own_tracks_ || own_) return;
  if (auto socket = node::NetlinkSocket::Open(NETLINK_NETFILTER); socket.ok()) {
    own_ = *std::move(socket);
  } else {
    ask_status_ = socket.status();
  }
}

Followed KernelTracking::Follow(const flow::ClientEnds& ends, bool thorough) {
  Way way{{ends.protocol, ends.client, ends.server, ends.client_port, ends.server_port}, ends.closed, {}};
  Space* const client = ClientSpace(ends);
  const bool is_own = ends.netns == own_inode_;
  if (is_own) AskOwn(way);
  if (client != nullptr) {
    AskSpace(*client, ends.netns, thorough, way);
    client->pid = 0;
  }
  for (const uint32_t inode : routers_) {
    if (inode == ends.netns) continue;
    if (const auto router = spaces_.find(inode); router != spaces_.end()) {
      AskSpace(router->second, inode, thorough, way);
    }
  }
  if (!is_own) AskOwn(way);
  way.followed.client = way.tuple.source;
  way.followed.server = way.tuple.destination;
  way.followed.server_port = way.tuple.destination_port;
  return way.followed;
}

// nullptr for the agent's own, and where nothing leads to it.
KernelTracking::Space* KernelTracking::ClientSpace(const flow::ClientEnds& ends) {
  const Nanos now = clock_.MonotonicNanos();
  const auto is_known = [&] {
    const auto at = spaces_.find(ends.netns);
    return ends.netns == own_inode_ || (at != spaces_.end() && at->second.known);
  };
  if (listed_ == 0 || now - listed_ >= kListPeriod || (!is_known() && now - listed_ >= kListAtMost)) List(now);
  if (ends.netns == own_inode_) return nullptr;
  const auto at = spaces_.find(ends.netns);
  if (at == spaces_.end() && (ends.pid == 0 || spaces_.size() >= kMaxSpaces)) return nullptr;
  Space& space = at != spaces_.end() ? at->second : spaces_[ends.netns];
  space.pid = ends.pid;
  space.known = true;
  return &space;
}

void KernelTracking::List(Nanos now) {
  listed_ = now;
  enter_status_ = Status::Ok();
  const std::vector<kernel::NetNamespace> found = kernel::ListNetNamespaces(kMaxSpaces);
  std::unordered_map<uint32_t, std::filesystem::path> bound;
  for (kernel::NetNamespace& item : kernel::ListNetNamespaces(kMaxSpaces, "/nonexistent")) {
    bound.emplace(item.inode, std::move(item.path));
  }
  std::unordered_set<uint32_t> present;
  routers_.clear();
  for (const kernel::NetNamespace& item : found) {
    if (item.inode == own_inode_) continue;
    present.insert(item.inode);
    Space& space = spaces_[item.inode];
    // A name outlives the processes, and the oldest process most of the others.
    const auto name = bound.find(item.inode);
    space.path = name != bound.end() ? name->second : item.path;
    if (space.listed == 0) space.listed = now;
    const bool young = now - space.listed < kYoung;
    if (space.interfaces == 0 || young || now - space.interfaces >= kYoung) LearnRouter(space, item, now);
    if (space.router && routers_.size() < kMaxRouters) routers_.push_back(item.inode);
  }
  std::sort(routers_.begin(), routers_.end());
  std::erase_if(spaces_, [&present](const auto& item) { return !present.contains(item.first); });
  std::erase_if(open_, [this](uint32_t inode) { return !spaces_.contains(inode); });
}

void KernelTracking::LearnRouter(Space& space, const kernel::NetNamespace& found, Nanos now) {
  space.interfaces = now;
  size_t up = 0;
  Status status = kernel::RunInNetNamespace(found.fd.get(), [&up] {
    WEIR_ASSIGN_OR_RETURN(node::NetlinkSocket socket, node::NetlinkSocket::Open(NETLINK_ROUTE));
    return node::DumpLinks(socket, [&up](const node::Link& link) { up += link.up && !link.loopback ? 1 : 0; });
  });
  if (status.ok()) {
    space.router = up > 1;
  } else {
    enter_status_ = std::move(status);
  }
}

void KernelTracking::AskOwn(Way& way) {
  ReadOwnEntries();
  if (own_tracks_ && own_) Ask(*own_, way);
}

void KernelTracking::AskSpace(Space& space, uint32_t inode, bool thorough, Way& way) {
  if (Ready(space, inode, thorough, way.followed)) Ask(*space.socket, way);
}

// Whether it tracks anything; then its socket is open.
bool KernelTracking::Ready(Space& space, uint32_t inode, bool thorough, Followed& followed) {
  const Nanos now = clock_.MonotonicNanos();
  if (!space.socket) {
    const bool fresh = space.looked != 0 && now - space.looked < kLookPeriod;
    if (fresh && !space.tracks && !thorough) return false;
    space.looked = now;
    space.tracks = false;
    followed.questions += kEnterQuestions;
    if (open_.size() >= kMaxOpen) RoundEnds();
    Status status = Enter(space.path, space, inode);
    if (status.code() == Code::kNotFound && space.pid != 0) {
      status = Enter("/proc/" + std::to_string(space.pid) + "/ns/net", space, inode);
    }
    if (!status.ok()) {
      space.known = false;  // so that the next listing comes soon
      if (status.code() != Code::kNotFound) enter_status_ = std::move(status);
      return false;
    }
    open_.push_back(inode);
  }
  return space.tracks;
}

Status KernelTracking::Enter(const std::filesystem::path& path, Space& space, uint32_t inode) {
  if (path.empty()) return Status::NotFound("nothing leads to the network namespace");
  const kernel::UniqueFd fd = OpenFile(path);
  if (!fd.valid()) return Status::FromErrno(errno, "open a network namespace");
  if (InodeOf(fd.get()) != inode) return Status::NotFound("the process lives in another network namespace now");
  return kernel::RunInNetNamespace(fd.get(), [&space] {
    WEIR_ASSIGN_OR_RETURN(node::NetlinkSocket socket, node::NetlinkSocket::Open(NETLINK_NETFILTER));
    WEIR_RETURN_IF_ERROR(socket.Ask(kGetStatistics, StatisticsQuestion(), [&space](uint16_t, Bytes payload) {
      space.tracks = EntriesOf(payload).value_or(0) > 0;
    }));
    space.socket = std::move(socket);
    return Status::Ok();
  });
}

// A connection that both ends know to be over, and that goes on here, has made room for a later one. Its own entry is
// gone.
void KernelTracking::Ask(node::NetlinkSocket& socket, Way& way) {
  Tuple& tuple = way.tuple;
  ++way.followed.questions;
  std::optional<Tuple> back;
  bool goes_on = false;
  Status status = socket.Ask(kGetConnection, QuestionAbout(tuple), [&](uint16_t, Bytes payload) {
    back = OtherDirection(payload, tuple);
    goes_on = IsOpen(payload);
  });
  if (status.ok() || status.code() == Code::kNotFound) {
    if (!ask_status_.ok()) ask_status_ = Status::Ok();
  } else {
    ask_status_ = std::move(status);
  }
  if (!back) return;
  if (way.closed && goes_on) {
    way.followed.is_another = true;
    return;
  }
  way.followed.found = true;
  tuple = {tuple.protocol, back->destination, back->source, back->destination_port, back->source_port};
}

void KernelTracking::RoundEnds() {
  checked_ = own_read_ = false;
  for (const uint32_t inode : open_) {
    if (const auto at = spaces_.find(inode); at != spaces_.end()) at->second.socket.reset();
  }
  open_.clear();
}

model::ProbeReport KernelTracking::Probe() const {
  if (!own_count_.valid()) {
    return {"nat", "off", "this kernel tracks no connections, so it translates no addresses", ""};
  }
  if (!ask_status_.ok()) {
    const bool denied = ask_status_.code() == Code::kDenied;
    return {"nat", "failed", ask_status_.message(),
            denied ? "run as root, or with CAP_NET_ADMIN" : "load the kernel module nf_conntrack_netlink"};
  }
  if (!enter_status_.ok()) {
    return {"nat", "fallback", "translations made in other network namespaces are not seen: " + enter_status_.message(),
            "grant CAP_SYS_ADMIN and CAP_SYS_PTRACE"};
  }
  if (!machines_processes_) {
    return {"nat", "fallback",
            "the machine's processes are out of sight, and with them network namespaces without a name in /run/netns: "
            "what is translated there keeps the address its client used",
            "start the agent in the machine's process namespace (--pid host, hostPID: true)"};
  }
  return {"nat", "on", "", ""};
}

}  // namespace weir::agent::nat
