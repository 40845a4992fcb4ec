#include "diagnose/detect_ends.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace weir::diagnose {
namespace {

constexpr double kBothAgree = 85;
constexpr double kSenderAlone = 70;
constexpr double kReceiverAlone = 85;
constexpr double kWindowTooSmall = 60;
constexpr double kSendBuffer = 80;
constexpr double kSmallWrites = 75;
constexpr double kNagle = 80;
constexpr double kRemoteWait = 60;
constexpr double kThrottled = 10;
constexpr int kRecent = 5;
constexpr int64_t kForgetAfter = 60;
constexpr int64_t kRequestWindow = 10;
constexpr double kLongPathUs = 10'000;
constexpr double kLittleUnread = 16'384;
constexpr double kMean = 0.3;  // weight of a new second in a running mean

double Share(double part, double whole) { return whole <= 0 ? 0 : part / whole; }
void Blend(double& mean, double value) { mean = mean == 0 ? value : mean + kMean * (value - mean); }

// The sender had data to send nearly all the time.
bool Busy(const FlowSample& sample, const Direction& direction, const Thresholds& thresholds) {
  const double us = 1e6 * sample.seconds();
  return us > 0 && direction.busy_us >= thresholds.receiver_busy_share * us;
}

bool ReceiverFull(const Direction& direction) {
  return direction.zero_windows != 0 ||
         (direction.receive_buffer != 0 && direction.unread_max * 2 >= direction.receive_buffer);
}

bool SmallWrites(const Direction& direction, const Thresholds& thresholds) {
  return direction.congestion_window != 0 && direction.in_flight_max != 0 &&
         direction.in_flight_max < thresholds.sender_flight_share * direction.congestion_window &&
         Share(direction.window_limited_us, direction.busy_us) < 0.1;
}

}  // namespace

bool LooksHeldBack(const FlowSample& sample, const Direction& direction, const Thresholds& thresholds) {
  if (ReceiverFull(direction)) return true;
  if (!Busy(sample, direction, thresholds)) return false;
  return direction.window_limited_us >= thresholds.receiver_window_share * direction.busy_us ||
         direction.buffer_limited_us >= thresholds.sender_buffer_share * direction.busy_us ||
         SmallWrites(direction, thresholds);
}

bool EndsDetector::Observe(const Context& context, const FlowSample& sample, const FlowEnds& ends) {
  ObserveDirection(context, sample, ends, false);
  ObserveDirection(context, sample, ends, true);
  PairKey key{ends.client, ends.server, sample.server_port, false};
  const bool watched = watches_.contains(key);
  key.to_client = true;
  return watched || watches_.contains(key);
}

void EndsDetector::ObserveDirection(const Context& context, const FlowSample& sample, const FlowEnds& ends,
                                    bool to_client) {
  const Thresholds& thresholds = context.thresholds;
  const Direction& direction = to_client ? sample.to_client : sample.to_server;
  const PairKey key{ends.client, ends.server, sample.server_port, to_client};
  const double seconds = sample.seconds();
  const double bits = seconds <= 0 ? 0 : 8 * static_cast<double>(direction.bytes) / seconds;
  // A receiver that takes a gigabit each second is not slow, whatever its window says.
  const bool held = LooksHeldBack(sample, direction, thresholds) && bits < thresholds.receiver_fast_bits;
  auto found = watches_.find(key);
  if (found == watches_.end()) {
    if (!held || watches_.size() >= kMaxWatched) return;
    found = watches_.try_emplace(key).first;
  }
  Watch& watch = found->second;
  watch.latest_s = std::max(watch.latest_s, ends.second);
  watch.heard_s = context.second();
  const bool busy = held && Busy(sample, direction, thresholds);
  const double window = Share(direction.window_limited_us, direction.busy_us);
  const double buffer = Share(direction.buffer_limited_us, direction.busy_us);
  watch.window.Note(ends.second, busy && window >= thresholds.receiver_window_share);
  watch.buffer.Note(ends.second, busy && buffer >= thresholds.sender_buffer_share);
  watch.small.Note(ends.second, busy && SmallWrites(direction, thresholds));
  watch.unread.Note(ends.second, held && ReceiverFull(direction));
  if (!held) return;
  watch.held_s = std::max(watch.held_s, ends.second);
  Blend(watch.bits, bits);
  Blend(watch.window_share, window);
  Blend(watch.buffer_share, buffer);
  watch.zero_windows += direction.zero_windows;
  watch.unread_max = std::max<double>(watch.unread_max, direction.unread_max);
  if (direction.congestion_window != 0)
    watch.flight_share = Share(direction.in_flight_max, direction.congestion_window);
  watch.receiver_seen = (sample.reported_by & (to_client ? kByClient : kByServer)) != 0;
  const Rtt& rtt = to_client ? sample.server_rtt : sample.client_rtt;
  if (rtt.count != 0) Blend(watch.srtt_us, static_cast<double>(rtt.sum_us) / rtt.count);
  if (rtt.min_us != 0) watch.rtt_min_us = rtt.min_us;
}

