// The sources there are, best first. Apart from the rest of the agent, which knows none of them.
#include <utility>
#include <vector>

#include "agent/nat/nat_source.h"
#include "agent/optional_source.h"
#include "agent/requests/request_source.h"
#include "agent/source/ebpf/ebpf_source.h"
#include "agent/source/sock_diag/sock_diag_source.h"
#include "agent/start.h"
#include "agent/udp/udp_source.h"

namespace weir::agent {
namespace {

// What was asked for beside TCP; one set per candidate, because only the one that starts keeps its own.
struct Beside {
  std::vector<std::unique_ptr<OptionalSource>> sources;
  flow::AddressTranslations* translations = nullptr;  // of one of them; null = not asked for
};

Beside OptionsOf(const AgentOptions& options, const Clock& clock) {
  Beside asked;
  if (options.nat) {
    auto nat = nat::MakeNatSource(clock);
    asked.translations = &nat->translations();
    asked.sources.push_back(std::move(nat));
  }
  if (options.udp || options.dns) {
    UdpOptions udp;
    udp.tracker.flows = options.udp;
    udp.tracker.dns = options.dns;
    udp.tracker.group = options.udp_group;
    udp.tracker.max_pairs = options.max_flows;
    udp.tracker.allowed = options.allow_ebpf;
    udp.max_flows = options.max_flows;
    udp.translations = asked.translations;
    asked.sources.push_back(MakeUdpSource(std::move(udp), clock));
  }
  return asked;
}

}  // namespace

Result<std::unique_ptr<Agent>> Agent::Start(AgentOptions options, wire::BatchSink& sink, const Clock& clock) {
  std::vector<std::unique_ptr<Source>> candidates;
  if (options.allow_ebpf) {
    EbpfOptions ebpf;
    ebpf.max_sockets = options.max_sockets;
    ebpf.max_flows = options.max_flows;
    ebpf.receive_loss = options.receive_loss;
    Beside beside = OptionsOf(options, clock);
    ebpf.translations = beside.translations;
    if (options.requests) {
      auto requests = requests::MakeRequestSource(clock);
      ebpf.names = &requests->names();
      beside.sources.push_back(std::move(requests));
    }
    candidates.push_back(WithOptions(MakeEbpfSource(ebpf, clock), std::move(beside.sources)));
  }
  if (!options.require_ebpf) {
    Beside beside = OptionsOf(options, clock);
    candidates.push_back(
        WithOptions(MakeSockDiagSource(options.max_flows, clock, beside.translations), std::move(beside.sources)));
  }
  return StartAgent(std::move(options), std::move(candidates), sink, clock);
}

}  // namespace weir::agent
