#include "agent/udp/udp_tracker.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <malloc.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <weir_udp.skel.h>  // needs the types of bpf/udp_abi.h

#include "agent/kernel/bpf_link.h"
#include "agent/kernel/bpf_log.h"
#include "agent/kernel/group_tree.h"
#include "agent/kernel/program_choice.h"
#include "agent/kernel/unique_fd.h"

namespace weir::agent::udp {
namespace {

constexpr uint32_t kPage = 4'096;
constexpr uint32_t kMaxPairs = 1U << 24;
constexpr uint32_t kBatch = 4'096;  // pairs per system call
constexpr std::string_view kNoGroups =
    "no version 2 control groups; mount the host's /sys/fs/cgroup into the agent's container, or boot with "
    "systemd.unified_cgroup_hierarchy=1";

struct DestroySkeleton {
  void operator()(weir_udp_bpf* skeleton) const { weir_udp_bpf__destroy(skeleton); }
};
struct FreeRing {
  void operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
};
using Skeleton = std::unique_ptr<weir_udp_bpf, DestroySkeleton>;

class Tracker final : public UdpTracker {
 public:
  Tracker(Skeleton skeleton, bool sees_machine) : skeleton_(std::move(skeleton)), sees_machine_(sees_machine) {}

  Status Attach(const std::filesystem::path& group);
  Status ReadPairs(const OnPair& on_pair) override;
  bool Forget(const weir_udp_key& key, weir_udp_flow& last) override;
  void DrainDns(const std::function<void(const weir_dns_message&)>& on_message) override;
  UdpLosses Losses() override;
  kernel::ProgramTime Programs() const override { return kernel::TimeOfPrograms(skeleton_->obj); }
  bool sees_machine() const override { return sees_machine_; }
  uint32_t max_pairs() const override { return bpf_map__max_entries(skeleton_->maps.weir_udp_flows); }

 private:
  static int OnRingRecord(void* self, void* data, size_t size);

  Skeleton skeleton_;
  const bool sees_machine_;
  std::unique_ptr<ring_buffer, FreeRing> ring_;
  kernel::BpfLink sent_;
  kernel::BpfLink received_;
  std::vector<weir_udp_key> keys_ = std::vector<weir_udp_key>(kBatch);
  std::vector<weir_udp_flow> flows_ = std::vector<weir_udp_flow>(kBatch);
  const std::function<void(const weir_dns_message&)>* on_message_ = nullptr;  // during DrainDns
};

// Groups are named in full, or from their root.
std::filesystem::path BelowRoot(const std::filesystem::path& group, const std::filesystem::path& root) {
  const std::filesystem::path below = group.lexically_relative(root);
  return below.empty() || *below.begin() == ".." ? group.relative_path() : below;
}

Status Tracker::Attach(const std::filesystem::path& group) {
  const kernel::BpfLogCapture log;
  const kernel::UniqueFd folder(::open(group.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid()) return Status::FromErrno(errno, "open control group " + group.string());
  ring_.reset(ring_buffer__new(bpf_map__fd(skeleton_->maps.weir_dns_ring), OnRingRecord, this, nullptr));
  if (ring_ == nullptr) return kernel::FromLibbpf(errno, "map the ring buffer", log);
  // Receiving first: of a question that is seen the answer is seen too.
  received_.reset(bpf_program__attach_cgroup(skeleton_->progs.weir_udp_received, folder.get()));
  if (received_ == nullptr) return kernel::FromLibbpf(errno, "attach weir_udp_received to " + group.string(), log);
  sent_.reset(bpf_program__attach_cgroup(skeleton_->progs.weir_udp_sent, folder.get()));
  if (sent_ == nullptr) return kernel::FromLibbpf(errno, "attach weir_udp_sent to " + group.string(), log);
  return Status::Ok();
}

Status Tracker::ReadPairs(const OnPair& on_pair) {
  const int fd = bpf_map__fd(skeleton_->maps.weir_udp_flows);
  uint32_t position = 0;
  for (bool first = true;; first = false) {
    auto count = static_cast<uint32_t>(keys_.size());
    const int error =
        bpf_map_lookup_batch(fd, first ? nullptr : &position, &position, keys_.data(), flows_.data(), &count, nullptr);
    if (error != 0 && errno == ENOSPC && keys_.size() < max_pairs()) {  // a bucket with more than a batch
      keys_.resize(keys_.size() * 2);
      flows_.resize(flows_.size() * 2);
      return Status::Unavailable("read UDP flows: a bucket of the map was larger than the buffer");
    }
    if (error != 0 && errno != ENOENT) return Status::FromErrno(errno, "read UDP flows");
    for (uint32_t i = 0; i < count; ++i) on_pair(keys_[i], flows_[i]);
    if (error != 0) return Status::Ok();
  }
}

bool Tracker::Forget(const weir_udp_key& key, weir_udp_flow& last) {
  const int fd = bpf_map__fd(skeleton_->maps.weir_udp_flows);
  if (bpf_map_lookup_and_delete_elem(fd, &key, &last) == 0) return true;
  // Before 5.14 in two steps.
  return bpf_map_lookup_elem(fd, &key, &last) == 0 && bpf_map_delete_elem(fd, &key) == 0;
}

int Tracker::OnRingRecord(void* self, void* data, size_t size) {
  if (size >= sizeof(weir_dns_message)) {
    (*static_cast<Tracker*>(self)->on_message_)(*static_cast<weir_dns_message*>(data));
  }
  return 0;
}

void Tracker::DrainDns(const std::function<void(const weir_dns_message&)>& on_message) {
  on_message_ = &on_message;
  ring_buffer__consume(ring_.get());
  on_message_ = nullptr;
}

UdpLosses Tracker::Losses() {
  const auto sum = [this](uint32_t index) {
    std::vector<uint64_t> values(static_cast<size_t>(std::max(libbpf_num_possible_cpus(), 1)));
    uint64_t total = 0;
    if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.weir_udp_counters), &index, values.data()) != 0) return total;
    for (const uint64_t value : values) total += value;
    return total;
  };
  return {.map_full = sum(WEIR_UDP_COUNTER_MAP_FULL),
          .ring_full = sum(WEIR_UDP_COUNTER_RING_FULL),
          .other = sum(WEIR_UDP_COUNTER_OTHER),
          .other_bytes = sum(WEIR_UDP_COUNTER_OTHER_BYTES)};
}

}  // namespace

