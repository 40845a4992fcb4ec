// BpfLink: an attached BPF program; it is detached when the link goes.
#pragma once

#include <bpf/libbpf.h>

#include <memory>

namespace weir::agent::kernel {

struct DestroyBpfLink {
  void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};
using BpfLink = std::unique_ptr<bpf_link, DestroyBpfLink>;

}  // namespace weir::agent::kernel
