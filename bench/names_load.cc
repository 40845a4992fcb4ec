// weir-names-load: what the index of names costs. With a cluster of PODS pods and two agents' worth of addresses:
//
//   weir-names-load PODS SECONDS
//
// Look-ups per second of CPU time by address, by pod uid and by container, in random order (medians of seven rounds);
// then CHANGES pod changes a second, half of them pods that come and half that go and free their address for the next:
// the CPU they take, and the memory in the end. One JSON line each.
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "server/entity_index.h"

namespace weir::server {
namespace {

constexpr int kRounds = 7;
constexpr int kLookups = 2'000'000;
constexpr int kChangesPerSecond = 200;
constexpr UnixMillis kNoon = 1'764'500'000'000;

// Of this thread: others may run beside it.
double CpuSeconds() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

uint64_t ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  uint64_t all = 0;
  uint64_t resident = 0;
  file >> all >> resident;
  return resident * 4'096;
}

model::Address AddressOf(uint32_t pod) { return model::Address::FromV4(__builtin_bswap32(0x0a000000 + pod)); }

std::string UidOf(uint32_t pod) { return fmt::format("{:08x}-4e5f-6789-abcd-ef01{:08x}", pod * 2'654'435'761U, pod); }

std::string ContainerOf(uint32_t pod) { return fmt::format("{:056d}{:08x}", 7, pod); }

model::Pod PodOf(uint32_t number, uint32_t address, UnixMillis started) {
  model::Pod pod;
  pod.uid = UidOf(number);
  pod.name = fmt::format("inference-api-7d9f8c6b5-{:05x}", number);
  pod.name_space = fmt::format("team-{}", number % 40);
  pod.node = fmt::format("ip-10-0-{}-{}.eu-central-1.compute.internal", number % 200, number % 7);
  pod.addresses = {AddressOf(address)};
  pod.phase = "Running";
  pod.created = pod.scheduled = pod.started = started;
  pod.workload = {"Deployment", fmt::format("inference-api-{}", number % 500), "w"};
  for (const char* name : {"api", "proxy", "logs"}) {
    model::PodContainer& container = pod.containers.emplace_back();
    container.name = name;
    container.id = ContainerOf(number * 4 + static_cast<uint32_t>(pod.containers.size()));
    container.image = fmt::format("123456789012.dkr.ecr.eu-central-1.amazonaws.com/inference/{}:2026.11.30", name);
    container.state = "running";
  }
  return pod;
}

// Median look-ups a second of what `look_up` does for random numbers below `pods`.
template <typename LookUp>
void Measure(const char* what, uint32_t pods, LookUp&& look_up) {
  std::mt19937 random(1);
  std::vector<uint32_t> order(1 << 20);
  for (uint32_t& number : order) number = static_cast<uint32_t>(random() % pods);
  std::vector<double> rates;
  uint64_t found = 0;
  for (int round = 0; round < kRounds; ++round) {
    const double begin = CpuSeconds();
    for (int i = 0; i < kLookups; ++i) found += look_up(order[static_cast<size_t>(i) & (order.size() - 1)]) ? 1 : 0;
    rates.push_back(kLookups / (CpuSeconds() - begin));
  }
  std::nth_element(rates.begin(), rates.begin() + kRounds / 2, rates.end());
  fmt::print(R"({{"bench": "names", "what": "{}", "pods": {}, "per_cpu_second": {:.0f}, "found": {:.3f}}})"
             "\n",
             what, pods, rates[kRounds / 2], static_cast<double>(found) / kLookups / kRounds);
}

void LookUps(EntityIndex& index, ClusterNumber cluster, uint32_t pods) {
  std::vector<model::Address> addresses;
  std::vector<std::string> uids;
  std::vector<std::string> containers;
  for (uint32_t pod = 0; pod < pods; ++pod) {
    addresses.push_back(AddressOf(pod));
    uids.push_back(UidOf(pod));
    containers.push_back(ContainerOf(pod * 4 + 1));
  }
  const UnixMillis then = kNoon + 60'000;
  Measure("address", pods, [&](uint32_t pod) {
    return index.HolderOf(addresses[pod], cluster, then, then + 1'000, then).pod != nullptr;
  });
  Measure("pod uid", pods, [&](uint32_t pod) { return index.PodOfUid(uids[pod]) != nullptr; });
  Measure("container", pods, [&](uint32_t pod) { return index.PodOfContainer(containers[pod], nullptr) != nullptr; });
}

void Churn(EntityIndex& index, ClusterNumber cluster, uint32_t pods, int seconds) {
  UnixMillis now = kNoon + 100'000;
  uint32_t next = pods;
  const double begin = CpuSeconds();
  for (int second = 0; second < seconds; ++second) {
    for (int change = 0; change < kChangesPerSecond / 2; ++change) {
      now += 10;
      index.GonePod(UidOf(next - pods), now, now);
      index.Changed(cluster, PodOf(next, next % pods, now), now);
      ++next;
    }
    index.TakeChanges();
    if (second % 10 == 0) index.Expire(now);
  }
  const double cpu = (CpuSeconds() - begin) / seconds;
  fmt::print(R"({{"bench": "names", "what": "{} changes a second", "pods": {}, "cpu_percent": {:.3f}, )"
             R"("tombstones": {}, "rss_mib": {}}})"
             "\n",
             kChangesPerSecond, pods, cpu * 100, index.tombstones(), ResidentBytes() >> 20);
}

int Run(uint32_t pods, int seconds) {
  const uint64_t before = ResidentBytes();
  EntityIndex index;
  const ClusterNumber cluster = index.ClusterOf("prod");
  for (uint32_t pod = 0; pod < pods; ++pod) index.Changed(cluster, PodOf(pod, pod, kNoon), kNoon);
  index.PodsListed(cluster);
  index.TakeChanges();
  fmt::print(R"({{"bench": "names", "what": "memory of a list", "pods": {}, "mib": {}}})"
             "\n",
             pods, (ResidentBytes() - before) >> 20);
  LookUps(index, cluster, pods);
  Churn(index, cluster, pods, seconds);
  return 0;
}

}  // namespace
}  // namespace weir::server

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: weir-names-load PODS SECONDS\n");
    return 2;
  }
  return weir::server::Run(static_cast<uint32_t>(std::atoi(argv[1])), std::atoi(argv[2]));
}
