// The shared secret of --token-file.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "cmd/settings.h"

namespace weir::cmd {

// The first line of a file that is not blank, without white space around it; it may have spaces within. kInvalid when
// there is none, or when it holds control characters, which no HTTP header carries.
Result<std::string> ParseToken(std::string_view file);

// Of the file the settings name; "" when they name none. kNotFound, kInvalid.
Result<std::string> ReadToken(const Settings& settings);

}  // namespace weir::cmd
