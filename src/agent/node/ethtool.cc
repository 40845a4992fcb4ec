#include "agent/node/ethtool.h"

#include <fmt/format.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace weir::agent::node {
namespace {

constexpr uint32_t kMaxStatistics = 65'536;  // a driver with 256 queues has some 10,000

std::string TextIn(const char* text, size_t size) { return {text, ::strnlen(text, size)}; }

// Storage of eight-byte alignment for a command with a tail.
std::unique_ptr<uint64_t[]> Buffer(size_t bytes) { return std::make_unique<uint64_t[]>(bytes / 8 + 1); }

}  // namespace

Result<EthtoolReader> EthtoolReader::Open() {
  kernel::UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return Status::FromErrno(errno, "open a socket for ethtool");
  return EthtoolReader(std::move(fd));
}

Status EthtoolReader::Ask(const std::string& name, void* command) const {
  ifreq request{};
  if (name.size() >= sizeof(request.ifr_name)) return Status::Invalid("the interface's name is too long");
  std::memcpy(request.ifr_name, name.data(), name.size());
  request.ifr_data = static_cast<char*>(command);
  if (::ioctl(fd_.get(), SIOCETHTOOL, &request) == 0) return Status::Ok();
  if (errno == EOPNOTSUPP) return Status::Unsupported("the driver has no statistics of its own");
  return Status::FromErrno(errno, "ethtool " + name);
}

Result<EthtoolReader::Layout> EthtoolReader::ReadLayout(const std::string& name) const {
  ethtool_drvinfo info{};
  info.cmd = ETHTOOL_GDRVINFO;
  WEIR_RETURN_IF_ERROR(Ask(name, &info));
  Layout layout{.driver = TextIn(info.driver, sizeof(info.driver)), .count = info.n_stats, .signals = {}};
  if (layout.count == 0 || layout.count > kMaxStatistics) return layout;
  const size_t bytes = sizeof(ethtool_gstrings) + size_t{layout.count} * ETH_GSTRING_LEN;
  const auto storage = Buffer(bytes);
  auto* strings = reinterpret_cast<ethtool_gstrings*>(storage.get());
  strings->cmd = ETHTOOL_GSTRINGS;
  strings->string_set = ETH_SS_STATS;
  strings->len = layout.count;
  WEIR_RETURN_IF_ERROR(Ask(name, strings));
  std::vector<std::string> names;
  for (uint32_t i = 0; i < std::min(strings->len, layout.count); ++i) {
    names.push_back(
        TextIn(reinterpret_cast<const char*>(strings->data) + size_t{i} * ETH_GSTRING_LEN, ETH_GSTRING_LEN));
  }
  layout.signals = Resolve(layout.driver, names);
  return layout;
}

Status EthtoolReader::Read(const std::string& name, uint32_t ifindex,
                           const std::function<void(model::NodeSignal, uint64_t)>& visit) {
  auto known = layouts_.find(ifindex);
  if (known == layouts_.end()) {
    WEIR_ASSIGN_OR_RETURN(Layout layout, ReadLayout(name));
    known = layouts_.emplace(ifindex, std::move(layout)).first;
  }
  const Layout& layout = known->second;
  if (layout.signals.empty()) {
    return Status::Unsupported(
        fmt::format("driver {} has no statistics that Weir knows", layout.driver.empty() ? "?" : layout.driver));
  }
  // Kernels write as many as the driver has by now, however many were asked for: leave room.
  const auto storage = Buffer(sizeof(ethtool_stats) + (size_t{layout.count} * 2 + 1'024) * sizeof(uint64_t));
  auto* stats = reinterpret_cast<ethtool_stats*>(storage.get());
  stats->cmd = ETHTOOL_GSTATS;
  stats->n_stats = layout.count;
  const Status status = Ask(name, stats);
  // The driver has been given other queues, or replaced: the names are read anew the next time.
  if (!status.ok() || stats->n_stats != layout.count) {
    layouts_.erase(known);
    return status.ok() ? Status::Unavailable("the driver changed its statistics") : status;
  }
  const auto* values = reinterpret_cast<const uint64_t*>(reinterpret_cast<const char*>(stats) + sizeof(ethtool_stats));
  for (const ResolvedSignal& signal : layout.signals) {
    uint64_t sum = 0;
    for (const size_t place : signal.places) sum += values[place];
    visit(signal.signal, sum);
  }
  return Status::Ok();
}

std::string EthtoolReader::DriverOf(uint32_t ifindex) const {
  const auto known = layouts_.find(ifindex);
  return known == layouts_.end() ? "" : known->second.driver;
}

void EthtoolReader::KeepOnly(const std::vector<uint32_t>& ifindexes) {
  std::erase_if(layouts_, [&](const auto& entry) {
    return std::find(ifindexes.begin(), ifindexes.end(), entry.first) == ifindexes.end();
  });
}

}  // namespace weir::agent::node
