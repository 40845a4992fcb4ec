#include "diagnose/scenario.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <sstream>

namespace weir::diagnose {
namespace {

constexpr UnixMillis kStart = 1'700'000'000'000;
constexpr double kSegment = 1'448;

[[noreturn]] void Fail(int line, const std::string& what) {
  std::fprintf(stderr, "scenario, line %d: %s\n", line, what.c_str());
  std::abort();
}

double ParseNumber(int line, const std::string& text) {
  char* end = nullptr;
  double value = std::strtod(text.c_str(), &end);
  for (; *end != 0; ++end) {
    switch (*end) {
      case 'k': value *= 1e3; break;
      case 'M': value *= 1e6; break;
      case 'G': value *= 1e9; break;
      default: Fail(line, "no number: " + text);
    }
  }
  return value;
}

// Words are separated by blanks; a value may be quoted.
std::vector<std::string> Split(const std::string& line) {
  std::vector<std::string> words;
  std::string word;
  bool quoted = false;
  for (const char c : line) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == ' ' && !quoted) {
      if (!word.empty()) words.push_back(std::exchange(word, ""));
    } else {
      word += c;
    }
  }
  if (!word.empty()) words.push_back(word);
  return words;
}

std::pair<std::string, std::string> SplitAt(const std::string& text, char at) {
  const size_t place = text.find(at);
  return {text.substr(0, place), place == std::string::npos ? "" : text.substr(place + 1)};
}

// What a run keeps while it goes.
class Run {
 public:
  Run(const std::vector<ScenarioLine>& lines, const ScenarioOptions& options)
      : lines_(lines), options_(options), random_(options.seed) {
    for (const ScenarioLine& line : lines) {
      if (line.words[0] != "set") continue;
      for (const auto& [name, value] : line.values) {
        const Status status = SetThreshold(thresholds_, name + "=" + value);
        if (!status.ok()) Fail(line.number, status.message());
      }
    }
    for (const auto& [name, value] : options.thresholds) {
      const Status status = SetThreshold(thresholds_, fmt::format("{}={}", name, value));
      if (!status.ok()) Fail(0, status.message());
    }
  }

  Scenario::Outcome Go(int64_t seconds);

 private:
  struct Delayed {
    int64_t at = 0;
    std::vector<FlowSample> flows;
    std::vector<RequestSample> requests;
    std::map<std::string, std::vector<model::NodeSample>> readings;
    std::vector<std::pair<std::string, model::RateWindow>> windows;
  };

  double Vary(double value) { return value == 0 ? 0 : std::max(0.0, value * (1 + options_.jitter * normal_(random_))); }
  uint32_t Vary32(const ScenarioLine& line, const std::string& name) {
    return static_cast<uint32_t>(std::lround(Vary(line.Number(name))));
  }
  // Small counts per second stay whole in the long run.
  uint32_t Events(const ScenarioLine& line, const std::string& name) {
    const double value = line.Number(name);
    const double whole = std::floor(value);
    return static_cast<uint32_t>(whole) + (uniform_(random_) < value - whole ? 1 : 0);
  }
  void Declare(Judge& judge, const ScenarioLine& line);
  void DeclareEnd(Judge& judge, const ScenarioLine& line);
  model::Pod PodAt(const ScenarioLine& line, int64_t second) const;
  void Tell(Judge& judge, int64_t second);
  void Make(int64_t second, Delayed& batch);
  void MakeFlow(const ScenarioLine& line, int64_t second, Delayed& batch);
  void MakeMesh(const ScenarioLine& line, int64_t second, Delayed& batch);
  void MakeRequests(const ScenarioLine& line, int64_t second, Delayed& batch);
  void MakeNode(const ScenarioLine& line, int64_t second, Delayed& batch);
  void MakeWindow(const ScenarioLine& line, int64_t second, Delayed& batch);
  void Direct(const ScenarioLine& line, const std::string& suffix, Direction& direction);
  Times Sampled(const ScenarioLine& line, const std::string& name, double count);
  void Bend(Delayed& batch);
  void Feed(Judge& judge, Delayed& batch, UnixMillis now);
  UnixMillis At(const std::string& node, int64_t second) const;
  double Rate(const ScenarioLine& line, const std::string& name) { return options_.scale * Vary(line.Number(name)); }

