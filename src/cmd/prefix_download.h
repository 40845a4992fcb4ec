// --prefix-url: fetches what clouds publish of their address ranges, once a day, and keeps it in the data directory so
// that a server without a way out starts with what it had.
#pragma once

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/status.h"

namespace weir::cmd {

// A list to fetch, and where it is kept.
struct PublishedList {
  std::string url;
  std::filesystem::path file;
};

// `text`: URLs and the names aws, google and huggingface, joined by commas. kInvalid: neither.
Result<std::vector<PublishedList>> PublishedLists(std::string_view text, const std::filesystem::path& folder);

class PrefixDownload {
 public:
  // Thread `weir-prefixes`: fetches at once and once a day, an hour after a failure. `on_change` is called there when a
  // file has changed.
  PrefixDownload(std::vector<PublishedList> lists, std::function<void()> on_change);
  ~PrefixDownload();
  PrefixDownload(const PrefixDownload&) = delete;
  PrefixDownload& operator=(const PrefixDownload&) = delete;

 private:
  void Run();

  const std::vector<PublishedList> lists_;
  const std::function<void()> on_change_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace weir::cmd
