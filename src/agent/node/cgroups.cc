#include "agent/node/cgroups.h"

#include <sys/stat.h>

#include <algorithm>
#include <deque>
#include <system_error>
#include <utility>

#include "agent/identity/cgroup_name.h"
#include "agent/node/proc_text.h"
#include "agent/node/source_catalogue.h"

namespace weir::agent::node {
namespace {

namespace fs = std::filesystem;
using model::NodeSignal;

constexpr size_t kMaxSubjectBytes = 200;

// kubelet's folders: "kubepods-burstable-pod<uid>.slice", "pod<uid>".
bool IsPod(std::string_view folder) {
  if (folder.starts_with("kubepods")) return folder.find("-pod") != std::string_view::npos;
  return folder.starts_with("pod") && folder.size() > 32;
}

CgroupFolder Describe(const fs::path& root, const fs::path& path) {
  CgroupFolder folder;
  folder.path = path;
  const std::string name = path.filename();
  const std::string container = identity::NameFromPath(name).container;
  folder.is_workload = !container.empty() || IsPod(name);
  const std::string below = path.lexically_relative(root);
  folder.subject =
      !container.empty() ? container : identity::PrintableName(IsPod(name) ? name : below, kMaxSubjectBytes);
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0) folder.inode = info.st_ino;
  return folder;
}

void ReadPressure(const fs::path& file, NodeSignal signal, const std::function<void(NodeSignal, uint64_t)>& visit) {
  const Result<std::string> text = ReadText(file);
  if (!text.ok()) return;
  if (const auto total = ParsePressure(*text)) visit(signal, *total);
}

}  // namespace

CgroupList ListCgroups(const fs::path& root) {
  CgroupList list;
  std::deque<fs::path> to_visit{root};
  while (!to_visit.empty()) {
    const fs::path parent = std::move(to_visit.front());
    to_visit.pop_front();
    std::error_code ignored;  // a folder that is gone has no folders
    for (fs::directory_iterator item(parent, ignored); item != fs::directory_iterator(); item.increment(ignored)) {
      std::error_code unreadable;
      if (!item->is_directory(unreadable) || item->is_symlink(unreadable)) continue;
      if (list.folders.size() >= kMaxCgroupsListed) {
        ++list.skipped;
        continue;
      }
      CgroupFolder folder = Describe(root, item->path());
      const bool is_container = folder.is_workload && !IsPod(item->path().filename().native());
      if (!is_container) to_visit.push_back(item->path());
      list.folders.push_back(std::move(folder));
    }
  }
  std::stable_partition(list.folders.begin(), list.folders.end(),
                        [](const auto& folder) { return folder.is_workload; });
  if (list.folders.size() > kMaxCgroups) {
    list.skipped += list.folders.size() - kMaxCgroups;
    list.folders.resize(kMaxCgroups);
  }
  return list;
}

void ReadCgroup(const CgroupFolder& folder, const std::function<void(NodeSignal, uint64_t)>& visit) {
  if (const Result<std::string> text = ReadText(folder.path / "cpu.stat"); text.ok()) {
    ParsePairs(*text, [&](std::string_view name, uint64_t value) {
      if (name == "throttled_time") visit(NodeSignal::cgroup_throttled_us, value / 1'000);  // version 1: nanoseconds
      const auto signal = NamesOf("cgroup").find(name);
      if (signal != NamesOf("cgroup").end()) visit(signal->second, value);
    });
  }
  if (!folder.is_workload) return;
  ReadPressure(folder.path / "cpu.pressure", NodeSignal::cgroup_pressure_cpu_us, visit);
  ReadPressure(folder.path / "memory.pressure", NodeSignal::cgroup_pressure_memory_us, visit);
  ReadPressure(folder.path / "io.pressure", NodeSignal::cgroup_pressure_io_us, visit);
}

bool IsMachinesRoot(const fs::path& root) {
  struct stat info {};
  return ::stat(root.c_str(), &info) == 0 && info.st_ino == 1;  // in every hierarchy
}

std::vector<fs::path> CgroupRoots(const fs::path& mount) {
  std::error_code ignored;
  if (fs::exists(mount / "cgroup.controllers", ignored)) return {mount};
  std::vector<fs::path> roots;
  for (const char* name : {"cpu", "cpu,cpuacct", "unified"}) {
    // "cpu" is a link to "cpu,cpuacct" on some systems: once is enough.
    if (fs::is_directory(mount / name, ignored) && !fs::is_symlink(mount / name, ignored))
      roots.push_back(mount / name);
  }
  return roots;
}

}  // namespace weir::agent::node
