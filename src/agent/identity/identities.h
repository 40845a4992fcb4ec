// Identities: who owns a socket, by what the kernel's records say of it. IdentityIndex looks it up on this machine; a
// recording keeps the answers and gives them again (agent/recording).
//
// Thread: the agent's loop, all calls.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "agent/identity/cgroup_name.h"
#include "agent/identity/end_owners.h"

namespace weir::agent::identity {

class Identities {
 public:
  virtual ~Identities() = default;

  // A number that is equal for equal owners: the control group's id itself, or where processes have to be asked one
  // made from the process's name. Asked for every record.
  uint64_t OwnerOf(uint64_t cgroup_id, uint32_t pid) {
    return !asks_processes_ || pid == 0 ? cgroup_id : OwnerByProcess(cgroup_id, pid);
  }
  // The same of a process with this name in this network namespace, which may be gone: see EndOwners.
  uint64_t OwnerOf(uint64_t cgroup_id, uint32_t pid, uint32_t netns, std::string_view program) {
    if (!asks_processes_ || pid == 0) return cgroup_id;
    return ends_.Settle(cgroup_id, netns, program, OwnerByProcess(cgroup_id, pid));
  }
  // Never null; empty strings when unknown.
  virtual std::shared_ptr<const CgroupName> NameOf(uint64_t owner) = 0;
  // Of a network namespace by its inode. Never null; "" when it has none.
  virtual std::shared_ptr<const std::string> NetnsNameOf(uint32_t inode) = 0;
  // Once per interval.
  void Expire() {
    ends_.Expire();
    ExpireAnswers();
  }

  // Which control group ids have names.
  enum class Groups {
    kNone,  // no version 2 tree is mounted
    kOwn,   // those of the agent's own control group namespace
    kAll,
  };
  virtual Groups groups() const = 0;
  // Whether containers have folders that only their processes name (version 1), and the machine's processes are out of
  // sight.
  virtual bool misses_processes() const { return false; }
  // Whether OwnerOf() asks processes first.
  bool asks_processes() const { return asks_processes_; }
  // Why groups that are gone before they are looked at have no name; "" when they have, or nobody asked for that.
  const std::string& misses_births() const { return misses_births_; }

 protected:
  void MissBirths(std::string why) { misses_births_ = std::move(why); }
  void AskProcesses(bool ask) { asks_processes_ = ask; }
  virtual uint64_t OwnerByProcess(uint64_t cgroup_id, uint32_t pid) = 0;
  virtual void ExpireAnswers() = 0;

 private:
  EndOwners ends_;
  bool asks_processes_ = false;
  std::string misses_births_;
};

}  // namespace weir::agent::identity
