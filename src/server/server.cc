#include "server/server.h"

#include "server/flow_server.h"
#include "wire/batch_codec.h"

namespace weir::server {

Result<std::unique_ptr<Server>> Server::Start(ServerOptions options, store::Store& store, const Clock& clock) {
  auto server = FlowServer::Start(options, store, clock, wire::DecodeBatch);
  if (!server.ok()) return server.status();
  return std::unique_ptr<Server>(*std::move(server));
}

}  // namespace weir::server
