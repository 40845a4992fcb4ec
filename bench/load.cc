// weir-load: load of several shapes from one epoll thread a side, so that a benchmark measures the kernel and the
// agent, not the load tool.
//
//   weir-load serve PORT [PORTS]           answers 64-byte requests with 256 bytes, on PORTS ports; swallows bulk;
//                                          answers DNS queries on UDP PORT
//   weir-load drive SHAPE HOST PORT N [R]  load of N connections, in slots: each line on standard input ends one and
//                                          prints it as a JSON line; end of input ends the program. SHAPE is
//       churn   connect, 64 B up, 256 B down, close, again; with a fifth argument, so many times a second at most
//       rr      the same on kept-alive connections
//       http    as rr, the messages being HTTP/1.1
//       bulk    sends as fast as the connection takes it; an operation is a byte
//       dns     one query at a time per UDP socket
//   weir-load hold HOST PORT SECONDS N [R] opens N connections (4 ports of the server in turn) and keeps them: idle, or
//                                          with R requests a second, one connection after the other
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr size_t kRequestBytes = 64;
constexpr size_t kResponseBytes = 256;
constexpr char kHttpRequest[] = "GET /bench/items/12345 HTTP/1.1\r\nHost: bench\r\nX-A: 123456789\r\n\r\n";
constexpr char kHttpResponse[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 190\r\n\r\n";
constexpr size_t kHttpHeadBytes = sizeof kHttpResponse - 1;
static_assert(sizeof kHttpRequest - 1 == kRequestBytes && kHttpHeadBytes + 190 == kResponseBytes);
constexpr size_t kBulkBytes = 256 << 10;
constexpr int kEvents = 512;
// A query for web.shop.svc.cluster.local, A, IN (RFC 1035, 4.1).
constexpr char kQuery[] =
    "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03web\x04shop\x03svc\x07"
    "cluster\x05local\x00\x00\x01\x00\x01";
constexpr size_t kQueryBytes = sizeof kQuery - 1;

[[noreturn]] void Die(const char* what) {
  std::perror(what);
  std::exit(1);
}

void RaiseFileLimit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

void Watch(int epoll, int fd, uint32_t events, int operation) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  if (epoll_ctl(epoll, operation, fd, &event) != 0) Die("epoll_ctl");
}

