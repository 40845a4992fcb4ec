#include "apps/target.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "net/http_client.h"

namespace weir::apps {
namespace {

constexpr std::string_view kUsualPath = "/metrics";
constexpr size_t kMaxPathBytes = 256;

std::string Annotation(const model::Pod& pod, std::string_view name) {
  const auto found = pod.annotations.find("prometheus.io/" + std::string(name));
  return found == pod.annotations.end() ? "" : found->second;
}

uint16_t PortOf(std::string_view text) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() ? port : 0;
}

// Printable, and nothing that ends a path: whoever may annotate pods chose it.
bool IsPath(std::string_view path) {
  return path.starts_with('/') && path.size() <= kMaxPathBytes && std::all_of(path.begin(), path.end(), [](char c) {
           return c > ' ' && c <= '~' && c != '#' && c != '"' && c != '\\';
         });
}

struct Door {
  uint16_t port = 0;
  std::string path{kUsualPath};
  std::string scheme = "http";
};

std::optional<Door> AnnotatedDoor(const model::Pod& pod) {
  if (Annotation(pod, "scrape") != "true") return std::nullopt;
  Door door;
  door.port = PortOf(Annotation(pod, "port"));
  if (const std::string path = Annotation(pod, "path"); !path.empty()) door.path = path;
  if (Annotation(pod, "scheme") == "https") door.scheme = "https";
  for (const model::PodContainer& container : pod.containers) {
    if (door.port == 0 && !container.init && !container.tcp_ports.empty()) door.port = container.tcp_ports[0];
  }
  return door;
}

std::optional<Door> DoorOf(const model::Pod& pod, const InferenceServers& table) {
  if (std::optional<Door> door = AnnotatedDoor(pod)) return door;
  if (Annotation(pod, "scrape") == "false") return std::nullopt;
  for (const model::PodContainer& container : pod.containers) {
    if (!container.init && container.metrics_port != 0) return Door{container.metrics_port};
  }
  for (const model::PodContainer& container : pod.containers) {
    const InferenceServer* const server = container.init ? nullptr : table.OfImage(container.image);
    if (server == nullptr) continue;
    const auto& ports = container.tcp_ports;
    const bool usual = ports.empty() || std::find(ports.begin(), ports.end(), server->port) != ports.end();
    return Door{usual ? server->port : ports[0], server->path};
  }
  return std::nullopt;
}

std::string InUrl(const model::Address& address) {
  return address.is_v4() ? address.ToString() : "[" + address.ToString() + "]";
}

Result<Target> ReadTarget(std::string_view item) {
  const size_t scheme = item.find("://");
  const size_t equals = item.find('=');
  Target target;
  if (equals != std::string_view::npos && (scheme == std::string_view::npos || equals < scheme)) {
    target.name = item.substr(0, equals);
    item.remove_prefix(equals + 1);
  }
  target.url = item;
  WEIR_ASSIGN_OR_RETURN(const net::UrlParts parts, net::ReadUrl(target.url));
  if (parts.has_user) return Status::Invalid(fmt::format("{} has a user in it; nothing secret is sent", parts.host));
  const bool bare = parts.path == "/" && !target.url.ends_with('/');
  if (bare) target.url += kUsualPath;
  target.host = parts.host;
  target.path = bare ? kUsualPath : parts.path;
  target.port = parts.port;
  target.key = target.url;
  return target;
}

}  // namespace

Result<std::vector<Target>> ParseTargets(std::string_view list) {
  std::vector<Target> targets;
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    const std::string_view item = list.substr(0, comma);
    list.remove_prefix(std::min(comma + 1, list.size()));
    if (item.empty()) continue;
    WEIR_ASSIGN_OR_RETURN(Target target, ReadTarget(item));
    targets.push_back(std::move(target));
  }
  return targets;
}

std::string KeyOfPod(const std::string& cluster, const std::string& uid) { return cluster + "/" + uid; }

std::optional<Target> TargetOf(const model::Pod& pod, const std::string& cluster, const InferenceServers& table) {
  if (pod.phase != "Running" || pod.host_network || pod.deletion != 0) return std::nullopt;
  const auto usable = [](const model::Address& address) {
    return !address.is_loopback() && !address.is_link_local() && !address.is_unspecified() && !address.is_multicast();
  };
  const auto address = std::find_if(pod.addresses.begin(), pod.addresses.end(), usable);
  const std::optional<Door> door = DoorOf(pod, table);
  if (address == pod.addresses.end() || !door || door->port == 0 || !IsPath(door->path)) return std::nullopt;
  Target target;
  target.key = KeyOfPod(cluster, pod.uid);
  target.host = address->ToString();
  target.path = door->path;
  target.port = door->port;
  target.url = fmt::format("{}://{}:{}{}", door->scheme, InUrl(*address), door->port, door->path);
  target.cluster = cluster;
  target.name_space = pod.name_space;
  target.pod = pod.name;
  return target;
}

}  // namespace weir::apps
