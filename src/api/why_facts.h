// What the store knows of a subject in a stretch of time, for diagnose/why.h; and whom a word means.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/routes.h"
#include "diagnose/why.h"

namespace weir::api {

// Everything of WhyFacts that is stored. Asks the store a few short questions, several at once.
Result<diagnose::WhyFacts> GatherFacts(Service& service, const diagnose::Subject& subject,
                                       const store::TimeRange& range);

// What an application that serves as the subject says of its first tokens, beside the wire. Nothing where none is
// asked.
Result<std::optional<diagnose::Beside>> BesideOf(Service& service, const diagnose::Subject& subject,
                                                 const store::TimeRange& range);  // answer_serving.cc

// Whom "shop/web-1", "web", "n1" or "curl" can mean, by the ends of flows in the range: the first kind of pod,
// workload, node and process that has such a name. kNotFound: nobody. Several: it is ambiguous.
Result<std::vector<diagnose::Subject>> Meant(Service& service, const std::string& word, const store::TimeRange& range);

}  // namespace weir::api
