#include "agent/privileges.h"

#include <cap-ng.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

namespace weir::agent {
namespace {

// Lowers the calling thread to those of `wanted` it has, in every set: effective and permitted, nothing
// inheritable or ambient, and the bounding set where CAP_SETPCAP allows. With no_new_privs no program it
// executes can get any of them back.
Status KeepOnly(const std::vector<unsigned>& wanted) {
  capng_setpid(static_cast<int>(gettid()));  // the library's default is the process, which is the main thread
  if (capng_get_caps_process() != 0) return Status::Internal("read capabilities of this thread");
  std::vector<unsigned> kept;
  for (const unsigned capability : wanted) {
    if (capng_have_capability(CAPNG_PERMITTED, capability) != 0) kept.push_back(capability);
  }
  const bool may_lower_bounds = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) != 0;
  capng_clear(CAPNG_SELECT_ALL);
  const auto kept_in = static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET);
  for (const unsigned capability : kept) capng_update(CAPNG_ADD, kept_in, capability);
  // Bounds first: lowering them needs a capability that the second step takes away.
  if (may_lower_bounds && capng_apply(CAPNG_SELECT_BOUNDS) != 0) {
    return Status::Internal("lower the capability bounding set of this thread");
  }
  if (capng_apply(CAPNG_SELECT_CAPS) != 0) return Status::Internal("lower the capabilities of this thread");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return Status::FromErrno(errno, "set no_new_privs");
  return Status::Ok();
}

}  // namespace

Status KeepPrivilegesForCollecting(std::string_view mode, bool nat) {
  std::vector<unsigned> wanted = {
      CAP_BPF,              // bpf(2) at run time: a snapshot program runs, maps are read and deleted
      CAP_PERFMON,          // the snapshot program reads kernel memory
      CAP_NET_ADMIN,        // sock_diag's socket-destroyed groups, dumps of others' socket options, ctnetlink
      CAP_SYS_PTRACE,       // /proc/<pid>/fd, exe and ns of processes of other users
      CAP_DAC_READ_SEARCH,  // their control groups and names, whatever their directories' modes
  };
  // The eBPF programs see the sockets of all network namespaces from one. sock_diag and ctnetlink answer only for the
  // namespace of their socket, so whoever asks them enters each namespace, and setns(2) asks for CAP_SYS_ADMIN.
  if (mode != "ebpf" || nat) wanted.push_back(CAP_SYS_ADMIN);
  return KeepOnly(wanted);
}

Status KeepPrivilegesForNode() {
  return KeepOnly({
      CAP_SYS_ADMIN,        // setns(2) into the network namespaces of pods
      CAP_SYS_PTRACE,       // /proc/<pid>/ns of processes of other users
      CAP_DAC_READ_SEARCH,  // their control groups, whatever their directories' modes
  });
}

Status KeepNoPrivileges() { return KeepOnly({}); }

}  // namespace weir::agent
