#define XXH_INLINE_ALL
#include <xxhash.h>

#include "agent/flow/flow_table.h"

#include <algorithm>
#include <utility>

#include "base/metrics.h"

namespace weir::agent::flow {
namespace {

constexpr Nanos kIdleReportPeriod = 30'000'000'000;

FlowTable::Index OverflowOf(model::Side side) { return side == model::Side::kClient ? 0 : 1; }

FlowKey OverflowKey(model::Side side) {
  static constexpr std::string_view kName = "(overflow)";
  FlowKey key;
  key.client = key.server = model::Address::FromV4(0);
  std::copy(kName.begin(), kName.end(), key.comm.begin());
  key.side = side;
  return key;
}

std::string_view TextOf(const Comm& comm) {
  return {comm.data(), static_cast<size_t>(std::find(comm.begin(), comm.end(), '\0') - comm.begin())};
}

}  // namespace

void ApplyTranslation(const Translation& found, FlowKey& key) {
  if (found.state != Translation::State::kTranslated) return;
  if (found.server != key.server || found.server_port != key.server_port) {
    key.service = std::exchange(key.server, found.server);
    key.service_port = std::exchange(key.server_port, found.server_port);
  }
  if (found.client != key.client) key.snat = found.client;
}

size_t FlowTable::Hash::operator()(const FlowKey& key) const {
  static_assert(sizeof(FlowKey) == 104, "hashed as bytes: no padding allowed");
  return XXH3_64bits(&key, sizeof(key));
}

FlowTable::FlowTable(uint32_t max_flows, identity::Identities& identities, const ConnectionNames* names)
    : max_flows_(max_flows), limit_(max_flows), identities_(identities), names_(names) {
  for (const model::Side side : {model::Side::kClient, model::Side::kServer}) {
    Flow& flow = flows_.emplace_back();
    flow.key = OverflowKey(side);
    flow.name = std::make_shared<const identity::CgroupName>();
    flow.netns_name = identities_.NetnsNameOf(0);
    flow.in_use = true;
  }
}

FlowTable::Index FlowTable::Find(const FlowKey& key) {
  const auto known = index_.find(key);
  return known != index_.end() ? known->second : Make(key);
}

FlowTable::Index FlowTable::Acquire(const FlowKey& key) {
  const Index flow = Find(key);
  ++flows_[flow].sockets;
  return flow;
}

FlowTable::Index FlowTable::Make(const FlowKey& key) {
  if (index_.size() >= limit_) {
    Count(Metric::agent_flow_table_full);
    return OverflowOf(key.side);
  }
  Index flow = 0;
  if (free_.empty()) {
    flow = static_cast<Index>(flows_.size());
    flows_.emplace_back();
  } else {
    flow = free_.back();
    free_.pop_back();
  }
  flows_[flow].key = key;
  flows_[flow].name = identities_.NameOf(key.owner);  // now: the container may be gone at the end of the interval
  flows_[flow].netns_name = identities_.NetnsNameOf(key.netns);
  flows_[flow].in_use = true;
  index_.insert({key, flow});
  MeetAddress(key);
  // Without sockets and news nobody would ever drop it again.
  (void)Touch(flow);
  return flow;
}

void FlowTable::Hold(bool held) {
  limit_ = held ? std::min<size_t>(max_flows_, std::max(index_.size(), kHeldFlows)) : max_flows_;
}

model::SideCounters& FlowTable::Touch(Index flow) {
  Flow& touched = flows_[flow];
  if (!touched.active) {
    touched.active = true;
    active_.push_back(flow);
  }
  return touched.counters;
}

void FlowTable::Opened(Index flow) {
  ++flows_[flow].open;
  (void)Touch(flow);
}

void FlowTable::Closed(Index flow) {
  --flows_[flow].open;
  (void)Touch(flow);
}

void FlowTable::MeetAddress(const FlowKey& key) {
  const bool client = key.side == model::Side::kClient;
  namesakes_.Meet(client ? key.client : key.server, key.netns, emitted_);
}

uint32_t FlowTable::PeerOf(const FlowKey& key) const {
  const bool client = key.side == model::Side::kClient;
  if (client) return namesakes_.PeerOf(key.netns, key.client, key.server);
  return namesakes_.PeerOf(key.netns, key.server, key.client);
}

void FlowTable::PlaceListenerNews() {
  if (listener_news_.empty()) return;
  for (Index index = kOverflowFlows; index < flows_.size(); ++index) {
    const Flow& flow = flows_[index];
    if (!flow.in_use || flow.key.side != model::Side::kServer) continue;
    listener_news_.Offer(flow.key, {index, flow.open, flow.counters.segments_received});
  }
  listener_news_.Settle([this](Index flow, const ListenerNews::News& news) {
    model::SideCounters& counters = Touch(flow);
    counters.accept_overflows += news.overflows;
    counters.accept_queue_max = std::max(counters.accept_queue_max, news.queue_max);
  });
}

void FlowTable::Emit(Nanos now, std::vector<model::SideReport>& out) {
  const bool is_first = std::exchange(emitted_, now) == 0;
  PlaceListenerNews();
  out.reserve(out.size() + active_.size());
  const bool idle_too = now >= next_idle_report_;
  if (idle_too) {
    next_idle_report_ = now + kIdleReportPeriod;
    for (Index flow = 0; flow < flows_.size(); ++flow) {
      // It waited for a byte to take back, which did not come.
      if (flow >= kOverflowFlows && flows_[flow].in_use && flows_[flow].sockets == 0 && !flows_[flow].active)
        Drop(flow);
      if (!flows_[flow].in_use || flows_[flow].open == 0) continue;
      MeetAddress(flows_[flow].key);
      (void)Touch(flow);
    }
    if (!is_first) namesakes_.Expire(now);
  }
  for (const Index index : active_) {
    Flow& flow = flows_[index];
    flow.active = false;
    Report(flow, out);
    if (flow.sockets == 0 && flow.overreported == 0 && index >= kOverflowFlows) Drop(index);
  }
  active_.clear();
  SetGauge(Metric::agent_flows, index_.size());
}

void FlowTable::Report(Flow& flow, std::vector<model::SideReport>& out) {
  model::SideReport& report = out.emplace_back();
  report.ends.side = flow.key.side;
  report.ends.client_address = flow.key.client;
  report.ends.server_address = flow.key.server;
  report.ends.server_port = flow.key.server_port;
  report.ends.netns = flow.key.netns;
  report.ends.peer_netns = PeerOf(flow.key);
  report.ends.service_address = flow.key.service;
  report.ends.service_port = flow.key.service_port;
  report.ends.snat_address = flow.key.snat;
  report.identity.process = identity::PrintableName(TextOf(flow.key.comm), WEIR_COMM_BYTES);
  report.identity.container = flow.name->container;
  report.identity.unit = flow.name->unit;
  report.identity.pod_uid = flow.name->pod_uid;
  report.identity.container_name = flow.name->container_name;
  report.identity.image = flow.name->image;
  // A namespace may get its name after its first socket, and the folder of names is not read at every new flow.
  if (flow.netns_name->empty()) flow.netns_name = identities_.NetnsNameOf(flow.key.netns);
  report.identity.netns_name = *flow.netns_name;
  if (names_ != nullptr && flow.key.name != 0) {
    const ConnectionName& name = names_->Name(flow.key.name);
    report.identity.server_name = name.server_name;
    report.identity.alpn = name.alpn;
    report.identity.application = name.application;
  }
  const auto back = static_cast<uint32_t>(std::min<uint64_t>(flow.overreported, flow.counters.bytes_received));
  flow.counters.bytes_received -= back;
  flow.overreported -= back;
  report.counters = std::exchange(flow.counters, {});
  report.counters.open = flow.open;
}

void FlowTable::Drop(Index index) {
  index_.erase(flows_[index].key);
  flows_[index] = Flow{};
  free_.push_back(index);
}

}  // namespace weir::agent::flow
