#define XXH_INLINE_ALL
#include <xxhash.h>

#include "agent/flow/socket_table.h"

#include <netinet/tcp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <type_traits>

#include "agent/flow/outcome.h"
#include "agent/flow/record_address.h"

namespace weir::agent::flow {
namespace {

// A program that was interrupted between reading the socket's flags and its clock.
constexpr uint64_t kRaceMarginNs = 50'000'000;
// Of snapshots that a socket may miss before it is given up: its final record may be on the way (kUnmarked).
constexpr uint32_t kGraceSnapshots = 2;
constexpr size_t kMaxSwept = 65'536;
constexpr size_t kMaxHeld = 65'536;  // records of 272 bytes
constexpr uint32_t kNoTimeouts = 0xffffffff;
constexpr uint32_t kNoRtt = 0xffffffff;

uint64_t Minus(uint64_t a, uint64_t b) { return a > b ? a - b : 0; }

// Modulo 2^32, as the kernel counts; a step back is not 4 billion events but a torn read.
uint32_t Step(uint32_t now, uint32_t before) {
  const uint32_t step = now - before;
  return step < 0x8000'0000 ? step : 0;
}

uint64_t PayloadSent(const weir_record& record) { return Minus(record.bytes_sent, record.bytes_retransmitted); }

uint64_t PayloadReceived(const weir_record& record) {
  return Minus(record.bytes_received, (record.flags & WEIR_SOCKET_FIN_RECEIVED) != 0 ? 1 : 0);
}

void AddRtt(const weir_record& record, model::SideCounters& to) {
  if (record.srtt_us == 0) return;
  ++to.rtt_count;
  to.rtt_sum_us += record.srtt_us;
  to.rtt_max_us = std::max<uint64_t>(to.rtt_max_us, record.srtt_us);
  const bool sampled = record.min_rtt_us != kNoRtt && record.min_rtt_us != 0;
  const uint64_t smallest = sampled ? std::min(record.min_rtt_us, record.srtt_us) : record.srtt_us;
  to.rtt_min_us = to.rtt_min_us == 0 ? smallest : std::min(to.rtt_min_us, smallest);
  to.rtt_histogram.Add(record.srtt_us);
}

void AddConnectTime(const weir_record& record, model::SideCounters& to) {
  if (record.start_ns == 0 || record.established_ns < record.start_ns) return;
  if ((record.flags & WEIR_SOCKET_HANDSHAKE_UNKNOWN) != 0) return;
  const uint64_t took_us = (record.established_ns - record.start_ns) / 1'000;
  ++to.connect_count;
  to.connect_sum_us += took_us;
  to.connect_max_us = std::max(to.connect_max_us, took_us);
}

void AddOutcome(const weir_record& record, bool client, model::SideCounters& to) {
  if (NeverOpened(record) && record.start_ns != 0) {
    to.failed_after_max_us = std::max(to.failed_after_max_us, Minus(record.time_ns, record.start_ns) / 1'000);
  }
  switch (OutcomeOf(record)) {
    case Outcome::kClosed: ++to.closed; break;
    case Outcome::kClosedReset: ++to.closed, ++(client ? to.closed_reset_by_server : to.closed_reset_by_client); break;
    case Outcome::kAborted: ++to.closed, ++(client ? to.closed_reset_by_client : to.closed_reset_by_server); break;
    case Outcome::kClosedTimedOut: ++to.closed, ++to.closed_timed_out; break;
    case Outcome::kRefused: ++to.failed_refused; break;
    case Outcome::kTimedOut: ++to.failed_timed_out; break;
    case Outcome::kUnreachable: ++to.failed_unreachable; break;
    case Outcome::kAbandoned: ++to.failed_abandoned; break;
    case Outcome::kNoPort: ++to.failed_no_port; break;
    case Outcome::kOther: ++to.failed_other; break;
  }
}

// The step since the last record, which becomes this one.
uint32_t Advanced(uint32_t& before, uint32_t now) {
  const uint32_t step = Step(now, before);
  before = now;
  return step;
}

// Why the sender did not send faster, and what it sent for nothing.
template <typename Entry>
void AdvanceSender(const weir_record& record, uint64_t jiffy_us, Entry& entry, model::SideCounters& to) {
  to.retransmitted_bytes += Minus(record.bytes_retransmitted, entry.retransmitted_bytes);
  entry.retransmitted_bytes = record.bytes_retransmitted;
  to.retransmits_rto += Advanced(entry.retransmits_rto, record.retrans_rto);
  to.retransmits_probe += Advanced(entry.retransmits_probe, record.retrans_probe);
  to.spurious_retransmits += Advanced(entry.spurious, record.dsack_dups);
  to.ecn_marks += Advanced(entry.ecn_marks, record.delivered_ce);
  to.busy_us += jiffy_us * Advanced(entry.busy_jiffies, record.busy_jiffies);
  to.window_limited_us += jiffy_us * Advanced(entry.window_jiffies, record.window_jiffies);
  to.buffer_limited_us += jiffy_us * Advanced(entry.buffer_jiffies, record.buffer_jiffies);
  if (record.delivered != entry.delivered && record.rate_interval_us != 0) {
    const uint64_t bytes = uint64_t{record.rate_delivered} * record.mss;
    to.delivery_rate = std::max(to.delivery_rate, bytes * 1'000'000 / record.rate_interval_us);
  }
}

template <typename Entry>
void AdvanceReceiver(const weir_record& record, Entry& entry, model::SideCounters& to) {
  to.out_of_order += Advanced(entry.out_of_order, record.out_of_order);
  to.late_segments += Advanced(entry.late_segments, record.late_segments);
  to.gaps += Advanced(entry.gaps, record.gaps);
  to.reordered += Advanced(entry.reordered, record.reordered);
  to.late_bytes += Minus(record.late_bytes, entry.late_bytes);
  entry.late_bytes = record.late_bytes;
  if (record.kind == WEIR_RECORD_FINAL) return;  // what is unread at the end is thrown away
  to.unread_max = std::max<uint64_t>(to.unread_max, record.unread);
  if (record.state == TCP_ESTABLISHED && (record.flags & WEIR_SOCKET_ZERO_WINDOW) != 0) ++to.zero_windows;
}

// Of two ends that connected to each other at the same time (RFC 9293, 3.5) neither accepted. Both have to say the
// same, so the lower end is the server.
bool IsLowerEnd(const weir_record& record) {
  if (record.local_port != record.remote_port) return record.local_port < record.remote_port;
  return LocalAddress(record) < RemoteAddress(record);
}

// What was found out once does not change.
void KeepTranslation(const FlowKey& from, FlowKey& to) {
  if (!from.service.is_unspecified()) {
    to.server = from.server;
    to.server_port = from.server_port;
    to.service = from.service;
    to.service_port = from.service_port;
  }
  to.snat = from.snat;
}

// Adds what happened since `entry` to `to` and brings `entry` up to date. True: the last record fell between the count
// of a FIN and its flag, and reported it as a byte of payload received.
template <typename Entry>
bool Advance(const weir_record& record, uint64_t jiffy_us, Entry& entry, model::SideCounters& to) {
  const uint64_t sent = PayloadSent(record);
  const uint64_t received = PayloadReceived(record);
  const uint32_t retransmits = Step(record.total_retrans, record.syn_retrans);
  to.bytes_sent += Minus(sent, entry.sent);
  to.bytes_received += Minus(received, entry.received);
  to.segments_sent += Step(record.segs_out, entry.segs_out);
  to.segments_received += Step(record.segs_in, entry.segs_in);
  to.retransmits += Step(retransmits, entry.retransmits);
  to.retransmits_syn += Step(record.syn_retrans, entry.syn_retransmits);
  if (record.timeouts != kNoTimeouts) {
    to.timeouts += static_cast<uint16_t>(record.timeouts - entry.timeouts);  // total_rto is 16 bits wide
    entry.timeouts = record.timeouts;
  }
  AdvanceSender(record, jiffy_us, entry, to);
  AdvanceReceiver(record, entry, to);
  if (record.delivered != entry.delivered) AddRtt(record, to);
  const bool reported_fin = received + 1 == entry.received;
  entry.sent = std::max(entry.sent, sent);
  entry.received = reported_fin ? received : std::max(entry.received, received);
  entry.segs_out = record.segs_out;
  entry.segs_in = record.segs_in;
  entry.retransmits = retransmits;
  entry.syn_retransmits = record.syn_retrans;
  entry.delivered = record.delivered;
  return reported_fin;
}

}  // namespace

size_t SocketTable::Hash::operator()(const Key& key) const {
  // Pointers of one slab differ in few, low bits and births in others: one multiplication spreads both
  // (Fibonacci hashing, Knuth 6.4), the shift brings the good bits down.
  const uint64_t mixed = (key.socket ^ (key.birth << 7)) * 0x9e37'79b9'7f4a'7c15;
  return mixed ^ (mixed >> 32);
}

SocketTable::Key SocketTable::KeyOf(const weir_record& record) {
  if (record.start_ns != 0) return {record.socket, record.start_ns};
  // established_ns of an older socket may come later, that of an accepted one is there from the first.
  return {record.socket, (record.flags & WEIR_SOCKET_EXISTING) != 0 ? 0 : record.established_ns};
}

bool SocketTable::IsOpen(const weir_record& record) {
  return record.state != TCP_SYN_SENT && record.state != TCP_SYN_RECV;
}

bool SocketTable::IsIncoming(const weir_record& record, ListenerTable::Found* found) const {
  *found = {};
  if ((record.flags & WEIR_SOCKET_SIMULTANEOUS) != 0) return IsLowerEnd(record);
  const bool incoming = (record.flags & WEIR_SOCKET_INCOMING) != 0;
  // The kernel side judges older sockets by what was acknowledged, which a FIN makes ambiguous; sock_diag tells
  // nothing.
  const bool older = (record.flags & WEIR_SOCKET_EXISTING) != 0 && (record.flags & WEIR_SOCKET_OUTGOING) == 0;
  const bool doubtful = !incoming && (older || finals_ == Finals::kUnmarked);
  if (!doubtful && !(incoming && record.pid == 0)) return incoming;
  *found =
      listeners_.Find({LocalAddress(record), record.netns, record.local_port, record.cgroup_id, record.established_ns});
  return incoming || found->answer != ListenerTable::Answer::kNone;
}

uint64_t SocketTable::OwnerOf(uint64_t group, uint32_t pid, uint32_t netns, const Comm& comm) const {
  return identities_.OwnerOf(group, pid, netns, {comm.data(), strnlen(comm.data(), comm.size())});
}

FlowKey SocketTable::FlowOf(const weir_record& record, Attribution* by) {
  FlowKey key;
  const model::Address local = LocalAddress(record);
  ListenerTable::Found found;
  const bool incoming = IsIncoming(record, &found);
  uint32_t pid = record.pid;
  uint64_t group = GroupOf(record);
  std::copy(std::begin(record.comm), std::end(record.comm), key.comm.begin());
  by->borrowed = found.answer != ListenerTable::Answer::kNone && pid == 0;
  by->of_all = found.of_all;
  if (pid == 0 && found.listener != nullptr) {
    pid = found.listener->pid;
    socket_activated_ |= pid == 1;
    key.comm = found.listener->comm;
    if (found.listener->holder_cgroup_id != 0) group = found.listener->holder_cgroup_id;
  }
  key.side = incoming ? model::Side::kServer : model::Side::kClient;
  key.client = incoming ? RemoteAddress(record) : local;
  key.server = incoming ? local : RemoteAddress(record);
  key.server_port = incoming ? record.local_port : record.remote_port;
  key.netns = record.netns;
  key.owner = OwnerOf(group, pid, record.netns, key.comm);
  if (!incoming) key.name = NameOf(record);
  return key;
}

// 0 also for a socket older than the agent: it introduced itself before anybody listened.
uint32_t SocketTable::NameOf(const weir_record& record) {
  if (names_ == nullptr || record.start_ns == 0) return 0;
  return names_->Find(record.socket, record.start_ns, record.time_ns);
}

Translation SocketTable::Translate(const weir_record& record, FlowKey& key) {
  Translation found;
  found.of_all = translations_ == nullptr || key.side != model::Side::kClient;
  if (found.of_all || record.local_port == 0) return found;
  found = FindTranslation(record, key);
  ApplyTranslation(found, key);
  return found;
}

Translation SocketTable::FindTranslation(const weir_record& record, const FlowKey& key) {
  if (may_be_translated_) {
    if (const LocalPeers::End* server = peers_.Other(LocalPeers::IdOf(record), model::Side::kClient)) {
      return {Translation::State::kTranslated, server->remote, server->local, server->local_port, false};
    }
  }
  ClientEnds ends;
  ends.netns = key.netns;
  ends.pid = record.pid;
  ends.client = key.client;
  ends.server = key.server;
  ends.client_port = record.local_port;
  ends.server_port = key.server_port;
  ends.last = record.kind == WEIR_RECORD_FINAL;
  ends.answered = ends.last ? !NeverOpened(record) : IsOpen(record);
  ends.closed = ends.last && ends.answered && record.error != ETIMEDOUT;
  ends.succeeded = succeeded_;
  return translations_->Find(ends);
}

RecentFlows::Known SocketTable::FlowOfShort(const weir_record& record) {
  // Names are of single connections. The direction of what is older than the agent, or was found by sock_diag, depends
  // on the local port as well; without one nobody asked for a translation.
  const bool named = names_ != nullptr && (record.flags & WEIR_SOCKET_INCOMING) == 0;
  constexpr uint32_t kByPorts = WEIR_SOCKET_EXISTING | WEIR_SOCKET_SIMULTANEOUS;
  const bool doubtful = (record.flags & kByPorts) != 0 || finals_ == Finals::kUnmarked;
  const bool alike = !named && !doubtful && record.local_port != 0;
  const RecentFlows::Ends ends(record);
  if (const RecentFlows::Known* known = alike ? recent_.Find(ends) : nullptr; known != nullptr) return *known;
  RecentFlows::Known found;
  Attribution by;
  FlowKey key = FlowOf(record, &by);
  found.borrowed = by.borrowed;
  const bool of_all = Translate(record, key).of_all && by.of_all;
  found.flow = flows_.Find(key);
  if (alike && of_all && !FlowTable::IsOverflow(found.flow)) recent_.Put(ends, found);
  return found;
}

// What needs both ends of a connection: translation where anything is translated, and addresses that several namespaces
// have.
bool SocketTable::LooksForPeers() {
  if (!round_began_) {
    round_began_ = true;
    may_be_translated_ = finals_ == Finals::kMarked && translations_ != nullptr && translations_->Active();
  }
  return may_be_translated_ || (finals_ == Finals::kMarked && flows_.namesakes().any());
}

void SocketTable::OnRecord(const weir_record& record) {
  ++records_;
  if ((record.flags & WEIR_SOCKET_UNSENT) != 0) return;  // nothing was asked of the network yet
  constexpr uint32_t kAccepts = WEIR_SOCKET_INCOMING | WEIR_SOCKET_LISTENING;
  if (!LooksForPeers() || (record.flags & kAccepts) != 0) {
    Take(record);
    return;
  }
  held_.push_back(record);
  if (held_.size() >= kMaxHeld) TakeHeld();
}

size_t SocketTable::PortsHash::operator()(const Ports& ports) const {
  static_assert(std::has_unique_object_representations_v<Ports>, "hashed as bytes");
  return XXH3_64bits(&ports, sizeof(ports));
}

void SocketTable::TakeHeld() {
  if (held_.empty()) return;
  std::vector<weir_record> records;
  records.swap(held_);
  // From the last to the first: which of them have been followed by another of their addresses and ports.
  std::vector<bool> succeeded(records.size());
  for (size_t i = records.size(); i-- > 0;) {
    const weir_record& record = records[i];
    if (record.kind != WEIR_RECORD_FINAL) continue;
    Ports ports{record.netns, {}, {}, record.local_port, record.remote_port};
    std::copy(std::begin(record.local_address), std::end(record.local_address), ports.local_address);
    std::copy(std::begin(record.remote_address), std::end(record.remote_address), ports.remote_address);
    succeeded[i] = !later_ports_.insert(ports).second;
  }
  later_ports_.clear();
  for (size_t i = 0; i < records.size(); ++i) {
    succeeded_ = succeeded[i];
    Take(records[i]);
  }
  succeeded_ = false;
  records.clear();
  if (held_.empty()) held_.swap(records);  // for its capacity
}

void SocketTable::MeetPeer(const weir_record& record) {
  const LocalPeers::Id id = LocalPeers::IdOf(record);
  if (id == 0) return;
  const model::Side side = LocalPeers::SideOf(record);
  const LocalPeers::End end{LocalAddress(record), RemoteAddress(record), record.netns, record.local_port};
  peers_.Put(id, side, end);
  const LocalPeers::End* other = flows_.namesakes().any() ? peers_.Other(id, side) : nullptr;
  if (other == nullptr) return;
  // Under the addresses that their reports have, which are those of the end that accepted.
  const bool client = side == model::Side::kClient;
  const LocalPeers::End& accepted = client ? *other : end;
  const uint32_t client_netns = client ? record.netns : other->netns;
  flows_.namesakes().Pair(client_netns, accepted.local, accepted.netns);
  flows_.namesakes().Pair(accepted.netns, accepted.remote, client_netns);
}

void SocketTable::RoundEnds() {
  TakeHeld();
  recent_.Forget();
  round_began_ = false;
}

void SocketTable::Take(const weir_record& record) {
  const bool looked = LooksForPeers();
  if (looked) MeetPeer(record);
  switch (record.kind) {
    case WEIR_RECORD_LISTEN: OnListener(record); break;
    case WEIR_RECORD_LIVE: OnLive(record); break;
    case WEIR_RECORD_FINAL: OnFinal(record); break;
    default: break;
  }
  if (!looked && LooksForPeers()) MeetPeer(record);  // the first of a namespace whose addresses another one has
}

// A queue that is less than a quarter full is no news.
void SocketTable::OnListener(const weir_record& record) {
  recent_.Forget();
  ListenerNews::News news;
  std::copy(std::begin(record.comm), std::end(record.comm), news.comm.begin());
  news.owner = OwnerOf(GroupOf(record), record.pid, record.netns, news.comm);
  news.overflows = listeners_.Put(record, news.owner);
  const bool crowded = record.backlog != 0 && uint64_t{record.backlog} * 4 >= record.max_backlog;
  if (news.overflows == 0 && !crowded) return;
  news.address = LocalAddress(record);
  news.netns = record.netns;
  news.port = record.local_port;
  news.queue_max = record.backlog;
  flows_.listener_news().Put(news);
}

void SocketTable::OnLive(const weir_record& record) {
  const auto known = sockets_.find(KeyOf(record));
  if (known == sockets_.end()) {
    const bool existing = (record.flags & WEIR_SOCKET_EXISTING) != 0;
    if (existing && in_snapshot_) {
      flows_.namesakes().Meet(LocalAddress(record), record.netns, static_cast<Nanos>(record.time_ns));
      existing_.push_back(record);
    } else {
      Enter(record, sockets_[KeyOf(record)], existing);
    }
    return;
  }
  Entry& entry = known.value();
  entry.snapshot = snapshot_;
  const bool name_told = !entry.named && NameOf(record) != 0;
  if (name_told || entry.translate_later || ChangedHands(record, entry)) Attribute(record, entry);
  model::SideCounters& counters = flows_.Touch(entry.flow);
  Update(record, entry, counters);
  if (!entry.open && IsOpen(record)) {
    entry.open = true;
    ++counters.opened;
    AddConnectTime(record, counters);
    flows_.Opened(entry.flow);
  }
}

// Whether the descriptor tables told whose socket it is, or that it is somebody else's by now.
bool SocketTable::ChangedHands(const weir_record& record, const Entry& entry) const {
  if (record.pid == 0 || FlowTable::IsOverflow(entry.flow)) return false;
  if (record.pid != entry.pid) return true;
  const FlowKey& key = flows_.KeyOf(entry.flow);
  return std::memcmp(key.comm.data(), record.comm, sizeof(record.comm)) != 0 ||
         (record.holder_cgroup_id != 0 &&
          OwnerOf(record.holder_cgroup_id, record.pid, record.netns, key.comm) != key.owner);
}

void SocketTable::Enter(const weir_record& record, Entry& entry, bool existing) {
  Attribution by;
  FlowKey key = FlowOf(record, &by);
  entry.borrowed = by.borrowed;
  entry.named = key.name != 0;
  entry.translate_later = Translate(record, key).state == Translation::State::kLater;
  entry.flow = flows_.Acquire(key);
  entry.pid = record.pid;
  entry.snapshot = snapshot_;
  entry.open = IsOpen(record);
  if (entry.borrowed) ++borrowed_;
  model::SideCounters base_line;
  model::SideCounters& counters = existing ? base_line : flows_.Touch(entry.flow);
  Update(record, entry, counters);
  if (entry.open) {
    ++counters.opened;
    AddConnectTime(record, counters);
    flows_.Opened(entry.flow);
  }
}

// The descriptor tables told whose socket it is, its client's first message whom it asks for, or connection tracking
// whom it reaches.
void SocketTable::Attribute(const weir_record& record, Entry& entry) {
  Attribution by;
  FlowKey key = FlowOf(record, &by);
  if (entry.translate_later) {
    entry.translate_later = Translate(record, key).state == Translation::State::kLater;
  } else {
    KeepTranslation(flows_.KeyOf(entry.flow), key);
  }
  const FlowTable::Index flow = flows_.Acquire(key);
  if (entry.open) {
    flows_.Closed(entry.flow);
    flows_.Opened(flow);
  }
  flows_.Release(entry.flow);
  entry.flow = flow;
  entry.named = key.name != 0;
  entry.pid = record.pid;
  if (entry.borrowed && !by.borrowed) --borrowed_;
  entry.borrowed &= by.borrowed;
}

bool SocketTable::MayBeKnown(const weir_record& record) const {
  constexpr uint32_t kSeen = WEIR_SOCKET_REPORTED | WEIR_SOCKET_EXISTING;
  return (record.flags & kSeen) != 0 || finals_ == Finals::kUnmarked ||
         (record.time_ns >= race_from_ns_ && record.time_ns <= race_until_ns_);
}

void SocketTable::OnFinal(const weir_record& record) {
  if ((record.flags & WEIR_SOCKET_LISTENING) != 0) {
    OnListener(record);  // what its queue has cost since the last snapshot
    return;
  }
  auto known = sockets_.end();
  if (MayBeKnown(record)) {
    if (!existing_.empty()) EnterExisting();
    known = sockets_.find(KeyOf(record));
    if (known == sockets_.end() && CountedAlready(record)) return;
  }
  Entry first;
  const bool tracked = known != sockets_.end();
  Entry& entry = tracked ? known.value() : first;
  if (tracked && (entry.translate_later || (!entry.named && NameOf(record) != 0) || ChangedHands(record, entry))) {
    Attribute(record, entry);
  }
  if (!tracked) {
    const RecentFlows::Known found = FlowOfShort(record);
    first.borrowed = found.borrowed;
    first.flow = found.flow;
    if ((record.flags & WEIR_SOCKET_EXISTING) != 0) {
      model::SideCounters base_line;
      Update(record, first, base_line);
      first.open = IsOpen(record);
    }
  }
  model::SideCounters& counters = flows_.Touch(entry.flow);
  Update(record, entry, counters);
  if (!NeverOpened(record) && !entry.open) {
    ++counters.opened;
    AddConnectTime(record, counters);
  }
  if (NeverOpened(record) && entry.open) {
    ++counters.closed;  // tcp_disconnect() made the record forget that it was open (kUnmarked)
  } else {
    AddOutcome(record, flows_.SideOf(entry.flow) == model::Side::kClient, counters);
  }
  if (tracked) {
    Leave(entry);
    sockets_.erase(known);
  }
  if (names_ != nullptr) names_->Forget(record.socket, record.time_ns);
}

// Whether the socket was swept: its final record was thought lost, and it was counted as closed then.
bool SocketTable::CountedAlready(const weir_record& record) { return swept_.erase(KeyOf(record)) > 0; }

void SocketTable::Update(const weir_record& record, Entry& entry, model::SideCounters& counters) {
  constexpr size_t kMaxGroups = 64;
  const uint32_t out_of_order = Step(record.out_of_order, entry.out_of_order);
  if (Advance(record, jiffy_us_, entry, counters)) flows_.TakeBackReceived(entry.flow);
  auto& groups = out_of_order_groups_;
  if (out_of_order == 0 || groups.size() >= kMaxGroups) return;
  if (std::find(groups.begin(), groups.end(), record.cgroup_id) == groups.end()) groups.push_back(record.cgroup_id);
}

void SocketTable::Leave(Entry& entry) {
  if (entry.open) flows_.Closed(entry.flow);
  if (entry.borrowed) --borrowed_;
  flows_.Release(entry.flow);
}

void SocketTable::SnapshotBegins(Nanos now) {
  in_snapshot_ = true;
  ++snapshot_;
  race_from_ns_ = Minus(static_cast<uint64_t>(now), kRaceMarginNs);
  race_until_ns_ = ~uint64_t{0};
}

void SocketTable::SnapshotEnds(Nanos now, Snapshot result) {
  TakeHeld();
  in_snapshot_ = false;
  race_until_ns_ = static_cast<uint64_t>(now);
  EnterExisting();
  if (result == Snapshot::kComplete) SweepUnreported();
  recent_.Forget();
  if (result != Snapshot::kFailed) listeners_.Age();
}

void SocketTable::EnterExisting() {
  std::vector<weir_record> records;
  records.swap(existing_);
  if (flows_.namesakes().any()) {
    for (const weir_record& record : records) MeetPeer(record);
  }
  for (const weir_record& record : records) {
    Entry& entry = sockets_[KeyOf(record)];
    Enter(record, entry, true);
  }
}

void SocketTable::SweepUnreported() {
  const uint32_t grace = finals_ == Finals::kMarked ? 0 : kGraceSnapshots;
  for (auto item = sockets_.begin(); item != sockets_.end();) {
    Entry& entry = item.value();
    if (snapshot_ - entry.snapshot <= grace) {
      ++item;
      continue;
    }
    model::SideCounters& counters = flows_.Touch(entry.flow);
    if (entry.open) {
      ++counters.closed;
    } else {
      ++counters.failed_other;
    }
    Leave(entry);
    if (swept_.size() >= kMaxSwept) swept_.clear();
    swept_.insert(item->first);
    item = sockets_.erase(item);
  }
}

}  // namespace weir::agent::flow
