// The optional source of request turns and of the names TLS clients ask for.
#pragma once

#include <functional>
#include <memory>

#include "agent/flow/connection_names.h"
#include "agent/optional_source.h"
#include "agent/requests/request_probe.h"
#include "agent/source/surroundings.h"

namespace weir::agent::requests {

class RequestSource : public OptionalSource {
 public:
  // For the flow table; lives as long as the source.
  virtual flow::ConnectionNames& names() = 0;
};

enum class When {
  kAlways,
  kServing,  // while a program is seen to serve that IsServingInference() knows, and kPatience after
};

// `clock` outlives the source.
std::unique_ptr<RequestSource> MakeRequestSource(const Clock& clock);

// The same over any probe and any surroundings; `open` is called by Start(), or whenever there is something to measure.
using OpenProbe = std::function<Result<std::unique_ptr<RequestProbe>>(const RequestProbeOptions&)>;
std::unique_ptr<RequestSource> MakeRequestSource(OpenProbe open, source::Surroundings surroundings,
                                                 When when = When::kAlways);

}  // namespace weir::agent::requests
