// AgentPlaces: where agents are: their zone and region, and the network namespaces of their machines with the addresses
// in them, as their batches tell. 172.17.0.2 is something else on every machine; within one it is mostly one thing.
//
// Bounded: kMaxSpaces namespaces in all; beyond, those of new agents are not learnt (server_names_full). Pure: no
// clock. What look-ups return is borrowed until the next change.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "model/side_report.h"

namespace weir::server {

class AgentPlaces {
 public:
  static constexpr size_t kMaxSpaces = 262'144;
  // Namespaces are told every ten seconds; one that was not for so long is gone.
  static constexpr int64_t kForgetMs = 60'000;

  struct Space {
    model::NetNamespace told;
    UnixMillis heard = 0;  // by the server's clock
  };
  struct Agent {
    std::string zone;
    std::string region;
    std::unordered_map<uint32_t, Space> spaces;                    // by inode
    std::unordered_map<std::string, std::vector<uint32_t>> homes;  // of an address's 16 bytes: inodes
    UnixMillis heard = 0;
  };

  void Observe(const model::AgentBatch& batch, UnixMillis now);
  // nullptr: no agent on a node of this name.
  const Agent* Find(std::string_view node) const;
  // The only namespace of the node that has the address; nullptr when none or several have it.
  const model::NetNamespace* SpaceOf(std::string_view node, const model::Address& address) const;
  bool IsHost(std::string_view node, uint32_t inode) const;
  void Expire(UnixMillis now);

  size_t spaces() const { return count_; }
  // Grows when the zone or region of an agent changes.
  uint64_t version() const { return version_; }

 private:
  void Put(Agent& agent, const model::NetNamespace& told, UnixMillis now);
  void Remove(Agent& agent, uint32_t inode);

  std::map<std::string, Agent, std::less<>> agents_;  // by node
  size_t count_ = 0;
  uint64_t version_ = 0;
};

}  // namespace weir::server
