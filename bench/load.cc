// weir-load: TCP load of four shapes from one epoll thread a side, so that a benchmark measures the kernel and the
// agent, not the load tool. Prints one JSON line.
//
//   weir-load serve PORT [PORTS]                      answers 64-byte requests with 256 bytes, on PORTS ports
//   weir-load churn  HOST PORT SECONDS CONCURRENCY    connect, 64 B up, 256 B down, close, again
//   weir-load rr     HOST PORT SECONDS CONCURRENCY    the same on kept-alive connections, with latencies
//   weir-load hold   HOST PORT SECONDS CONNECTIONS    opens idle connections (PORTS of the server in turn) and waits
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
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
#include <vector>

namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr size_t kRequestBytes = 64;
constexpr size_t kResponseBytes = 256;
constexpr int kEvents = 512;

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

int Serve(uint16_t port, int ports) {
  RaiseFileLimit();
  const int epoll = epoll_create1(0);
  std::vector<bool> listening(1 << 20, false);
  for (int i = 0; i < ports; ++i) {
    const int fd = Listen(static_cast<uint16_t>(port + i));
    listening[static_cast<size_t>(fd)] = true;
    Watch(epoll, fd, EPOLLIN, EPOLL_CTL_ADD);
  }
  std::puts("ready");
  std::fflush(stdout);
  epoll_event events[kEvents];
  char buffer[4096]{};
  while (true) {
    const int count = epoll_wait(epoll, events, kEvents, -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      if (listening[static_cast<size_t>(fd)]) {
        for (int peer = accept4(fd, nullptr, nullptr, SOCK_NONBLOCK); peer >= 0;
             peer = accept4(fd, nullptr, nullptr, SOCK_NONBLOCK)) {
          Watch(epoll, peer, EPOLLIN, EPOLL_CTL_ADD);
        }
        continue;
      }
      const ssize_t got = read(fd, buffer, sizeof buffer);
      if (got > 0) {
        if (write(fd, buffer, kResponseBytes) < 0 && errno != EAGAIN) close(fd);
      } else if (got == 0 || errno != EAGAIN) {
        close(fd);
      }
    }
  }
}

struct Client {
  SteadyClock::time_point started;
  size_t received = 0;
};

struct Totals {
  uint64_t operations = 0;
  uint64_t errors = 0;
  std::vector<float> latencies_us;
};

class Generator {
 public:
  Generator(const char* host, uint16_t port, bool keep_alive) : keep_alive_(keep_alive), clients_(1 << 20) {
    address_.sin_family = AF_INET;
    address_.sin_port = htons(port);
    inet_pton(AF_INET, host, &address_.sin_addr);
  }

  Totals Run(double seconds, int concurrency) {
    for (int i = 0; i < concurrency; ++i) Connect();
    const auto end = SteadyClock::now() + std::chrono::duration<double>(seconds);
    epoll_event events[kEvents];
    while (SteadyClock::now() < end) {
      const int count = epoll_wait(epoll_, events, kEvents, 50);
      for (int i = 0; i < count; ++i) Handle(events[i]);
    }
    return std::move(totals_);
  }

 private:
  void Connect() {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0) Die("socket");
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    clients_[static_cast<size_t>(fd)] = {SteadyClock::now(), 0};
    if (connect(fd, reinterpret_cast<const sockaddr*>(&address_), sizeof address_) != 0 && errno != EINPROGRESS) {
      ++totals_.errors;
      close(fd);
      return;
    }
    Watch(epoll_, fd, EPOLLOUT, EPOLL_CTL_ADD);
  }

  void Ask(int fd) {
    static const char kRequest[kRequestBytes] = {};
    clients_[static_cast<size_t>(fd)] = {SteadyClock::now(), 0};
    if (write(fd, kRequest, kRequestBytes) != static_cast<ssize_t>(kRequestBytes)) ++totals_.errors;
  }

  void Replace(int fd) {
    close(fd);
    Connect();
  }

  void Handle(const epoll_event& event) {
    const int fd = event.data.fd;
    if ((event.events & EPOLLERR) != 0) {
      ++totals_.errors;
      return Replace(fd);
    }
    if ((event.events & EPOLLOUT) != 0) {
      Watch(epoll_, fd, EPOLLIN, EPOLL_CTL_MOD);
      return Ask(fd);
    }
    char buffer[4096];
    const ssize_t got = read(fd, buffer, sizeof buffer);
    if (got <= 0) {
      if (got < 0 && errno == EAGAIN) return;
      ++totals_.errors;
      return Replace(fd);
    }
    Client& client = clients_[static_cast<size_t>(fd)];
    client.received += static_cast<size_t>(got);
    if (client.received < kResponseBytes) return;
    ++totals_.operations;
    totals_.latencies_us.push_back(
        std::chrono::duration<float, std::micro>(SteadyClock::now() - client.started).count());
    if (keep_alive_) {
      Ask(fd);
    } else {
      Replace(fd);
    }
  }

  bool keep_alive_;
  int epoll_ = epoll_create1(0);
  sockaddr_in address_{};
  std::vector<Client> clients_;
  Totals totals_;
};

double Percentile(std::vector<float>& values, double q) {
  if (values.empty()) return 0;
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

int Hold(const char* host, uint16_t port, double seconds, int connections) {
  RaiseFileLimit();
  std::vector<int> open;
  for (int i = 0; i < connections; ++i) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port + i % 4));
    inet_pton(AF_INET, host, &address.sin_addr);
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) Die("hold");
    open.push_back(fd);
  }
  std::puts("holding");
  std::fflush(stdout);
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  return 0;
}

int Load(std::string_view shape, char** arguments) {
  const double seconds = std::atof(arguments[2]);
  Generator generator(arguments[0], static_cast<uint16_t>(std::atoi(arguments[1])), shape == "rr");
  Totals totals = generator.Run(seconds, std::atoi(arguments[3]));
  const double p50 = Percentile(totals.latencies_us, 0.50);
  const double p99 = Percentile(totals.latencies_us, 0.99);
  std::printf("{\"shape\": \"%s\", \"per_second\": %.0f, \"errors\": %llu, \"p50_us\": %.1f, \"p99_us\": %.1f}\n",
              shape.data(), static_cast<double>(totals.operations) / seconds,
              static_cast<unsigned long long>(totals.errors), p50, p99);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view shape = argc > 1 ? argv[1] : "";
  if (shape == "serve" && argc >= 3)
    return Serve(static_cast<uint16_t>(std::atoi(argv[2])), argc > 3 ? std::atoi(argv[3]) : 1);
  if ((shape == "churn" || shape == "rr") && argc == 6) return Load(shape, argv + 2);
  if (shape == "hold" && argc == 6)
    return Hold(argv[2], static_cast<uint16_t>(std::atoi(argv[3])), std::atof(argv[4]), std::atoi(argv[5]));
  std::fprintf(stderr, "usage: weir-load serve PORT [PORTS] | churn|rr|hold HOST PORT SECONDS N\n");
  return 2;
}
