// The optional source of what NAT makes of clients' connections: no flows of its own, but answers for the flow table.
#pragma once

#include <functional>
#include <memory>

#include "agent/flow/address_translations.h"
#include "agent/nat/connection_tracking.h"
#include "agent/optional_source.h"

namespace weir::agent::nat {

class NatSource : public OptionalSource {
 public:
  // For the flow tables; lives as long as the source.
  virtual flow::AddressTranslations& translations() = 0;
};

using OpenConnectionTracking = std::function<std::unique_ptr<ConnectionTracking>()>;

// `open` is called as the source starts, on the agent's loop, whose network namespace is the agent's own. `clock` and
// what `open` gives things from outlive the source.
std::unique_ptr<NatSource> MakeNatSource(OpenConnectionTracking open, const Clock& clock);
// Of the running kernel.
std::unique_ptr<NatSource> MakeNatSource(const Clock& clock);

}  // namespace weir::agent::nat
