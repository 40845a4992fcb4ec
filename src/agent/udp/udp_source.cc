#include "agent/udp/udp_source.h"

#include <optional>
#include <utility>
#include <vector>

#include "agent/kernel/group_tree.h"
#include "agent/source/local_addresses.h"
#include "agent/udp/dns_table.h"
#include "agent/udp/peer_table.h"
#include "base/log.h"
#include "base/metrics.h"

namespace weir::agent {
namespace {

// Sockets in use when the programs were attached say something within this time; they are not seen to begin.
constexpr Nanos kOlderTraffic = 3'000'000'000;

std::string HintFor(const Status& status) {
  switch (status.code()) {
    case Code::kDenied:
      return "run as root, or with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN; `bpftool cgroup tree` shows programs that "
             "tolerate no others";
    case Code::kUnsupported: return "see docs/kernels.md; TCP is observed in any case";
    case Code::kNotFound: return "name an existing control group with --udp-group";
    default: return "see the agent's log";
  }
}

class UdpSource final : public OptionalSource {
 public:
  UdpSource(UdpOptions options, const Clock& clock, OpenUdpTracker open, source::Surroundings surroundings)
      : options_(std::move(options)),
        clock_(clock),
        open_(std::move(open)),
        identities_(std::move(surroundings.identities)),
        addresses_(std::move(surroundings.interface_addresses)) {}

  void Start() override;
  void Poll() override;
  bool NeedsPolls() const override { return tracker_ != nullptr && options_.tracker.dns; }
  void Collect(Nanos now_monotonic, Collection& out) override;
  std::vector<model::ProbeReport> Probes() const override { return probes_; }
  GivenUpMask Dispensable() const override { return dispensable_ ? MaskOf(GivenUp::kDatagrams) : 0; }
  void Restrain(const Restraint& restraint) override;
  kernel::ProgramTime KernelTime() const override {
    return tracker_ == nullptr ? kernel::ProgramTime{} : tracker_->Programs();
  }

 private:
  void Open();
  void Report(const std::string& state, const std::string& reason, const std::string& hint);
  void ReadPairs(Nanos now);
  void CountLosses();
  void LearnAddresses(Nanos now, Collection& out);

