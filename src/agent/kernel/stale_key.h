// Test support: puts a key into the newest `weir_sockets` map of this kernel, as a scan that lost a race
// would.
#pragma once

#include <bpf/bpf.h>

#include <cstring>

#include "agent/kernel/unique_fd.h"
#include "bpf/abi.h"

namespace weir::agent::kernel {

inline bool InsertSocketKey(weir_u64 pointer, weir_u16 flags) {
  UniqueFd newest;
  for (__u32 id = 0; bpf_map_get_next_id(id, &id) == 0;) {
    UniqueFd map(bpf_map_get_fd_by_id(id));
    bpf_map_info info{};
    __u32 size = sizeof(info);
    if (!map.valid() || bpf_obj_get_info_by_fd(map.get(), &info, &size) != 0) continue;
    if (std::strcmp(info.name, "weir_sockets") == 0) newest = std::move(map);
  }
  weir_socket value{};
  value.flags = flags;
  return newest.valid() && bpf_map_update_elem(newest.get(), &pointer, &value, BPF_ANY) == 0;
}

}  // namespace weir::agent::kernel
