#include "agent/identity/container_metadata.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>

#include "agent/identity/cgroup_name.h"
#include "model/columns.h"

namespace weir::agent::identity {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr size_t kIdDigits = 64;
constexpr size_t kMaxFileBytes = size_t{1} << 20;
constexpr int kMaxNamespaces = 64;  // of containerd

// A JSON object or array; nullopt when the file is not there, too large, or something else.
std::optional<json> ReadJson(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return std::nullopt;
  std::string text;
  std::string piece(16'384, '\0');
  ssize_t size = 0;
  while (text.size() <= kMaxFileBytes && (size = ::read(fd, piece.data(), piece.size())) > 0) {
    text.append(piece, 0, static_cast<size_t>(size));
  }
  ::close(fd);
  if (size != 0 || text.size() > kMaxFileBytes) return std::nullopt;
  json parsed = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_structured()) return std::nullopt;
  return parsed;
}

std::string TextAt(const json& object, const char* key) {
  if (!object.is_object()) return {};
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) return {};
  return PrintableName(found->get_ref<const std::string&>(), model::kMaxStringBytes);
}

// The first of the annotations that is there.
std::string AnnotationOf(const json& bundle, std::initializer_list<const char*> keys) {
  const auto annotations = bundle.find("annotations");
  if (annotations == bundle.end()) return {};
  for (const char* key : keys) {
    if (std::string text = TextAt(*annotations, key); !text.empty()) return text;
  }
  return {};
}

ContainerMetadata OfBundle(const json& bundle) {
  if (!bundle.is_object()) return {};
  return {AnnotationOf(bundle, {"io.kubernetes.cri.container-name", "io.kubernetes.container.name", "nerdctl/name"}),
          AnnotationOf(bundle, {"io.kubernetes.cri.image-name", "io.kubernetes.cri-o.ImageName", "nerdctl/image"})};
}

}  // namespace

ContainerMetadata ContainerMetadataReader::Read(std::string_view id) const {
  const bool is_id = id.size() == kIdDigits && std::all_of(id.begin(), id.end(), [](char c) {
                       return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                     });
  if (!is_id) return {};
  const std::string text(id);
  ContainerMetadata found = OfDocker(text);
  if (found.empty()) found = OfContainerd(text);
  if (found.empty()) found = OfPodman(text);
  return found;
}

ContainerMetadata ContainerMetadataReader::OfDocker(const std::string& id) const {
  const std::optional<json> config = ReadJson(paths_.docker / id / "config.v2.json");
  if (!config || !config->is_object()) return {};
  ContainerMetadata found{TextAt(*config, "Name"), ""};
  if (found.name.starts_with('/')) found.name.erase(0, 1);
  if (const auto inner = config->find("Config"); inner != config->end()) found.image = TextAt(*inner, "Image");
  return found;
}

ContainerMetadata ContainerMetadataReader::OfContainerd(const std::string& id) const {
  std::error_code ignored;  // a folder that is not there has no containers
  int namespaces = 0;
  for (fs::directory_iterator item(paths_.containerd, ignored);
       item != fs::directory_iterator() && ++namespaces <= kMaxNamespaces; item.increment(ignored)) {
    const std::optional<json> bundle = ReadJson(item->path() / id / "config.json");
    if (bundle) return OfBundle(*bundle);
  }
  return {};
}

ContainerMetadata ContainerMetadataReader::OfPodman(const std::string& id) const {
  if (const std::optional<json> bundle = ReadJson(paths_.bundles / id / "userdata" / "config.json")) {
    if (ContainerMetadata found = OfBundle(*bundle); !found.empty()) return found;
  }
  const std::optional<json> all = ReadJson(paths_.podman / "containers.json");
  if (!all || !all->is_array()) return {};
  for (const json& container : *all) {
    if (TextAt(container, "id") != id) continue;
    ContainerMetadata found;
    const auto names = container.find("names");
    if (names != container.end() && names->is_array() && !names->empty() && names->front().is_string()) {
      found.name = PrintableName(names->front().get<std::string>(), model::kMaxStringBytes);
    }
    // A text that is JSON itself.
    const auto metadata = container.find("metadata");
    if (metadata != container.end() && metadata->is_string()) {
      found.image = TextAt(json::parse(metadata->get<std::string>(), nullptr, false), "image-name");
    }
    return found;
  }
  return {};
}

}  // namespace weir::agent::identity
