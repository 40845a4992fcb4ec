// The long-running commands: wiring only. Each returns a process exit code: 0 after SIGTERM or SIGINT, 1 when
// it could not start (the message with its remedy is on stderr).
#pragma once

#include "cmd/settings.h"

namespace weir::cmd {

int RunUp(const Settings& settings);      // agent + server + web UI in one process
int RunServer(const Settings& settings);  // ingest, store, API, web UI
int RunAgent(const Settings& settings);   // the node agent

}  // namespace weir::cmd
