#include "diagnose/judge.h"

#include <algorithm>
#include <cmath>

namespace weir::diagnose {
namespace {

constexpr size_t kAhead = 6;  // samples between asking for memory and using it
constexpr int64_t kSweepEvery = 60;
constexpr int64_t kForgetFlows = 600;
constexpr int64_t kForgetParties = 7'200;
constexpr int64_t kLongestInterval = 120'000;
constexpr int64_t kAheadMs = 15'000;  // a sample from further in the future is nonsense
constexpr float kRttNow = 0.3F;       // weight of a new sample in the running means
constexpr float kRttUsual = 0.02F;
constexpr double kSlowRttUs = 2'000;

uint32_t Lost(const Direction& direction) {
  const uint32_t late = direction.late_segments - std::min(direction.reordered, direction.late_segments);
  const uint32_t again = direction.retransmits - std::min(direction.spurious_retransmits, direction.retransmits);
  return std::max(late, again);
}

bool LooksLossy(const FlowSample& sample) {
  return (sample.to_server.retransmits | sample.to_client.retransmits | sample.to_server.late_segments |
          sample.to_client.late_segments) != 0;
}

// The second that most of an interval lies in.
int64_t SecondOf(UnixMillis start, UnixMillis end) { return (start + (end - start) / 2) / 1'000; }

}  // namespace

Judge::Judge(const Thresholds& thresholds, Capacities capacities)
    : thresholds_(thresholds),
      names_(std::move(capacities)),
      activity_(names_),
      book_(thresholds_),
      context_{thresholds_, names_, activity_, book_, 0},
      breach_(serving_),
      stalls_(serving_),
      loads_(serving_),
      startup_(loads_, serving_) {}

JudgeCounters Judge::counters() const {
  JudgeCounters counters = counters_;
  counters.findings_refused = book_.refused();
  return counters;
}

bool Judge::Usable(const FlowSample& sample) {
  const bool sound = sample.start > 0 && sample.end > sample.start && sample.end - sample.start <= kLongestInterval &&
                     sample.end <= context_.now + kAheadMs &&
                     std::max(sample.to_server.bytes, sample.to_client.bytes) <= model::kMaxNodeValue;
  if (!sound) ++counters_.unusable;
  return sound;
}

void Judge::Sum(FlowState& state, const FlowSample& sample) {
  state.segments[0] += sample.to_server.segments;
  state.segments[1] += sample.to_client.segments;
  state.lost[0] += Lost(sample.to_server);
  state.lost[1] += Lost(sample.to_client);
  state.syn_lost += sample.retransmits_syn;
  state.opened += sample.connections_opened;
  const Rtt& rtt = sample.client_rtt.count != 0 ? sample.client_rtt : sample.server_rtt;
  state.rtt_samples += rtt.count;
  state.rtt_sum_us += static_cast<float>(rtt.sum_us);
  state.used_s = context_.second();
}

// Round trips as one party's own sender sees them, now and usually.
void Judge::NoteRtt(PartyNumber party, const Rtt& rtt, const Direction& sent, int64_t second) {
  if (rtt.count == 0 || party == kNobody) return;
  UsualRtt& known = activity_.Party(party).rtt;
  const auto mean = static_cast<float>(static_cast<double>(rtt.sum_us) / rtt.count);
  known.now_us = known.samples == 0 ? mean : known.now_us + kRttNow * (mean - known.now_us);
  if (known.samples == 0) known.usual_us = mean;
  if (known.now_us < 2 * known.usual_us) known.usual_us += kRttUsual * (mean - known.usual_us);
  known.samples += known.samples < UINT32_MAX ? 1 : 0;
  // A reader's pauses lengthen round trips too: those say nothing about the path.
  const bool by_reader = sent.window_limited_us * 2 > sent.busy_us;
  if (by_reader || rtt.min_us == 0 || mean < thresholds_.breach_rtt_factor * rtt.min_us ||
      mean - static_cast<float>(rtt.min_us) < kSlowRttUs)
    return;
  if (const NodeNumber node = names_.Brief(party).node; node != 0) ++activity_.Node(node).At(second).slow_flows;
}

void Judge::Serve(const FlowSample& sample, const FlowEnds& ends) {
  if (sample.connections_opened == 0 && sample.to_client.bytes == 0) return;
  PartyActivity& server = activity_.Party(ends.server);
  if (server.served_to != ends.client && server.served_to != kNobody) server.served_other_s = server.served_s;
  server.served_s = ends.second;
  server.served_to = ends.client;
}

// To the detectors that care.
void Judge::Show(const FlowSample& sample, const FlowEnds& ends, FlowState& state) {
  const RemoteClass remote_class = LoadDetector::ClassOf(names_.Brief(ends.server), sample.server_port);
  if (remote_class != RemoteClass::kNone) loads_.Observe(context_, sample, ends, remote_class);
  if (zones_.Tracks(names_.Brief(ends.server).workload)) zones_.Observe(context_, sample, ends);
  const bool lossy = LooksLossy(sample);
  const bool held =
      LooksHeldBack(sample, sample.to_server, thresholds_) || LooksHeldBack(sample, sample.to_client, thresholds_);
  const bool failing = LooksFailing(sample) || sample.connect_max_us >= thresholds_.failure_slow_us;
  if (!lossy && !held && !failing && !state.watched) return;
  bool watched = loss_.Observe(context_, sample, ends);
  watched = ends_.Observe(context_, sample, ends) || watched;
  watched = failures_.Observe(context_, sample, ends) || watched;
  state.watched = watched;
  if (held) state.acquitted |= kHeldBackByEnd;
}

void Judge::AddOne(const FlowSample& sample) {
  if (!Usable(sample)) return;
  FlowState* state = flows_.Find(sample, names_);
  if (state == nullptr) {
    ++counters_.not_remembered;
    return;
  }
  if (!FlowTable::Accept(*state, sample)) {
    ++counters_.duplicates;
    return;
  }
  const FlowEnds ends{names_.Resolve(state->client), names_.Resolve(state->server), SecondOf(sample.start, sample.end)};
  if (static_cast<double>(context_.now - sample.end) > 1'000 * thresholds_.late_after_s) {
    ++counters_.late;
    const RemoteClass remote_class = LoadDetector::ClassOf(names_.Brief(ends.server), sample.server_port);
    if (remote_class != RemoteClass::kNone) loads_.ObserveLate(sample, ends, remote_class);
    return;
  }
  Sum(*state, sample);
  // Both of a row's bytes once: a second row of the same interval brings the other end's own measures only.
  activity_.Party(ends.client).Add(ends.second, sample.to_client.bytes, sample.to_server.bytes);
  activity_.Party(ends.server).Add(ends.second, sample.to_server.bytes, sample.to_client.bytes);
  NoteRtt(ends.client, sample.client_rtt, sample.to_server, ends.second);
  NoteRtt(ends.server, sample.server_rtt, sample.to_client, ends.second);
  Serve(sample, ends);
  Show(sample, ends, *state);
}

// The flow's place is near already; now its ends'.
void Judge::Prefetch(const FlowSample& sample) {
  const FlowState* state = flows_.Peek(sample.flow);
  if (state == nullptr) return;
  const int64_t second = SecondOf(sample.start, sample.end);
  activity_.Prefetch(names_.Resolve(state->client), second);
  activity_.Prefetch(names_.Resolve(state->server), second);
}

void Judge::Add(std::span<const FlowSample> samples, UnixMillis now) {
  context_.now = std::max(context_.now, now);
  counters_.flows += samples.size();
  for (size_t index = 0; index < samples.size(); ++index) {
    if (index + 2 * kAhead < samples.size()) flows_.Prefetch(samples[index + 2 * kAhead].flow);
    if (index + kAhead < samples.size()) Prefetch(samples[index + kAhead]);
    AddOne(samples[index]);
  }
}

void Judge::Add(std::span<const RequestSample> samples, UnixMillis now) {
  context_.now = std::max(context_.now, now);
  for (const RequestSample& sample : samples) {
    const bool sound = sample.start > 0 && sample.end > sample.start && sample.end <= context_.now + kAheadMs;
    if (!sound || static_cast<double>(context_.now - sample.end) > 1'000 * thresholds_.late_after_s) {
      ++(sound ? counters_.late : counters_.unusable);
      continue;
    }
    const FlowEnds ends{names_.Of(sample.client), names_.Of(sample.server), SecondOf(sample.start, sample.end)};
    names_.Used(ends.client, context_.second());
    names_.Used(ends.server, context_.second());
    if (sample.application == Application::kDns) {
      dns_.Observe(context_, sample, ends);
      continue;
    }
    const RemoteClass remote_class = LoadDetector::ClassOf(names_.Brief(ends.server), sample.server_port);
    if (remote_class != RemoteClass::kNone) loads_.Observe(sample, ends, remote_class);
    ends_.Observe(context_, sample, ends);
    // What the server's own agent timed; the client's view includes the way.
    if ((sample.reported_by & kByServer) == 0) continue;
    serving_.Add(ends.server, sample, ends.second);
    zones_.Observe(context_, sample, ends);
  }
}

void Judge::Add(const NodeReadings& readings, UnixMillis now) {
  context_.now = std::max(context_.now, now);
  activity_.Add(readings, context_.now);
}

void Judge::Tick(UnixMillis now) {
  context_.now = std::max(context_.now, now);
  if (context_.second() == ticked_s_) return;
  ticked_s_ = context_.second();
  activity_.ForgetPlaces();
  // In this order: each rests on what those before it found.
  ends_.Tick(context_);
  breach_.Tick(context_);
  loss_.Tick(context_);
  failures_.Tick(context_);
  dns_.Tick(context_);
  stalls_.Tick(context_);
  zones_.Tick(context_);
  loads_.Tick(context_);
  startup_.Tick(context_);
  health_.Tick(context_, flows_);
  book_.Tick(context_.now, [this](const std::string& node) {
    const NodeActivity* activity = activity_.FindNode(names_.Node(node));
    return activity != nullptr && activity->Blind(context_.now, thresholds_);
  });
  if (ticked_s_ - swept_s_ < kSweepEvery) return;
  swept_s_ = ticked_s_;
  flows_.Visit([this](const FlowState& flow) {
    names_.Used(flow.client, flow.used_s);
    names_.Used(flow.server, flow.used_s);
  });
  flows_.Forget(ticked_s_ - kForgetFlows);
  serving_.Forget(ticked_s_ - kForgetFlows);
  activity_.Forget(ticked_s_ - kForgetFlows);
  names_.Forget(ticked_s_, kForgetParties);
}

}  // namespace weir::diagnose
