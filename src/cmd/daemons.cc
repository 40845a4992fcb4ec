#include "cmd/daemons.h"

#include <fmt/format.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "agent/agent.h"
#include "api/api.h"
#include "base/disciplined_clock.h"
#include "base/log.h"
#include "base/version.h"
#include "cmd/app_metrics.h"
#include "cmd/kubernetes.h"
#include "cmd/naming.h"
#include "cmd/push.h"
#include "cmd/server_sink.h"
#include "cmd/token.h"
#include "model/cluster_listeners.h"
#include "server/diagnosis.h"
#include "server/server.h"
#include "server/server_metrics.h"
#include "server/workload_metrics.h"
#include "store/store.h"

namespace weir::cmd {
namespace {

std::filesystem::path DataDir(const Settings& settings) {
  if (const std::string& given = settings.Text("data-dir"); !given.empty()) return given;
  if (geteuid() == 0) return "/var/lib/weir";
  if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && *state != '\0')
    return std::filesystem::path(state) / "weir";
  const char* home = std::getenv("HOME");
  return std::filesystem::path(home != nullptr ? home : "/tmp") / ".local/state/weir";
}

LogLevel LevelOf(const std::string& name) {
  if (name == "debug") return LogLevel::kDebug;
  if (name == "warn") return LogLevel::kWarn;
  return name == "error" ? LogLevel::kError : LogLevel::kInfo;
}

// SIGTERM and SIGINT are taken by Wait() alone: blocked here, before any thread starts, so that all inherit it.
class Signals {
 public:
  Signals() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGTERM);
    sigaddset(&set_, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    signal(SIGPIPE, SIG_IGN);
  }
  void Wait() const {
    int number = 0;
    sigwait(&set_, &number);
    LogInfo("stopping on {}", number == SIGINT ? "SIGINT" : "SIGTERM");
  }

 private:
  sigset_t set_{};
};

// Keeps what the server's clock knows of this machine's, now and then: a restart must not forget it.
class ClockKeeper {
 public:
  ClockKeeper(const DisciplinedClock& clock, std::filesystem::path file) : clock_(clock), file_(std::move(file)) {}

  void KeepWhenDue() {
    const Nanos now = clock_.MonotonicNanos();
    if (now < due_) return;
    due_ = now + kPeriod;
    const Status kept = clock_.Save(file_);
    uint64_t suppressed = 0;
    if (!kept.ok() && failure_log_.Allow(&suppressed)) LogWarn("cannot keep the clock: {}", kept.message());
  }

 private:
  static constexpr Nanos kPeriod = 60LL * 1'000'000'000;

  const DisciplinedClock& clock_;
  const std::filesystem::path file_;
  Nanos due_ = 0;
  RateLimit failure_log_{std::chrono::hours(1)};
};

// "a,b" -> a, b.
std::vector<std::string> ListOf(const std::string& text) {
  std::vector<std::string> items;
  std::istringstream rest(text);
  for (std::string item; std::getline(rest, item, ',');) items.push_back(item);
  return items;
}

Result<server::DiagnosisOptions> DiagnosisOptionsOf(const Settings& settings) {
  server::DiagnosisOptions options;
  for (const std::string& assignment : ListOf(settings.Text("thresholds"))) {
    WEIR_RETURN_IF_ERROR(SetThreshold(options.thresholds, assignment).Annotate("--thresholds"));
  }
  for (const std::string& assignment : ListOf(settings.Text("node-bandwidth"))) {
    WEIR_RETURN_IF_ERROR(options.capacities.Configure(assignment).Annotate("--node-bandwidth"));
  }
  return options;
}

// Store, server, cluster and API, stopped in the opposite order of their start.
struct Serving {
  std::unique_ptr<store::Store> store;
  std::unique_ptr<Naming> names;
  std::unique_ptr<server::Diagnosis> diagnosis;
  std::unique_ptr<server::WorkloadMetrics> workloads;
  std::unique_ptr<telemetry::Push> push;  // null: nobody is told
  std::unique_ptr<apps::Scraper> apps;    // null: no application is asked
  std::unique_ptr<server::Server> server;
  std::unique_ptr<server::ServerMetrics> metrics;
  std::vector<std::unique_ptr<model::ClusterListeners>> listeners;  // one per cluster
  std::unique_ptr<Kubernetes> kubernetes;
  std::unique_ptr<api::Api> api;

  Serving() = default;
  Serving(Serving&&) = default;
  Serving& operator=(Serving&&) = delete;
  ~Serving() {
    if (api) api->Stop();
    if (kubernetes) kubernetes->Stop();
    if (apps) apps->Stop();
    if (server) server->Stop();
    if (push) push->Stop();
    if (diagnosis) diagnosis->Stop();
  }
};