void EndsDetector::Observe(const Context& context, const RequestSample& sample, const FlowEnds& ends) {
  const PairKey key{ends.client, ends.server, sample.server_port, false};
  const Thresholds& thresholds = context.thresholds;
  uint64_t stalled = 0;
  for (const auto& [bucket, count] : sample.send_wait.histogram.buckets()) {
    const double middle = model::BucketMiddle(bucket);
    if (middle >= thresholds.nagle_low_us && middle <= thresholds.nagle_high_us) stalled += count;
  }
  if (stalled != 0 && (stalls_.size() < kMaxWatched || stalls_.contains(key))) {
    Stalls& stalls = stalls_[key];
    if (ends.second - stalls.window_s >= kRequestWindow) stalls.count = 0, stalls.window_s = ends.second;
    stalls.count += stalled;
    stalls.seconds.Note(ends.second, true);
    stalls.heard_s = context.second();
  }
  const bool outside = !context.names.Brief(ends.server).seen && (sample.reported_by & kByClient) != 0;
  if (!outside || sample.request_latency.count == 0) return;
  if (remotes_.size() >= kMaxWatched && !remotes_.contains(key)) return;
  Remote& remote = remotes_[key];
  remote.latest_s = ends.second;
  const double median = sample.request_latency.histogram.Quantile(0.5);
  remote.p95_us = sample.request_latency.histogram.Quantile(0.95);
  if (remote.samples >= static_cast<uint64_t>(thresholds.stall_samples) && remote.p95_us >= thresholds.remote_wait_us &&
      remote.p95_us >= thresholds.remote_wait_factor * remote.usual_us) {
    if (ends.second - remote.window_s >= kRequestWindow) remote.slow = 0, remote.window_s = ends.second;
    remote.slow += sample.request_latency.count;
    return;  // slow times teach nothing about the usual
  }
  remote.samples += sample.request_latency.count;
  remote.usual_us = remote.usual_us == 0 ? median : remote.usual_us + 0.1 * (median - remote.usual_us);
}

