// OpenAPI 3.1 of a route table.
#pragma once

#include <span>

#include "api/json.h"
#include "api/routes.h"

namespace weir::api {

Json OpenApi(std::span<const Route> routes);

}  // namespace weir::api