// What they lose they count themselves, by names of their own.
std::vector<server::Follower> FollowersOf(const Serving& serving) {
  server::LiveSinkOptions counts_itself;
  counts_itself.lost = std::nullopt;
  std::vector<server::Follower> followers{{serving.diagnosis.get(), counts_itself},
                                          {serving.workloads.get(), counts_itself}};
  if (serving.push) followers.push_back({serving.push.get(), counts_itself});
  return followers;
}

std::unique_ptr<server::ServerMetrics> MetricsOf(const Serving& serving, UnixMillis started) {
  server::ServerMetricsSources sources;
  sources.workloads = serving.workloads.get();
  sources.agents = [server = serving.server.get()] { return server->Agents(); };
  sources.diagnosis = [diagnosis = serving.diagnosis.get()] { return diagnosis->view(); };
  return std::make_unique<server::ServerMetrics>(std::move(sources), started);
}

// Their objects are told to who names ends, judges, and asks applications for their numbers.
Status FollowClusters(const Settings& settings, const Clock& clock, Serving& serving) {
  WEIR_ASSIGN_OR_RETURN(serving.apps, ScraperOf(settings, clock));
  if (serving.apps) serving.apps->Start();
  const auto listener_of = [&](const std::string& cluster) -> model::ClusterListener& {
    std::vector<model::ClusterListener*> all{&serving.names->stage().ListenerOf(cluster), serving.diagnosis.get()};
    if (serving.apps) all.push_back(&serving.apps->ListenerOf(cluster));
    serving.listeners.push_back(std::make_unique<model::ClusterListeners>(std::move(all)));
    return *serving.listeners.back();
  };
  WEIR_ASSIGN_OR_RETURN(Kubernetes kubernetes, Kubernetes::Start(settings, listener_of, clock));
  serving.kubernetes = std::make_unique<Kubernetes>(std::move(kubernetes));
  return Status::Ok();
}

Result<Serving> StartServing(const Settings& settings, DisciplinedClock& clock) {
  clock.Load(DataDir(settings) / "clock");
  Serving serving;
  store::EmbeddedOptions store_options;
  store_options.data_dir = DataDir(settings) / "store";
  store_options.library = settings.Text("libchdb");
  store_options.clock = &clock;
  const auto seconds = [&](std::string_view flag) { return settings.Duration(flag).count() / 1000; };
  store_options.retention = {.raw_seconds = seconds("retain-raw"),
                             .ten_seconds_seconds = seconds("retain-10s"),
                             .minute_seconds = seconds("retain-1m"),
                             .hour_seconds = seconds("retain-1h"),
                             .findings_seconds = seconds("retain-findings"),
                             .disk_budget_bytes = settings.Bytes("disk-budget")};
  WEIR_ASSIGN_OR_RETURN(serving.store, store::OpenEmbedded(std::move(store_options)));
  server::ServerOptions server_options;
  server_options.housekeeping = [keeper = std::make_shared<ClockKeeper>(clock, DataDir(settings) / "clock")] {
    keeper->KeepWhenDue();
  };
  WEIR_ASSIGN_OR_RETURN(server::DiagnosisOptions diagnosis_options, DiagnosisOptionsOf(settings));
  serving.diagnosis =
      std::make_unique<server::Diagnosis>(std::move(diagnosis_options), *serving.store->findings(), clock);
  WEIR_RETURN_IF_ERROR(serving.diagnosis->Start());
  serving.workloads = std::make_unique<server::WorkloadMetrics>(server::WorkloadMetricsOptions{}, clock);
  WEIR_ASSIGN_OR_RETURN(serving.push, PushOf(settings, clock));
  server_options.followers = FollowersOf(serving);
  WEIR_ASSIGN_OR_RETURN(serving.names, Naming::Start(settings, DataDir(settings), clock));
  server_options.namer = &serving.names->stage();
  WEIR_ASSIGN_OR_RETURN(serving.server, server::Server::Start(std::move(server_options), *serving.store, clock));

  serving.metrics = MetricsOf(serving, clock.WallMillis());
  if (serving.push) serving.push->Start([all = serving.metrics.get()](MetricVisitor& visitor) { all->Visit(visitor); });

  WEIR_RETURN_IF_ERROR(FollowClusters(settings, clock, serving));

  api::ApiOptions api_options;
  api_options.clusters = [followed = serving.kubernetes.get()] { return followed->Report(); };
  api_options.diagnosis = [diagnosis = serving.diagnosis.get()] { return diagnosis->view(); };
  api_options.metrics = [all = serving.metrics.get()](MetricVisitor& visitor) { all->Visit(visitor); };
  if (serving.apps) {
    api_options.apps = [asked = serving.apps.get()](const store::TimeRange& range) {
      return asked->View(range.from, range.to);
    };
  }
  api_options.listen = settings.Text("listen");
  api_options.tls_certificate_file = settings.Text("tls-cert");
  api_options.tls_key_file = settings.Text("tls-key");
  WEIR_ASSIGN_OR_RETURN(api_options.token, ReadToken(settings));
  WEIR_ASSIGN_OR_RETURN(serving.api, api::Api::Start(std::move(api_options), *serving.server, *serving.store, clock));
  return serving;
}

