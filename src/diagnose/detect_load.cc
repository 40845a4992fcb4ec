#include "diagnose/detect_load.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace weir::diagnose {
namespace {

constexpr uint16_t kNfsPort = 2049;
constexpr uint16_t kLustrePort = 988;
constexpr int64_t kStartWindow = 10;
constexpr int64_t kLull = 3;  // seconds of quiet before a load that are no part of it
constexpr size_t kMostRates = 7'200;
constexpr size_t kMostPast = 512;
constexpr size_t kMostEarlier = 16;
constexpr double kKnownClass = 30;
constexpr double kPortClass = 15;
constexpr double kYoung = 20;
constexpr double kAccelerator = 15;
constexpr double kParallel = 10;
constexpr double kLarge = 10;
constexpr double kHelper = 15;
constexpr double kServes = -30;
constexpr uint64_t kParallelConnections = 4;
constexpr int64_t kQuietLag = 8;  // seconds after which a second nobody reported was empty

double Double(uint64_t value) { return static_cast<double>(value); }

bool IsPuller(const Subject& subject) {
  return subject.process.starts_with("containerd") || subject.process == "dockerd" || subject.process == "crio" ||
         subject.process.starts_with("soci");
}

std::string_view AdviceFor(LoadPhase phase) {
  switch (phase) {
    case LoadPhase::node_limited:
      return "Cap the loader below the node's baseline, cache the model on the node, or use a larger instance.";
    case LoadPhase::reader_limited:
    case LoadPhase::client_idle:
      return "Raise the loader's concurrency, and read sequentially instead of by page faults.";
    case LoadPhase::server_wait: return "Look at the source: its first bytes come late.";
    case LoadPhase::per_connection_limited: return "Load over more connections at once.";
    case LoadPhase::loss_recovery: return "See packet loss on this path.";
    case LoadPhase::quiet: return "Nothing came for most of the time: look at what the loader did between its reads.";
    case LoadPhase::flowing:
    case LoadPhase::kCount: return "The network was no limit; a cache on the node would save the transfer.";
  }
  return "";
}

}  // namespace

RemoteClass LoadDetector::ClassOf(const PartyBrief& server, uint16_t port) {
  if (server.remote_class != RemoteClass::kNone) return server.remote_class;
  return port == kNfsPort || port == kLustrePort ? RemoteClass::kFileStore : RemoteClass::kNone;
}

LoadDetector::Second& LoadDetector::At(Watch& watch, int64_t second) {
  Second& slot = watch.ring[static_cast<size_t>(second) % kRing];
  if (slot.second < second) {
    slot = {};
    slot.second = second;
  }
  watch.latest_s = std::max(watch.latest_s, second);
  return slot;
}

void LoadDetector::Observe(const Context& context, const FlowSample& sample, const FlowEnds& ends,
                           RemoteClass remote_class) {
  const Key key{ends.client, remote_class};
  if (watches_.size() >= kMaxWatched && !watches_.contains(key)) return;
  Watch& watch = watches_[key];
  if (watch.judged_s >= ends.second) {
    watch.bytes += watch.loading ? sample.to_client.bytes : 0;
    return;
  }
  Second& slot = At(watch, ends.second);
  if (slot.second != ends.second) return;
  slot.rx += sample.to_client.bytes;
  slot.tx += sample.to_server.bytes;
  slot.late_bytes += sample.to_client.late_bytes;
  slot.late_segments += sample.to_client.late_segments;
  slot.connections += sample.connections_open;
  slot.reader_full =
      slot.reader_full || sample.to_client.zero_windows != 0 ||
      (sample.to_client.receive_buffer != 0 && sample.to_client.unread_max * 2 >= sample.to_client.receive_buffer);
  watch.source = ends.server;
  watch.by_port = context.names.Brief(ends.server).remote_class == RemoteClass::kNone;
}

void LoadDetector::ObserveLate(const FlowSample& sample, const FlowEnds& ends, RemoteClass remote_class) {
  const auto found = watches_.find({ends.client, remote_class});
  if (found == watches_.end() || !found->second.loading || ends.second < found->second.start_s) return;
  found->second.bytes += sample.to_client.bytes;
  found->second.missing = true;  // the phases of that time are not known
}

