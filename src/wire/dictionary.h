// The strings of a batch: each once, named by its index. For the codec's own files.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/status.h"
#include "weir/v1/batch.pb.h"

namespace weir::wire {

// Gives each distinct name an index. Borrows the batch, and the strings it is asked for, until it is destroyed.
class Dictionary {
 public:
  explicit Dictionary(v1::Batch& batch) : batch_(batch) { IndexOf(""); }
  uint32_t IndexOf(std::string_view name);

 private:
  v1::Batch& batch_;
  std::unordered_map<std::string_view, uint32_t> indexes_;
};

// The string of an index; kInvalid, naming `what`, when there is none. Index 0 is the empty string, always.
Status TakeName(std::string_view what, const v1::Batch& batch, uint32_t index, std::string& to);

}  // namespace weir::wire
