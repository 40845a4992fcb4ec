// What both sources do after the records: flows, names, addresses, and the agent's own numbers.
// Thread: the agent's loop, all calls.
#pragma once

#include "agent/flow/flow_table.h"
#include "agent/flow/socket_table.h"
#include "agent/identity/identity_index.h"
#include "agent/source.h"
#include "agent/source/local_addresses.h"

namespace weir::agent::source {

class Pipeline {
 public:
  // `clock` and, unless null, `names` and `translations` outlive the pipeline.
  Pipeline(flow::SocketTable::Finals finals, uint32_t max_flows, const Clock& clock,
           flow::ConnectionNames* names = nullptr, flow::AddressTranslations* translations = nullptr)
      : identities_({}, clock),
        flows_(max_flows, identities_, names),
        sockets_(finals, flows_, identities_, names, translations),
        translations_(translations) {}

  flow::SocketTable& sockets() { return sockets_; }

  // After the records that were there for now.
  void RoundEnds() {
    if (translations_ != nullptr) translations_->RoundEnds();
  }
  // Everything learnt since the last call, into `out`. Ends a round.
  void Emit(Nanos now_monotonic, Collection& out);
  // Whether containers and units can be told.
  model::ProbeReport IdentityProbe() const;

 private:
  identity::IdentityIndex identities_;
  flow::FlowTable flows_;
  flow::SocketTable sockets_;
  flow::AddressTranslations* const translations_;
  LocalAddresses addresses_;
};

}  // namespace weir::agent::source