void LoadDetector::Observe(const RequestSample& sample, const FlowEnds& ends, RemoteClass remote_class) {
  const auto found = watches_.find({ends.client, remote_class});
  if (found == watches_.end() || found->second.judged_s >= ends.second) return;
  Second& slot = At(found->second, ends.second);
  if (slot.second != ends.second) return;
  slot.wait_us += sample.request_latency.sum_us;
  slot.idle_us += sample.client_idle.sum_us;
}

bool LoadDetector::Begins(const Context& context, const Watch& watch, int64_t second) {
  uint64_t rx = 0;
  uint64_t tx = 0;
  for (const Second& slot : watch.ring) {
    if (slot.second <= second - kStartWindow || slot.second > second) continue;
    rx += slot.rx;
    tx += slot.tx;
  }
  return Double(rx) >= context.thresholds.load_start_bytes &&
         Double(rx) >= context.thresholds.load_rx_over_tx * Double(tx);
}

void LoadDetector::Start(const Context& context, const Key& key, Watch& watch, int64_t second) {
  watch.loading = true;
  watch.start_s = watch.last_s = second;
  watch.bytes = watch.late_bytes_total = watch.others = watch.late_segments = watch.connections = 0;
  watch.phase_s = {};
  watch.rates.clear();
  watch.peak_10ms = 0;
  watch.missing = false;
  watch.wanting.clear();
  watch.solo = true;
  for (auto& [other, running] : watches_) {
    if (!running.loading || other == key || other.remote_class != key.remote_class) continue;
    running.solo = watch.solo = false;
  }
  watch.serving = Double(serving_.Requests(key.party, second - 30, second)) >= 30;
  int64_t first = second;
  for (const Second& slot : watch.ring) {
    if (slot.second > second - kStartWindow && slot.second <= second && slot.rx != 0)
      first = std::min(first, slot.second);
  }
  // A load that began below the rate that makes one began when its data did.
  int64_t quiet = 0;
  for (int64_t at = first - 1; at >= 0 && at > second - static_cast<int64_t>(kRing) && quiet < kLull; --at) {
    const Second& slot = watch.ring[static_cast<size_t>(at) % kRing];
    const bool flows = slot.second == at && Double(slot.rx) >= context.thresholds.load_sustain_rate;
    quiet = flows ? 0 : quiet + 1;
    if (flows) first = at;
  }
  watch.start_s = first;
  for (int64_t at = first; at <= second; ++at) {
    const Second& slot = watch.ring[static_cast<size_t>(at) % kRing];
    Count(context, key, watch, slot.second == at ? slot : Second{.second = at});
  }
}

// The first that explains the second, in the order of LoadPhase.
LoadPhase LoadDetector::PhaseOf(const Context& context, const Key& key, const Second& second) {
  const Thresholds& thresholds = context.thresholds;
  const NodeActivity* node = context.activity.FindNode(context.names.Brief(key.party).node);
  if (second.reader_full) return LoadPhase::reader_limited;
  if (Double(second.rx) < thresholds.load_sustain_rate) {
    if (second.wait_us != 0 || second.idle_us != 0) {
      return second.wait_us >= second.idle_us ? LoadPhase::server_wait : LoadPhase::client_idle;
    }
    return LoadPhase::quiet;
  }
  if (node != nullptr && node->BreachedIn(second.second - 1, second.second + 1, true)) return LoadPhase::node_limited;
  if (Double(second.late_bytes) >= thresholds.load_late_share * Double(second.rx)) return LoadPhase::loss_recovery;
  const double limit =
      key.remote_class == RemoteClass::kObjectStore ? thresholds.load_connection_bits : thresholds.load_flow_bits;
  if (second.connections != 0 && second.connections <= thresholds.load_few_connections &&
      8 * Double(second.rx) >= 0.8 * second.connections * limit) {
    return LoadPhase::per_connection_limited;
  }
  return LoadPhase::flowing;
}

