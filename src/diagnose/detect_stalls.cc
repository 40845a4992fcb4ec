#include "diagnose/detect_stalls.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir::diagnose {
namespace {

constexpr int64_t kNow = 30;      // seconds that are judged
constexpr int64_t kBefore = 120;  // seconds they are compared with
constexpr double kWaitPoints = 85;
constexpr double kAcceptPoints = 85;
constexpr double kAnswerPoints = 60;
constexpr double kGapPoints = 60;
constexpr double kThrottled = 15;
constexpr double kLeastFirstUs = 10'000;

Reference Requests(const Subject& server, std::string columns, UnixMillis from, UnixMillis to) {
  Reference reference = FlowReference(std::move(columns), {}, server, from, to);
  reference.kind = Reference::Kind::kRequests;
  return reference;
}

}  // namespace

StallDetector::Sight StallDetector::Look(const Context& context, PartyNumber server) const {
  const int64_t now = context.second();
  const auto during = [&](ServingTime time) { return serving_.Sum(server, time, now - kNow, now); };
  const auto before = [&](ServingTime time) {
    return serving_.Sum(server, time, now - kNow - kBefore, now - kNow - kServingStep);
  };
  Sight sight;
  sight.server = server;
  sight.requests = serving_.Requests(server, now - kNow, now);
  const ServingSum waits = during(ServingTime::kReceiveWait);
  const ServingSum accepts = during(ServingTime::kAcceptWait);
  const ServingSum firsts = during(ServingTime::kFirstChunk);
  const ServingSum gaps = during(ServingTime::kChunkGap);
  const ServingSum firsts_before = before(ServingTime::kFirstChunk);
  const ServingSum gaps_before = before(ServingTime::kChunkGap);
  sight.waits = waits.samples;
  sight.accepts = accepts.samples;
  sight.firsts = firsts.samples;
  sight.gaps = gaps.samples;
  sight.firsts_before = firsts_before.samples;
  sight.gaps_before = gaps_before.samples;
  sight.wait_p95 = waits.Quantile(0.95);
  sight.accept_p95 = accepts.Quantile(0.95);
  sight.first_p50 = firsts.Quantile(0.5);
  sight.first_p95 = firsts.Quantile(0.95);
  sight.first_usual = firsts_before.Quantile(0.5);
  sight.gap_p95 = gaps.Quantile(0.95);
  sight.gap_usual = gaps_before.Quantile(0.95);
  return sight;
}

// No breach of its node, no loss and no longer round trips of its own.
bool StallDetector::NetworkInnocent(const Context& context, PartyNumber server) {
  const NodeNumber number = context.names.Brief(server).node;
  const NodeActivity* node = number == 0 ? nullptr : context.activity.FindNode(number);
  const int64_t now = context.second();
  if (node != nullptr) {
    if (node->BreachedIn(now - kNow, now, true) || node->BreachedIn(now - kNow, now, false)) return false;
    for (int64_t second = now - kNow; second <= now; ++second) {
      if (node->In(second).lossy_flows > 2) return false;
    }
  }
  const UsualRtt& rtt = context.activity.Party(server).rtt;
  return rtt.samples == 0 || rtt.now_us < 2 * rtt.usual_us || rtt.now_us - rtt.usual_us < 2'000;
}

Finding StallDetector::Begin(const Context& context, const Sight& sight, std::string kind, UnixMillis start) {
  Finding finding;
  finding.detector = Detector::serving_stall;
  finding.kind = std::move(kind);
  finding.subject = context.names[sight.server].subject;
  finding.start = start;
  finding.end = context.now;
  return finding;
}

void StallDetector::Finish(const Context& context, const Sight& sight, Finding finding) {
  if (const double share = ThrottledShare(context, sight.server, context.second());
      share >= context.thresholds.throttled_share) {
    Add(finding,
        {"throttled", fmt::format("Its CPU quota held it back for {} of the time.", PercentText(share)), share, "",
         kThrottled, NodeReference("cgroup.throttled_us", finding.subject.node, "", finding.start, finding.end)});
    finding.advice = "Raise the pod's CPU limit or remove it.";
  }
  context.activity.Party(sight.server).limited_s = context.second();
  finding.node = finding.subject.node;
  context.book.Report(std::move(finding), context.now);
}

