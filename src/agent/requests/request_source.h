// The optional source of request turns and of the names TLS clients ask for.
#pragma once

#include <functional>
#include <memory>

#include "agent/flow/connection_names.h"
#include "agent/optional_source.h"
#include "agent/requests/request_probe.h"

namespace weir::agent::requests {

class RequestSource : public OptionalSource {
 public:
  // For the flow table; lives as long as the source.
  virtual flow::ConnectionNames& names() = 0;
};

// `clock` outlives the source. `open` is called once, by Start().
using OpenProbe = std::function<Result<std::unique_ptr<RequestProbe>>()>;
std::unique_ptr<RequestSource> MakeRequestSource(const Clock& clock, OpenProbe open);
std::unique_ptr<RequestSource> MakeRequestSource(const Clock& clock);

}  // namespace weir::agent::requests
