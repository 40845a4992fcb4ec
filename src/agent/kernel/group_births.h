// GroupBirths: the paths of control groups made since it was opened, also of those that are gone. Loads
// bpf/groups.bpf.c, which runs when a group is made.
//
// The last WEIR_GROUPS_KEPT are known, 1 MB in the kernel. Thread: any one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/status.h"

namespace weir::agent::kernel {

class GroupBirths {
 public:
  // kDenied, kUnsupported (Linux before 5.7): the message says why.
  static Result<std::unique_ptr<GroupBirths>> Open();
  virtual ~GroupBirths() = default;
  // Of a version 2 group by its id, from the root of the machine's tree: "/system.slice/a.scope". "" when it is not
  // known.
  virtual std::string PathOf(uint64_t id) const = 0;
};

}  // namespace weir::agent::kernel
