#include "cmd/push.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <sstream>

#include "telemetry/headers.h"

namespace weir::cmd {
namespace {

constexpr std::chrono::milliseconds kShortestInterval{1'000};
constexpr size_t kMaxHeaderBytes = 65'536;

std::string HostName() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

Result<std::map<std::string, std::string>> ReadHeaders(const std::string& path) {
  if (path.empty()) return std::map<std::string, std::string>{};
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return Status::NotFound(fmt::format("--push-headers {} cannot be read; name a file of this machine", path));
  std::string text(kMaxHeaderBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  if (text.size() > kMaxHeaderBytes) {
    return Status::Invalid(fmt::format("--push-headers {} is larger than 64 KiB; name a file of headers", path));
  }
  auto headers = telemetry::ParseHeaders(text);
  if (!headers.ok()) return headers.status().Annotate(fmt::format("--push-headers {}", path));
  return headers;
}

}  // namespace

Result<std::unique_ptr<telemetry::Push>> PushOf(const Settings& settings, const Clock& clock) {
  telemetry::PushOptions options;
  std::istringstream urls(settings.Text("remote-write"));
  for (std::string url; std::getline(urls, url, ',');) options.remote_write.push_back(url);
  options.otlp = settings.Text("otlp");
  options.flows = settings.Text("otlp-flows") == "on";
  options.period = settings.Duration("push-interval");
  if (options.period < kShortestInterval) return Status::Invalid("--push-interval is too short; give 1s or more");
  WEIR_ASSIGN_OR_RETURN(options.headers, ReadHeaders(settings.Text("push-headers")));
  options.ca_file = settings.Text("push-ca-file");
  options.instance = HostName();
  options.cluster = settings.Text("cluster");
  if (options.empty() && !options.flows) return std::unique_ptr<telemetry::Push>();
  return telemetry::Push::Create(std::move(options), clock);
}

}  // namespace weir::cmd
