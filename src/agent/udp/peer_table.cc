#define XXH_INLINE_ALL
#include <xxhash.h>

#include "agent/udp/peer_table.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "agent/flow/record_address.h"
#include "base/metrics.h"

namespace weir::agent::udp {
namespace {

constexpr Nanos kSecond = 1'000'000'000;
constexpr Nanos kIdle = 60 * kSecond;
constexpr Nanos kIdleWhenCrowded = 2 * kSecond;  // and for DNS, whose sockets live for one question
constexpr uint8_t kMostQuestions = 3;            // about one pair, until it is left alone
constexpr Nanos kTranslated = 30 * kSecond;      // the least time an entry is kept; then it may lead elsewhere
constexpr uint16_t kFirstRegistered = 1'024;     // RFC 6335
constexpr uint16_t kFirstEphemeral = 32'768;     // ip_local_port_range as Linux has it

std::string_view TextOf(const flow::Comm& comm) {
  return {comm.data(), static_cast<size_t>(std::find(comm.begin(), comm.end(), '\0') - comm.begin())};
}

}  // namespace

model::Side SideByPorts(uint16_t local, uint16_t remote, bool sent_first) {
  using model::Side;
  for (const uint16_t limit : {kFirstRegistered, kFirstEphemeral}) {
    if ((local < limit) != (remote < limit)) return local < limit ? Side::kServer : Side::kClient;
  }
  if (local != remote) return local < remote ? Side::kServer : Side::kClient;
  return sent_first ? Side::kClient : Side::kServer;
}

size_t PeerTable::KeyHash::operator()(const weir_udp_key& key) const { return XXH3_64bits(&key, sizeof(key)); }

bool PeerTable::KeyEqual::operator()(const weir_udp_key& a, const weir_udp_key& b) const {
  return std::memcmp(&a, &b, sizeof(a)) == 0;
}

size_t PeerTable::FlowHash::operator()(const FlowKey& key) const {
  static_assert(sizeof(FlowKey) == sizeof(flow::FlowKey) + 8, "hashed as bytes: no padding allowed");
  return XXH3_64bits(&key, sizeof(key));
}

PeerTable::Pair& PeerTable::PairOf(Nanos now, const weir_udp_key& key, const weir_udp_flow& flow) {
  const auto [found, is_new] = pairs_.try_emplace(key);
  Pair& pair = found.value();
  if (!is_new) return pair;
  const bool sent_first = (flow.flags & WEIR_UDP_SENT_FIRST) != 0;
  pair.moved = now;
  if (static_cast<Nanos>(flow.first_ns) < begin_) {
    pair.side = SideByPorts(key.local_port, key.remote_port, sent_first);
  } else {
    pair.side = sent_first ? model::Side::kClient : model::Side::kServer;
  }
  return pair;
}

bool PeerTable::OnPair(Nanos now, bool crowded, const weir_udp_key& key, const weir_udp_flow& flow) {
  Pair& pair = PairOf(now, key, flow);
  if (flow.datagrams_sent == pair.datagrams_sent && flow.datagrams_received == pair.datagrams_received) {
    const bool brief = crowded || key.remote_port == WEIR_DNS_PORT;
    return now - pair.moved >= (brief ? kIdleWhenCrowded : kIdle);
  }
  FlowKey made = FlowOf(key, flow, pair.side);
  Translate(now, key, flow, pair, made);
  model::SideCounters& counters = CountersOf(made);
  counters.bytes_sent += flow.bytes_sent - pair.bytes_sent;
  counters.bytes_received += flow.bytes_received - pair.bytes_received;
  counters.segments_sent += flow.datagrams_sent - pair.datagrams_sent;
  counters.segments_received += flow.datagrams_received - pair.datagrams_received;
  pair.bytes_sent = flow.bytes_sent;
  pair.datagrams_sent = flow.datagrams_sent;
  pair.bytes_received = flow.bytes_received;
  pair.datagrams_received = flow.datagrams_received;
  pair.moved = now;
  return false;
}

void PeerTable::OnForgotten(Nanos now, const weir_udp_key& key, const weir_udp_flow& last) {
  (void)OnPair(now, false, key, last);
  pairs_.erase(key);
}

PeerTable::FlowKey PeerTable::FlowOf(const weir_udp_key& key, const weir_udp_flow& flow, model::Side side) {
  FlowKey made;
  const model::Address local = flow::AddressOf(key.family, key.local_address);
  const model::Address remote = flow::AddressOf(key.family, key.remote_address);
  const bool client = side == model::Side::kClient;
  made.flow.client = client ? local : remote;
  made.flow.server = client ? remote : local;
  made.flow.server_port = client ? key.remote_port : key.local_port;
  made.flow.side = side;
  made.flow.netns = flow.netns;
  made.flow.owner =
      identities_.OwnerOf(flow.cgroup_id, flow.pid, flow.netns, {flow.comm, strnlen(flow.comm, sizeof(flow.comm))});
  std::copy(std::begin(flow.comm), std::end(flow.comm), made.flow.comm.begin());
  made.quic = (flow.flags & WEIR_UDP_QUIC) != 0 ? 1 : 0;
  return made;
}

void PeerTable::Translate(Nanos now, const weir_udp_key& key, const weir_udp_flow& flow, Pair& pair, FlowKey& made) {
  if (translations_ == nullptr || pair.side != model::Side::kClient || flow.datagrams_sent == 0) return;
  if (now >= pair.settled_until) {
    flow::ClientEnds ends;
    ends.protocol = model::Protocol::kUdp;
    ends.netns = flow.netns;
    ends.pid = flow.pid;
    ends.client = made.flow.client;
    ends.client_port = key.local_port;
    ends.server = made.flow.server;
    ends.server_port = key.remote_port;
    // A first datagram may still be on its way to whoever translates; one without an answer is asked for a few times.
    ends.answered = flow.datagrams_received > 0;
    ends.last = !ends.answered;
    const flow::Translation found = translations_->Find(ends);
    const bool told = found.state == flow::Translation::State::kTranslated ||
                      (found.state == flow::Translation::State::kNone && ends.answered);
    // What cannot be told now is what it was before.
    if (told || pair.asked == 0) pair.translation = found;
    ++pair.asked;
    if (told || pair.asked >= kMostQuestions) {
      pair.settled_until = now + kTranslated;
      pair.asked = 0;
    }
  }
  flow::ApplyTranslation(pair.translation, made.flow);
}

model::SideCounters& PeerTable::CountersOf(const FlowKey& key) {
  if (const auto known = flows_.find(key); known != flows_.end()) return known.value();
  if (flows_.size() < max_flows_) return flows_[key];
  Count(Metric::agent_flow_table_full);
  static constexpr std::string_view kName = "(overflow)";
  FlowKey overflow;
  overflow.flow.client = overflow.flow.server = model::Address::FromV4(0);
  overflow.flow.side = key.flow.side;
  std::copy(kName.begin(), kName.end(), overflow.flow.comm.begin());
  return flows_[overflow];
}

void PeerTable::Report(const FlowKey& key, const model::SideCounters& counters, std::vector<model::SideReport>& out) {
  model::SideReport& report = out.emplace_back();
  report.ends.protocol = model::Protocol::kUdp;
  report.ends.side = key.flow.side;
  report.ends.client_address = key.flow.client;
  report.ends.server_address = key.flow.server;
  report.ends.server_port = key.flow.server_port;
  report.ends.netns = key.flow.netns;
  report.ends.service_address = key.flow.service;
  report.ends.service_port = key.flow.service_port;
  report.ends.snat_address = key.flow.snat;
  const auto name = identities_.NameOf(key.flow.owner);
  report.identity.process = identity::PrintableName(TextOf(key.flow.comm), WEIR_COMM_BYTES);
  report.identity.container = name->container;
  report.identity.unit = name->unit;
  report.identity.pod_uid = name->pod_uid;
  report.identity.container_name = name->container_name;
  report.identity.image = name->image;
  report.identity.netns_name = *identities_.NetnsNameOf(key.flow.netns);
  if (key.quic != 0) report.identity.application = "quic";
  report.counters = counters;
}

void PeerTable::Emit(std::vector<model::SideReport>& out) {
  out.reserve(out.size() + flows_.size());
  for (const auto& [key, counters] : flows_) Report(key, counters, out);
  flows_.clear();
}

}  // namespace weir::agent::udp
