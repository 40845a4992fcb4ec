// The file of --push-headers: headers that are sent along, for receivers that ask who is there.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/status.h"

namespace weir::telemetry {

// "Name: value" a line; blank lines and those that begin with # say nothing. kInvalid names the line and what is wrong.
Result<std::map<std::string, std::string>> ParseHeaders(std::string_view text);

}  // namespace weir::telemetry
