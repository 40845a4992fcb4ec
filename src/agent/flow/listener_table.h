// Listening sockets by where they listen. An accepted socket is born in softirq, where no process can be
// asked; its process is the listener's until its own is known. Also tells the direction of connections older
// than the agent.
//
// Several sockets may listen at one place (SO_REUSEPORT), of one program or of several: each keeps its own counters,
// and a connection is attributed to one of them only where it can be no other's.
//
// Every snapshot reports every listener, so a listener that two snapshots did not report is gone; until then
// it still answers for connections that outlived it. Thread: the agent's loop, all calls.
#pragma once

#include <tsl/robin_map.h>

#include <array>
#include <cstdint>
#include <set>
#include <vector>

#include "bpf/abi.h"
#include "model/address.h"

namespace weir::agent::flow {

using Comm = std::array<char, WEIR_COMM_BYTES>;  // as the kernel has it: zero-padded

struct Listener {
  Comm comm{};
  uint32_t pid = 0;
  uint32_t seen = 0;      // snapshot that reported it last
  uint32_t drops = 0;     // as of the last record
  uint64_t socket = 0;    // the kernel's pointer
  uint64_t since_ns = 0;  // CLOCK_MONOTONIC of its first record; 0 = older than the agent
  uint64_t until_ns = 0;  // of its final one; 0 = it listens
  uint64_t cgroup_id = 0;
  uint64_t holder_cgroup_id = 0;  // as in weir_record
  uint64_t owner = 0;             // Identities::OwnerOf
};

// A connection whose listener is asked for.
struct Accepted {
  model::Address local;
  uint32_t netns = 0;
  uint16_t port = 0;
  uint64_t cgroup_id = 0;       // it stays in its listener's
  uint64_t established_ns = 0;  // 0 = not known
};

class ListenerTable {
 public:
  // Takes a record of a listener, its final one too. `owner`: Identities::OwnerOf it. How many connections its full
  // queue has cost since its last record; 0 for the first one of a listener that is older than the agent.
  uint32_t Put(const weir_record& record, uint64_t owner);

  enum class Answer {
    kNone,     // nobody listens there
    kOne,      // this one, or others that are called the same
    kSeveral,  // one of several programs: which, only the socket's holder tells
  };
  struct Found {
    Answer answer = Answer::kNone;
    const Listener* listener = nullptr;  // of kOne; valid until the next Put or Age
    bool of_all = true;                  // every connection to this place would get the same answer
  };
  // Who took a connection: bound to its local address, or else to a wildcard; "::" takes IPv4 as well.
  Found Find(const Accepted& accepted) const;

  // After each snapshot.
  void Age();
  // Ports of which a listener's control group does not tell by which of several programs a connection was taken.
  const std::set<uint16_t>& shared_ports() const { return shared_ports_; }

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
  using Place = std::vector<Listener>;  // not empty

  static bool AreAlike(const Place& place);
  static Found Choose(const Place& place, const Accepted& accepted);
  static bool IsShared(const Place& place);

  tsl::robin_map<Key, Place, Hash> places_;
  std::set<uint16_t> shared_ports_;
  uint32_t snapshot_ = 0;
};

}  // namespace weir::agent::flow
