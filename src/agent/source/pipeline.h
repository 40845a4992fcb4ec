// What both sources do after the records: flows, names, addresses, and the agent's own numbers.
// Thread: the agent's loop, all calls.
#pragma once

#include <memory>
#include <utility>

#include "agent/flow/flow_table.h"
#include "agent/flow/socket_table.h"
#include "agent/source.h"
#include "agent/source/local_addresses.h"
#include "agent/source/surroundings.h"

namespace weir::agent::source {

class Pipeline {
 public:
  // `names` and `translations`, unless null, outlive the pipeline.
  Pipeline(flow::SocketTable::Finals finals, uint32_t max_flows, Surroundings surroundings,
           flow::ConnectionNames* names = nullptr, flow::AddressTranslations* translations = nullptr)
      : identities_(std::move(surroundings.identities)),
        flows_(max_flows, *identities_, names),
        sockets_(finals, surroundings.jiffy_us, flows_, *identities_, names, translations),
        translations_(translations),
        addresses_(std::move(surroundings.interface_addresses)) {}

  flow::SocketTable& sockets() { return sockets_; }
  // As FlowTable::Hold().
  void HoldFlows(bool held) { flows_.Hold(held); }

  // After the records that were there for now.
  void RoundEnds() {
    sockets_.RoundEnds();
    if (translations_ != nullptr) translations_->RoundEnds();
  }
  // Everything learnt since the last call, into `out`. Ends a round.
  void Emit(Nanos now_monotonic, Collection& out);
  // Whether containers and units can be told.
  model::ProbeReport IdentityProbe() const;

 private:
  const std::unique_ptr<identity::Identities> identities_;
  flow::FlowTable flows_;
  flow::SocketTable sockets_;
  flow::AddressTranslations* const translations_;
  LocalAddresses addresses_;
};

}  // namespace weir::agent::source
