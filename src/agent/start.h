// Agent::Start with the sources given, for sources.cc, which lists the real ones, and for tests.
#pragma once

#include <memory>
#include <vector>

#include "agent/agent.h"
#include "agent/source.h"

namespace weir::agent {

// Tries the candidates in order, best first, and collects with the first that starts. The others' reasons
// become probe reports of every batch, named after their mode, so that a degraded agent is seen to be one.
// Errors as for Agent::Start; kInvalid for options out of bounds.
Result<std::unique_ptr<Agent>> StartAgent(AgentOptions options, std::vector<std::unique_ptr<Source>> candidates,
                                          wire::BatchSink& sink, const Clock& clock);

}  // namespace weir::agent