  const UdpOptions options_;
  const Clock& clock_;
  const OpenUdpTracker open_;
  const std::unique_ptr<identity::Identities> identities_;
  std::optional<udp::DnsTable> dns_;  // these two while there is a tracker, and until their last reports
  std::optional<udp::PeerTable> peers_;
  source::LocalAddresses addresses_;
  std::unique_ptr<udp::UdpTracker> tracker_;
  std::vector<model::ProbeReport> probes_;
  udp::UdpLosses losses_;
  Nanos last_collection_ = 0;
  bool dispensable_ = false;  // it runs, or was given up
  RateLimit log_{std::chrono::minutes(1)};
};

void UdpSource::Start() {
  Open();
  dispensable_ = tracker_ != nullptr;
}

void UdpSource::Open() {
  auto opened = open_(options_.tracker);
  if (!opened.ok()) {
    Report("failed", opened.status().message(), HintFor(opened.status()));
    LogWarn("UDP is not observed: {}", opened.status().message());
    return;
  }
  tracker_ = *std::move(opened);
  if (tracker_->sees_machine()) {
    Report("on", "", "");
  } else {
    Report("fallback", std::string(kernel::kOwnGroupOnly), std::string(kernel::kOwnGroupHint));
  }
  losses_ = {};
  dns_.emplace(*identities_);
  peers_.emplace(options_.max_flows, clock_.MonotonicNanos() + kOlderTraffic, *identities_, options_.translations);
}

void UdpSource::Report(const std::string& state, const std::string& reason, const std::string& hint) {
  probes_.clear();
  if (options_.tracker.flows) probes_.push_back({"udp", state, reason, hint});
  if (options_.tracker.dns) probes_.push_back({"dns", state, reason, hint});
}

void UdpSource::Restrain(const Restraint& restraint) {
  const bool given_up = restraint.Has(GivenUp::kDatagrams);
  if (!dispensable_ || given_up == (tracker_ == nullptr)) return;
  if (!given_up) {
    Open();  // anew: what happened meanwhile is nobody's
    return;
  }
  Poll();
  if (options_.tracker.flows) ReadPairs(last_collection_);  // reported by the next collection
  CountLosses();
  tracker_.reset();
  dns_->Abandon();
  SetGauge(Metric::agent_udp_pairs, 0);
  Report("off", restraint.Why(GivenUp::kDatagrams), "UDP and DNS are missing meanwhile; docs/budget.md");
}

void UdpSource::Poll() {
  if (tracker_ == nullptr || !options_.tracker.dns) return;
  tracker_->DrainDns([this](const weir_dns_message& message) { dns_->OnMessage(message); });
}

void UdpSource::ReadPairs(Nanos now) {
  const bool crowded = peers_->pairs() > tracker_->max_pairs() / 2;
  std::vector<weir_udp_key> idle;
  const Status status = tracker_->ReadPairs([&](const weir_udp_key& key, const weir_udp_flow& flow) {
    if (peers_->OnPair(now, crowded, key, flow)) idle.push_back(key);
  });
  if (uint64_t suppressed = 0; !status.ok() && log_.Allow(&suppressed)) LogWarn("UDP flows: {}", status.message());
  for (const weir_udp_key& key : idle) {
    if (weir_udp_flow last{}; tracker_->Forget(key, last)) peers_->OnForgotten(now, key, last);
  }
  if (options_.translations != nullptr) options_.translations->RoundEnds();
  SetGauge(Metric::agent_udp_pairs, peers_->pairs());
}

void UdpSource::CountLosses() {
  const udp::UdpLosses now = tracker_->Losses();
  Count(Metric::agent_udp_map_full, now.map_full - losses_.map_full);
  Count(Metric::agent_dns_ring_full, now.ring_full - losses_.ring_full);
  Count(Metric::agent_other_packets, now.other - losses_.other);
  Count(Metric::agent_other_bytes, now.other_bytes - losses_.other_bytes);
  losses_ = now;
}

// The server joins both ends of a flow on one node by knowing the node's addresses; groups of receivers are nobody's.
void UdpSource::LearnAddresses(Nanos now, Collection& out) {
  std::vector<model::SideReport> own;
  for (const model::SideReport& report : out.reports) {
    const model::FlowEnds& ends = report.ends;
    const bool client = ends.side == model::Side::kClient;
    if ((client ? ends.client_address : ends.server_address).is_multicast()) continue;
    own.emplace_back().ends = ends;
  }
  addresses_.Learn(now, own);
  out.local_addresses = addresses_.List();
}

void UdpSource::Collect(Nanos now, Collection& out) {
  if (!peers_) return;
  last_collection_ = now;
  identities_->Expire();
  Poll();
  if (options_.tracker.dns) {
    dns_->Emit(now, out.reports);
    out.resolved = dns_->TakeNames();
  }
  if (options_.tracker.flows) {
    if (tracker_ != nullptr) ReadPairs(now);
    peers_->Emit(out.reports);
  }
  if (tracker_ != nullptr) {
    CountLosses();
  } else {
    dns_.reset();
    peers_.reset();
  }
  LearnAddresses(now, out);
}

}  // namespace

std::unique_ptr<OptionalSource> MakeUdpSource(UdpOptions options, const Clock& clock, OpenUdpTracker open,
                                              source::Surroundings surroundings) {
  return std::make_unique<UdpSource>(std::move(options), clock, std::move(open), std::move(surroundings));
}

std::unique_ptr<OptionalSource> MakeUdpSource(UdpOptions options, const Clock& clock) {
  return MakeUdpSource(std::move(options), clock, udp::UdpTracker::Open, source::SystemSurroundings(clock));
}

}  // namespace weir::agent
