// The shared secret of --token-file.
#pragma once

#include <string>

#include "base/status.h"
#include "cmd/settings.h"

namespace weir::cmd {

// First line of the file, without surrounding white space; "" when no file is configured. kNotFound, kInvalid.
Result<std::string> ReadToken(const Settings& settings);

}  // namespace weir::cmd
