// What is observed by eBPF, put together: TCP, and beside it what was asked for.
#pragma once

#include <memory>
#include <vector>

#include "agent/flow/address_translations.h"
#include "agent/observe_options.h"
#include "agent/optional_source.h"
#include "agent/origin.h"
#include "agent/source.h"

namespace weir::agent {

// `origin` outlives the source.
std::unique_ptr<Source> MakeObserver(const ObserveOptions& options, Origin& origin);
// The source keeps its origin.
std::unique_ptr<Source> MakeObserver(const ObserveOptions& options, std::unique_ptr<Origin> origin);

// What was asked for beside a source of another kind: NAT, UDP and DNS.
struct Beside {
  std::vector<std::unique_ptr<OptionalSource>> sources;
  flow::AddressTranslations* translations = nullptr;  // of one of them; null = not asked for
};
// `allowed`: false = eBPF is not, and UDP reports why it cannot. `clock` outlives them.
Beside MakeBeside(const ObserveOptions& options, bool allowed, const Clock& clock);

}  // namespace weir::agent
