// The machine's control groups, seen from a control group namespace, as Docker gives one to every container.
#include "agent/kernel/group_tree.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <filesystem>
#include <functional>
#include <string>

namespace weir::agent::kernel {
namespace {

namespace fs = std::filesystem;

uint64_t InodeOf(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 ? info.st_ino : 0;
}

// In a process of its own, whose namespaces are its own. The exit code tells which check failed.
int InChild(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::_exit(body());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

TEST(GroupTree, OfTheMachineIsWhole) {
  const auto tree = OpenGroupTree();
  if (!tree.ok()) GTEST_SKIP() << "SKIPPED: no version 2 control groups";
  EXPECT_TRUE(tree->whole);
  EXPECT_EQ(InodeOf(tree->root.get()), 1U);
  EXPECT_TRUE(fs::exists(tree->path / "cgroup.controllers"));
}

TEST(GroupTree, IsFoundFromWithinAControlGroupNamespace) {
  const auto tree = OpenGroupTree();
  if (!tree.ok() || ::geteuid() != 0) GTEST_SKIP() << "SKIPPED: needs root and version 2 control groups";
  const fs::path group = tree->path / ("weir-tree-" + std::to_string(::getpid()));
  const fs::path mount = fs::temp_directory_path() / ("weir-tree-" + std::to_string(::getpid()));
  fs::create_directory(mount);
  if (::mkdir(group.c_str(), 0755) != 0) GTEST_SKIP() << "SKIPPED: control groups cannot be made here";
  const int failed = InChild([&] {
    const UniqueFd procs(::open((group / "cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
    if (::write(procs.get(), "0", 1) != 1) return 1;
    if (::unshare(CLONE_NEWCGROUP | CLONE_NEWNS) != 0) return 2;
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 3;
    if (::mount("none", mount.c_str(), "cgroup2", 0, nullptr) != 0) return 4;
    struct stat info {};
    if (::stat(mount.c_str(), &info) != 0 || info.st_ino == 1) return 5;  // the mount shows the own group
    const auto found = OpenGroupTree(mount);
    if (!found.ok() || !found->whole || InodeOf(found->root.get()) != 1) return 6;
    if (!fs::exists(found->path / group.filename() / "cgroup.procs")) return 7;
    return 0;
  });
  EXPECT_EQ(failed, 0);
  ::rmdir(group.c_str());
  fs::remove(mount);
}

TEST(GroupTree, NoneIsSaid) {
  EXPECT_EQ(OpenGroupTree("/nonexistent").status().code(), Code::kUnsupported);
  EXPECT_EQ(OpenGroupTree("/proc").status().code(), Code::kUnsupported);
}

}  // namespace
}  // namespace weir::agent::kernel
