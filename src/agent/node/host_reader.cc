#include "agent/node/host_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <system_error>
#include <utility>

#include "agent/node/proc_text.h"
#include "agent/node/source_catalogue.h"
#include "base/metrics.h"
#include "model/metric_families.h"

namespace weir::agent::node {
namespace {

namespace fs = std::filesystem;
using model::NodeSignal;

constexpr uint64_t kInodeBits = 48;  // the hierarchy's place goes above: inodes are its own

bool IsVersion2(const fs::path& root) {
  std::error_code ignored;
  return fs::exists(root / "cgroup.controllers", ignored);
}

std::vector<fs::path> Folders(const fs::path& path) {
  std::vector<fs::path> folders;
  std::error_code ignored;
  for (fs::directory_iterator item(path, ignored); item != fs::directory_iterator(); item.increment(ignored)) {
    folders.push_back(item->path());
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

// Its driver calls its devices so, unless udev renames them; then by counters that no other driver has.
bool IsEfa(std::string_view device, const std::vector<std::string>& names) {
  return device.starts_with("efa") || std::find(names.begin(), names.end(), "rdma_read_resp_bytes") != names.end();
}

std::vector<std::pair<size_t, uint64_t>> EfaValues(const std::vector<std::string>& names,
                                                   const std::vector<uint64_t>& values) {
  std::vector<std::pair<size_t, uint64_t>> found;
  for (size_t i = 0; i < model::kEfaCounters.size(); ++i) {
    const auto at = std::find(names.begin(), names.end(), model::kEfaCounters[i].file);
    if (at != names.end()) found.emplace_back(i, values[static_cast<size_t>(at - names.begin())]);
  }
  return found;
}

}  // namespace

HostReader::HostReader(SampleTable& table, ProbeList& probes, fs::path proc, fs::path sys)
    : table_(table),
      probes_(probes),
      proc_(std::move(proc)),
      sys_(std::move(sys)),
      cgroup_roots_(CgroupRoots(sys_ / "fs" / "cgroup")) {}

void HostReader::Use(kernel::GroupTree tree, bool own_network_is_machines) {
  machines_network_ = own_network_is_machines;
  for (fs::path& root : cgroup_roots_) {
    const bool version2 = IsVersion2(root);
    if (version2 && tree.whole) root = tree.path;
    machines_groups_only_ &= version2 ? tree.whole : IsMachinesRoot(root);
  }
  tree_ = std::move(tree);
}

void HostReader::ReadConntrack() {
  constexpr std::string_view kProbe = "node_conntrack";
  const fs::path settings = proc_ / "sys" / "net" / "netfilter";
  for (const auto& [name, signal] : {std::pair{"nf_conntrack_count", NodeSignal::conntrack_entries},
                                     {"nf_conntrack_max", NodeSignal::conntrack_max}}) {
    const Result<std::string> text = ReadText(settings / name);
    if (!text.ok()) return probes_.Off(kProbe, "connection tracking is not loaded");
    if (const auto value = ParseNumber(*text)) table_.Add({}, signal, *value);
  }
  const Result<std::string> text = ReadText(proc_ / "net" / "stat" / "nf_conntrack");
  if (!text.ok()) return probes_.On(kProbe, "entries only: this kernel has no /proc/net/stat/nf_conntrack");
  ParseConntrack(*text, [&](std::string_view name, uint64_t sum) {
    const auto signal = NamesOf("conntrack").find(name);
    if (signal != NamesOf("conntrack").end()) table_.Add({}, signal->second, sum);
  });
  machines_network_ ? probes_.On(kProbe) : probes_.Fallback(kProbe, kOwnNetworkOnly, kOwnNetworkHint);
}

void HostReader::ReadPressure() {
  for (const auto& [name, signal] : NamesOf("pressure")) {
    const Result<std::string> text = ReadText(proc_ / "pressure" / name);
    if (!text.ok())
      return probes_.Off("node_pressure", "this kernel keeps no pressure information (CONFIG_PSI, psi=1)");
    if (const auto total = ParsePressure(*text)) table_.Add({}, signal, *total);
  }
  probes_.On("node_pressure");
}

void HostReader::ReadRdmaPort(const std::string& device, const fs::path& port) {
  const std::string subject = fmt::format("{}/{}", device, port.filename().native());
  std::vector<std::string> names;
  std::vector<uint64_t> values;
  for (const char* folder : {"hw_counters", "counters"}) {
    for (const fs::path& file : Folders(port / folder)) {
      const Result<std::string> text = ReadText(file);
      const auto value = text.ok() ? ParseNumber(*text) : std::nullopt;
      if (!value) continue;  // "N/A (no PMA)", or it vanished
      names.push_back(file.filename());
      values.push_back(*value);
    }
  }
  if (IsEfa(device, names)) efa_ports_.push_back({device, port.filename(), EfaValues(names, values)});
  const uint64_t number = std::hash<std::string>()(subject);
  for (const ResolvedSignal& signal : Resolve("rdma", names)) {
    // A name may be in both folders, and be the same counter.
    table_.Add({0, number, subject, false}, signal.signal, values[signal.places.front()]);
  }
}

void HostReader::ReadRdma() {
  size_t ports = 0;
  efa_ports_.clear();
  for (const fs::path& device : Folders(sys_ / "class" / "infiniband")) {
    for (const fs::path& port : Folders(device / "ports")) {
      ReadRdmaPort(device.filename(), port);
      ++ports;
    }
  }
  ports == 0 ? probes_.Off("node_rdma", "no RDMA device") : probes_.On("node_rdma");
}

void HostReader::ReadSoftnet() {
  const Result<std::string> text = ReadText(proc_ / "net" / "softnet_stat");
  probes_.Judge("node_softnet", text.status());
  if (!text.ok()) return;
  for (const SoftnetCpu& cpu : ParseSoftnet(*text)) {
    const std::string subject = fmt::format("cpu{}", cpu.cpu);
    const Object object{0, cpu.cpu + uint64_t{1}, subject, false};
    table_.Add(object, NodeSignal::softnet_processed, cpu.processed, Width::k32);
    table_.Add(object, NodeSignal::softnet_dropped, cpu.dropped, Width::k32);
    table_.Add(object, NodeSignal::softnet_squeezed, cpu.squeezed, Width::k32);
  }
}

void HostReader::ReadCgroups() {
  if (cgroup_roots_.empty()) return probes_.Off("node_cgroups", "no control groups are mounted at /sys/fs/cgroup");
  std::unordered_set<uint64_t> seen;
  size_t skipped = 0;
  for (size_t root = 0; root < cgroup_roots_.size(); ++root) {
    CgroupList list = ListCgroups(cgroup_roots_[root]);
    skipped += list.skipped;
    for (const CgroupFolder& folder : list.folders) {
      const uint64_t number = uint64_t{root} << kInodeBits ^ folder.inode;
      seen.insert(number);
      const Object object{0, number, folder.subject, cgroups_listed_ && !known_cgroups_.contains(number)};
      ReadCgroup(folder, [&](NodeSignal signal, uint64_t value) { table_.Add(object, signal, value); });
    }
  }
  Count(Metric::agent_node_skipped, skipped);
  known_cgroups_ = std::move(seen);
  cgroups_listed_ = skipped == 0;
  if (!machines_groups_only_) return probes_.Fallback("node_cgroups", kernel::kOwnGroupOnly, kernel::kOwnGroupHint);
  probes_.On("node_cgroups",
             skipped == 0 ? "" : fmt::format("{} groups beyond the first {} are not read", skipped, kMaxCgroups));
}

}  // namespace weir::agent::node
