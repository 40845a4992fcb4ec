#include "diagnose/detect_startup.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir::diagnose {
namespace {

constexpr double kTimeline = 85;  // the cluster's own times
constexpr double kHerdLimit = 60;
constexpr double kHerdSlower = 40;
constexpr int64_t kSettleMs = 12'000;  // after Ready, until a load that ended then is told of
constexpr int64_t kPatienceMs = 60'000;
constexpr size_t kMaxTold = 100'000;

// A step from where the last one ended, where there is room for it.
void Append(std::vector<StartupStep>& steps, UnixMillis& at, std::string name, UnixMillis from, UnixMillis to,
            bool known) {
  from = std::max(from, at);
  if (to <= from) return;
  if (from > at && at != 0) steps.push_back({"unknown", at, from, false});
  steps.push_back({std::move(name), from, to, known});
  at = to;
}

UnixMillis FirstStart(const model::Pod& pod, bool init) {
  UnixMillis first = 0;
  for (const model::PodContainer& container : pod.containers) {
    if (container.init != init || container.started == 0) continue;
    first = first == 0 ? container.started : std::min(first, container.started);
  }
  return first;
}

std::string_view StepWords(const std::string& name) {
  if (name == "scheduling") return "waiting for a node";
  if (name == "image_pull") return "pulling images";
  if (name == "pull_and_start") return "pulling images and starting containers";
  if (name == "load") return "loading the model";
  if (name == "initialising") return "work without network traffic (disk, CPU, GPU)";
  if (name == "first_answer") return "waiting for the first request";
  if (name == "unknown") return "what nobody saw";
  return name;
}

}  // namespace

std::vector<StartupStep> StartupSteps(const model::Pod& pod, const std::vector<const Finding*>& loads,
                                      UnixMillis first_answer) {
  std::vector<StartupStep> steps;
  UnixMillis at = pod.created;
  const UnixMillis init = FirstStart(pod, true);
  const UnixMillis started = FirstStart(pod, false);
  const UnixMillis first = init != 0 ? init : started;
  // A condition written again later than the containers started says nothing of the wait for a node.
  if (pod.scheduled != 0 && (first == 0 || pod.scheduled <= first)) {
    Append(steps, at, "scheduling", pod.created, pod.scheduled, true);
  }
  for (const Finding* load : loads) {
    if (load->kind == "image_pull" && load->start < first)
      Append(steps, at, "image_pull", load->start, std::min(load->end, first), true);
  }
  if (first != 0) Append(steps, at, "pull_and_start", at, first, false);
  for (const model::PodContainer& container : pod.containers) {
    if (!container.init || container.started == 0 || container.finished == 0) continue;
    const bool loads_inside = std::any_of(loads.begin(), loads.end(), [&](const Finding* load) {
      return load->kind != "image_pull" && load->start < container.finished && load->end > container.started;
    });
    if (!loads_inside)
      Append(steps, at, fmt::format("init container {}", container.name), container.started, container.finished, true);
  }
  for (const Finding* load : loads) {
    if (load->kind != "image_pull") Append(steps, at, "load", load->start, load->end, true);
  }
  if (pod.ready_since != 0) Append(steps, at, "initialising", at, pod.ready_since, true);
  if (first_answer != 0 && pod.ready_since != 0) Append(steps, at, "first_answer", pod.ready_since, first_answer, true);
  return steps;
}