  const std::vector<ScenarioLine>& lines_;
  const ScenarioOptions& options_;
  Thresholds thresholds_;
  std::mt19937_64 random_;
  std::normal_distribution<double> normal_{0, 1};
  std::uniform_real_distribution<double> uniform_{0, 1};
  std::vector<std::string> nodes_;
  std::map<uint64_t, std::string> node_of_;  // by end
};

UnixMillis Run::At(const std::string& node, int64_t second) const {
  const auto place = std::find(nodes_.begin(), nodes_.end(), node) - nodes_.begin();
  const int64_t skew = place == 1 ? options_.skew_s : place == 2 ? -options_.skew_s : 0;
  return kStart + (second + skew) * 1'000;
}

void Run::DeclareEnd(Judge& judge, const ScenarioLine& line) {
  model::Entity entity;
  entity.id = std::stoull(line.words.at(1));
  if (const auto [name_space, pod] = SplitAt(line.Text("pod"), '/'); !name_space.empty()) {
    entity.kind = "pod";
    entity.namespace_ = name_space;
    entity.pod = pod;
    entity.process = "app";
    entity.workload = line.Text("workload", pod.substr(0, pod.rfind('-')));
    entity.workload_kind = "Deployment";
    entity.container = line.Text("container", pod + "-main");
  } else if (line.Has("process")) {
    entity.kind = "process";
    entity.process = line.Text("process");
    entity.workload = line.Text("workload");
  } else if (line.Has("external")) {
    entity.kind = "external";
    entity.external_name = line.Text("external");
    entity.cloud_service = line.Text("class");
    entity.name_source = line.Text("source", "dns");
  }
  entity.node = line.Text("node");
  for (const ScenarioLine& other : lines_) {
    if (other.words[0] == "node" && other.words.size() > 1 && other.words[1] == entity.node && other.from < 0)
      entity.zone = other.Text("zone");
  }
  if (line.Has("zone")) entity.zone = line.Text("zone");
  node_of_[entity.id] = entity.node;
  judge.names().Learn(entity);
}

void Run::Declare(Judge& judge, const ScenarioLine& line) {
  const std::string& what = line.words[0];
  if (what == "node") {
    model::Node node;
    node.uid = node.name = line.words.at(1);
    node.zone = line.Text("zone");
    node.instance_type = line.Text("type");
    if (!options_.no_capacity)
      node.baseline_mbits = static_cast<uint64_t>(options_.scale * line.Number("baseline") / 1e6);
    if (options_.no_capacity) node.instance_type.clear();
    if (std::find(nodes_.begin(), nodes_.end(), node.name) == nodes_.end()) nodes_.push_back(node.name);
    judge.names().Learn(node);
  } else if (what == "end") {
    DeclareEnd(judge, line);
  } else if (what == "attach") {
    model::VolumeAttachment attachment;
    attachment.uid = attachment.name = "attachment";
    for (std::stringstream pods(line.Text("pods")); pods.good();) {
      std::string pod;
      std::getline(pods, pod, ',');
      attachment.served_pods[line.Text("helper")].push_back("uid-" + pod);
    }
    judge.names().Learn(attachment);
  } else if (what == "endpoints") {
    model::Endpoints endpoints;
    endpoints.uid = endpoints.service = line.Text("service");
    for (std::stringstream pods(line.Text("pods")); pods.good();) {
      std::string pod;
      std::getline(pods, pod, ',');
      const auto [name, zone] = SplitAt(pod, '@');
      model::Endpoints::Endpoint endpoint;
      endpoint.ready = true;
      endpoint.pod_uid = "uid-" + name;
      endpoint.zone = zone;
      endpoints.endpoints.push_back(endpoint);
    }
    judge.names().Learn(endpoints);
  }
}

