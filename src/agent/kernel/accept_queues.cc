#include "agent/kernel/accept_queues.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace weir::agent::kernel {

uint32_t AcceptQueues::Overflows(const weir_record& record) {
  if (listeners_.size() > kMaxListeners) listeners_.clear();
  const auto [found, is_new] = listeners_.try_emplace(record.socket);
  Listener& listener = found.value();
  const bool is_old = is_new && (record.flags & WEIR_SOCKET_EXISTING) != 0;
  // Less than before: the kernel gave the memory of a listener that ended to the next one.
  if (record.drops < listener.drops) listener = {};
  if (is_old) listener.drops = record.drops;
  const uint32_t dropped = record.drops - listener.drops;
  listener.drops = record.drops;
  const bool is_known = namespaces_.contains(record.netns);
  if (dropped != 0 || !is_known) Read(record, is_old);
  if (dropped != 0) {
    const auto netns = namespaces_.find(record.netns);
    uint64_t lost = dropped;
    if (netns != namespaces_.end()) {
      lost = std::min<uint64_t>(dropped, netns->second.unclaimed);
      netns.value().unclaimed -= lost;
    }
    listener.overflows += static_cast<uint32_t>(lost);
  }
  const uint32_t overflows = listener.overflows;
  if (record.kind == WEIR_RECORD_FINAL) listeners_.erase(record.socket);
  return overflows;
}

// What a namespace had counted before is not news, but for what the listener that is met first may have had of it.
void AcceptQueues::Read(const weir_record& record, bool first_is_old) {
  const std::optional<uint64_t> count = counter_(record.netns, record.pid);
  if (!count) return;
  if (namespaces_.size() > kMaxListeners) namespaces_.clear();
  const auto [found, is_new] = namespaces_.try_emplace(record.netns);
  Namespace& netns = found.value();
  if (is_new) {
    netns = {*count, first_is_old ? 0 : std::min<uint64_t>(*count, record.drops)};
    return;
  }
  // Less than before: the number of a namespace that is gone was given to another one.
  if (*count < netns.overflows) netns = {};
  netns.unclaimed += *count - netns.overflows;
  netns.overflows = *count;
}

std::optional<uint64_t> ReadListenOverflows(uint32_t netns, uint32_t pid) {
  if (pid == 0) return std::nullopt;
  const std::string folder = "/proc/" + std::to_string(pid);
  struct stat is {};
  if (::stat((folder + "/ns/net").c_str(), &is) != 0 || is.st_ino != netns) return std::nullopt;
  std::ifstream file(folder + "/net/netstat");
  // Pairs of lines, of names and of values, both led by their group.
  std::string names;
  std::string values;
  while (std::getline(file, names) && std::getline(file, values)) {
    if (!names.starts_with("TcpExt:")) continue;
    std::istringstream of_names(names);
    std::istringstream of_values(values);
    std::string name;
    std::string value;
    while (of_names >> name && of_values >> value) {
      if (name == "ListenOverflows") return std::strtoull(value.c_str(), nullptr, 10);
    }
  }
  return std::nullopt;
}

}  // namespace weir::agent::kernel
