// The addresses that belong to this node: those of the agent's own network namespace, and the local ends of
// every flow of the last minutes, whatever their namespace. Loopback belongs to every node and is left out.
// Thread: the agent's loop, all calls.
#pragma once

#include <tsl/robin_map.h>

#include <functional>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "model/side_report.h"

namespace weir::agent::source {

class LocalAddresses {
 public:
  // `interfaces` tells the addresses of the agent's own network namespace.
  explicit LocalAddresses(std::function<std::vector<model::Address>()> interfaces)
      : interfaces_(std::move(interfaces)) {}

  // Learns from `reports` and, every 30 s, from the interfaces.
  void Learn(Nanos now_monotonic, const std::vector<model::SideReport>& reports);
  // At most 16,384, in ascending order.
  std::vector<model::Address> List() const;

 private:
  struct Hash {
    size_t operator()(const model::Address& address) const;
  };

  void Add(Nanos now, const model::Address& address);

  const std::function<std::vector<model::Address>()> interfaces_;
  tsl::robin_map<model::Address, Nanos, Hash> seen_;  // when last
  Nanos next_refresh_ = 0;
};

}  // namespace weir::agent::source
