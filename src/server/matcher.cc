#include "server/matcher.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "base/metrics.h"

namespace weir::server {
namespace {

using model::Side;

constexpr int64_t kGraceIntervals = 3;
constexpr int64_t kIdleMs = 600'000;           // identities are remembered this long
constexpr int64_t kCreditLifeMs = 86'400'000;  // an agent that spools longer is not waited for
constexpr int kIdleChecksPerCall = 10'000;
constexpr std::array kIdentityTexts{
    &model::LocalIdentity::process,        &model::LocalIdentity::container,   &model::LocalIdentity::unit,
    &model::LocalIdentity::pod_uid,        &model::LocalIdentity::netns_name,  &model::LocalIdentity::server_name,
    &model::LocalIdentity::alpn,           &model::LocalIdentity::application, &model::LocalIdentity::image,
    &model::LocalIdentity::container_name,
};

ReportedEnd EndOf(const Seen& seen) { return {seen.from->batch.node, seen.report->identity, seen.report->ends.netns}; }

bool IsConfined(const model::Address& address) { return address.is_loopback() || address.is_link_local(); }

bool IsConfined(const FlowKey& key) { return IsConfined(key.client_address) || IsConfined(key.server_address); }

// A number of two network namespaces; never 0.
uint32_t PairOf(uint32_t client_netns, uint32_t server_netns) {
  const uint64_t both = uint64_t{client_netns} << 32 | server_netns;
  const auto mixed = static_cast<uint32_t>(XXH3_64bits(&both, sizeof(both)));
  return mixed != 0 ? mixed : 1;
}

FlowKey AcrossAgents(FlowKey key) {
  key.agent = 0;
  return key;
}

// One flood must not make every later interval pay for clearing its table.
template <typename Map>
void Clear(Map& map) {
  if (map.bucket_count() > 4'096 && map.bucket_count() > 16 * map.size()) {
    map = Map();
  } else {
    map.clear();
  }
}

// Takes from `left` at most `wanted`.
Shared TakeUpTo(Shared& left, const Shared& wanted) {
  Shared taken{};
  for (size_t i = 0; i < kSharedMeasures; ++i) {
    taken[i] = std::min(left[i], wanted[i]);
    left[i] -= taken[i];
  }
  return taken;
}

void AddShared(model::FlowRow& row, const Shared& shared) {
  model::FlowRow more;
  more.start = row.start;  // the same interval, or the row would begin in 1970
  more.end = row.end;
  SetShared(more, shared);
  model::Accumulate(row, more);
}

// To the row with the most segments.
void AddToLargest(std::span<store::StoredRow> rows, Side side, const Seen& seen) {
  const auto segments = [](const store::StoredRow& out) {
    return out.row.segments_to_server + out.row.segments_to_client;
  };
  const auto largest = std::max_element(rows.begin(), rows.end(),
                                        [&](const auto& a, const auto& b) { return segments(a) < segments(b); });
  AddOwnMeasures(largest->row, side, seen.report->counters);
}

}  // namespace

Matcher::Matcher(MatcherOptions options, const Neighbourhood& neighbourhood)
    : options_(options), neighbourhood_(neighbourhood), memory_(std::max<size_t>(options.max_flows, 1)) {}

void Matcher::Match(std::span<PendingBatch* const> batches, UnixMillis now, std::vector<store::StoredRow>& rows) {
  std::vector<PendingBatch*> ordered(batches.begin(), batches.end());
  std::stable_sort(ordered.begin(), ordered.end(), [](const PendingBatch* a, const PendingBatch* b) {
    return std::pair(a->batch.end, a->batch.start) < std::pair(b->batch.end, b->batch.start);
  });
  for (size_t first = 0; first < ordered.size();) {
    const model::AgentBatch& batch = ordered[first]->batch;
    size_t last = first + 1;
    while (last < ordered.size() && ordered[last]->batch.end == batch.end &&
           ordered[last]->batch.start == batch.start) {
      ++last;
    }
    MatchInterval(std::span(ordered).subspan(first, last - first), {batch.start, batch.end, now, &rows});
    first = last;
  }
  ForgetIdle(now, rows);
}

// The whole network's where the addresses allow.
FlowKey Matcher::WidestKey(AgentNumber agent, const model::FlowEnds& ends) const {
  FlowKey key;
  // As the server's report names it.
  key.client_address = ends.snat_address.is_unspecified() ? ends.client_address : ends.snat_address;
  key.server_address = ends.server_address;
  key.server_port = ends.server_port;
  key.protocol = ends.protocol;
  if (IsConfined(key)) key.agent = agent;
  if (key.client_address.is_loopback() || key.server_address.is_loopback()) {
    key.netns = ends.netns;
  } else if (ends.peer_netns != 0) {
    const bool client = ends.side == Side::kClient;
    const model::Address& other = client ? key.server_address : key.client_address;
    // An end that nobody knows may well be on another node.
    if (ends.peer_netns == model::kUnknownNetns && !neighbourhood_.IsLocal(other, agent)) return key;
    key.agent = agent;
    key.netns = client ? PairOf(ends.netns, ends.peer_netns) : PairOf(ends.peer_netns, ends.netns);
  }
  return key;
}

void Matcher::MatchInterval(std::span<PendingBatch* const> batches, const Interval& interval) {
  GroupReports(batches);
  for (Group& group : groups_) {
    const AgentNumber agent = OnlyAgentOf(group);
    if (agent == 0) {
      SettleByAgent(group, interval);
      continue;
    }
    FlowSlot slot = FlowMemory::kNone;
    group.key.agent = agent;
    if (!StaysWithinAgent(group, interval.now, slot)) {
      group.key = AcrossAgents(group.key);
      slot = memory_.Find(group.key);
    }
    Settle(group, slot, interval);
  }
  // Last: their connections may have come in this very interval.
  for (const Seen& seen : request_reports_) EmitRequests(seen, interval);
}

void Matcher::GroupReports(std::span<PendingBatch* const> batches) {
  nodes_.clear();
  groups_.clear();
  request_reports_.clear();
  Clear(group_index_);
  for (PendingBatch* batch : batches) {
    for (model::SideReport& report : batch->batch.reports) {
      if (!report.request.empty()) {
        request_reports_.push_back({batch, &report});
        continue;
      }
      const FlowKey key = WidestKey(batch->agent, report.ends);
      const auto [found, is_new] = group_index_.try_emplace(key, static_cast<uint32_t>(groups_.size()));
      if (is_new) groups_.push_back({key, {}, {}});
      Group& group = groups_[found->second];
      Append(report.ends.side == Side::kClient ? group.clients : group.servers, {batch, &report});
    }
  }
}

// 0 when there are several.
AgentNumber Matcher::OnlyAgentOf(const Group& group) const {
  AgentNumber only = 0;
  for (const List* list : {&group.clients, &group.servers}) {
    for (uint32_t at = list->first; at != kEnd; at = nodes_[at].next) {
      const AgentNumber agent = nodes_[at].seen.from->agent;
      if (only != 0 && only != agent) return 0;
      only = agent;
    }
  }
  return only;
}

// First what has both ends with one agent, agent by agent; then, together, what is left.
void Matcher::SettleByAgent(const Group& group, const Interval& interval) {
  by_agent_.clear();
  for (const List* list : {&group.clients, &group.servers}) {
    for (uint32_t at = list->first; at != kEnd; at = nodes_[at].next) by_agent_.push_back(at);
  }
  std::stable_sort(by_agent_.begin(), by_agent_.end(),
                   [&](uint32_t a, uint32_t b) { return nodes_[a].seen.from->agent < nodes_[b].seen.from->agent; });
  Group left{group.key, {}, {}};
  for (size_t i = 0; i < by_agent_.size();) {
    Group own{group.key, {}, {}};
    own.key.agent = nodes_[by_agent_[i]].seen.from->agent;
    for (; i < by_agent_.size() && nodes_[by_agent_[i]].seen.from->agent == own.key.agent; ++i) {
      Node& node = nodes_[by_agent_[i]];
      node.next = kEnd;
      const bool client = node.seen.report->ends.side == Side::kClient;
      Splice(client ? own.clients : own.servers, {by_agent_[i], by_agent_[i], 1});
    }
    FlowSlot slot = FlowMemory::kNone;
    if (StaysWithinAgent(own, interval.now, slot)) {
      Settle(own, slot, interval);
    } else {
      Splice(left.clients, own.clients);
      Splice(left.servers, own.servers);
    }
  }
  if (left.clients.count + left.servers.count != 0) Settle(left, memory_.Find(left.key), interval);
}

void Matcher::Append(List& list, Seen seen) {
  const auto node = static_cast<uint32_t>(nodes_.size());
  nodes_.push_back({seen, kEnd});
  Splice(list, {node, node, 1});
}

void Matcher::Splice(List& to, const List& from) {
  if (from.count == 0) return;
  if (to.count == 0) {
    to = from;
    return;
  }
  nodes_[to.last].next = from.first;
  to.last = from.last;
  to.count += from.count;
}

bool Matcher::StaysWithinAgent(const Group& group, UnixMillis now, FlowSlot& slot) {
  slot = memory_.Find(group.key);
  if (IsConfined(group.key) || group.key.netns != 0) return true;
  const AgentNumber agent = group.key.agent;
  if (group.clients.count == 0 || group.servers.count == 0) {
    const bool client = group.clients.count != 0;
    const model::Address& other = client ? group.key.server_address : group.key.client_address;
    if (slot == FlowMemory::kNone && !neighbourhood_.IsLocal(other, agent)) return false;
    if (neighbourhood_.LiveOwner(other, agent, now) != 0) return false;  // the address has moved to another node
  }
  if (slot == FlowMemory::kNone) slot = AdoptFromAcross(group.key);
  return true;
}

// One of the ends may have come alone before it was known that both live here; its account moves along.
FlowSlot Matcher::AdoptFromAcross(const FlowKey& key) {
  const FlowSlot slot = memory_.Find(AcrossAgents(key));
  if (slot == FlowMemory::kNone) return FlowMemory::kNone;
  for (const KnownEnd* end : {&memory_[slot].client, &memory_[slot].server}) {
    if (end->agent != 0 && end->agent != key.agent) return FlowMemory::kNone;
  }
  memory_.Rekey(slot, key);
  return slot;
}

FlowSlot Matcher::AddFlow(const FlowKey& key, const Interval& interval) {
  if (memory_.full()) {
    Count(Metric::server_flows_forgotten);
    const FlowSlot oldest = memory_.oldest();
    EmitExcess(memory_[oldest], interval.now, *interval.rows);
    memory_.Drop(oldest);
  }
  return memory_.Add(key, interval.now);
}

void Matcher::Settle(const Group& group, FlowSlot slot, const Interval& interval) {
  if (slot == FlowMemory::kNone) {
    slot = AddFlow(group.key, interval);
  } else {
    memory_.Touch(slot, interval.now);
  }
  FlowState& state = memory_[slot];
  const bool client = group.clients.count != 0;
  const bool server = group.servers.count != 0;
  const Shared client_sum = SumOf(group.clients);
  const Shared server_sum = SumOf(group.servers);
  LedgerInterval booked{interval.end, kGraceIntervals * (interval.end - interval.start)};
  if (!state.ledger.paired()) booked.complete_history = HasCompleteHistory(group, state, interval);
  const Shared shared = state.ledger.Settle(booked, client ? &client_sum : nullptr, server ? &server_sum : nullptr);

  if (client) Remember(state.client, group.clients, interval);
  if (server) Remember(state.server, group.servers, interval);
  if (client && server) {
    Count(Metric::server_rows_merged, std::min(group.clients.count, group.servers.count));
  }
  if (group.clients.count <= 1 && group.servers.count <= 1) {
    EmitPair(group, state, shared, interval);
  } else {
    EmitMany(group, state, shared, interval);
  }
  if (!state.excess_queued && state.ledger.HasExcess()) QueueQuietCheck(slot);
}

// A process or a server that just started may find a flow in the middle of an exchange whose beginning is
// stored already.
bool Matcher::HasCompleteHistory(const Group& group, const FlowState& state, const Interval& interval) const {
  const int64_t needed = kGraceIntervals * (interval.end - interval.start);
  const auto is_new = [&](AgentNumber agent) {
    return neighbourhood_.Knows(agent) && interval.start - neighbourhood_.Progress(agent).first_start < needed;
  };
  for (const List* list : {&group.clients, &group.servers}) {
    if (list->count != 0 && is_new(nodes_[list->first].seen.from->agent)) return false;
  }
  return !is_new(state.client.agent) && !is_new(state.server.agent);
}

Shared Matcher::SumOf(const List& list) const {
  Shared sum{};
  for (uint32_t at = list.first; at != kEnd; at = nodes_[at].next) Add(sum, SharedOf(*nodes_[at].seen.report));
  return sum;
}

void Matcher::Remember(KnownEnd& end, const List& list, const Interval& interval) {
  const Seen& newest = nodes_[list.last].seen;
  end.agent = newest.from->agent;
  end.sequence = newest.from->batch.sequence;
  end.start = interval.start;
  end.end = std::max(end.end, interval.end);
  const model::LocalIdentity& reported = newest.report->identity;
  if (list.count == 1 && end.identity != nullptr && EndOf(newest).Is(*end.identity->entity) &&
      end.identity->server_name == reported.server_name && end.identity->alpn == reported.alpn &&
      end.identity->application == reported.application && end.identity->used == UsedOf(newest.report->ends)) {
    return;
  }
  end.identity = memory_.Share(CommonIdentity(list, interval.now));
}

// What all reports of one end agree on; the rest is empty.
EndIdentity Matcher::CommonIdentity(const List& list, UnixMillis now) {
  const Seen& first = nodes_[list.first].seen;
  model::LocalIdentity common = first.report->identity;
  std::string_view node = first.from->batch.node;
  uint32_t netns = first.report->ends.netns;
  UsedAddresses used = UsedOf(first.report->ends);
  for (uint32_t at = nodes_[list.first].next; at != kEnd; at = nodes_[at].next) {
    const Seen& seen = nodes_[at].seen;
    if (seen.from->batch.node != node) node = {};
    if (seen.report->ends.netns != netns) netns = 0;
    if (UsedOf(seen.report->ends) != used) used = {};
    for (const auto field : kIdentityTexts) {
      if (common.*field != seen.report->identity.*field) (common.*field).clear();
    }
  }
  model::EntityRef entity = entities_.Reported({node, common, netns}, now);
  return {std::move(entity), std::move(common.server_name), std::move(common.alpn), std::move(common.application),
          used};
}

model::EntityRef Matcher::EntityOf(const Seen& seen, UnixMillis now) { return entities_.Reported(EndOf(seen), now); }

// An end nobody reports is its address, on the node that has it.
model::EntityRef Matcher::UnreportedEnd(const FlowState& state, Side side, UnixMillis now) {
  const bool client = side == Side::kClient;
  const model::Address& address = client ? state.key.client_address : state.key.server_address;
  const AgentNumber seen_by = client ? state.server.agent : state.client.agent;
  const AgentNumber within = state.key.agent != 0 ? state.key.agent : IsConfined(address) ? seen_by : 0;
  const AgentNumber holder = within != 0 ? within : neighbourhood_.Holder(address, seen_by);
  return entities_.Unreported(address, neighbourhood_.Knows(holder) ? neighbourhood_.Progress(holder).node : "", now);
}

store::StoredRow& Matcher::NewRow(const FlowState& state, const Interval& interval) const {
  store::StoredRow& out = interval.rows->emplace_back();
  SetFlow(out.row, state.key, interval.start, interval.end);
  return out;
}

void Matcher::Recall(model::FlowRow& row, Side side, const FlowState& state, const Interval& interval) {
  const KnownEnd& end = side == Side::kClient ? state.client : state.server;
  if (end.identity != nullptr && interval.end - end.end <= kIdleMs) {
    SetRecalledEnd(row, side, *end.identity);
  } else {
    EntityAt(row, side) = UnreportedEnd(state, side, interval.now);
  }
}

// At most one report of each end: one row.
void Matcher::EmitPair(const Group& group, const FlowState& state, const Shared& shared, const Interval& interval) {
  store::StoredRow& out = NewRow(state, interval);
  SetShared(out.row, shared);
  for (const Side side : {Side::kServer, Side::kClient}) {  // the client last: its level of open connections stays
    const List& list = side == Side::kClient ? group.clients : group.servers;
    if (list.count == 0) {
      Recall(out.row, side, state, interval);
      continue;
    }
    const Seen& seen = nodes_[list.first].seen;
    SetReportedEnd(out, side, seen, (side == Side::kClient ? state.client : state.server).identity->entity);
    AddOwnMeasures(out.row, side, seen.report->counters);
    out.row.connections_open = seen.report->counters.open;
  }
}

// Behind masquerade one address may be that of several machines.
bool Matcher::HaveOneWay(const List& list) const {
  const UsedAddresses used = UsedOf(nodes_[list.first].seen.report->ends);
  for (uint32_t at = list.first; at != kEnd; at = nodes_[at].next) {
    if (UsedOf(nodes_[at].seen.report->ends) != used) return false;
  }
  return true;
}

// Several processes at one end. The end that tells them apart leads: its rows carry the shared measures, and the
// other end's identity: its report's, or what Remember() found its reports to agree on. What only the other end knows
// cannot be divided without inventing something, so it goes on rows of its own; but for what is the same for all of
// them, being the way's.
void Matcher::EmitMany(const Group& group, const FlowState& state, Shared shared, const Interval& interval) {
  const bool servers_lead = group.clients.count == 0 || (group.clients.count == 1 && group.servers.count > 1);
  const Side lead_side = servers_lead ? Side::kServer : Side::kClient;
  const Side other_side = OtherSide(lead_side);
  const List& lead = servers_lead ? group.servers : group.clients;
  const List& other = servers_lead ? group.clients : group.servers;

  const size_t first_row = interval.rows->size();
  for (uint32_t at = lead.first; at != kEnd; at = nodes_[at].next) {
    const Seen& seen = nodes_[at].seen;
    store::StoredRow& out = NewRow(state, interval);
    SetShared(out.row, TakeUpTo(shared, SharedOf(*seen.report)));
    SetReportedEnd(out, lead_side, seen, EntityOf(seen, interval.now));
    AddOwnMeasures(out.row, lead_side, seen.report->counters);
    out.row.connections_open = seen.report->counters.open;
    if (other.count == 1) {
      SetReportedEnd(out, other_side, nodes_[other.first].seen, EntityOf(nodes_[other.first].seen, interval.now));
    } else {
      Recall(out.row, other_side, state, interval);
    }
  }
  if (other.count == 1 && lead.count != 0 && IsZero(shared) && HaveOneWay(lead) &&
      AreOfThePath(nodes_[other.first].seen.report->counters)) {
    AddToLargest(std::span(*interval.rows).subspan(first_row), other_side, nodes_[other.first].seen);
    return;
  }
  const size_t first_other_row = interval.rows->size();
  for (uint32_t at = other.first; at != kEnd; at = nodes_[at].next) {
    const Seen& seen = nodes_[at].seen;
    store::StoredRow& out = NewRow(state, interval);
    SetReportedEnd(out, other_side, seen, EntityOf(seen, interval.now));
    Recall(out.row, lead_side, state, interval);
    AddOwnMeasures(out.row, other_side, seen.report->counters);
  }
  // More than the leading end's reports explain: the other end's, or the leading client's beyond its servers'.
  const size_t rest = other.count == 0 ? first_row : first_other_row;
  if (!IsZero(shared)) AddShared((*interval.rows)[rest].row, shared);
}

// Measured at one end only, so there is nothing to join; the other end is named where the flow is known.
void Matcher::EmitRequests(const Seen& seen, const Interval& interval) {
  const Side side = seen.report->ends.side;
  FlowState unknown;
  unknown.key = WidestKey(seen.from->agent, seen.report->ends);
  FlowKey within = unknown.key;
  within.agent = seen.from->agent;
  FlowSlot slot = memory_.Find(within);
  if (slot == FlowMemory::kNone) slot = memory_.Find(unknown.key);
  (side == Side::kClient ? unknown.client : unknown.server).agent = seen.from->agent;
  const FlowState& state = slot == FlowMemory::kNone ? unknown : memory_[slot];
  store::StoredRow& out = NewRow(state, interval);
  SetRequestKind(out.row, seen.report->request);
  SetReportedEnd(out, side, seen, EntityOf(seen, interval.now));
  AddOwnMeasures(out.row, side, seen.report->counters);
  Recall(out.row, OtherSide(side), state, interval);
}

void Matcher::EmitExcess(FlowState& state, UnixMillis now, std::vector<store::StoredRow>& rows) {
  if (!state.ledger.HasExcess()) return;
  const Interval interval{state.server.start, state.server.end, now, &rows};
  store::StoredRow& out = NewRow(state, interval);
  SetShared(out.row, state.ledger.TakeExcess());
  Recall(out.row, Side::kClient, state, interval);
  Recall(out.row, Side::kServer, state, interval);
  out.row.server_reports = 1;
  out.server_agent = neighbourhood_.Progress(state.server.agent).id;
  out.server_sequence = state.server.sequence;
}

void Matcher::QueueQuietCheck(FlowSlot slot) {
  FlowState& state = memory_[slot];
  state.excess_queued = true;
  quiet_checks_.push({state.ledger.quiet_at() + options_.match_hold_ms, slot, state.generation});
}

void Matcher::SettleQuiet(UnixMillis now, size_t max_rows, std::vector<store::StoredRow>& rows) {
  const size_t limit = rows.size() + max_rows;
  while (!quiet_checks_.empty() && quiet_checks_.top().due < now && rows.size() < limit) {
    const QuietCheck check = quiet_checks_.top();
    quiet_checks_.pop();
    FlowState& state = memory_[check.slot];
    if (state.generation != check.generation) continue;
    state.excess_queued = false;
    if (!state.ledger.HasExcess()) continue;
    if (state.ledger.quiet_at() + options_.match_hold_ms >= now) {
      QueueQuietCheck(check.slot);
    } else {
      EmitExcess(state, now, rows);
    }
  }
}

// An agent that was cut off keeps its reports and sends them later; until then the flow's account must stay.
bool Matcher::OtherEndMayStillReport(const FlowState& state) const {
  const UnixMillis last = std::max(state.client.end, state.server.end);
  const auto behind = [&](const KnownEnd& end, const KnownEnd& other, const model::Address& address) {
    const AgentNumber agent = end.agent != 0 ? end.agent : neighbourhood_.LastOwner(address, other.agent);
    return neighbourhood_.Knows(agent) && neighbourhood_.Progress(agent).newest_end < last;
  };
  return behind(state.client, state.server, state.key.client_address) ||
         behind(state.server, state.client, state.key.server_address);
}

void Matcher::ForgetIdle(UnixMillis now, std::vector<store::StoredRow>& rows) {
  for (int checks = 0; checks < kIdleChecksPerCall && memory_.size() != 0; ++checks) {
    const FlowSlot slot = memory_.oldest();
    FlowState& state = memory_[slot];
    if (now - state.touched <= kIdleMs) return;
    const UnixMillis last = std::max(state.client.end, state.server.end);
    if (now - last < kCreditLifeMs && OtherEndMayStillReport(state)) {
      memory_.Touch(slot, now);
      continue;
    }
    EmitExcess(state, now, rows);
    memory_.Drop(slot);
  }
}

}  // namespace weir::server