Result<std::unique_ptr<UdpTracker>> UdpTracker::Open(const UdpTrackerOptions& options) {
  if (!options.allowed) return Status::Unsupported("UDP and DNS are seen by eBPF alone, which --mode switched off");
  auto tree = kernel::OpenGroupTree(options.root);
  if (!tree.ok()) return Status::Unsupported(std::string(kNoGroups));
  const kernel::BpfLogCapture log;
  Skeleton skeleton(weir_udp_bpf__open());
  if (skeleton == nullptr) return kernel::FromLibbpf(errno, "open the UDP object", log);
  const uint32_t pairs = options.flows ? std::clamp(options.max_pairs, 1U, kMaxPairs) : 1;
  const uint32_t ring = options.dns ? std::clamp(options.ring_bytes, kPage, 1U << 30) : kPage;
  bpf_map__set_max_entries(skeleton->maps.weir_udp_flows, pairs);
  bpf_map__set_max_entries(skeleton->maps.weir_dns_ring, std::bit_ceil(ring));
  skeleton->rodata->weir_udp_wanted =
      static_cast<weir_u32>((options.flows ? WEIR_UDP_FLOWS : 0) | (options.dns ? WEIR_UDP_DNS : 0));
  skeleton->rodata->weir_udp_sees_nat = kernel::KernelHasFunction("bpf_cast_to_kern_ctx") ? 1 : 0;
  if (const int error = weir_udp_bpf__load(skeleton.get()); error != 0) {
    return kernel::FromLibbpf(-error, "load the UDP object", log);
  }
  auto tracker = std::make_unique<Tracker>(std::move(skeleton), tree->whole);
  // Relative, whatever it looks like: "/system.slice" is a path below the tree.
  WEIR_RETURN_IF_ERROR(tracker->Attach(tree->path / BelowRoot(options.group, tree->path)));
#ifdef __GLIBC__
  ::malloc_trim(0);  // reading the kernel's type information took 20 MB that nobody needs again
#endif
  return std::unique_ptr<UdpTracker>(std::move(tracker));
}

}  // namespace weir::agent::udp