void LoadDetector::Count(const Context& context, const Key& key, Watch& watch, const Second& second) {
  watch.bytes += second.rx;
  watch.late_bytes_total += second.late_bytes;
  watch.late_segments += second.late_segments;
  watch.connections = std::max<uint64_t>(watch.connections, second.connections);
  watch.phase_s[static_cast<size_t>(PhaseOf(context, key, second))] += 1;
  if (watch.rates.size() < kMostRates) watch.rates.push_back(static_cast<float>(second.rx));
  if (Double(second.rx) >= context.thresholds.load_sustain_rate) watch.last_s = std::max(watch.last_s, second.second);
  const NodeActivity* node = context.activity.FindNode(context.names.Brief(key.party).node);
  if (node == nullptr) return;
  // Payload: what interfaces counted has headers, too, and what a limit behind them dropped.
  for (const Activity::Share& share : context.activity.Ranked(node->node, {second.second}, true, false)) {
    if (share.party != key.party) watch.others += share.bytes;
  }
  watch.peak_10ms = std::max(watch.peak_10ms, node->Peak10ms(second.second, true));
  watch.missing = watch.missing || node->Gap(second.second, second.second);
}

void LoadDetector::JudgeSecond(const Context& context, const Key& key, Watch& watch, int64_t second) {
  const Second& slot = watch.ring[static_cast<size_t>(second) % kRing];
  if (!watch.loading) {
    if (slot.second == second && Begins(context, watch, second)) Start(context, key, watch, second);
    return;
  }
  Count(context, key, watch, slot.second == second ? slot : Second{.second = second});
  if (static_cast<double>(second - watch.last_s) >= context.thresholds.load_quiet_s) {
    Emit(context, key, watch, true);
    watch.loading = false;
  }
}

// The workload pods a helper loads for: by attachment, or those that pull on the node.
std::vector<const model::Pod*> LoadDetector::Wanting(const Context& context, const Key& key) const {
  std::vector<const model::Pod*> pods = context.names.ServedBy(key.party);
  const Party& party = context.names[key.party];
  if (!pods.empty() || key.remote_class != RemoteClass::kRegistry || !IsPuller(party.subject)) return pods;
  for (const auto& [uid, pod] : context.names.pods()) {
    const bool waits = pod.node == party.subject.node && pod.deletion == 0 && pod.scheduled != 0 &&
                       std::any_of(pod.containers.begin(), pod.containers.end(),
                                   [](const model::PodContainer& container) { return container.state == "waiting"; });
    if (waits) pods.push_back(&pod);
  }
  std::sort(pods.begin(), pods.end(), [](const auto* a, const auto* b) { return a->uid < b->uid; });
  return pods;
}

// The first and the last second of a load are parts of seconds: as large a part as their bytes are of a usual second's.
double LoadDetector::WallSeconds(const Watch& watch) {
  const auto whole = static_cast<size_t>(watch.last_s - watch.start_s + 1);
  if (whole < 4 || watch.rates.size() < whole) return static_cast<double>(whole);
  const std::vector<double> inner(watch.rates.begin() + 1,
                                  watch.rates.begin() + static_cast<std::ptrdiff_t>(whole) - 1);
  const double usual = QuantileOf(inner, 0.5);
  if (usual <= 0) return static_cast<double>(whole);
  const auto part = [&](float bytes) { return std::min(1.0, static_cast<double>(bytes) / usual); };
  return static_cast<double>(whole) - 2 + part(watch.rates[0]) + part(watch.rates[whole - 1]);
}

