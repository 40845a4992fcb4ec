// Cuts a stream into lines of bounded length.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir::kube {

class LineSplitter {
 public:
  explicit LineSplitter(size_t longest) : longest_(longest) {}

  // Calls take(line) for each line that has ended, without its end, until take returns false; so does this then. Lines
  // that are too long are left out and counted.
  template <typename Take>
  bool Feed(std::string_view piece, Take&& take) {
    while (!piece.empty()) {
      const size_t end = piece.find('\n');
      Append(piece.substr(0, end));
      if (end == std::string_view::npos) return true;
      piece.remove_prefix(end + 1);
      const bool whole = !overflowed_;
      overflowed_ = false;
      if (whole && !line_.empty() && !take(line_)) return false;
      line_.clear();
    }
    return true;
  }
  size_t too_long() const { return too_long_; }

 private:
  void Append(std::string_view part) {
    if (overflowed_) return;
    if (line_.size() + part.size() <= longest_) {
      line_.append(part);
      return;
    }
    overflowed_ = true;
    ++too_long_;
    line_ = std::string();
  }

  const size_t longest_;
  std::string line_;
  bool overflowed_ = false;
  size_t too_long_ = 0;
};

}  // namespace weir::kube
