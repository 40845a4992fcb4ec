// The optional source of what NAT makes of clients' connections: no flows of its own, but answers for the flow table.
#pragma once

#include <memory>

#include "agent/flow/address_translations.h"
#include "agent/optional_source.h"

namespace weir::agent::nat {

class NatSource : public OptionalSource {
 public:
  // For the flow tables; lives as long as the source.
  virtual flow::AddressTranslations& translations() = 0;
};

// `clock` outlives the source.
std::unique_ptr<NatSource> MakeNatSource(const Clock& clock);

}  // namespace weir::agent::nat