void LoadDetector::FillFacts(const Context& context, const Key& key, const Watch& watch, LoadFacts& load) const {
  const Party& party = context.names[key.party];
  const Capacity capacity = context.names.CapacityOf(party.node);
  load.remote_class = RemoteClassName(key.remote_class);
  load.source = context.names[watch.source].subject;
  load.bytes = watch.bytes;
  load.wall_s = WallSeconds(watch);
  load.mean_bits = 8 * Double(watch.bytes) / load.wall_s;
  std::vector<double> rates(watch.rates.begin(), watch.rates.end());
  load.p95_bits = 8 * QuantileOf(rates, 0.95);
  // Windows are frozen around events alone: a peak below the fastest second is not the load's.
  const double fastest = rates.empty() ? 0 : 8 * *std::max_element(rates.begin(), rates.end());
  load.peak_10ms_bits = watch.peak_10ms >= fastest ? watch.peak_10ms : 0;
  load.baseline_bits = capacity.baseline_bits;
  load.peak_bits = capacity.peak_bits;
  load.capacity_source = capacity.source;
  load.connections = watch.connections;
  load.late_segments = watch.late_segments;
  load.phase_s = watch.phase_s;
  // The quiet that ends a load is no part of it.
  double& quiet = load.phase_s[static_cast<size_t>(LoadPhase::quiet)];
  quiet = std::max(0.0, quiet - std::max(0.0, static_cast<double>(watch.rates.size()) - std::ceil(load.wall_s)));
  load.others_bytes = watch.others;
  load.samples_missing = watch.missing;
  load.kind =
      key.remote_class == RemoteClass::kRegistry && party.subject.kind != SubjectKind::kPod ? "image_pull" : "weights";
  std::vector<double> earlier;
  for (const PastLoad& past : past_) {
    const bool alike = past.workload == party.workload && past.finding.load->bytes * 2 >= watch.bytes &&
                       past.finding.load->bytes <= watch.bytes * 2;
    if (alike && earlier.size() < kMostEarlier) earlier.push_back(past.finding.load->wall_s);
  }
  load.earlier_loads = static_cast<uint32_t>(earlier.size());
  load.earlier_median_s = QuantileOf(earlier, 0.5);
}

void LoadDetector::AddPod(const Context& context, const Watch& watch, const model::Pod& pod, Finding& finding) {
  const auto any = [&](const auto& wanted) {
    return std::any_of(pod.containers.begin(), pod.containers.end(), wanted);
  };
  const UnixMillis start = watch.start_s * 1'000;
  const bool was_ready = pod.ready_since != 0 && pod.ready_since < start;
  const bool young = !was_ready || static_cast<double>(start - pod.created) <= 1'000 * context.thresholds.load_age_s;
  if (was_ready && finding.load->kind == "weights") finding.kind = finding.load->kind = "hot_reload";
  if (young) Add(finding, {"young", "The pod was starting.", 1, "", kYoung, {}});
  if (any([](const auto& container) { return container.gpus != 0; })) {
    Add(finding, {"gpu", "The pod asks for a GPU.", 1, "", kAccelerator, {}});
  }
  const bool initialiser = any([](const auto& one) { return one.init && one.name == "storage-initializer"; });
  if (initialiser && !finding.load->helper.known()) {
    Add(finding, {"helper", "The pod has an init container that loads models.", 1, "", kHelper, {}});
  }
}

void LoadDetector::AddPoints(const Context& context, const Key& key, const Watch& watch, const model::Pod* pod,
                             Finding& finding) const {
  const Thresholds& thresholds = context.thresholds;
  const LoadFacts& load = *finding.load;
  const Subject& receiver = context.names[key.party].subject;
  const Reference flows = FlowReference("bytes_to_client,late_segments_to_client,connections_open", receiver,
                                        load.source, finding.start, finding.end);
  const std::string& how = context.names[watch.source].class_source;
  Add(finding, {"source",
                fmt::format("{} is of class {}, known by {}.", Title(load.source), load.remote_class,
                            watch.by_port ? "its port only" : how),
                0, "", watch.by_port ? kPortClass : kKnownClass, flows});
  Add(finding, {"bytes",
                fmt::format("{} came in {}, {} on average.", BytesText(Double(load.bytes)), SecondsText(load.wall_s),
                            BitsText(load.mean_bits)),
                Double(load.bytes), "bytes", Double(load.bytes) >= thresholds.load_large_bytes ? kLarge : 0, flows});
  if (pod != nullptr) AddPod(context, watch, *pod, finding);
  if (load.connections >= kParallelConnections) {
    Add(finding, {"connections", fmt::format("Up to {} connections at once.", load.connections),
                  Double(load.connections), "connections", kParallel, flows});
  }
  if (load.helper.known()) Add(finding, {"helper", "A storage helper carried it.", 1, "", kHelper, {}});
  if (watch.serving) Add(finding, {"serving", "The pod was answering requests already.", 1, "", kServes, {}});
  if (load.baseline_bits > 0 || load.peak_bits > 0) {
    const double limit = load.baseline_bits > 0 ? load.baseline_bits : load.peak_bits;
    Add(finding, {"capacity",
                  fmt::format("That is {} of the node's {} ({}, by {}).", PercentText(load.mean_bits / limit),
                              load.baseline_bits > 0 ? "baseline" : "peak", BitsText(limit), load.capacity_source),
                  load.mean_bits / limit, "", 0,
                  NodeReference("interface.rx_bytes", finding.node, "", finding.start, finding.end)});
  } else {
    finding.not_excluded.emplace_back("What the node may receive is unknown, so the rate cannot be compared with it.");
  }
}