int Listen(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) Die("bind");
  if (listen(fd, 65'535) != 0) Die("listen");
  return fd;
}

sockaddr_in Address(const char* host, int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  if (inet_pton(AF_INET, host, &address.sin_addr) != 1) Die(host);
  return address;
}

class Server {
 public:
  Server(uint16_t port, int ports) : kind_(1 << 20, Kind::kStream), buffer_(kBulkBytes) {
    for (int i = 0; i < ports; ++i) Add(Listen(static_cast<uint16_t>(port + i)), Kind::kListener);
    const int dns = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    const sockaddr_in address = Address("0.0.0.0", port);
    if (bind(dns, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) Die("bind");
    Add(dns, Kind::kDatagram);
  }

  [[noreturn]] void Run() {
    epoll_event events[kEvents];
    while (true) {
      const int count = epoll_wait(epoll_, events, kEvents, -1);
      for (int i = 0; i < count; ++i) Handle(events[i].data.fd);
    }
  }

 private:
  enum class Kind : uint8_t { kStream, kListener, kDatagram };

  void Add(int fd, Kind kind) {
    kind_[static_cast<size_t>(fd)] = kind;
    Watch(epoll_, fd, EPOLLIN, EPOLL_CTL_ADD);
  }

  void Handle(int fd) {
    switch (kind_[static_cast<size_t>(fd)]) {
      case Kind::kListener:
        for (int peer = accept4(fd, nullptr, nullptr, SOCK_NONBLOCK); peer >= 0;
             peer = accept4(fd, nullptr, nullptr, SOCK_NONBLOCK)) {
          Add(peer, Kind::kStream);
        }
        return;
      case Kind::kDatagram: return Resolve(fd);
      case Kind::kStream: return Answer(fd);
    }
  }

  void Answer(int fd) {
    const ssize_t got = read(fd, buffer_.data(), buffer_.size());
    if (got == 0 || (got < 0 && errno != EAGAIN)) {
      close(fd);
    } else if (got == static_cast<ssize_t>(kRequestBytes)) {  // anything else is bulk
      if (std::memcmp(buffer_.data(), kHttpRequest, 4) == 0) std::memcpy(buffer_.data(), kHttpResponse, kHttpHeadBytes);
      if (write(fd, buffer_.data(), kResponseBytes) < 0 && errno != EAGAIN) close(fd);
    }
  }

  void Resolve(int fd) {
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    const ssize_t got = recvfrom(fd, buffer_.data(), 512, 0, reinterpret_cast<sockaddr*>(&peer), &size);
    if (got < 12) return;
    buffer_[2] = static_cast<char>(static_cast<unsigned char>(buffer_[2]) | 0x80U);  // QR: a response
    (void)sendto(fd, buffer_.data(), static_cast<size_t>(got), 0, reinterpret_cast<sockaddr*>(&peer), size);
  }

  int epoll_ = epoll_create1(0);
  std::vector<Kind> kind_;  // by descriptor
  std::vector<char> buffer_;
};

int Serve(uint16_t port, int ports) {
  RaiseFileLimit();
  Server server(port, ports);
  std::puts("ready");
  std::fflush(stdout);
  server.Run();
}

struct Client {
  SteadyClock::time_point started;
  size_t received = 0;
};

struct Slot {
  SteadyClock::time_point started = SteadyClock::now();
  uint64_t operations = 0;
  uint64_t errors = 0;
  std::vector<float> latencies_us;
};

double Percentile(std::vector<float>& values, double q) {
  if (values.empty()) return 0;
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

class Generator {
 public:
  enum class Shape : uint8_t { kChurn, kRequests, kHttp, kBulk, kDns };

  // `rate`: connections a second; 0 = as many as go.
  Generator(Shape shape, const sockaddr_in& address, int rate)
      : shape_(shape), address_(address), rate_(rate), clients_(1 << 20), buffer_(kBulkBytes) {}

  void Run(int concurrency) {
    Watch(epoll_, STDIN_FILENO, EPOLLIN, EPOLL_CTL_ADD);
    if (rate_ == 0) {
      for (int i = 0; i < concurrency; ++i) Connect();
    } else {
      idle_ = concurrency;
      StartPace();
    }
    epoll_event events[kEvents];
    for (bool more = true; more;) {
      const int count = epoll_wait(epoll_, events, kEvents, -1);
      for (int i = 0; i < count; ++i) {
        if (events[i].data.fd == STDIN_FILENO) {
          more = EndSlot();
        } else if (events[i].data.fd == pace_) {
          Pace();
        } else {
          Handle(events[i]);
        }
      }
    }
  }

 private:
  void Connect() {
    const bool datagram = shape_ == Shape::kDns;
    const int fd = socket(AF_INET, (datagram ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK, 0);
    if (fd < 0) Die("socket");
    const int on = 1;
    if (!datagram) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    clients_[static_cast<size_t>(fd)] = {SteadyClock::now(), 0};
    if (connect(fd, reinterpret_cast<const sockaddr*>(&address_), sizeof address_) != 0 && errno != EINPROGRESS) {
      ++slot_.errors;
      close(fd);
      return;
    }
    Watch(epoll_, fd, EPOLLOUT, EPOLL_CTL_ADD);
  }

  void Ask(int fd) {
    static const char kOpaque[kRequestBytes] = {};
    const char* const request = shape_ == Shape::kHttp ? kHttpRequest : kOpaque;
    clients_[static_cast<size_t>(fd)] = {SteadyClock::now(), 0};
    const bool dns = shape_ == Shape::kDns;
    const size_t size = dns ? kQueryBytes : kRequestBytes;
    if (write(fd, dns ? kQuery : request, size) != static_cast<ssize_t>(size)) ++slot_.errors;
  }

  void Replace(int fd) {
    close(fd);
    if (rate_ == 0) {
      Connect();
    } else {
      ++idle_;
    }
  }

  void StartPace() {
    const itimerspec period{{0, kPaceNanos}, {0, kPaceNanos}};
    if (pace_ < 0 || timerfd_settime(pace_, 0, &period, nullptr) != 0) Die("timerfd");
    Watch(epoll_, pace_, EPOLLIN, EPOLL_CTL_ADD);
  }

  // What is due since the last time; what finds no idle client is left out, so that a slow system is not pushed.
  void Pace() {
    uint64_t periods = 0;
    if (read(pace_, &periods, sizeof periods) != sizeof periods) return;
    due_ += static_cast<double>(rate_) * static_cast<double>(periods) * kPaceNanos / 1e9;
    for (; due_ >= 1; --due_) {
      if (idle_ == 0) continue;
      --idle_;
      Connect();
    }
  }

  void Handle(const epoll_event& event) {
    const int fd = event.data.fd;
    if ((event.events & EPOLLERR) != 0) {
      ++slot_.errors;
      return Replace(fd);
    }
    if (shape_ == Shape::kBulk) return Send(fd);
    if ((event.events & EPOLLOUT) != 0) {
      Watch(epoll_, fd, EPOLLIN, EPOLL_CTL_MOD);
      return Ask(fd);
    }
    Receive(fd);
  }

  void Send(int fd) {
    const ssize_t sent = write(fd, buffer_.data(), buffer_.size());
    if (sent > 0) slot_.operations += static_cast<uint64_t>(sent);
  }

  void Receive(int fd) {
    const ssize_t got = read(fd, buffer_.data(), 4096);
    if (got <= 0) {
      if (got < 0 && errno == EAGAIN) return;
      ++slot_.errors;
      return Replace(fd);
    }
    Client& client = clients_[static_cast<size_t>(fd)];
    client.received += static_cast<size_t>(got);
    if (shape_ != Shape::kDns && client.received < kResponseBytes) return;
    ++slot_.operations;
    slot_.latencies_us.push_back(std::chrono::duration<float, std::micro>(SteadyClock::now() - client.started).count());
    if (shape_ == Shape::kChurn) {
      Replace(fd);
    } else {
      Ask(fd);
    }
  }

  // False at the end of the input.
  bool EndSlot() {
    char line[64];
    if (read(STDIN_FILENO, line, sizeof line) <= 0) return false;
    const double seconds = std::chrono::duration<double>(SteadyClock::now() - slot_.started).count();
    const double p50 = Percentile(slot_.latencies_us, 0.50);
    const double p99 = Percentile(slot_.latencies_us, 0.99);
    const double p999 = Percentile(slot_.latencies_us, 0.999);
    std::printf(
        "{\"per_second\": %.1f, \"operations\": %llu, \"errors\": %llu, \"p50_us\": %.1f, \"p99_us\": %.1f, "
        "\"p999_us\": %.1f}\n",
        static_cast<double>(slot_.operations) / seconds, static_cast<unsigned long long>(slot_.operations),
        static_cast<unsigned long long>(slot_.errors), p50, p99, p999);
    std::fflush(stdout);
    slot_ = Slot{};
    return true;
  }

  static constexpr long kPaceNanos = 1'000'000;

  const Shape shape_;
  const sockaddr_in address_;
  const int rate_;
  int epoll_ = epoll_create1(0);
  int pace_ = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  int idle_ = 0;                 // clients that wait for their turn
  double due_ = 0;               // connections
  std::vector<Client> clients_;  // by descriptor
  std::vector<char> buffer_;
  Slot slot_;
};

void Exchange(const std::vector<int>& connections) {
  char buffer[kResponseBytes] = {};
  for (const int fd : connections) {
    if (write(fd, buffer, kRequestBytes) != static_cast<ssize_t>(kRequestBytes)) Die("write");
  }
  for (const int fd : connections) {
    if (recv(fd, buffer, kResponseBytes, MSG_WAITALL) != static_cast<ssize_t>(kResponseBytes)) Die("recv");
  }
}

// A request on each connection in turn, so many a second, in portions of what is due.
void KeepBusy(const std::vector<int>& connections, SteadyClock::time_point end, double rate) {
  constexpr double kMostAtOnce = 256;
  std::vector<int> portion;
  size_t next = 0;
  double due = 0;
  for (auto last = SteadyClock::now(); last < end;) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const auto now = SteadyClock::now();
    due = std::min(due + rate * std::chrono::duration<double>(now - last).count(), kMostAtOnce);
    last = now;
    for (portion.clear(); due >= 1; --due) portion.push_back(connections[next++ % connections.size()]);
    Exchange(portion);
  }
}

int Hold(const char* host, uint16_t port, double seconds, int connections, double rate) {
  RaiseFileLimit();
  std::vector<int> open;
  for (int i = 0; i < connections; ++i) {
    sockaddr_in address = Address(host, port + i % 4);
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) Die("hold");
    open.push_back(fd);
  }
  std::puts("holding");
  std::fflush(stdout);
  const std::chrono::duration<double> span(seconds);
  if (rate > 0) {
    KeepBusy(open, SteadyClock::now() + std::chrono::duration_cast<SteadyClock::duration>(span), rate);
  } else {
    std::this_thread::sleep_for(span);
  }
  return 0;
}

int Drive(std::string_view name, const sockaddr_in& address, int concurrency, int rate) {
  using Shape = Generator::Shape;
  constexpr std::pair<std::string_view, Shape> kShapes[] = {{"churn", Shape::kChurn},
                                                            {"rr", Shape::kRequests},
                                                            {"http", Shape::kHttp},
                                                            {"bulk", Shape::kBulk},
                                                            {"dns", Shape::kDns}};
  for (const auto& [known, shape] : kShapes) {
    if (known != name) continue;
    Generator(shape, address, rate).Run(concurrency);
    return 0;
  }
  std::fprintf(stderr, "weir-load: no shape of this name: churn, rr, http, bulk, dns\n");
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  if (mode == "serve" && argc >= 3)
    return Serve(static_cast<uint16_t>(std::atoi(argv[2])), argc > 3 ? std::atoi(argv[3]) : 1);
  if (mode == "drive" && (argc == 6 || argc == 7)) {
    return Drive(argv[2], Address(argv[3], std::atoi(argv[4])), std::atoi(argv[5]), argc == 7 ? std::atoi(argv[6]) : 0);
  }
  if (mode == "hold" && (argc == 6 || argc == 7)) {
    return Hold(argv[2], static_cast<uint16_t>(std::atoi(argv[3])), std::atof(argv[4]), std::atoi(argv[5]),
                argc == 7 ? std::atof(argv[6]) : 0);
  }
  std::fprintf(stderr,
               "usage: weir-load serve PORT [PORTS] | drive SHAPE HOST PORT N [R] | hold HOST PORT SECONDS N [R]\n");
  return 2;
}