model::Pod Run::PodAt(const ScenarioLine& line, int64_t second) const {
  const auto time = [&](const std::string& name) -> UnixMillis {
    if (!line.Has(name) || line.Number(name) > static_cast<double>(second)) return 0;
    return kStart + static_cast<int64_t>(1'000 * line.Number(name));
  };
  model::Pod pod;
  std::tie(pod.name_space, pod.name) = SplitAt(line.words.at(1), '/');
  pod.uid = "uid-" + line.words[1];
  pod.node = line.Text("node");
  pod.phase = "Running";
  pod.created = time("created");
  pod.scheduled = time("scheduled");
  pod.started = time("started");
  pod.ready_since = time("ready");
  pod.ready = pod.ready_since != 0;
  pod.deletion = time("deleted");
  pod.workload.kind = "Deployment";
  pod.workload.name = line.Text("workload", pod.name.substr(0, pod.name.rfind('-')));
  model::PodContainer container;
  container.name = "main";
  container.id = line.Text("container", pod.name + "-main");
  container.started = time("started");
  container.state = container.started == 0 ? "waiting" : "running";
  container.gpus = static_cast<uint64_t>(line.Number("gpus"));
  if (line.Has("init")) {
    model::PodContainer init;
    init.name = line.Text("init");
    init.init = true;
    init.started = time("init_started");
    init.finished = time("init_finished");
    pod.containers.push_back(init);
  }
  pod.containers.push_back(container);
  return pod;
}

// Pods change as their times pass; ends learn their names at theirs.
void Run::Tell(Judge& judge, int64_t second) {
  for (const ScenarioLine& line : lines_) {
    if (line.words[0] == "pod" && line.from < 0) {
      judge.names().Learn(PodAt(line, second));
    } else if (line.words[0] == "end" && line.from == second) {
      DeclareEnd(judge, line);
    }
  }
}

void Run::Direct(const ScenarioLine& line, const std::string& suffix, Direction& direction) {
  direction.bytes = static_cast<uint64_t>(Rate(line, suffix));
  direction.segments =
      static_cast<uint32_t>(static_cast<double>(direction.bytes) / kSegment) + Vary32(line, "segs_" + suffix);
  direction.late_segments = Events(line, "late_" + suffix);
  direction.late_bytes = static_cast<uint64_t>(kSegment * direction.late_segments);
  direction.retransmits = Events(line, "again_" + suffix);
  direction.spurious_retransmits = Events(line, "spurious_" + suffix);
  direction.reordered = Events(line, "reordered_" + suffix);
  direction.timeouts = Events(line, "rto_" + suffix);
  const double busy = std::min(1.0, Vary(line.Number("busy_" + suffix)));
  direction.busy_us = static_cast<uint32_t>(1e6 * busy);
  direction.window_limited_us =
      static_cast<uint32_t>(1e6 * busy * std::min(1.0, Vary(line.Number("window_" + suffix))));
  direction.buffer_limited_us =
      static_cast<uint32_t>(1e6 * busy * std::min(1.0, Vary(line.Number("buffer_" + suffix))));
  direction.zero_windows = Events(line, "zero_" + suffix);
  direction.unread_max = Vary32(line, "unread_" + suffix);
  direction.receive_buffer = static_cast<uint32_t>(line.Number("rcvbuf_" + suffix));
  direction.congestion_window = Vary32(line, "cwnd_" + suffix);
  direction.in_flight_max = Vary32(line, "flight_" + suffix);
}

void Run::MakeFlow(const ScenarioLine& line, int64_t second, Delayed& batch) {
  // C->S:PORT
  const auto [client, rest] = SplitAt(line.words.at(1), '-');
  const auto [server, port] = SplitAt(rest.substr(1), ':');
  FlowSample sample;
  sample.client = std::stoull(client);
  sample.server = std::stoull(server);
  sample.server_port = static_cast<uint16_t>(std::stoul(port));
  sample.flow = HashText(line.words[1] + line.Text("row"));
  const std::string& node = node_of_[sample.client].empty() ? node_of_[sample.server] : node_of_[sample.client];
  sample.start = At(node, second);
  sample.end = sample.start + 1'000;
  const std::string by = line.Text("by", "both");
  sample.reported_by = by == "client" ? kByClient : by == "server" ? kByServer : kByClient | kByServer;
  Direct(line, "rx", sample.to_client);
  Direct(line, "tx", sample.to_server);
  const auto rtt = [&](const std::string& name, Rtt& into) {
    if (!line.Has(name)) return;
    into.count = 10;
    into.sum_us = static_cast<uint64_t>(10 * options_.delay * Vary(line.Number(name)));
    into.max_us = static_cast<uint32_t>(into.sum_us / 10);
    into.min_us = static_cast<uint32_t>(options_.delay * line.Number(name + "_min", line.Number(name)));
  };
  rtt("rtt_client", sample.client_rtt);
  rtt("rtt_server", sample.server_rtt);
  sample.connections_open = static_cast<uint32_t>(std::ceil(options_.parallel * line.Number("conns")));
  sample.connections_opened = Events(line, "opened");
  sample.connections_closed = Events(line, "closed");
  sample.failed_refused = Events(line, "refused");
  sample.failed_timed_out = Events(line, "timed_out");
  sample.failed_unreachable = Events(line, "unreachable");
  sample.failed_abandoned = Events(line, "abandoned");
  sample.failed_no_port = Events(line, "no_port");
  sample.failed_other = Events(line, "failed_other");
  sample.closed_reset_by_server = Events(line, "reset");
  // What every line draws, drawn anew, would change what all recipes say.
  if (line.Has("given_up")) sample.closed_timed_out = Events(line, "given_up");
  sample.retransmits_syn = Events(line, "syn_again");
  sample.accept_overflows = Events(line, "overflows");
  sample.failed_after_max_us = Vary32(line, "failed_after");
  sample.connect_max_us = Vary32(line, "connect_max");
  batch.flows.push_back(sample);
}

// A flow between every two of the grid's pods; those that match between=ZONE,ZONE, node= or pod= are as the line says,
// the others carry the same bytes and are well.
void Run::MakeMesh(const ScenarioLine& line, int64_t second, Delayed& batch) {
  std::vector<const ScenarioLine*> pods;
  for (const ScenarioLine& other : lines_) {
    if (other.words[0] == "end" && other.Has("grid")) pods.push_back(&other);
  }
  const auto [a, b] = SplitAt(line.Text("between"), ',');
  for (const ScenarioLine* client : pods) {
    for (const ScenarioLine* server : pods) {
      if (client == server) continue;
      const std::string x = client->Text("zone");
      const std::string y = server->Text("zone");
      const auto either = [&](const std::string& name) {
        return line.Has(name) && (client->Text(name) == line.Text(name) || server->Text(name) == line.Text(name));
      };
      const bool hit =
          (line.Has("between") && ((x == a && y == b) || (x == b && y == a))) || either("node") || either("pod");
      ScenarioLine flow = line;
      flow.words = {"flow", client->words[1] + "->" + server->words[1] + ":8080"};
      if (!hit) {
        std::erase_if(flow.values, [](const auto& value) { return value.first != "rx" && value.first != "tx"; });
      }
      flow.values["rtt_client"] = hit && line.Has("rtt_client") ? line.Text("rtt_client") : "300";
      MakeFlow(flow, second, batch);
    }
  }
}

Times Run::Sampled(const ScenarioLine& line, const std::string& name, double count) {
  Times times;
  if (!line.Has(name)) return times;
  const auto [middle, spread] = SplitAt(line.Text(name), '~');
  // A resolver asks again by a timer of its own, however far its server is.
  const bool answers = name == "first" || name == "gap" || (name == "latency" && line.Text("app") != "dns");
  const double middle_us = ParseNumber(line.number, middle) * (answers ? options_.delay : 1);
  const double sigma = spread.empty() ? 0.15 : ParseNumber(line.number, spread);
  for (int64_t i = 0; i < std::llround(count); ++i) {
    const auto us = static_cast<uint64_t>(middle_us * std::exp(sigma * normal_(random_)));
    ++times.count;
    times.sum_us += us;
    times.max_us = std::max(times.max_us, us);
    times.histogram.Add(us);
  }
  return times;
}

void Run::MakeRequests(const ScenarioLine& line, int64_t second, Delayed& batch) {
  const auto [client, rest] = SplitAt(line.words.at(1), '-');
  const auto [server, port] = SplitAt(rest.substr(1), ':');
  RequestSample sample;
  sample.client = std::stoull(client);
  sample.server = std::stoull(server);
  sample.server_port = static_cast<uint16_t>(std::stoul(port));
  sample.start = At(node_of_[sample.server], second);
  sample.end = sample.start + 1'000;
  sample.application = line.Text("app") == "dns" ? Application::kDns : Application::kHttp;
  const std::string by = line.Text("by", "server");
  sample.reported_by = by == "client" ? kByClient : kByServer;
  sample.result = line.Text("result");
  sample.resource = line.Text("name");
  sample.requests = Events(line, "n");
  if (sample.requests == 0) return;
  sample.requests_unanswered = std::min<uint64_t>(sample.requests, Events(line, "unanswered"));
  sample.requests_repeated = std::min<uint64_t>(sample.requests, Events(line, "repeated"));
  sample.requests_streamed = line.Has("gap") ? sample.requests : 0;
  const auto n = static_cast<double>(sample.requests);
  sample.request_latency = Sampled(line, "latency", n);
  sample.first_chunk = Sampled(line, "first", n);
  sample.chunk_gap = Sampled(line, "gap", line.Number("gaps", 6 * n));
  sample.receive_wait = Sampled(line, "wait", n);
  sample.accept_wait = Sampled(line, "accept", n);
  sample.send_wait = Sampled(line, "send_wait", n);
  sample.client_idle = Sampled(line, "idle", n);
  batch.requests.push_back(std::move(sample));
}

void Run::MakeNode(const ScenarioLine& line, int64_t second, Delayed& batch) {
  using model::NodeSignal;
  const std::string& node = line.words.at(1);
  auto& samples = batch.readings[node];
  const auto add = [&](NodeSignal signal, const std::string& subject, double value) {
    if (value <= 0) return;
    samples.push_back({signal, subject, 0, static_cast<uint64_t>(value), At(node, second) + 900, 1'000});
  };
  const double rx = Rate(line, "rx");
  const double tx = Rate(line, "tx");
  add(NodeSignal::interface_rx_bytes, "eth0", rx);
  add(NodeSignal::interface_tx_bytes, "eth0", tx);
  add(NodeSignal::interface_rx_packets, "eth0", rx / kSegment + 1);
  add(NodeSignal::interface_tx_packets, "eth0", tx / kSegment + 1);
  add(NodeSignal::allowance_bandwidth_in, "eth0", Events(line, "over_in"));
  add(NodeSignal::allowance_bandwidth_out, "eth0", Events(line, "over_out"));
  add(NodeSignal::allowance_packets, "eth0", Events(line, "over_packets"));
  add(NodeSignal::allowance_connections, "eth0", Events(line, "over_connections"));
  add(NodeSignal::allowance_link_local, "eth0", Events(line, "over_link_local"));
  add(NodeSignal::allowance_connections_left, "eth0", line.Number("left"));
  const std::string queue = line.Text("qdisc", "eth0 tbf 8001:");
  const uint64_t uplink = queue.starts_with("eth0 ") ? 1 : 0;
  samples.push_back({NodeSignal::interface_hardware, SplitAt(queue, ' ').first, 0, uplink, At(node, second), 1'000});
  add(NodeSignal::qdisc_overlimits, queue, Events(line, "overlimits"));
  add(NodeSignal::qdisc_drops, queue, Events(line, "queue_drops"));
  add(NodeSignal::interface_rx_missed, "eth0", Events(line, "drops"));
  add(NodeSignal::drop_rule, line.Text("rule", "NETFILTER_DROP in nft_do_chain (tcp)"), Events(line, "rules"));
  add(NodeSignal::tcp_zero_window_drops, "host", Events(line, "sockets"));
  if (line.Has("throttled")) {
    const auto [container, share] = SplitAt(line.Text("throttled"), ':');
    add(NodeSignal::cgroup_throttled_us, container, 1e6 * ParseNumber(line.number, share));
  }
}

void Run::MakeWindow(const ScenarioLine& line, int64_t second, Delayed& batch) {
  model::RateWindow window;
  window.subject = "eth0";
  window.start = At(line.words.at(1), second);
  for (int step = 0; step < 100; ++step) {
    const bool burst = step < static_cast<int>(line.Number("steps", 3));
    window.step_us.push_back(10'000);
    window.rx_bytes.push_back(burst ? static_cast<uint64_t>(options_.scale * line.Number("rx_bits") / 800) : 1'000);
    window.tx_bytes.push_back(burst ? static_cast<uint64_t>(options_.scale * line.Number("tx_bits") / 800) : 1'000);
    window.rx_packets.push_back(1);
    window.tx_packets.push_back(1);
  }
  batch.windows.emplace_back(line.words[1], window);
}

void Run::Make(int64_t second, Delayed& batch) {
  const bool blind = std::any_of(options_.blind.begin(), options_.blind.end(),
                                 [&](const auto& range) { return second >= range.first && second <= range.second; });
  for (const std::string& node : nodes_) {
    if (blind) break;
    auto& samples = batch.readings[node];
    samples.push_back({model::NodeSignal::node_pass_us, "", 0, 300, At(node, second) + 900, 1'000});
    samples.push_back({model::NodeSignal::interface_hardware, "eth0", 0, 1, At(node, second) + 900, 1'000});
  }
  for (const ScenarioLine& line : lines_) {
    if (line.from < 0 || second < line.from || second > line.to) continue;
    const std::string& what = line.words[0];
    if (what == "flow") {
      MakeFlow(line, second, batch);
    } else if (what == "mesh") {
      MakeMesh(line, second, batch);
    } else if (what == "requests") {
      MakeRequests(line, second, batch);
    } else if (what == "node" && !blind) {
      MakeNode(line, second, batch);
    } else if (what == "window" && !blind) {
      MakeWindow(line, second, batch);
    } else if (what != "node" && what != "window" && what != "end") {
      Fail(line.number, "unknown: " + what);
    }
  }
}

void Run::Bend(Delayed& batch) {
  const auto lost = [&](const auto&) { return uniform_(random_) < options_.lost_share; };
  std::erase_if(batch.flows, lost);
  std::erase_if(batch.requests, lost);
  const size_t flows = batch.flows.size();
  for (size_t index = 0; index < flows; ++index) {
    if (uniform_(random_) < options_.duplicate_share) batch.flows.push_back(batch.flows[index]);
  }
}

void Run::Feed(Judge& judge, Delayed& batch, UnixMillis now) {
  for (const auto& [node, samples] : batch.readings) judge.Add(NodeReadings{node, samples, {}}, now);
  for (const auto& [node, window] : batch.windows) judge.Add(NodeReadings{node, {}, {&window, 1}}, now);
  judge.Add(std::span<const FlowSample>(batch.flows), now);
  judge.Add(std::span<const RequestSample>(batch.requests), now);
}

Scenario::Outcome Run::Go(int64_t seconds) {
  Judge judge(thresholds_, Capacities(InstanceTable::Shipped()));
  for (const ScenarioLine& line : lines_) {
    if (line.from < 0) Declare(judge, line);
  }
  Scenario::Outcome outcome;
  std::vector<Delayed> waiting;
  for (int64_t second = 0; second < seconds; ++second) {
    const UnixMillis now = kStart + (second + 1) * 1'000;
    Tell(judge, second);
    Delayed batch;
    Make(second, batch);
    Bend(batch);
    batch.at = second + options_.late_s;
    Delayed later{
        batch.at + options_.flows_late_s, std::exchange(batch.flows, {}), std::exchange(batch.requests, {}), {}, {}};
    waiting.push_back(std::move(batch));
    waiting.push_back(std::move(later));
    for (Delayed& due : waiting) {
      if (due.at == second) Feed(judge, due, now);
    }
    std::erase_if(waiting, [&](const Delayed& sent) { return sent.at <= second; });
    judge.Tick(now);
    for (Finding& finding : judge.TakeChanges()) {
      outcome.first_seen_s.try_emplace(finding.id, second + 1);
      outcome.findings[finding.id] = std::move(finding);
    }
    for (HealthIndicator& epoch : judge.TakeEpochs()) outcome.epochs.push_back(std::move(epoch));
  }
  for (Finding& finding : judge.book().Open()) outcome.findings[finding.id] = std::move(finding);
  outcome.counters = judge.counters();
  return outcome;
}

bool Contains(const std::vector<Involved>& involved, const std::string& wanted) {
  return std::any_of(involved.begin(), involved.end(),
                     [&](const Involved& one) { return Title(one.subject) == wanted; });
}

// "" when the finding is the one that is wanted, else what is not.
std::string Mismatch(const ScenarioLine& wanted, const Finding& finding) {
  const auto text = [&](const std::string& name, std::string_view is) -> std::string {
    if (!wanted.Has(name) || wanted.Text(name) == is) return "";
    return fmt::format("{} is '{}' and not '{}'. ", name, is, wanted.Text(name));
  };
  std::string wrong =
      text("kind", finding.kind) + text("subject", Title(finding.subject)) + text("peer", Title(finding.peer)) +
      text("level", LevelName(finding.level)) + text("severity", SeverityName(finding.severity)) +
      text("state", finding.state == FindingState::kOpen ? "open" : "closed") + text("because", finding.closed_because);
  for (const auto& [name, parties] : {std::pair{"culprit", &finding.culprits}, std::pair{"victim", &finding.victims}}) {
    if (wanted.Has(name) && !Contains(*parties, wanted.Text(name)))
      wrong += fmt::format("no {} {}. ", name, wanted.Text(name));
  }
  if (wanted.Has("evidence") &&
      std::none_of(finding.evidence.begin(), finding.evidence.end(),
                   [&](const Evidence& one) { return one.name == wanted.Text("evidence"); })) {
    wrong += "no evidence " + wanted.Text("evidence") + ". ";
  }
  if (wanted.Has("says") && finding.verdict.find(wanted.Text("says")) == std::string::npos)
    wrong += "it says: " + finding.verdict + " ";
  if (!finding.load) return wrong;
  const LoadFacts& load = *finding.load;
  if (wanted.Has("bytes") &&
      std::abs(static_cast<double>(load.bytes) / wanted.Number("bytes") - 1) > wanted.Number("within", 0.01)) {
    wrong += fmt::format("{} bytes. ", load.bytes);
  }
  if (wanted.Has("phase")) {
    const auto top = std::max_element(load.phase_s.begin(), load.phase_s.end()) - load.phase_s.begin();
    const std::string_view phase = kLoadPhaseTexts[static_cast<size_t>(top)].name;
    if (phase != wanted.Text("phase")) wrong += fmt::format("phase {}. ", phase);
  }
  if (wanted.Has("shared") && !load.shared) wrong += "not shared. ";
  return wrong;
}

std::string CheckIndicator(const ScenarioLine& wanted, const Scenario::Outcome& outcome) {
  const std::string& scope = wanted.words.at(1);
  const std::string& value = wanted.words.at(2);
  std::set<std::string> seen;
  for (const HealthIndicator& indicator : outcome.epochs) {
    if (Title(indicator.scope) == scope) seen.insert(indicator.value ? fmt::format("{}", *indicator.value) : "unknown");
  }
  const bool never = wanted.Has("never");
  if (never) return seen.contains(value) ? fmt::format("the indicator of {} was {}", scope, value) : "";
  return seen.contains(value)
             ? ""
             : fmt::format("the indicator of {} was {}, never {}", scope, fmt::join(seen, ", "), value);
}

}  // namespace

std::string ScenarioLine::Text(const std::string& name, const std::string& fallback) const {
  const auto found = values.find(name);
  return found == values.end() ? fallback : found->second;
}

double ScenarioLine::Number(const std::string& name, double fallback) const {
  const auto found = values.find(name);
  return found == values.end() ? fallback : ParseNumber(number, found->second);
}

namespace {

// grid zones=a,b nodes=N workloads=N: nodes a1, a2, b1, ... each with a pod of every workload.
std::vector<ScenarioLine> Grid(const ScenarioLine& line) {
  std::vector<ScenarioLine> lines;
  int id = 1'000;
  for (std::stringstream zones(line.Text("zones")); zones.good();) {
    std::string zone;
    std::getline(zones, zone, ',');
    for (int node = 1; node <= static_cast<int>(line.Number("nodes")); ++node) {
      const std::string name = fmt::format("{}{}", zone, node);
      ScenarioLine declared = line;
      declared.words = {"node", name};
      declared.values = {{"zone", zone}};
      lines.push_back(declared);
      for (int workload = 1; workload <= static_cast<int>(line.Number("workloads")); ++workload) {
        declared.words = {"end", fmt::format("{}", ++id)};
        declared.values = {
            {"pod", fmt::format("app/w{}-{}", workload, name)}, {"node", name}, {"zone", zone}, {"grid", "yes"}};
        lines.push_back(declared);
      }
    }
  }
  return lines;
}

}  // namespace

Scenario::Scenario(std::string_view text) {
  std::istringstream in{std::string(text)};
  std::string raw;
  for (int number = 1; std::getline(in, raw); ++number) {
    if (raw.starts_with("---")) break;
    if (raw.empty() || raw.starts_with('#')) continue;
    ScenarioLine line;
    line.number = number;
    line.from = -1;
    std::vector<std::string> words = Split(raw);
    if (words.empty()) continue;
    if (std::isdigit(static_cast<unsigned char>(words[0][0])) != 0) {
      const auto [from, to] = SplitAt(words[0], '.');
      line.from = std::stoll(from);
      line.to = to.empty() ? line.from : std::stoll(to.substr(1));
      words.erase(words.begin());
    }
    for (const std::string& word : words) {
      const auto [name, value] = SplitAt(word, '=');
      if (word.find('=') == std::string::npos) {
        line.words.push_back(word);
      } else {
        line.values[name] = value;
      }
    }
    if (line.words.empty()) Fail(number, "no word");
    const std::string& what = line.words[0];
    if (what == "run") {
      seconds_ = std::stoll(line.words.at(1));
    } else if (what == "expect" || what == "never" || what == "indicator" || what == "quiet") {
      expectations_.push_back(std::move(line));
    } else if (what == "grid") {
      const std::vector<ScenarioLine> grid = Grid(line);
      lines_.insert(lines_.end(), grid.begin(), grid.end());
    } else {
      lines_.push_back(std::move(line));
    }
  }
}

Scenario::Outcome Scenario::Run(const ScenarioOptions& options) const {
  return diagnose::Run(lines_, options).Go(seconds_);
}

std::string Scenario::Check(const ScenarioLine& expectation, const Outcome& outcome) {
  const std::string& what = expectation.words[0];
  if (what == "indicator") return CheckIndicator(expectation, outcome);
  if (what == "quiet") {
    for (const auto& [id, finding] : outcome.findings) {
      if (finding.severity != Severity::kInfo)
        return fmt::format("not quiet: {}: {}", Describe(finding.detector).name, finding.verdict);
    }
    return "";
  }
  std::string wrong;
  for (const auto& [id, finding] : outcome.findings) {
    if (Describe(finding.detector).name != expectation.words.at(1)) continue;
    const std::string mismatch = Mismatch(expectation, finding);
    if (what == "never" && mismatch.empty()) return fmt::format("there is a finding: {}", finding.verdict);
    if (what == "expect" && mismatch.empty()) return "";
    wrong += fmt::format("\n  {} ({}): {}", Describe(finding.detector).name, finding.kind, mismatch);
  }
  return what == "never" ? "" : fmt::format("no such finding{}", wrong.empty() ? " at all" : ":" + wrong);
}

std::string Scenario::Golden(const Outcome& outcome) {
  std::vector<const Finding*> ordered;
  for (const auto& [id, finding] : outcome.findings) ordered.push_back(&finding);
  std::sort(ordered.begin(), ordered.end(), [](const Finding* a, const Finding* b) {
    return std::tuple(a->detector, a->start, Title(a->subject), a->variant) <
           std::tuple(b->detector, b->start, Title(b->subject), b->variant);
  });
  std::string text;
  for (const Finding* finding : ordered) {
    text += fmt::format("{} {} {} {} {} {}..{}: {}\n", Describe(finding->detector).name, finding->kind,
                        LevelName(finding->level), SeverityName(finding->severity),
                        finding->state == FindingState::kOpen ? "open" : finding->closed_because,
                        (finding->start - kStart) / 1'000, (finding->end - kStart) / 1'000, finding->verdict);
  }
  return text;
}

}  // namespace weir::diagnose