void LoadDetector::AddWords(const Watch& watch, Finding& finding) {
  const LoadFacts& load = *finding.load;
  const auto top = std::max_element(load.phase_s.begin(), load.phase_s.end());
  const auto phase = static_cast<LoadPhase>(top - load.phase_s.begin());
  const double total = std::max(1.0, load.wall_s);
  Add(finding, {"phase",
                fmt::format("For {} of {}, {}.", SecondsText(*top), SecondsText(total),
                            kLoadPhaseTexts[static_cast<size_t>(phase)].text),
                *top,
                "s",
                0,
                {}});
  finding.verdict =
      fmt::format("{} {} {} from {} in {} ({}).", Title(finding.subject),
                  finding.state == FindingState::kOpen ? "is loading, so far" : "loaded", BytesText(Double(load.bytes)),
                  Title(load.source), SecondsText(load.wall_s), BitsText(load.mean_bits));
  finding.advice = AdviceFor(phase);
  if (load.earlier_loads >= 2) {
    Add(finding, {"earlier",
                  fmt::format("{} earlier loads of its owner took {} in the middle.", load.earlier_loads,
                              SecondsText(load.earlier_median_s)),
                  load.earlier_median_s,
                  "s",
                  0,
                  {}});
  }
  if (watch.missing) finding.not_excluded.emplace_back("Readings of the time are missing, so phases may be too.");
}

Finding LoadDetector::Describe(const Context& context, const Key& key, const Watch& watch) const {
  Finding finding;
  finding.detector = Detector::model_load;
  finding.severity = Severity::kInfo;
  finding.subject = context.names[key.party].subject;
  finding.node = finding.subject.node;
  finding.variant = static_cast<uint64_t>(key.remote_class);
  finding.start = watch.start_s * 1'000;
  finding.end = (watch.last_s + 1) * 1'000;
  finding.load.emplace();
  FillFacts(context, key, watch, *finding.load);
  finding.kind = finding.load->kind;
  return finding;
}

void LoadDetector::Emit(const Context& context, const Key& key, Watch& watch, bool over) {
  // Whoever waited for it while it ran wanted it; when it is over nobody waits any more.
  for (const model::Pod* pod : Wanting(context, key)) watch.wanting.insert(pod->uid);
  if (Double(watch.bytes) < context.thresholds.load_least_bytes) return;
  std::vector<const model::Pod*> wanting;
  for (const std::string& uid : watch.wanting) {
    if (const model::Pod* pod = context.names.PodByUid(uid); pod != nullptr) wanting.push_back(pod);
  }
  std::vector<Finding> findings{Describe(context, key, watch)};
  std::vector<const model::Pod*> pods{context.names.PodOf(key.party)};
  if (!wanting.empty()) {
    const Finding own = findings[0];
    findings.clear();
    pods = wanting;
    for (const model::Pod* pod : wanting) {
      Finding finding = own;
      finding.load->helper = own.subject;
      finding.subject = context.names.SubjectOfPod(*pod);
      finding.load->shared = wanting.size() > 1;
      finding.load->bytes /= wanting.size();
      findings.push_back(std::move(finding));
    }
  }
  for (size_t index = 0; index < findings.size(); ++index) {
    Finding& finding = findings[index];
    finding.state = over ? FindingState::kClosed : FindingState::kOpen;
    AddPoints(context, key, watch, pods[index], finding);
    AddWords(watch, finding);
    if (watch.missing) LowerForGaps(finding, context.thresholds);
    if (!over) {
      context.book.Report(std::move(finding), context.now);
      continue;
    }
    finding.level = LevelOf(finding.points, context.thresholds);
    finding.id = FindingId(finding.detector, finding.subject.key, finding.peer.key, finding.variant, finding.start);
    past_.push_back({finding, key.party, context.names.Brief(key.party).workload, watch.solo});
    if (past_.size() > kMostPast) past_.pop_front();
    context.book.Close(std::move(finding), "done", context.now);
  }
}

