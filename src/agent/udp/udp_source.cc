#include "agent/udp/udp_source.h"

#include <utility>
#include <vector>

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
        open_(std::move(open)),
        identities_(std::move(surroundings.identities)),
        dns_(*identities_),
        peers_(options_.max_flows, clock.MonotonicNanos() + kOlderTraffic, *identities_, options_.translations),
        addresses_(std::move(surroundings.interface_addresses)) {}

  void Start() override;
  void Poll() override;
  void Collect(Nanos now_monotonic, Collection& out) override;
  std::vector<model::ProbeReport> Probes() const override { return probes_; }

 private:
  void ReadPairs(Nanos now);
  void CountLosses();
  void LearnAddresses(Nanos now, Collection& out);

  const UdpOptions options_;
  const OpenUdpTracker open_;
  const std::unique_ptr<identity::Identities> identities_;
  udp::DnsTable dns_;
  udp::PeerTable peers_;
  source::LocalAddresses addresses_;
  std::unique_ptr<udp::UdpTracker> tracker_;
  std::vector<model::ProbeReport> probes_;
  udp::UdpLosses losses_;
  RateLimit log_{std::chrono::minutes(1)};
};

void UdpSource::Start() {
  auto opened = open_(options_.tracker);
  const std::string reason = opened.ok() ? "" : opened.status().message();
  const std::string hint = opened.ok() ? "" : HintFor(opened.status());
  const auto report = [&](const char* name) { probes_.push_back({name, opened.ok() ? "on" : "failed", reason, hint}); };
  if (options_.tracker.flows) report("udp");
  if (options_.tracker.dns) report("dns");
  if (opened.ok()) {
    tracker_ = *std::move(opened);
  } else {
    LogWarn("UDP is not observed: {}", reason);
  }
}

void UdpSource::Poll() {
  if (tracker_ == nullptr || !options_.tracker.dns) return;
  tracker_->DrainDns([this](const weir_dns_message& message) { dns_.OnMessage(message); });
}

void UdpSource::ReadPairs(Nanos now) {
  const bool crowded = peers_.pairs() > tracker_->max_pairs() / 2;
  std::vector<weir_udp_key> idle;
  const Status status = tracker_->ReadPairs([&](const weir_udp_key& key, const weir_udp_flow& flow) {
    if (peers_.OnPair(now, crowded, key, flow)) idle.push_back(key);
  });
  if (uint64_t suppressed = 0; !status.ok() && log_.Allow(&suppressed)) LogWarn("UDP flows: {}", status.message());
  for (const weir_udp_key& key : idle) {
    if (weir_udp_flow last{}; tracker_->Forget(key, last)) peers_.OnForgotten(now, key, last);
  }
  if (options_.translations != nullptr) options_.translations->RoundEnds();
  SetGauge(Metric::agent_udp_pairs, peers_.pairs());
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
  if (tracker_ == nullptr) return;
  identities_->Expire();
  Poll();
  if (options_.tracker.dns) dns_.Emit(now, out.reports);
  if (options_.tracker.flows) {
    ReadPairs(now);
    peers_.Emit(out.reports);
  }
  CountLosses();
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
