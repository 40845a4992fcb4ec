// ConnectionTracking: what the kernel's connection tracking (nf_conntrack) knows of a connection, asked one by one over
// ctnetlink. It lives per network namespace, and a connection may pass through several: its client's own, the
// namespaces of routers, the agent's own. What one of them makes of it is what the next one sees.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "agent/flow/address_translations.h"
#include "agent/kernel/net_namespaces.h"
#include "agent/kernel/unique_fd.h"
#include "agent/nat/conntrack_message.h"
#include "agent/node/netlink.h"
#include "base/clock.h"
#include "model/side_report.h"

namespace weir::agent::nat {

// A connection as it arrives behind the last namespace that was asked.
struct Followed {
  bool found = false;       // at least one of them tracks it
  bool is_another = false;  // what they track is a later connection of the same addresses and ports
  model::Address client;
  model::Address server;
  uint16_t server_port = 0;
  uint32_t questions = 0;  // what the answer cost, in questions to the kernel of some 10 us each

  bool operator==(const Followed&) const = default;
};

// Thread: the agent's loop, all calls.
class ConnectionTracking {
 public:
  virtual ~ConnectionTracking() = default;
  // Whether anything may be tracked on this node now; false is certain and costs a file of a few bytes, once per round.
  virtual bool Active() = 0;
  // `thorough`: looks for namespaces that began to track since they were last asked. REQUIRES: Active().
  virtual Followed Follow(const flow::ClientEnds& ends, bool thorough) = 0;
  virtual void RoundEnds() = 0;
  virtual model::ProbeReport Probe() const = 0;
};

// Sockets in other network namespaces keep those alive, so they are open for one round only: some milliseconds.
class KernelTracking final : public ConnectionTracking {
 public:
  // In the network namespace that is the agent's own. `clock` outlives it.
  explicit KernelTracking(const Clock& clock);

  bool Active() override;
  Followed Follow(const flow::ClientEnds& ends, bool thorough) override;
  void RoundEnds() override;
  model::ProbeReport Probe() const override;

 private:
  struct Space {
    std::filesystem::path path;                 // a bound file or /proc/PID/ns/net; may have become another namespace's
    uint32_t pid = 0;                           // of a process inside, where the question tells
    std::optional<node::NetlinkSocket> socket;  // open in this round
    bool tracks = false;                        // had entries when last looked at
    bool router = false;                        // has several interfaces, so others' connections may pass
    bool known = false;                         // a client of it was asked for
    Nanos looked = 0;                           // monotonic: when `tracks` was learnt; 0 = never
    Nanos listed = 0;                           // when it was first listed
    Nanos interfaces = 0;                       // when `router` was learnt
  };

  bool LooksActive(Nanos now);
  void ReadOwnEntries();
  void List(Nanos now);
  void LearnRouter(Space& space, const kernel::NetNamespace& found, Nanos now);
  Space* ClientSpace(const flow::ClientEnds& ends);
  // A connection on its way through the namespaces that are asked.
  struct Way {
    Tuple tuple;
    bool closed = false;  // as ClientEnds
    Followed followed;
  };
  void AskOwn(Way& way);
  void AskSpace(Space& space, uint32_t inode, bool thorough, Way& way);
  bool Ready(Space& space, uint32_t inode, bool thorough, Followed& followed);
  Status Enter(const std::filesystem::path& path, Space& space, uint32_t inode);
  void Ask(node::NetlinkSocket& socket, Way& way);

  const Clock& clock_;
  uint32_t own_inode_ = 0;
  kernel::UniqueFd own_count_;  // nf_conntrack_count; not valid while the kernel tracks nothing
  kernel::UniqueFd slab_;       // how much memory entries of all namespaces take; not valid where not told
  Nanos next_open_ = 0;         // when to look for connection tracking again
  bool checked_ = false;        // Active() has looked in this round
  bool active_ = false;
  Nanos looked_active_ = 0;
  bool own_read_ = false;  // in this round
  bool own_tracks_ = false;
  std::optional<node::NetlinkSocket> own_;
  std::unordered_map<uint32_t, Space> spaces_;  // by inode; without the agent's own
  std::vector<uint32_t> routers_;               // keys of spaces_, ascending
  std::vector<uint32_t> open_;                  // keys of spaces_ with a socket
  Nanos listed_ = 0;
  bool machines_processes_ = true;  // whose namespaces are in sight
  Status ask_status_;    // of the last question that failed for another reason than that there is no such connection
  Status enter_status_;  // of the last namespace that could not be entered
};

}  // namespace weir::agent::nat
