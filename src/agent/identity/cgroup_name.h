// What the path of a control group says about who runs in it. Pure text: no file system.
#pragma once

#include <string>
#include <string_view>

namespace weir::agent::identity {

struct CgroupName {
  // The id docker, containerd, CRI-O, podman or ECS made, mostly 64 hex digits; of LXC, Incus, LXD and systemd-nspawn
  // the name; "" outside containers.
  std::string container;
  std::string unit;  // systemd unit, or else the last folder; "" inside containers and for the root
  // Of the Kubernetes pod, as its kubelet wrote it into the path, with dashes; "" outside pods. A static pod has the 32
  // hex digits of its file's hash here, which is not the uid the API server knows it by.
  std::string pod_uid{};
  // By the container's runtime (container_metadata.h); NameFromPath() leaves them empty.
  std::string container_name{};
  std::string image{};

  bool SameFolder(const CgroupName& other) const {
    return container == other.container && unit == other.unit && pod_uid == other.pod_uid;
  }
  bool operator==(const CgroupName&) const = default;
};

// `path` as in /proc/PID/cgroup or below the mount point: "/system.slice/nginx.service". Never fails: a path
// that follows no known pattern gives its last folder as the unit. Unprintable bytes become '?'.
CgroupName NameFromPath(std::string_view path);

// The same from the text of /proc/PID/cgroup: the container of any hierarchy wins (docker on a v1 node makes
// its folders there only), else the unit of systemd's own or of the unified hierarchy.
CgroupName NameFromProcFile(std::string_view text);

// `text` with everything but printable ASCII and valid UTF-8 replaced by '?', cut at `limit` bytes. Names of
// processes and folders are chosen by whoever runs there.
std::string PrintableName(std::string_view text, size_t limit);

}  // namespace weir::agent::identity
