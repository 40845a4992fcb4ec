// Listening sockets by where they listen. An accepted socket is born in softirq, where no process can be
// asked; its process is the listener's until its own is known. Also tells the direction of connections older
// than the agent.
//
// Every snapshot reports every listener, so a listener that two snapshots did not report is gone; until then
// it still answers for connections that outlived it. Thread: the agent's loop, all calls.
#pragma once

#include <tsl/robin_map.h>

#include <array>
#include <cstdint>

#include "bpf/abi.h"
#include "model/address.h"

namespace weir::agent::flow {

using Comm = std::array<char, WEIR_COMM_BYTES>;  // as the kernel has it: zero-padded

struct Listener {
  Comm comm{};
  uint32_t pid = 0;
  uint32_t seen = 0;   // snapshot that reported it last
  uint32_t drops = 0;  // as of the last record
};

class ListenerTable {
 public:
  // How many connections its full queue has cost since the last record; 0 for the first one of a listener that is older
  // than the agent.
  uint32_t Put(const weir_record& listen_record);
  // The listener that accepts at `local`:`port`: bound to the address, or else to a wildcard; "::" takes IPv4
  // as well. nullptr when unknown. Valid until the next Put or Age.
  const Listener* Find(uint32_t netns, const model::Address& local, uint16_t port) const;
  // After each snapshot.
  void Age();
  size_t size() const { return listeners_.size(); }

 private:
  struct Key {
    model::Address address;
    uint32_t netns;
    uint16_t port;
    uint16_t zero;  // so that all bytes are value

    bool operator==(const Key&) const = default;
  };
  struct Hash {
    size_t operator()(const Key& key) const;
  };

  tsl::robin_map<Key, Listener, Hash> listeners_;
  uint32_t snapshot_ = 0;
};

}  // namespace weir::agent::flow