agent::ReceiveLoss ReceiveLossOf(const std::string& text) {
  if (text == "off") return agent::ReceiveLoss::kOff;
  return text == "always" ? agent::ReceiveLoss::kAlways : agent::ReceiveLoss::kOnEvidence;
}

agent::AgentOptions AgentOptionsOf(const Settings& settings) {
  agent::AgentOptions options;
  options.node = settings.Text("node");
  options.zone = settings.Text("zone");
  options.region = settings.Text("region");
  options.interval = settings.Duration("interval");
  options.data_dir = DataDir(settings) / "agent";
  options.spool_limit_bytes = settings.Bytes("spool-limit");
  options.observe.max_sockets = static_cast<uint32_t>(std::min<uint64_t>(settings.Number("max-sockets"), 16U << 20));
  options.observe.max_flows = static_cast<uint32_t>(std::min<uint64_t>(settings.Number("max-flows"), 16U << 20));
  options.observe.udp = settings.Text("udp") == "on";
  options.observe.dns = settings.Text("dns") == "on";
  options.observe.udp_group = settings.Text("udp-group");
  options.observe.within = settings.Text("within");
  options.observe.requests = settings.Text("requests") != "off";
  options.observe.requests_auto = settings.Text("requests") == "auto";
  options.observe.nat = settings.Text("nat") != "off";
  options.allow_ebpf = settings.Text("mode") != "sock_diag";
  options.observe.receive_loss = ReceiveLossOf(settings.Text("receive-loss"));
  options.node_signals = settings.Text("node-signals") != "off";
  options.drops = settings.Text("drops") != "off";
  options.rate_ring = settings.Text("rate-ring") != "off";
  if (settings.Text("metrics-listen") != "off") options.metrics_listen = settings.Text("metrics-listen");
  options.instance_id = settings.Text("instance-id");
  options.require_ebpf = settings.Text("mode") == "ebpf";
  options.budget.cores = settings.Fraction("cpu-budget");
  options.budget.memory_bytes = settings.Bytes("memory-budget");
  options.record = settings.Text("record");
  options.record_limit_bytes = settings.Bytes("record-limit");
  return options;
}

int Fail(const Status& status) {
  std::fprintf(stderr, "weir: %s\n", status.message().c_str());
  return 1;
}

std::string Scheme(const Settings& settings) { return settings.Text("tls-cert").empty() ? "http" : "https"; }

}  // namespace

int RunUp(const Settings& settings) {
  SetLogLevel(LevelOf(settings.Text("log-level")));
  const Signals signals;
  const SystemClock clock;
  DisciplinedClock server_clock;
  Result<Serving> serving = StartServing(settings, server_clock);
  if (!serving.ok()) return Fail(serving.status());
  auto agent = agent::Agent::Start(AgentOptionsOf(settings), serving->server->LocalSink(), clock);
  if (!agent.ok()) return Fail(agent.status());
  LogInfo("weir {} observes this machine by {}; data in {}", kVersion, (*agent)->mode(), DataDir(settings).string());
  std::printf("Open %s://%s/\n", Scheme(settings).c_str(), serving->api->address().c_str());
  std::fflush(stdout);
  signals.Wait();
  (*agent)->Stop();
  return 0;
}

int RunServer(const Settings& settings) {
  SetLogLevel(LevelOf(settings.Text("log-level")));
  const Signals signals;
  DisciplinedClock clock;
  Result<Serving> serving = StartServing(settings, clock);
  if (!serving.ok()) return Fail(serving.status());
  LogInfo("weir server {} ready; data in {}", kVersion, DataDir(settings).string());
  std::printf("Serving on %s://%s/\n", Scheme(settings).c_str(), serving->api->address().c_str());
  std::fflush(stdout);
  signals.Wait();
  return 0;
}

namespace {

// Tables that grow leave large pieces behind; by default glibc learns to keep ever larger ones.
void ReturnMemory() {
  constexpr int kKeptBytes = 128 << 10;
  ::mallopt(M_MMAP_THRESHOLD, kKeptBytes);
  ::mallopt(M_TRIM_THRESHOLD, kKeptBytes);
}

}  // namespace

int RunAgent(const Settings& settings) {
  SetLogLevel(LevelOf(settings.Text("log-level")));
  ReturnMemory();
  const Signals signals;
  const SystemClock clock;
  auto sink = SinkOf(settings, clock);
  if (!sink.ok()) return Fail(sink.status());
  auto agent = agent::Agent::Start(AgentOptionsOf(settings), **sink, clock);
  if (!agent.ok()) return Fail(agent.status());
  LogInfo("weir agent {} observes this node by {}; reports to {}", kVersion, (*agent)->mode(), settings.Text("server"));
  signals.Wait();
  (*agent)->Stop();
  return 0;
}

}  // namespace weir::cmd