// What waits for the server's process is none of the network's doing.
bool StallDetector::JudgeWaits(const Context& context, const Sight& sight, Watch& watch) {
  const Thresholds& thresholds = context.thresholds;
  const auto enough = [&](uint64_t samples) { return static_cast<double>(samples) >= thresholds.stall_samples; };
  const bool share = sight.first_p50 >= kLeastFirstUs && sight.wait_p95 >= kLeastFirstUs &&
                     sight.wait_p95 >= thresholds.stall_wait_share * sight.first_p50;
  const bool reads = enough(sight.waits) && (sight.wait_p95 >= thresholds.stall_wait_us || share);
  const bool accepts = enough(sight.accepts) && sight.accept_p95 >= thresholds.stall_wait_us;
  if (!reads && !accepts) return false;
  if (watch.since_s == 0) watch.since_s = context.second() - kServingStep;
  const UnixMillis from = context.now - kNow * 1'000;
  Finding finding = Begin(context, sight, reads ? "receive_wait" : "accept_wait", watch.since_s * 1'000);
  finding.severity = Severity::kMajor;
  if (reads) {
    Add(finding,
        {"receive_wait",
         fmt::format("The slowest twentieth of requests waited {} until the server read them; its own clock does not "
                     "see that.",
                     MicrosText(sight.wait_p95)),
         sight.wait_p95, "us", kWaitPoints,
         Requests(finding.subject, "receive_wait_p99_us,first_chunk_p99_us", from, context.now)});
    finding.verdict = fmt::format(
        "{} does not read requests that have arrived: a blocked event loop or too little CPU, not "
        "the network.",
        Title(finding.subject));
    finding.advice = "Move blocking work out of the event loop, or give the server more CPU.";
  } else {
    Add(finding,
        {"accept_wait",
         fmt::format("New connections waited {} for accept() (95th percentile).", MicrosText(sight.accept_p95)),
         sight.accept_p95, "us", kAcceptPoints,
         Requests(finding.subject, "accept_wait_p99_us,accept_queue_max", from, context.now)});
    finding.verdict = fmt::format("{} accepts connections late.", Title(finding.subject));
    finding.advice = "Accept in more threads or processes.";
  }
  Finish(context, sight, std::move(finding));
  return true;
}

void StallDetector::Judge(const Context& context, const Sight& sight) {
  const Thresholds& thresholds = context.thresholds;
  const auto enough = [&](uint64_t samples) { return static_cast<double>(samples) >= thresholds.stall_samples; };
  Watch& watch = watches_[sight.server];
  if (JudgeWaits(context, sight, watch)) return;
  const auto rise = [&](double now, double usual) {
    return usual > 0 && now >= thresholds.stall_factor * usual && now - usual >= thresholds.stall_rise_us;
  };
  const bool answers = enough(sight.firsts) && enough(sight.firsts_before) && rise(sight.first_p50, sight.first_usual);
  const bool gaps = enough(sight.gaps) && enough(sight.gaps_before) && rise(sight.gap_p95, sight.gap_usual);
  if ((!answers && !gaps) || !NetworkInnocent(context, sight.server)) {
    watch.since_s = 0;
    return;
  }
  if (watch.since_s == 0) watch.since_s = context.second() - kServingStep;
  Finding finding = Begin(context, sight, answers ? "server_slow" : "engine_gaps", watch.since_s * 1'000);
  const double now = answers ? sight.first_p50 : sight.gap_p95;
  const double usual = answers ? sight.first_usual : sight.gap_usual;
  Add(finding, {answers ? "first_chunk" : "chunk_gap",
                fmt::format("The {} took {}, usually {}.", answers ? "first chunk" : "gap between chunks",
                            MicrosText(now), MicrosText(usual)),
                now, "us", answers ? kAnswerPoints : kGapPoints,
                Requests(finding.subject, answers ? "first_chunk_p50_us" : "chunk_gap_p99_us",
                         context.now - kNow * 1'000, context.now)});
  Add(finding, {"network", "Nothing was lost, round trips and the node's bandwidth are as usual.", 0, "", 0, {}});
  finding.verdict = fmt::format("{} takes longer than usual to {}; the network is as usual.", Title(finding.subject),
                                answers ? "begin its answers" : "continue its answers");
  finding.not_excluded.emplace_back(
      "Longer prompts or fuller batches look the same from outside; the engine's own queue metric tells.");
  finding.advice = answers ? "Compare with the engine's queue and batch metrics; add replicas if it queues."
                           : "Look at batching, preemption and garbage collection of the engine.";
  Finish(context, sight, std::move(finding));
}

void StallDetector::Tick(const Context& context) {
  if (context.second() % 2 != 0) return;  // every other second is soon enough
  for (const PartyNumber server : serving_.Servers()) {
    const Sight sight = Look(context, server);
    if (sight.requests != 0 || sight.waits != 0) Judge(context, sight);
  }
  std::erase_if(watches_, [&](const auto& entry) { return !serving_.Serves(entry.first); });
}

}  // namespace weir::diagnose
