// NetnsNames: from the inode of a network namespace to the name `ip netns` shows for it.
//
// Such a name is a file in /run/netns on which the namespace is mounted. The folder is read when somebody asks for an
// inode not met before, when its modification time has changed, and every half minute (a name can be mounted over
// without a trace), but at most twenty times a second, or once where that takes long; everything else is one look-up in
// memory. Inodes that have no name are remembered too, or a node full of containers would read the folder for ever. At
// most 10,000 names.
//
// The kernel gives the number of a namespace that is gone to the next one at once. A name is therefore kept only for
// two seconds after it vanished: long enough for the final records of a namespace that is made, used and removed.
//
// Thread: the agent's loop, all calls.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/clock.h"

namespace weir::agent::identity {

class NetnsNames {
 public:
  // `folders`: the first that exists is read. `host` is a file of the host's own namespace, which has no name here
  // whatever `ip netns` calls it. `clock` outlives this. Reads no folder yet.
  NetnsNames(std::vector<std::filesystem::path> folders, const std::filesystem::path& host, const Clock& clock);

  // Never null; "" for the host's own namespace, for one without a name, and for 0.
  std::shared_ptr<const std::string> NameOf(uint32_t inode) {
    return inode == 0 || inode == host_ ? nameless_ : NameOfOther(inode);
  }

  size_t size() const { return names_.size(); }

 private:
  struct Entry {
    std::shared_ptr<const std::string> name;
    Nanos seen = 0;  // last scan that met it
  };

  std::shared_ptr<const std::string> NameOfOther(uint32_t inode);
  bool IsOutOfDate(Nanos now) const;
  int64_t FolderChangedAt() const;
  void Scan(Nanos now);
  void ReadFolder(Nanos now);

  const std::vector<std::filesystem::path> folders_;
  const Clock& clock_;
  const uint32_t host_;
  std::unordered_map<uint32_t, Entry> names_;
  std::unordered_set<uint32_t> without_name_;  // as of the last scan
  Nanos scanned_at_ = 0;
  Nanos next_scan_ = 0;            // not before, for an inode not met before
  Nanos next_look_ = 0;            // not before, for the others
  int64_t folder_changed_at_ = 0;  // as of the last scan; wall clock, ns; 0 = there was no folder
  bool scan_again_ = false;
  std::shared_ptr<const std::string> nameless_ = std::make_shared<const std::string>();
};

}  // namespace weir::agent::identity
