// What container runtimes keep on disk about their containers, by container id: the name people gave and the image.
// Docker, containerd (by the bundles of nerdctl and of Kubernetes), podman and CRI-O; whatever of it can be read.
//
// Files are read when a container is first met, bounded in size, and never written. Thread: the agent's loop.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace weir::agent::identity {

struct ContainerMetadata {
  std::string name;
  std::string image;

  bool empty() const { return name.empty() && image.empty(); }
  bool operator==(const ContainerMetadata&) const = default;
};

class ContainerMetadataReader {
 public:
  struct Paths {
    std::filesystem::path docker = "/var/lib/docker/containers";
    std::filesystem::path containerd = "/run/containerd/io.containerd.runtime.v2.task";
    std::filesystem::path podman = "/var/lib/containers/storage/overlay-containers";
    std::filesystem::path bundles = "/run/containers/storage/overlay-containers";  // of podman and CRI-O
  };

  explicit ContainerMetadataReader(Paths paths) : paths_(std::move(paths)) {}

  // Empty when no runtime that can be read knows it, or `id` is not 64 hex digits.
  ContainerMetadata Read(std::string_view id) const;

 private:
  ContainerMetadata OfDocker(const std::string& id) const;
  ContainerMetadata OfContainerd(const std::string& id) const;
  ContainerMetadata OfPodman(const std::string& id) const;

  const Paths paths_;
};

}  // namespace weir::agent::identity
