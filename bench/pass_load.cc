// weir-bench-pass [ROUNDS [SOCKETS...]]: what a pass over the tracked sockets costs, by the CPU time of the thread that
// makes it. Trackers of each kind watch the same idle sockets and make their passes in turn; prints a JSON line per
// kind and number of sockets with the median, and its ratio to the first kind's. As root; the sockets are in a network
// namespace of its own.
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "agent/kernel/kernel_tracker.h"
#include "agent/kernel/net_lab.h"

namespace weir::agent::kernel {
namespace {

constexpr int kConnectionsPerProcess = 8'000;  // two descriptors each
constexpr auto kBetween = std::chrono::milliseconds(25);

struct Kind {
  const char* name;
  KernelOptions options;
};

std::vector<Kind> Kinds() {
  return {{"every place", {.snapshot_programs = {"weir_snapshot_cast"}, .every_place = true}},
          {"what is open", {.snapshot_programs = {"weir_snapshot_cast"}}}};
}

class Nobody final : public RecordSink {
 public:
  void OnRecord(const weir_record&) override {}
};

double ThreadMicroseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

double MedianOf(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

// Processes that hold idle connections to themselves until this object goes.
class Held {
 public:
  explicit Held(int connections) {
    for (int left = connections; left > 0; left -= kConnectionsPerProcess) Hold(std::min(left, kConnectionsPerProcess));
  }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  ~Held() {
    for (const auto& [child, end] : children_) ::close(end);
    for (const auto& [child, end] : children_) ::waitpid(child, nullptr, 0);
  }

 private:
  void Hold(int connections) {
    int ends[2] = {-1, -1};
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) std::exit(1);
    const pid_t child = ::fork();
    char byte = 0;
    if (child == 0) {
      for (const auto& [earlier, end] : children_) ::close(end);
      ::close(ends[0]);
      Socket listener = Socket::Listen("127.0.0.1");
      std::vector<Socket> open;
      for (int i = 0; i < connections; ++i) {
        open.push_back(Socket::Connect("127.0.0.1", listener.port()));
        open.push_back(listener.Accept());
      }
      if (::write(ends[1], "r", 1) != 1) ::_exit(1);
      (void)!::read(ends[1], &byte, 1);
      ::_exit(0);
    }
    ::close(ends[1]);
    if (::read(ends[0], &byte, 1) != 1) std::exit(1);
    children_.emplace_back(child, ends[0]);
  }

  std::vector<std::pair<pid_t, int>> children_;
};

int Measure(int sockets, int rounds) {
  const Held held(sockets / 2);
  const std::vector<Kind> kinds = Kinds();
  std::vector<std::unique_ptr<KernelTracker>> trackers;
  Nobody nobody;
  for (const Kind& kind : kinds) {
    std::vector<model::ProbeReport> probes;
    auto opened = KernelTracker::Open(kind.options, probes);
    if (!opened.ok()) {
      std::fprintf(stderr, "%s: %s\n", kind.name, opened.status().message().c_str());
      return 1;
    }
    trackers.push_back(*std::move(opened));
    (void)trackers.back()->ReadExisting();
    (void)trackers.back()->Snapshot(false, nobody);
  }
  std::vector<std::vector<double>> taken(kinds.size()), ratios(kinds.size());
  for (int round = 0; round < rounds; ++round) {
    double first = 0;
    for (size_t i = 0; i < kinds.size(); ++i) {
      std::this_thread::sleep_for(kBetween);
      const double before = ThreadMicroseconds();
      const Status status = trackers[i]->Snapshot(false, nobody);
      const double took = ThreadMicroseconds() - before;
      if (!status.ok()) std::fprintf(stderr, "%s: %s\n", kinds[i].name, status.message().c_str());
      if (i == 0) first = took;
      taken[i].push_back(took);
      ratios[i].push_back(took / first);
    }
  }
  for (size_t i = 0; i < kinds.size(); ++i) {
    std::printf(
        "{\"bench\": \"pass\", \"what\": \"%d idle sockets\", \"kind\": \"%s\", \"microseconds\": %.1f, \"ratio\": "
        "%.3f}\n",
        sockets, kinds[i].name, MedianOf(taken[i]), MedianOf(ratios[i]));
  }
  std::fflush(stdout);
  return 0;
}

int Run(int rounds, const std::vector<int>& numbers) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  const Lab lab;
  for (const int sockets : numbers) {
    if (const int failed = Measure(sockets, rounds); failed != 0) return failed;
  }
  return 0;
}

}  // namespace
}  // namespace weir::agent::kernel

int main(int argc, char** argv) {
  std::vector<int> numbers;
  for (int i = 2; i < argc; ++i) numbers.push_back(std::atoi(argv[i]));
  if (numbers.empty()) numbers = {0, 1'000, 10'000};
  return weir::agent::kernel::Run(argc > 1 ? std::max(std::atoi(argv[1]), 1) : 41, numbers);
}
