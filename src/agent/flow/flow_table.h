// FlowTable: what the sockets of one flow did together since the last Emit(). A flow is one client address,
// one server address and port, one network namespace, one side and one owner; client ports are folded
// together. Where NAT stands between, the addresses on its other side belong to it too.
//
// Made for 40,000 closed sockets per second: finding a flow is one hash of 104 bytes, nothing is allocated per
// record, and names are resolved once per flow. Bounded by max_flows; what does not fit is added to one
// overflow flow per side, which has no addresses and the process name "(overflow)", and counted
// (agent_flow_table_full).
//
// A flow lives while it has sockets, or until the Emit() that reports what it did. Flows without news but
// with open connections are reported every 30 s. Thread: the agent's loop, all calls.
#pragma once

#include <tsl/robin_map.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/flow/address_translations.h"
#include "agent/flow/connection_names.h"
#include "agent/flow/listener_news.h"
#include "agent/flow/listener_table.h"
#include "agent/flow/namesakes.h"
#include "agent/identity/identities.h"
#include "model/side_report.h"

namespace weir::agent::flow {

struct FlowKey {
  model::Address client;
  model::Address server;
  Comm comm{};         // of the local process
  uint64_t owner = 0;  // Identities::OwnerOf
  uint32_t netns = 0;
  uint16_t server_port = 0;
  model::Side side = model::Side::kClient;
  uint8_t zero = 0;   // so that all bytes are value
  uint32_t name = 0;  // of ConnectionNames; 0 = none
  uint16_t service_port = 0;
  uint16_t zeros = 0;
  // Where NAT led the client to `server`: what it used instead, with service_port; and what the server sees instead of
  // `client`. Unspecified where nothing was changed.
  model::Address service;
  model::Address snat;

  bool operator==(const FlowKey&) const = default;
};

// Puts the ends that NAT made of a client's connection into its key; the client's own stay beside them.
void ApplyTranslation(const Translation& found, FlowKey& key);

class FlowTable {
 public:
  using Index = uint32_t;
  static constexpr size_t kHeldFlows = 1'024;
  static constexpr Index kOverflowFlows = 2;  // the first ones, by side

  // `identities` and, unless null, `names` outlive the table.
  FlowTable(uint32_t max_flows, identity::Identities& identities, const ConnectionNames* names = nullptr);

  // The flow of `key`, made when new. Valid until the next Emit().
  Index Find(const FlowKey& key);
  // As Find(), and the flow stays until Release().
  Index Acquire(const FlowKey& key);
  void Release(Index flow) { --flows_[flow].sockets; }
  // Whether it stands for flows there was no room for.
  static bool IsOverflow(Index flow) { return flow < kOverflowFlows; }
  model::Side SideOf(Index flow) const { return flows_[flow].key.side; }
  const FlowKey& KeyOf(Index flow) const { return flows_[flow].key; }

  // The deltas to add to; `open` is not among them, see Opened() and Closed().
  model::SideCounters& Touch(Index flow);
  // A byte received that was reported and never was: the next one is not reported. Where none comes within
  // kIdleReportPeriod and the flow ends, it stays reported.
  void TakeBackReceived(Index flow) { ++flows_[flow].overreported; }
  void Opened(Index flow);  // one more connection of the flow is open
  void Closed(Index flow);

  // While held, no flow is made beyond as many as there are, or kHeldFlows: the overflow flow takes its place.
  void Hold(bool held);

  // Appends a report per flow with news, and starts the next interval.
  void Emit(Nanos now_monotonic, std::vector<model::SideReport>& out);

  size_t size() const { return index_.size(); }
  // Emit() adds them to their listeners' flows.
  ListenerNews& listener_news() { return listener_news_; }
  // Learns the addresses of its flows itself.
  Namesakes& namesakes() { return namesakes_; }

 private:
  struct Flow {
    FlowKey key;
    model::SideCounters counters;
    std::shared_ptr<const identity::CgroupName> name;
    std::shared_ptr<const std::string> netns_name;
    uint32_t sockets = 0;  // held by Acquire
    uint32_t open = 0;
    uint32_t overreported = 0;  // bytes received, still to be taken back
    bool active = false;        // in active_
    bool in_use = false;
  };
  struct Hash {
    size_t operator()(const FlowKey& key) const;
  };

  Index Make(const FlowKey& key);
  void Report(Flow& flow, std::vector<model::SideReport>& out);
  void PlaceListenerNews();
  void MeetAddress(const FlowKey& key);
  uint32_t PeerOf(const FlowKey& key) const;
  void Drop(Index flow);

  const uint32_t max_flows_;
  size_t limit_;  // max_flows_ unless held
  identity::Identities& identities_;
  const ConnectionNames* const names_;
  std::vector<Flow> flows_;  // the first two are the overflow flows, by side
  std::vector<Index> free_;
  std::vector<Index> active_;
  tsl::robin_map<FlowKey, Index, Hash> index_;
  ListenerNews listener_news_;
  Namesakes namesakes_;
  Nanos emitted_ = 0;  // when last
  Nanos next_idle_report_ = 0;
};

}  // namespace weir::agent::flow
