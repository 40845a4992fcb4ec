// Activity: what each party moved and each node read in the last seconds, for every detector to look up. Seconds are
// those of the samples' own clock, so that what one node reported of one second stays together.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "diagnose/names.h"
#include "diagnose/samples.h"
#include "diagnose/stats.h"
#include "diagnose/thresholds.h"

namespace weir::diagnose {

inline constexpr size_t kPartySeconds = 16;
inline constexpr size_t kNodeSeconds = 64;

struct PartySecond {
  int64_t second = -1;
  uint64_t rx_bytes = 0;
  uint64_t tx_bytes = 0;
};

// Round trips of a party now and usually, both as running means.
struct UsualRtt {
  float now_us = 0;
  float usual_us = 0;  // of the last minute or so, without times of trouble
  uint32_t samples = 0;
};

struct PartyActivity {
  UsualRtt rtt;
  int64_t served_s = -1;            // last second in which a client was served
  PartyNumber served_to = kNobody;  // and to whom
  int64_t served_other_s = -1;      // and last to somebody else
  int64_t limited_s = -1;           // last second in which its application was found slow (B4, B5, B7)

  std::array<PartySecond, kPartySeconds> seconds;

  void Add(int64_t second, uint64_t rx, uint64_t tx) {
    PartySecond& slot = seconds[static_cast<size_t>(second) % kPartySeconds];
    if (slot.second != second) slot = {second, 0, 0};
    slot.rx_bytes += rx;
    slot.tx_bytes += tx;
  }
  PartySecond In(int64_t second) const {
    const PartySecond& slot = seconds[static_cast<size_t>(second) % kPartySeconds];
    return slot.second == second ? slot : PartySecond{};
  }
};

// What of a node can be exceeded.
enum class Resource : uint8_t { kBandwidthIn, kBandwidthOut, kPackets, kConnections, kLinkLocal, kQueue, kCount };
inline constexpr size_t kResources = static_cast<size_t>(Resource::kCount);

struct NodeSecond {
  int64_t second = -1;
  std::array<uint64_t, 2> rx_bytes{};  // of other interfaces, of uplinks
  std::array<uint64_t, 2> tx_bytes{};
  std::array<uint64_t, 2> packets{};
  std::array<uint64_t, kResources> exceeded{};
  uint32_t queue_drops = 0;   // of queueing disciplines
  uint32_t node_drops = 0;    // by receive rings, backlogs, queues, memory
  uint32_t rule_drops = 0;    // by packet rules
  uint32_t socket_drops = 0;  // by sockets without memory
  uint32_t listen_drops = 0;
  uint32_t conntrack_drops = 0;
  uint32_t lossy_flows = 0;
  uint32_t slow_flows = 0;  // with round trips far above their shortest
  uint32_t late_segments = 0;
};

// Fastest steps of 10 ms around an event.
struct RatePeak {
  int64_t second = -1;
  double rx_bits = 0;
  double tx_bits = 0;
};

struct NodeActivity {
  NodeNumber node = 0;
  std::array<NodeSecond, kNodeSeconds> seconds;
  std::map<std::string, bool> uplinks;  // own interfaces by name, and whether the node's traffic leaves by them
  bool has_uplink = false;
  bool tells_uplinks = false;
  bool has_allowance = false;     // some counter of what is allowed was ever read
  std::string queue_subject;      // the discipline that was over its limit last
  bool queue_is_virtual = false;  // it shapes a virtual interface: towards pods
  std::string rule_place;         // where packets were dropped by a rule last
  int64_t latest_s = -1;          // last second read
  UnixMillis read_ms = 0;         // when the last reading was taken, and how long after the one before
  int64_t elapsed_ms = 0;
  UnixMillis heard = 0;      // when readings came last, by the server's clock
  int64_t gap_until_s = -1;  // readings up to here were missing
  uint64_t connections_left = 0;
  uint64_t connections_left_most = 0;
  int64_t connections_left_s = -1;
  std::array<RatePeak, 8> peaks;
  std::map<std::string, RecentSeconds> throttled;  // containers by id
  std::map<std::string, uint64_t> throttled_us;    // latest, by container
  std::array<RecentSeconds, kResources> breached;

  NodeSecond& At(int64_t second);
  // An empty second where nothing was read.
  NodeSecond In(int64_t second) const;
  double RxBits(int64_t second) const;
  double TxBits(int64_t second) const;
  double Packets(int64_t second) const;
  double Peak10ms(int64_t second, bool inbound) const;  // 0 = no window
  bool Blind(UnixMillis now, const Thresholds& thresholds) const;
  // Whether any second of [from, to] is missing.
  bool Gap(int64_t from, int64_t to) const;
  bool BreachedIn(int64_t from, int64_t to, bool inbound) const;
};

class Activity {
 public:
  explicit Activity(Names& names) : names_(names) {}

  void Add(const NodeReadings& readings, UnixMillis now);
  NodeActivity& Node(NodeNumber node);
  const NodeActivity* FindNode(NodeNumber node) const;
  std::unordered_map<NodeNumber, NodeActivity>& nodes() { return nodes_; }
  const std::unordered_map<NodeNumber, NodeActivity>& nodes() const { return nodes_; }

  PartyActivity& Party(PartyNumber number) {
    if (number >= parties_.size()) parties_.resize(std::max(names_.parties(), static_cast<size_t>(number) + 1));
    return parties_[number];
  }
  void Prefetch(PartyNumber number, int64_t second) const {
    if (number >= parties_.size()) return;
    __builtin_prefetch(&parties_[number], 1);
    __builtin_prefetch(&parties_[number].seconds[static_cast<size_t>(second) % kPartySeconds], 1);
  }
  // Once for each tick: parties may have come or moved.
  void ForgetPlaces() { by_node_.clear(); }
  // Parties of a node with traffic in [from, to], by bytes in that direction, most first.
  struct Share {
    PartyNumber party = kNobody;
    uint64_t bytes = 0;
  };
  std::vector<Share> Ranked(NodeNumber node, const std::vector<int64_t>& seconds, bool rx, bool tx);
  void Forget(int64_t before_s);

 private:
  static void LearnUplinks(NodeActivity& node, std::span<const model::NodeSample> samples);
  void AddSample(NodeActivity& node, const model::NodeSample& sample);
  static void AddInterface(NodeActivity& node, const model::NodeSample& sample, int64_t second);
  void AddWindow(NodeActivity& node, const model::RateWindow& window);

  Names& names_;
  std::vector<PartyActivity> parties_;
  std::unordered_map<NodeNumber, std::vector<PartyNumber>> by_node_;  // made when asked for
  std::unordered_map<NodeNumber, NodeActivity> nodes_;
};

}  // namespace weir::diagnose