std::vector<LoadDetector::Running> LoadDetector::RunningLoads(const Context& context) const {
  std::vector<Running> running;
  for (const auto& [key, watch] : watches_) {
    if (!watch.loading) continue;
    Running load{key.party, key.remote_class, watch.source, watch.start_s, 0, 0};
    load.mean_bits = 8 * Double(watch.bytes) / static_cast<double>(watch.last_s - watch.start_s + 1);
    std::vector<double> solo;
    for (const PastLoad& past : past_) {
      if (past.solo && past.workload == context.names.Brief(key.party).workload)
        solo.push_back(past.finding.load->mean_bits);
    }
    load.usual_bits = QuantileOf(solo, 0.5);
    running.push_back(load);
  }
  std::sort(running.begin(), running.end(), [](const Running& a, const Running& b) {
    return a.start_s != b.start_s ? a.start_s < b.start_s : a.party < b.party;
  });
  return running;
}

bool LoadDetector::LoadsFor(const Context& context, const model::Pod& pod, UnixMillis before) const {
  const PartyNumber party = context.names.PartyOfPod(pod.name_space, pod.name);
  return std::any_of(watches_.begin(), watches_.end(), [&](const auto& entry) {
    const auto& [key, watch] = entry;
    return watch.loading && watch.start_s * 1'000 <= before && (key.party == party || watch.wanting.contains(pod.uid));
  });
}

// Parties that turned out to be one, because a name came late, go on as one load.
void LoadDetector::Rekey(const Context& context) {
  std::vector<Key> moved;
  for (const auto& [key, watch] : watches_) {
    if (context.names.Resolve(key.party) != key.party) moved.push_back(key);
  }
  for (const Key& key : moved) {
    Watch from = std::move(watches_[key]);
    watches_.erase(key);
    const auto [entry, added] = watches_.try_emplace({context.names.Resolve(key.party), key.remote_class});
    Watch& into = entry->second;
    if (from.loading && !into.loading) std::swap(from, into);
    for (const Second& second : from.ring) {
      if (second.second < 0 || second.second <= into.judged_s) continue;
      Second& slot = At(into, second.second);
      if (slot.second != second.second) continue;
      slot.rx += second.rx;
      slot.tx += second.tx;
      slot.late_bytes += second.late_bytes;
      slot.late_segments += second.late_segments;
      slot.connections += second.connections;
      slot.reader_full = slot.reader_full || second.reader_full;
    }
    if (into.source == kNobody) into.source = from.source;
  }
}

void LoadDetector::Tick(const Context& context) {
  Rekey(context);
  for (auto& [key, watch] : watches_) {
    const int64_t until = std::max(watch.latest_s - 1, context.second() - kQuietLag);
    const int64_t from = std::max(watch.judged_s + 1, until - static_cast<int64_t>(kRing) + 1);
    for (int64_t second = std::max<int64_t>(from, 0); second <= until; ++second)
      JudgeSecond(context, key, watch, second);
    watch.judged_s = std::max(watch.judged_s, until);
    if (watch.loading) Emit(context, key, watch, false);
  }
  std::erase_if(watches_, [&](const auto& entry) {
    return !entry.second.loading && context.second() - entry.second.latest_s > 60;
  });
}

}  // namespace weir::diagnose
