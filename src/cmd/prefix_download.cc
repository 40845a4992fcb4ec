#include "cmd/prefix_download.h"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <fstream>
#include <iterator>
#include <utility>

#include "base/log.h"
#include "base/thread.h"
#include "net/http_client.h"
#include "server/prefixes.h"

namespace weir::cmd {
namespace {

constexpr auto kPeriod = std::chrono::hours(24);
constexpr auto kRetry = std::chrono::hours(1);
constexpr size_t kMaxLists = 16;

constexpr auto kWellKnown = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"aws", "https://ip-ranges.amazonaws.com/ip-ranges.json"},
    {"google", "https://www.gstatic.com/ipranges/cloud.json"},
    {"huggingface", "https://huggingface.co/.well-known/meta.json"},
});

std::string TextOf(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Status Write(const std::filesystem::path& path, const std::string& text) {
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  const std::filesystem::path fresh = path.string() + ".new";
  std::ofstream(fresh, std::ios::binary | std::ios::trunc) << text;
  std::filesystem::rename(fresh, path, error);
  return error ? Status::FromErrno(error.value(), "write " + path.string()) : Status::Ok();
}

// True: the file has changed. What is no list of ranges never replaces one that is.
Result<bool> Fetch(const PublishedList& list, net::HttpClient& client, const std::atomic<bool>& stopping) {
  net::ClientRequest request;
  request.url = list.url;
  request.max_response_bytes = server::Prefixes::kMaxFileBytes;
  request.accept_gzip = true;
  request.abort = &stopping;
  WEIR_ASSIGN_OR_RETURN(const net::ClientResponse response, client.Send(request));
  if (response.status != 200) return Status::Unavailable(fmt::format("{} answered {}", list.url, response.status));
  server::Prefixes trial;
  const auto read = trial.AddFile(list.url, response.body);
  if (!read.ok()) return read.status();
  if (TextOf(list.file) == response.body) return false;
  WEIR_RETURN_IF_ERROR(Write(list.file, response.body));
  return true;
}

}  // namespace

Result<std::vector<PublishedList>> PublishedLists(std::string_view text, const std::filesystem::path& folder) {
  std::vector<PublishedList> lists;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    std::string_view item = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    if (item.empty()) continue;
    for (const auto& [name, url] : kWellKnown) {
      if (item == name) item = url;
    }
    if (!item.starts_with("http://") && !item.starts_with("https://")) {
      return Status::Invalid(fmt::format("'{}' is no URL, and none of aws, google, huggingface", item));
    }
    if (lists.size() >= kMaxLists) return Status::Invalid(fmt::format("more than {} lists", kMaxLists));
    lists.push_back({std::string(item), folder / fmt::format("list-{}.json", lists.size() + 1)});
  }
  return lists;
}

PrefixDownload::PrefixDownload(std::vector<PublishedList> lists, std::function<void()> on_change)
    : lists_(std::move(lists)), on_change_(std::move(on_change)), thread_([this] { Run(); }) {}

PrefixDownload::~PrefixDownload() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void PrefixDownload::Run() {
  NameThisThread("weir-prefixes");
  const auto client = net::HttpClient::Create({});
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    bool changed = false;
    bool failed = false;
    for (const PublishedList& list : lists_) {
      const Result<bool> fetched = Fetch(list, *client, stopping_);
      if (fetched.ok()) {
        changed = changed || *fetched;
      } else if (!stopping_) {
        failed = true;
        LogWarn("address ranges were not refreshed, those of before hold: {}", fetched.status().message());
      }
    }
    if (changed) on_change_();
    lock.lock();
    wake_.wait_for(lock, failed ? kRetry : kPeriod, [this] { return stopping_.load(); });
  }
}

}  // namespace weir::cmd
