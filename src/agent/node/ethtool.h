// Driver statistics by SIOCETHTOOL, resolved to signals by the catalogue. No privilege is needed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/kernel/unique_fd.h"
#include "agent/node/source_catalogue.h"
#include "base/status.h"

namespace weir::agent::node {

// Remembers which of an interface's statistics are wanted, so that a reading is two system calls. Thread: one.
class EthtoolReader {
 public:
  // For interfaces of the calling thread's network namespace.
  static Result<EthtoolReader> Open();

  // Calls with the value of every signal this interface has. kUnsupported: its driver has no statistics, or none
  // that the catalogue knows. Asking some drivers costs a command to the device (ENA): once a second at most.
  Status Read(const std::string& name, uint32_t ifindex, const std::function<void(model::NodeSignal, uint64_t)>& visit);
  // "ena"; "" before the first Read() of the interface.
  std::string DriverOf(uint32_t ifindex) const;
  // Drops what is remembered of interfaces that are not among these.
  void KeepOnly(const std::vector<uint32_t>& ifindexes);

 private:
  struct Layout {
    std::string driver;
    uint32_t count = 0;  // statistics the driver has; a change means new names
    std::vector<ResolvedSignal> signals;
  };

  explicit EthtoolReader(kernel::UniqueFd fd) : fd_(std::move(fd)) {}
  Status Ask(const std::string& name, void* command) const;
  Result<Layout> ReadLayout(const std::string& name) const;

  kernel::UniqueFd fd_;
  std::unordered_map<uint32_t, Layout> layouts_;
};

}  // namespace weir::agent::node