// The party that is slow is the subject; its peers are those who wait.
Finding EndsDetector::Begin(const Context& context, const Group& group, bool receiver) {
  const auto& [key, watch] = group[0];
  const PartyNumber to = key.to_client ? key.client : key.server;
  const PartyNumber from = key.to_client ? key.server : key.client;
  const PartyNumber slow = receiver ? to : from;
  context.activity.Party(slow).limited_s = watch->latest_s;
  Finding finding;
  finding.detector = receiver ? Detector::receiver_limited : Detector::sender_limited;
  finding.subject = context.names[slow].subject;
  finding.variant = HashPair(key.server == slow ? key.port : 0, 0);
  finding.start = UnixMillis{watch->latest_s} * 1'000;
  for (const auto& [pair, other] : group) {
    int64_t first = other->latest_s;
    for (const RecentSeconds* seconds : {&other->window, &other->unread, &other->buffer, &other->small}) {
      first = std::min(first, seconds->FirstOf(other->latest_s, kRecent));
    }
    finding.start = std::min(finding.start, first * 1'000);
    finding.end = std::max(finding.end, (other->latest_s + 1) * 1'000);
  }
  return finding;
}

void EndsDetector::AddPeers(const Context& context, const Group& group, bool receiver, Finding& finding) {
  for (const auto& [key, watch] : group) {
    const bool client = receiver == key.to_client;  // the slow party is the client
    const PartyNumber peer = client ? key.server : key.client;
    finding.victims.push_back(
        {context.names[peer].subject, receiver ? watch->window_share : watch->buffer_share,
         fmt::format("{} {}", BitsText(watch->bits), receiver ? "sent to it" : "received from it")});
  }
  if (group.size() > 1) {
    Add(finding, {"peers",
                  fmt::format("It is so with {} of its peers at once.", group.size()),
                  static_cast<double>(group.size()),
                  "pairs",
                  0,
                  {}});
  }
}

void EndsDetector::AddReceiverEvidence(const Context& context, const PairKey& key, const Watch& watch,
                                       Finding& finding) {
  const Thresholds& thresholds = context.thresholds;
  const int by_receiver = watch.unread.Count(watch.latest_s, kRecent);
  const bool says_sender = watch.window.Count(watch.latest_s, kRecent) >= thresholds.receiver_seconds;
  const bool says_receiver = by_receiver >= thresholds.receiver_seconds;
  const std::string suffix = key.to_client ? "_to_client" : "_to_server";
  const Subject& client = context.names[key.client].subject;
  const Subject& server = context.names[key.server].subject;
  const auto reference = [&](const std::string& columns) {
    return FlowReference(columns, client, server, finding.start, finding.end);
  };
  const bool too_small = says_sender && !says_receiver && watch.receiver_seen && watch.unread_max < kLittleUnread &&
                         watch.rtt_min_us >= kLongPathUs;
  finding.kind = too_small ? "window_too_small" : "application";
  const double points = too_small        ? kWindowTooSmall
                        : !says_receiver ? kSenderAlone
                        : says_sender    ? kBothAgree
                                         : kReceiverAlone;
  if (says_sender) {
    Add(finding, {"window_limited",
                  fmt::format("For {} of its busy time the sender waited for room at the receiver.",
                              PercentText(watch.window_share)),
                  watch.window_share, "", points, reference("window_limited_us" + suffix + ",busy_us" + suffix)});
  }
  if (says_receiver) {
    Add(finding, {"unread",
                  fmt::format("The receiver had no room in {} of the last {} seconds; {} waited unread.", by_receiver,
                              kRecent, BytesText(watch.unread_max)),
                  watch.unread_max, "bytes", says_sender ? 0 : points,
                  reference("zero_windows" + suffix + ",unread_max" + suffix)});
  } else {
    finding.not_excluded.emplace_back("The receiving end gave no sign of its own; a small receive buffer looks alike.");
  }
  if (watch.srtt_us > 0) {
    Add(finding, {"round_trip",
                  fmt::format("Round trips of {} include the wait for the reader.", MicrosText(watch.srtt_us)),
                  watch.srtt_us,
                  "us",
                  0,
                  {}});
  }
}

void EndsDetector::ReportReceiver(const Context& context, const Group& group) {
  const auto& [key, watch] = group[0];
  const PartyNumber receiver = key.to_client ? key.client : key.server;
  const PartyNumber sender = key.to_client ? key.server : key.client;
  Finding finding = Begin(context, group, true);
  AddReceiverEvidence(context, key, *watch, finding);
  AddPeers(context, group, true, finding);
  const double share = ThrottledShare(context, receiver, watch->latest_s);
  if (share >= context.thresholds.throttled_share) {
    finding.kind = "cpu_quota";
    Add(finding, {"throttled", fmt::format("Its CPU quota held it back for {} of the time.", PercentText(share)), share,
                  "", kThrottled,
                  NodeReference("cgroup.throttled_us", context.names.NodeName(context.names.Brief(receiver).node), "",
                                finding.start, finding.end)});
  }
  const std::string from =
      group.size() == 1 ? Title(context.names[sender].subject) : fmt::format("{} peers", group.size());
  const bool too_small = finding.kind == "window_too_small";
  finding.verdict = too_small ? fmt::format("The receive window of {} is too small for the path from {}.",
                                            Title(finding.subject), from)
                              : fmt::format("{} reads slower than {} could send: {} arrive. It is not the network.",
                                            Title(finding.subject), from, BitsText(watch->bits));
  finding.advice = finding.kind == "cpu_quota" ? "Raise the pod's CPU limit or remove it."
                   : too_small                 ? "Raise net.ipv4.tcp_rmem, or do not set SO_RCVBUF in the application."
                                               : "Read from more threads, or move work out of the reading loop.";
  context.book.Report(std::move(finding), context.now);
}

void EndsDetector::ReportSender(const Context& context, const Group& group) {
  const auto& [key, watch] = group[0];
  const bool buffer = watch->buffer.Count(watch->latest_s, kRecent) >= context.thresholds.sender_seconds;
  const PartyNumber receiver = key.to_client ? key.client : key.server;
  const std::string suffix = key.to_client ? "_to_client" : "_to_server";
  Finding finding = Begin(context, group, false);
  finding.kind = buffer ? "send_buffer" : "small_writes";
  const Reference reference =
      FlowReference((buffer ? "buffer_limited_us" : "busy_us") + suffix, context.names[key.client].subject,
                    context.names[key.server].subject, finding.start, finding.end);
  if (buffer) {
    Add(finding, {"buffer_limited",
                  fmt::format("For {} of its busy time it waited for room in its own send buffer.",
                              PercentText(watch->buffer_share)),
                  watch->buffer_share, "", kSendBuffer, reference});
  } else {
    Add(finding, {"in_flight",
                  fmt::format("At most {} of the congestion window was in flight although it was busy.",
                              PercentText(watch->flight_share)),
                  watch->flight_share, "", kSmallWrites, reference});
    finding.not_excluded.emplace_back(
        "Writes that wait for each other's answers look the same as a small send buffer.");
  }
  AddPeers(context, group, false, finding);
  finding.verdict = fmt::format("{} sends {} to {} and could send more: {} holds it back, not the network.",
                                Title(finding.subject), BitsText(watch->bits), Title(context.names[receiver].subject),
                                buffer ? "its send buffer" : "the size of its writes");
  finding.advice = "Do not set SO_SNDBUF, or raise it to at least the path's bandwidth times its round trip.";
  context.book.Report(std::move(finding), context.now);
}

void EndsDetector::ReportNagle(const Context& context, const PairKey& key, const Stalls& stalls) {
  Finding finding;
  finding.detector = Detector::sender_limited;
  finding.kind = "nagle";
  finding.subject = context.names[key.server].subject;
  finding.peer = context.names[key.client].subject;
  finding.variant = HashPair(key.port, 2);
  finding.start = stalls.window_s * 1'000;
  finding.end = (stalls.seconds.last() + 1) * 1'000;
  Add(finding, {"send_wait", fmt::format("{} writes waited about 40 ms before their first segment left.", stalls.count),
                static_cast<double>(stalls.count), "writes", kNagle,
                FlowReference("chunk_gap_p50_us,first_chunk_p50_us", finding.peer, finding.subject, finding.start,
                              finding.end)});
  finding.verdict = fmt::format("Small writes of {} wait for the client's delayed acknowledgement, 40 ms each.",
                                Title(finding.subject));
  finding.advice = "Set TCP_NODELAY on the server's connections.";
  context.activity.Party(key.server).limited_s = stalls.seconds.last();
  context.book.Report(std::move(finding), context.now);
}

void EndsDetector::ReportRemote(const Context& context, const PairKey& key, const Remote& remote) {
  Finding finding;
  finding.detector = Detector::sender_limited;
  finding.kind = "remote_wait";
  finding.subject = context.names[key.client].subject;
  finding.peer = context.names[key.server].subject;
  finding.variant = HashPair(key.port, 3);
  finding.start = remote.window_s * 1'000;
  finding.end = (remote.latest_s + 1) * 1'000;
  Add(finding, {"request_latency",
                fmt::format("Its answers took {} (95th percentile), usually {}.", MicrosText(remote.p95_us),
                            MicrosText(remote.usual_us)),
                remote.p95_us, "us", kRemoteWait,
                FlowReference("request_latency_p99_us", finding.subject, finding.peer, finding.start, finding.end)});
  finding.verdict = fmt::format("{} waits for {}, which answers late.", Title(finding.subject), Title(finding.peer));
  finding.not_excluded.emplace_back(
      "The way to the service and the service itself cannot be told apart from this end.");
  finding.advice = "Look at the service's own status; compare with other clients of it.";
  context.book.Report(std::move(finding), context.now);
}

void EndsDetector::Tick(const Context& context) {
  const Thresholds& thresholds = context.thresholds;
  const int64_t now = context.second();
  std::map<std::pair<PartyNumber, uint16_t>, Group> receivers;
  std::map<std::pair<PartyNumber, uint16_t>, Group> senders;
  std::erase_if(watches_, [&](const auto& entry) { return now - entry.second.held_s > kForgetAfter; });
  for (const auto& [key, watch] : watches_) {
    const auto held = [&watch = watch](const RecentSeconds& recent, double least) {
      return recent.Count(watch.latest_s, kRecent) >= least;
    };
    if (now - watch.heard_s >= kRecent || watch.latest_s - watch.held_s > 2) continue;
    const PartyNumber to = context.names.Resolve(key.to_client ? key.client : key.server);
    const PartyNumber from = context.names.Resolve(key.to_client ? key.server : key.client);
    // A server's ports are served by different code; a client's peers are not told apart.
    if (held(watch.window, thresholds.receiver_seconds) || held(watch.unread, thresholds.receiver_seconds)) {
      receivers[{to, key.to_client ? uint16_t{0} : key.port}].emplace_back(key, &watch);
    } else if (held(watch.buffer, thresholds.sender_seconds) || held(watch.small, thresholds.sender_seconds)) {
      senders[{from, key.to_client ? key.port : uint16_t{0}}].emplace_back(key, &watch);
    }
  }
  for (auto* groups : {&receivers, &senders}) {
    for (auto& [slow, group] : *groups) {
      std::sort(group.begin(), group.end(), [](const auto& a, const auto& b) {
        return std::tuple(-a.second->zero_windows, a.first.client, a.first.server, a.first.port) <
               std::tuple(-b.second->zero_windows, b.first.client, b.first.server, b.first.port);
      });
      groups == &receivers ? ReportReceiver(context, group) : ReportSender(context, group);
    }
  }
  for (const auto& [key, stalls] : stalls_) {
    const bool fresh = now - stalls.heard_s < kRecent;
    if (fresh && static_cast<double>(stalls.count) >= thresholds.nagle_least) ReportNagle(context, key, stalls);
  }
  for (const auto& [key, remote] : remotes_) {
    if (remote.slow >= 3 && now - remote.window_s <= kRequestWindow) ReportRemote(context, key, remote);
  }
  std::erase_if(stalls_, [&](const auto& entry) { return now - entry.second.seconds.last() > kForgetAfter; });
  std::erase_if(remotes_, [&](const auto& entry) { return now - entry.second.latest_s > 600; });
}

}  // namespace weir::diagnose
