// KnownServices: what a name outside belongs to, by rules of its ending (data/known_services.txt), and what a port
// alone tells (NFS, Lustre).
//
// Immutable once built; look-ups from any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace weir::server {

struct KnownServiceName {
  std::string_view name;        // "Amazon S3"; borrowed from the rules
  std::string_view class_name;  // "object_store"
  std::string region;           // "" = the name does not tell
};

class KnownServices {
 public:
  // The rules the program ships with.
  static const KnownServices& Shipped();
  // kInvalid names the line.
  static Result<KnownServices> Parse(std::string_view text);

  // `name`: lower case, without a final dot. An empty class: no rule has it.
  KnownServiceName Find(std::string_view name) const;
  size_t size() const { return rules_.size(); }

 private:
  struct Rule {
    std::vector<std::string> labels;  // from the right
    std::string name;
    std::string class_name;
  };
  std::vector<Rule> rules_;  // those with more labels first
};

// "file_store" for the ports of network file systems the kernel itself speaks, else "".
std::string_view ClassOfPort(uint16_t port);

}  // namespace weir::server
