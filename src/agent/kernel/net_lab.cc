#include "agent/kernel/net_lab.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>

namespace weir::agent::kernel {
namespace {

struct Name {
  sockaddr_storage storage{};
  socklen_t size = 0;
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

Name NameOf(const std::string& address, uint16_t port) {
  Name name;
  if (address.find(':') != std::string::npos) {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&name.storage);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    EXPECT_EQ(inet_pton(AF_INET6, address.c_str(), &v6->sin6_addr), 1) << address;
    name.size = sizeof(*v6);
  } else {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&name.storage);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    EXPECT_EQ(inet_pton(AF_INET, address.c_str(), &v4->sin_addr), 1) << address;
    name.size = sizeof(*v4);
  }
  return name;
}

void Check(int result, const char* what) { ASSERT_GE(result, 0) << what << ": " << std::strerror(errno); }

void LoopbackUp() {
  const UniqueFd any(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  Check(::ioctl(any.get(), SIOCSIFFLAGS, &request), "bring up lo");
}

}  // namespace

// Not whether our programs load: that they do is what is tested.
std::string WhyNoKernelTests() {
  if (::geteuid() != 0) return "kernel tests need root: sudo ./dev test kernel";
  if (::access("/sys/kernel/btf/vmlinux", R_OK) != 0) return "this kernel has no BTF (CONFIG_DEBUG_INFO_BTF)";
  const UniqueFd map(bpf_map_create(BPF_MAP_TYPE_ARRAY, "weir_test", 4, 8, 1, nullptr));
  return map.valid() ? "" : std::string("bpf(2) is refused here: ") + std::strerror(errno);
}

Lab::Lab() : home_(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
  Check(::unshare(CLONE_NEWNET), "unshare");
  fd_ = UniqueFd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  struct stat info {};
  Check(::fstat(fd_.get(), &info), "fstat");
  inode_ = static_cast<uint32_t>(info.st_ino);
  LoopbackUp();
  // A namespace without a name is found, by tools and by us, through a process inside.
  holder_ = ::fork();
  if (holder_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) ::pause();
  }
}

Lab::~Lab() {
  ::kill(holder_, SIGKILL);
  ::waitpid(holder_, nullptr, 0);
  ::setns(home_.get(), CLONE_NEWNET);
}

void Lab::Enter() const { Check(::setns(fd_.get(), CLONE_NEWNET), "setns"); }

void Lab::Run(const std::string& command) const {
  Enter();
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
}

ThreadName::ThreadName(const char* name) {
  EXPECT_EQ(::getpid(), ::gettid()) << "the name of a process is that of its first thread";
  Check(::prctl(PR_GET_NAME, before_), "PR_GET_NAME");
  Check(::prctl(PR_SET_NAME, name), "PR_SET_NAME");
}

ThreadName::~ThreadName() { ::prctl(PR_SET_NAME, before_); }

std::string ThreadName::Program() {
  return std::filesystem::read_symlink("/proc/self/exe").filename().string().substr(0, 15);
}

std::string Output(const std::string& command) {
  std::string output;
  FILE* pipe = ::popen(command.c_str(), "r");
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) output += static_cast<char>(c);
  EXPECT_EQ(::pclose(pipe), 0) << command;
  return output;
}

void Lab::LinkTo(const Lab& other) const {
  Run("ip link add weir0 type veth peer name weir0 netns " + std::to_string(other.holder_));
  Run("ip addr add 10.9.0.1/24 dev weir0; ip -6 addr add fd09::1/64 dev weir0 nodad; ip link set weir0 up");
  other.Run("ip addr add 10.9.0.2/24 dev weir0; ip -6 addr add fd09::2/64 dev weir0 nodad; ip link set weir0 up");
}

void Lab::Filter(const std::string& rules) const {
  Run("nft -f - <<'E'\ntable inet weir {\n chain input {\n  type filter hook input priority 0;\n  " + rules +
      "\n }\n}\nE");
}

void Lab::Unfilter() const { Run("nft delete table inet weir"); }

Socket Socket::Make(const std::string& address, int protocol) {
  const int family = address.find(':') != std::string::npos ? AF_INET6 : AF_INET;
  const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, protocol);
  Check(fd, "socket");
  return Socket(fd);
}

Socket Socket::Listen(const std::string& address, int backlog) {
  Socket socket = Make(address);
  socket.Bind(address, 0);
  Check(::listen(socket.fd(), backlog), "listen");
  return socket;
}

void Socket::Bind(const std::string& address, uint16_t port) {
  Name name = NameOf(address, port);
  Set(SOL_SOCKET, SO_REUSEADDR, 1);
  Check(::bind(fd(), name.get(), name.size), "bind");
}

int Socket::TryConnect(const std::string& address, uint16_t port) {
  Name name = NameOf(address, port);
  return ::connect(fd(), name.get(), name.size) == 0 ? 0 : errno;
}