void StartupDetector::AddSteps(Finding& finding, double total_s) {
  std::map<std::string, double> spent;
  for (const StartupStep& step : finding.steps) spent[step.name] += static_cast<double>(step.to - step.from) / 1'000;
  spent.erase("first_answer");
  const auto longest =
      std::max_element(spent.begin(), spent.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  for (const auto& [name, seconds] : spent) {
    Reference reference;
    reference.kind = Reference::Kind::kPods;
    reference.subject = finding.subject.name_space + "/" + finding.subject.pod;
    reference.from = finding.start;
    reference.to = finding.end;
    Add(finding,
        {name,
         fmt::format("{} ({}) went into {}.", SecondsText(seconds), PercentText(seconds / total_s), StepWords(name)),
         seconds, "s", finding.evidence.empty() ? kTimeline : 0, reference});
  }
  if (longest == spent.end()) return;
  const bool load = longest->first == "load" || longest->first == "image_pull";
  finding.verdict =
      fmt::format("{} took {} to become ready, most of it {} ({}).", Title(finding.subject), SecondsText(total_s),
                  StepWords(longest->first), PercentText(longest->second / total_s));
  finding.advice = load ? "See the load's finding for what held it back; a cache on the node saves the transfer."
                   : longest->first == "scheduling"
                       ? "Look at the pod's scheduling events; the network is not involved."
                   : longest->first == "pull_and_start"
                       ? "Look at image size and pull policy; pre-pull the image."
                       : "The network is not the cause: look at disk, CPU and the engine's own start.";
}

// Only now is it known what share of the start a load was.
void StartupDetector::AmendLoads(const Context& context, const model::Pod& pod,
                                 const std::vector<const Finding*>& loads) {
  const double start_s = static_cast<double>(pod.ready_since - pod.created) / 1'000;
  for (const Finding* load : loads) {
    if (load->load->startup_s > 0 || start_s <= 0 || load->end > pod.ready_since + 1'000) continue;
    Finding amended = *load;
    if (const Finding* known = context.book.Find(load->detector, load->subject.key, load->peer.key, load->variant);
        known != nullptr && known->start == load->start) {
      amended = *known;
    } else {
      amended.id = FindingId(load->detector, load->subject.key, load->peer.key, load->variant, load->start);
    }
    amended.state = FindingState::kClosed;
    amended.closed_because = "done";
    amended.load->startup_s = start_s;
    amended.load->startup_share = std::min(1.0, amended.load->wall_s / start_s);
    Add(amended, {"startup_share",
                  fmt::format("It was {} of the {} from creation until ready.",
                              PercentText(amended.load->startup_share), SecondsText(start_s)),
                  amended.load->startup_share,
                  "",
                  0,
                  {}});
    context.book.Amend(std::move(amended), context.now);
  }
}

void StartupDetector::Tell(const Context& context, const model::Pod& pod) {
  std::vector<const Finding*> loads;
  for (const PastLoad& past : loads_.past()) {
    const Finding& load = past.finding;
    const bool own = load.subject.pod == pod.name && load.subject.name_space == pod.name_space;
    if (own && load.start >= pod.created - 1'000 && load.start <= pod.ready_since) loads.push_back(&load);
  }
  std::sort(loads.begin(), loads.end(), [](const Finding* a, const Finding* b) { return a->start < b->start; });
  const double total_s = static_cast<double>(pod.ready_since - pod.created) / 1'000;
  const bool accelerated = std::any_of(pod.containers.begin(), pod.containers.end(),
                                       [](const auto& container) { return container.gpus != 0; });
  if (loads.empty() && !accelerated && total_s < context.thresholds.startup_long_s) return;
  AmendLoads(context, pod, loads);
  Finding finding;
  finding.detector = Detector::startup;
  finding.kind = "timeline";
  finding.severity = Severity::kInfo;
  const PartyNumber party = context.names.PartyOfPod(pod.name_space, pod.name);
  finding.subject = context.names.SubjectOfPod(pod);
  finding.start = pod.created;
  finding.end = pod.ready_since;
  const int64_t first_s = party == kNobody ? -1 : serving_.FirstSeen(party);
  finding.steps = StartupSteps(pod, loads, first_s < 0 ? 0 : first_s * 1'000);
  for (const Finding* load : loads) finding.related.push_back(load->id);
  AddSteps(finding, std::max(0.001, total_s));
  if (loads.empty())
    finding.not_excluded.emplace_back(
        "No load over the network was seen: the data may have come from a cache or a disk.");
  context.book.Record(std::move(finding), context.now);
}

void StartupDetector::ReportHerd(const Context& context, const std::vector<LoadDetector::Running>& herd,
                                 NodeNumber node) {
  const Thresholds& thresholds = context.thresholds;
  double demand = 0;
  size_t slower = 0;
  for (const LoadDetector::Running& load : herd) {
    demand += load.mean_bits;
    if (load.usual_bits > 0 && load.mean_bits > 0 && load.usual_bits >= thresholds.herd_slower * load.mean_bits)
      ++slower;
  }
  const Capacity capacity = node == 0 ? Capacity{} : context.names.CapacityOf(node);
  const double limit = capacity.baseline_bits > 0 ? capacity.baseline_bits : capacity.peak_bits;
  const bool crowded = limit > 0 && demand >= thresholds.herd_demand_share * limit;
  const bool all_slower = slower == herd.size();
  if (!crowded && !all_slower) return;
  Finding finding;
  finding.detector = Detector::startup;
  finding.kind = "herd";
  finding.severity = Severity::kMinor;
  finding.subject = node != 0 ? context.names.NodeSubjectOf(node) : context.names[herd[0].source].subject;
  finding.node = finding.subject.node;
  finding.variant = 1 + static_cast<uint64_t>(herd[0].remote_class);
  finding.start = herd[0].start_s * 1'000;
  finding.end = context.now;
  for (const LoadDetector::Running& load : herd) {
    finding.culprits.push_back(
        {context.names[load.party].subject, demand > 0 ? load.mean_bits / demand : 0, BitsText(load.mean_bits)});
  }
  Add(finding, {"loads",
                fmt::format("{} loads of class {} began within {:.0f} s.", herd.size(),
                            RemoteClassName(herd[0].remote_class), thresholds.herd_window_s),
                static_cast<double>(herd.size()),
                "loads",
                0,
                {}});
  if (crowded) {
    Add(finding, {"demand",
                  fmt::format("Together they move {}, {} of the {} that {} may always receive.", BitsText(demand),
                              PercentText(demand / limit), BitsText(limit), Title(finding.subject)),
                  demand, "bit/s", kHerdLimit,
                  NodeReference("interface.rx_bytes", finding.node, "", finding.start, finding.end)});
  }
  if (all_slower) {
    Add(finding,
        {"slower",
         fmt::format("Each is at least {:.0f} times slower than its owner's load alone.", thresholds.herd_slower),
         static_cast<double>(slower),
         "loads",
         kHerdSlower,
         {}});
  }
  finding.verdict = fmt::format("{} pods load at once and slow each other down.", herd.size());
  finding.advice = "Start replicas one after the other, spread them over nodes, or load from a cache.";
  context.book.Report(std::move(finding), context.now);
}

void StartupDetector::LookForHerds(const Context& context) {
  const Thresholds& thresholds = context.thresholds;
  std::map<std::pair<RemoteClass, NodeNumber>, std::vector<LoadDetector::Running>> groups;
  for (const LoadDetector::Running& load : loads_.RunningLoads(context)) {
    groups[{load.remote_class, context.names.Brief(load.party).node}].push_back(load);
    groups[{load.remote_class, 0}].push_back(load);
  }
  std::vector<RemoteClass> on_a_node;
  for (auto group = groups.rbegin(); group != groups.rend(); ++group) {  // nodes before all nodes together
    const auto& [where, loads] = *group;
    const bool many = static_cast<double>(loads.size()) >= thresholds.herd_loads;
    if (!many || static_cast<double>(loads.back().start_s - loads.front().start_s) > thresholds.herd_window_s) continue;
    const bool known = std::find(on_a_node.begin(), on_a_node.end(), where.first) != on_a_node.end();
    if (where.second == 0 && known) continue;
    if (where.second != 0) on_a_node.push_back(where.first);
    ReportHerd(context, loads, where.second);
  }
}

void StartupDetector::Tick(const Context& context) {
  LookForHerds(context);
  if (context.second() % 2 != 0) return;
  for (const auto& [uid, pod] : context.names.pods()) {
    if (pod.ready_since == 0 || context.now - pod.ready_since < kSettleMs) continue;
    const auto told = told_.find(uid);
    if (told != told_.end() || told_.size() >= kMaxTold) continue;  // a pod that became ready again did not start again
    // Without a load that is about to end, its time would count as work without network traffic.
    if (context.now - pod.ready_since < kPatienceMs && loads_.LoadsFor(context, pod, pod.ready_since)) continue;
    told_[uid] = pod.ready_since;
    // What became ready long before this process began is history.
    if (context.now - pod.ready_since < 10 * kSettleMs) Tell(context, pod);
  }
  if (told_.size() > kMaxTold / 2) {
    std::erase_if(told_, [&](const auto& entry) { return context.names.PodByUid(entry.first) == nullptr; });
  }
}

}  // namespace weir::diagnose
