#include "model/locality.h"

namespace weir::model {
namespace {

// "" is unknown and equals nothing.
bool Known(const std::string& a, const std::string& b) { return !a.empty() && !b.empty(); }
bool Same(const std::string& a, const std::string& b) { return !a.empty() && a == b; }

std::string_view ByPlace(const Entity& client, const Entity& server) {
  // Clusters may call their nodes and pods alike.
  if (client.cluster.empty() || server.cluster.empty() || client.cluster == server.cluster) {
    if (Same(client.pod, server.pod) && client.namespace_ == server.namespace_) return "same_pod";
    if (Same(client.node, server.node)) return "same_node";
  }
  const bool regions = Known(client.region, server.region);
  if (regions && client.region != server.region) return "inter_region";
  if (Known(client.zone, server.zone)) return client.zone == server.zone ? "same_zone" : "inter_zone";
  if (!client.cloud_service.empty() || !server.cloud_service.empty()) return "cloud_service";
  return "";
}

}  // namespace

std::string_view LocalityOf(const Entity& client, const Entity& server, const Address& client_address,
                            const Address& server_address) {
  if (client_address.is_loopback() && server_address.is_loopback()) return "loopback";
  if (const std::string_view place = ByPlace(client, server); !place.empty()) return place;
  if (client_address.is_unspecified() || server_address.is_unspecified()) return "unknown";
  if (client.node.empty() && client_address.is_public()) return "internet";
  if (server.node.empty() && server_address.is_public()) return "internet";
  // Between two known nodes a public address proves nothing about the way.
  return client_address.is_public() && server_address.is_public() ? "unknown" : "private";
}

}  // namespace weir::model
