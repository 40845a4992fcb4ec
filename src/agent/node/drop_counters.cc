#include "agent/node/drop_counters.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <weir_drops.skel.h>  // needs the types of bpf/drops_abi.h

#include "agent/kernel/bpf_log.h"

namespace weir::agent::node {
namespace {

constexpr std::string_view kPrefix = "SKB_DROP_REASON_";
constexpr std::string_view kReasons = "skb_drop_reason";
constexpr const char* kTracepoint = "btf_trace_kfree_skb";
// What a socket that closes had not read, mostly the other end's FIN: once or twice per connection, and no loss.
constexpr std::string_view kIgnored[] = {"QUEUE_PURGE"};
constexpr uint32_t kBatch = 512;

struct DestroySkeleton {
  void operator()(weir_drops_bpf* skeleton) const { weir_drops_bpf__destroy(skeleton); }
};
struct FreeTypes {
  void operator()(btf* types) const { btf__free(types); }
};
using Skeleton = std::unique_ptr<weir_drops_bpf, DestroySkeleton>;
using Types = std::unique_ptr<btf, FreeTypes>;

// What the running kernel says of itself.
struct KernelTypes {
  std::unordered_map<uint32_t, std::string> reasons;
  int arguments = 0;  // of the tracepoint
};

Result<KernelTypes> ReadTypes() {
  const Types types(btf__load_vmlinux_btf());
  if (types == nullptr) return Status::Unsupported("this kernel has no BTF (CONFIG_DEBUG_INFO_BTF)");
  KernelTypes kernel;
  const int id = btf__find_by_name_kind(types.get(), kReasons.data(), BTF_KIND_ENUM);
  if (id < 0) return Status::Unsupported("this kernel names no reasons of drops; Linux 5.17 or newer does");
  const btf_type* reasons = btf__type_by_id(types.get(), static_cast<uint32_t>(id));
  for (uint32_t i = 0; i < btf_vlen(reasons); ++i) {
    const struct btf_enum& one = btf_enum(reasons)[i];
    std::string_view name = btf__name_by_offset(types.get(), one.name_off);
    if (name.starts_with(kPrefix)) name.remove_prefix(kPrefix.size());
    kernel.reasons.emplace(static_cast<uint32_t>(one.val), name);
  }
  // typedef void (*btf_trace_kfree_skb)(void *, struct sk_buff *, void *, enum skb_drop_reason, struct sock *)
  const int hook = btf__find_by_name_kind(types.get(), kTracepoint, BTF_KIND_TYPEDEF);
  if (hook < 0) return Status::Unsupported("this kernel has no tracepoint kfree_skb");
  const btf_type* type = btf__type_by_id(types.get(), static_cast<uint32_t>(hook));
  while (btf_is_typedef(type) || btf_is_ptr(type)) type = btf__type_by_id(types.get(), type->type);
  kernel.arguments = btf_is_func_proto(type) ? btf_vlen(type) - 1 : 0;  // the first is the tracepoint's own
  if (kernel.arguments < 3) return Status::Unsupported("this kernel's tracepoint kfree_skb tells no reason");
  return kernel;
}

class BpfDropCounters final : public DropCounters {
 public:
  BpfDropCounters(Skeleton skeleton, std::unordered_map<uint32_t, std::string> reasons)
      : skeleton_(std::move(skeleton)),
        reasons_(std::move(reasons)),
        cpus_(static_cast<size_t>(std::max(libbpf_num_possible_cpus(), 1))),
        keys_(kBatch),
        values_(kBatch * cpus_) {}

  Status Read(const std::function<void(const weir_drop_key&, uint64_t)>& visit) override;
  std::optional<uint64_t> Forget(const weir_drop_key& key) override;
  uint64_t Lost() override;
  size_t max_kinds() const override { return bpf_map__max_entries(skeleton_->maps.weir_drops); }
  std::string ReasonName(uint32_t reason) const override;

 private:
  uint64_t SumOf(const uint64_t* values) const {
    uint64_t sum = 0;
    for (size_t cpu = 0; cpu < cpus_; ++cpu) sum += values[cpu];
    return sum;
  }

  const Skeleton skeleton_;
  const std::unordered_map<uint32_t, std::string> reasons_;
  const size_t cpus_;
  std::vector<weir_drop_key> keys_;
  std::vector<uint64_t> values_;  // of each key one per CPU
};

Status BpfDropCounters::Read(const std::function<void(const weir_drop_key&, uint64_t)>& visit) {
  const int fd = bpf_map__fd(skeleton_->maps.weir_drops);
  uint32_t position = 0;
  for (bool first = true;; first = false) {
    uint32_t count = kBatch;
    const int error =
        bpf_map_lookup_batch(fd, first ? nullptr : &position, &position, keys_.data(), values_.data(), &count, nullptr);
    if (error != 0 && errno != ENOENT) return Status::FromErrno(errno, "read the kernel's drops");
    for (uint32_t i = 0; i < count; ++i) visit(keys_[i], SumOf(values_.data() + i * cpus_));
    if (error != 0) return Status::Ok();
  }
}

std::optional<uint64_t> BpfDropCounters::Forget(const weir_drop_key& key) {
  const int fd = bpf_map__fd(skeleton_->maps.weir_drops);
  if (bpf_map_lookup_and_delete_elem(fd, &key, values_.data()) != 0) return std::nullopt;
  return SumOf(values_.data());
}

uint64_t BpfDropCounters::Lost() {
  const uint32_t zero = 0;
  if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.weir_drops_lost), &zero, values_.data()) != 0) return 0;
  return SumOf(values_.data());
}

std::string BpfDropCounters::ReasonName(uint32_t reason) const {
  const auto known = reasons_.find(reason);
  return known != reasons_.end() ? known->second : fmt::format("REASON_{}", reason);
}

}  // namespace

Result<std::unique_ptr<DropCounters>> OpenDropCounters() {
  WEIR_ASSIGN_OR_RETURN(KernelTypes kernel, ReadTypes());
  const kernel::BpfLogCapture log;
  Skeleton skeleton(weir_drops_bpf__open());
  if (skeleton == nullptr) return kernel::FromLibbpf(errno, "open the object of drops", log);
  const bool tells_socket = kernel.arguments >= 4;
  bpf_program__set_autoload(skeleton->progs.weir_drop_of_socket, tells_socket);
  bpf_program__set_autoload(skeleton->progs.weir_drop, !tells_socket);
  for (const auto& [reason, name] : kernel.reasons) {
    const bool ignored = std::find(std::begin(kIgnored), std::end(kIgnored), name) != std::end(kIgnored);
    if (ignored && reason < WEIR_DROP_REASONS) skeleton->rodata->weir_drop_ignored[reason] = 1;
  }
  if (const int error = weir_drops_bpf__load(skeleton.get()); error != 0) {
    return kernel::FromLibbpf(-error, "load the object of drops", log);
  }
  if (const int error = weir_drops_bpf__attach(skeleton.get()); error != 0) {
    return kernel::FromLibbpf(-error, "attach to the tracepoint kfree_skb", log);
  }
#ifdef __GLIBC__
  ::malloc_trim(0);  // reading the kernel's type information took 20 MB that nobody needs again
#endif
  return std::unique_ptr<DropCounters>(
      std::make_unique<BpfDropCounters>(std::move(skeleton), std::move(kernel.reasons)));
}

}  // namespace weir::agent::node
