#include "agent/observe.h"

#include <utility>
#include <vector>

#include "agent/nat/nat_source.h"
#include "agent/requests/request_source.h"
#include "agent/source/ebpf/ebpf_source.h"
#include "agent/udp/udp_source.h"

namespace weir::agent {
namespace {

class RunningKernel final : public Origin {
 public:
  explicit RunningKernel(const Clock& clock) : clock_(clock) {}
  const Clock& clock() const override { return clock_; }
  source::Surroundings SurroundingsOf(Observer) override { return source::SystemSurroundings(clock_, GroupBirths()); }
  Result<std::unique_ptr<kernel::SocketTracker>> OpenSockets(const kernel::KernelOptions& options,
                                                             std::vector<model::ProbeReport>& probes) override {
    return OpenKernelTracker(options, probes);
  }
  Result<std::unique_ptr<udp::UdpTracker>> OpenUdp(const udp::UdpTrackerOptions& options) override {
    return udp::UdpTracker::Open(options);
  }
  Result<std::unique_ptr<requests::RequestProbe>> OpenRequests(const requests::RequestProbeOptions& options) override {
    return requests::RequestProbe::Open(options);
  }
  std::unique_ptr<nat::ConnectionTracking> OpenTracking() override {
    return std::make_unique<nat::KernelTracking>(clock_);
  }

 private:
  // Watched once for all.
  const source::Births& GroupBirths() {
    if (births_.groups != nullptr || !births_.lack.empty()) return births_;
    Result<std::unique_ptr<kernel::GroupBirths>> opened = kernel::GroupBirths::Open();
    if (opened.ok()) {
      births_.groups = *std::move(opened);
    } else {
      births_.lack = opened.status().message();
    }
    return births_;
  }

  const Clock& clock_;
  source::Births births_;
};

class SourceWithOrigin final : public ForwardingSource {
 public:
  SourceWithOrigin(const ObserveOptions& options, std::unique_ptr<Origin> origin)
      : origin_(std::move(origin)), source_(MakeObserver(options, *origin_)) {}

 private:
  Source& inner() const override { return *source_; }

  const std::unique_ptr<Origin> origin_;  // outlives source_
  const std::unique_ptr<Source> source_;
};

// Null, and nothing added, where it is not asked for.
flow::AddressTranslations* AddNat(const ObserveOptions& options, std::unique_ptr<nat::NatSource> nat,
                                  std::vector<std::unique_ptr<OptionalSource>>& sources) {
  if (!options.nat) return nullptr;
  flow::AddressTranslations* translations = &nat->translations();
  sources.push_back(std::move(nat));
  return translations;
}

UdpOptions UdpOptionsOf(const ObserveOptions& options, bool allowed, flow::AddressTranslations* translations) {
  UdpOptions udp;
  udp.tracker.flows = options.udp;
  udp.tracker.dns = options.dns;
  udp.tracker.group = options.udp_group.empty() ? options.within : options.udp_group;
  udp.tracker.max_pairs = options.max_flows;
  udp.tracker.allowed = allowed;
  udp.max_flows = options.max_flows;
  udp.translations = translations;
  return udp;
}

}  // namespace

std::unique_ptr<Origin> ThisMachine(const Clock& clock) { return std::make_unique<RunningKernel>(clock); }

Beside MakeBeside(const ObserveOptions& options, bool allowed, const Clock& clock) {
  Beside asked;
  asked.translations = AddNat(options, nat::MakeNatSource(clock), asked.sources);
  if (options.udp || options.dns) {
    asked.sources.push_back(MakeUdpSource(UdpOptionsOf(options, allowed, asked.translations), clock));
  }
  return asked;
}

std::unique_ptr<Source> MakeObserver(const ObserveOptions& options, std::unique_ptr<Origin> origin) {
  return std::make_unique<SourceWithOrigin>(options, std::move(origin));
}

std::unique_ptr<Source> MakeObserver(const ObserveOptions& options, Origin& origin) {
  std::vector<std::unique_ptr<OptionalSource>> beside;
  flow::AddressTranslations* translations =
      AddNat(options, nat::MakeNatSource([&origin] { return origin.OpenTracking(); }, origin.clock()), beside);
  if (options.udp || options.dns) {
    beside.push_back(MakeUdpSource(
        UdpOptionsOf(options, true, translations), origin.clock(),
        [&origin](const udp::UdpTrackerOptions& wanted) { return origin.OpenUdp(wanted); },
        origin.SurroundingsOf(Observer::kUdp)));
  }
  EbpfOptions ebpf;
  ebpf.max_sockets = options.max_sockets;
  ebpf.max_flows = options.max_flows;
  ebpf.receive_loss = options.receive_loss;
  ebpf.within = options.within;
  ebpf.translations = translations;
  if (options.requests_auto) requests::RequestProbe::Prepare();
  if (options.requests) {
    auto requests = requests::MakeRequestSource(
        [&origin, within = options.within](requests::RequestProbeOptions wanted) {
          wanted.within = within;
          return origin.OpenRequests(wanted);
        },
        origin.SurroundingsOf(Observer::kRequests),
        options.requests_auto ? requests::When::kServing : requests::When::kAlways);
    ebpf.names = &requests->names();
    beside.push_back(std::move(requests));
  }
  auto tcp = MakeEbpfSource(
      ebpf, origin.clock(),
      [&origin](const kernel::KernelOptions& wanted, std::vector<model::ProbeReport>& probes) {
        return origin.OpenSockets(wanted, probes);
      },
      origin.SurroundingsOf(Observer::kTcp));
  return WithOptions(std::move(tcp), std::move(beside));
}

}  // namespace weir::agent
