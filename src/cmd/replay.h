// `weir replay FILE`: wiring only. Exit code 0: all of it; 1: it could not be read or sent, or only in part.
#pragma once

#include <string>

#include "cmd/settings.h"

namespace weir::cmd {

int RunReplay(const Settings& settings, const std::string& file);

}  // namespace weir::cmd