int Socket::FinishConnect(std::chrono::milliseconds limit) {
  pollfd wait{.fd = fd(), .events = POLLOUT, .revents = 0};
  EXPECT_EQ(::poll(&wait, 1, static_cast<int>(limit.count())), 1) << "the connection neither came up nor failed";
  int error = 0;
  socklen_t size = sizeof(error);
  Check(::getsockopt(fd(), SOL_SOCKET, SO_ERROR, &error, &size), "SO_ERROR");
  return error;
}

Socket Socket::Connect(const std::string& address, uint16_t port) {
  Socket socket = Make(address);
  EXPECT_EQ(socket.TryConnect(address, port), 0) << address << " " << port;
  return socket;
}

Socket Socket::Accept() {
  sockaddr_storage peer{};
  socklen_t size = sizeof(peer);
  const int accepted = ::accept4(fd(), reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC);
  Check(accepted, "accept");
  return Socket(accepted);
}

void Socket::Send(size_t bytes) {
  const std::vector<char> data(bytes, 'x');
  for (size_t sent = 0; sent < bytes;) {
    const ssize_t step = ::send(fd(), data.data() + sent, bytes - sent, MSG_NOSIGNAL);
    ASSERT_GT(step, 0) << "send: " << std::strerror(errno);
    sent += static_cast<size_t>(step);
  }
}

void Socket::Receive(size_t bytes) {
  std::vector<char> data(bytes);
  for (size_t received = 0; received < bytes;) {
    const ssize_t step = ::recv(fd(), data.data(), bytes - received, 0);
    ASSERT_GT(step, 0) << "recv: " << std::strerror(errno);
    received += static_cast<size_t>(step);
  }
}

void Socket::ReceiveEnd() {
  char one = 0;
  EXPECT_EQ(::recv(fd(), &one, 1, 0), 0);
}

int Socket::Error() {
  pollfd wait{.fd = fd(), .events = POLLERR, .revents = 0};
  EXPECT_EQ(::poll(&wait, 1, 30'000), 1);
  int error = 0;
  socklen_t size = sizeof(error);
  Check(::getsockopt(fd(), SOL_SOCKET, SO_ERROR, &error, &size), "SO_ERROR");
  return error;
}

void Socket::Set(int level, int option, int value) {
  Check(::setsockopt(fd(), level, option, &value, sizeof(value)), "setsockopt");
}

void Socket::NonBlocking() { Check(::fcntl(fd(), F_SETFL, ::fcntl(fd(), F_GETFL) | O_NONBLOCK), "O_NONBLOCK"); }

void Socket::ShutdownWrite() { Check(::shutdown(fd(), SHUT_WR), "shutdown"); }

void Socket::Abort() {
  const linger now{.l_onoff = 1, .l_linger = 0};
  Check(::setsockopt(fd(), SOL_SOCKET, SO_LINGER, &now, sizeof(now)), "SO_LINGER");
  Close();
}

uint16_t Socket::port() const {
  Name name;
  name.size = sizeof(name.storage);
  Check(::getsockname(fd(), name.get(), &name.size), "getsockname");
  return ntohs(reinterpret_cast<const sockaddr_in*>(&name.storage)->sin_port);  // same place in sockaddr_in6
}

Pair MakePair(const std::string& listen_address, const std::string& connect_address) {
  Pair pair;
  pair.listener = Socket::Listen(listen_address);
  pair.client = Socket::Connect(connect_address, pair.listener.port());
  pair.server = pair.listener.Accept();
  return pair;
}

void CloseInOrder(Pair& pair) {
  pair.client.Close();
  pair.server.ReceiveEnd();
  pair.server.Close();
}

void RecordLog::OnRecord(const weir_record& record) {
  if (std::find(namespaces_.begin(), namespaces_.end(), record.netns) != namespaces_.end()) records_.push_back(record);
}

std::vector<weir_record> RecordLog::Of(weir_record_kind kind) const {
  std::vector<weir_record> found;
  std::copy_if(records_.begin(), records_.end(), std::back_inserter(found),
               [kind](const weir_record& record) { return record.kind == kind; });
  return found;
}

weir_record RecordLog::Only(weir_record_kind kind, const std::function<bool(const weir_record&)>& wanted) const {
  std::vector<weir_record> found = Of(kind);
  std::erase_if(found, [&wanted](const weir_record& record) { return !wanted(record); });
  EXPECT_EQ(found.size(), 1U) << "of " << Of(kind).size() << " records of this kind";
  return found.empty() ? weir_record{} : found[0];
}

bool Eventually(const std::function<void()>& step, const std::function<bool()>& done) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  for (;;) {
    step();
    if (done()) return true;
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

}  // namespace weir::agent::kernel
