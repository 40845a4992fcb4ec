// The sources there are, best first. Apart from the rest of the agent, which knows none of them.
#include <utility>

#include "agent/optional_source.h"
#include "agent/requests/request_source.h"
#include "agent/source/ebpf/ebpf_source.h"
#include "agent/source/sock_diag/sock_diag_source.h"
#include "agent/start.h"

namespace weir::agent {

Result<std::unique_ptr<Agent>> Agent::Start(AgentOptions options, wire::BatchSink& sink, const Clock& clock) {
  std::vector<std::unique_ptr<Source>> candidates;
  if (options.allow_ebpf) {
    EbpfOptions ebpf;
    ebpf.max_sockets = options.max_sockets;
    ebpf.max_flows = options.max_flows;
    std::vector<std::unique_ptr<OptionalSource>> beside;
    if (options.requests) {
      auto requests = requests::MakeRequestSource(clock);
      ebpf.names = &requests->names();
      beside.push_back(std::move(requests));
    }
    candidates.push_back(WithOptions(MakeEbpfSource(ebpf, clock), std::move(beside)));
  }
  if (!options.require_ebpf) candidates.push_back(MakeSockDiagSource(options.max_flows, clock));
  return StartAgent(std::move(options), std::move(candidates), sink, clock);
}

}  // namespace weir::agent
