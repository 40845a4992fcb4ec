// Giving up privileges after start. Linux keeps capabilities per thread (capabilities(7)): a thread can lower
// only itself, and its later threads inherit what it has then. So each thread calls its own function here.
#pragma once

#include <string_view>

#include "base/status.h"

namespace weir::agent {

// For the collecting thread, once its source of this mode has started. `nat`: it looks up translations, in other
// network namespaces too.
Status KeepPrivilegesForCollecting(std::string_view mode, bool nat = false);

// For the thread that reads the limits of the node: it enters every network namespace, whatever the mode.
Status KeepPrivilegesForNode();

// For threads that only send, write to the agent's own directory, or wait.
Status KeepNoPrivileges();

}  // namespace weir::agent
