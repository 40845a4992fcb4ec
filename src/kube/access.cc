#include "kube/access.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace weir::kube {
namespace {

constexpr size_t kMaxTokenBytes = 64U << 10;

}  // namespace

Result<std::shared_ptr<const MemoryFile>> MemoryFile::Create(std::string_view name, std::string_view bytes) {
  const int descriptor = ::memfd_create(std::string(name).c_str(), MFD_CLOEXEC);
  if (descriptor < 0) return Status::FromErrno(errno, "memfd_create");
  std::shared_ptr<const MemoryFile> file(new MemoryFile(descriptor));
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0) return Status::FromErrno(errno, "write to a file in memory");
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return file;
}

MemoryFile::~MemoryFile() { ::close(descriptor_); }

std::string MemoryFile::path() const { return fmt::format("/proc/self/fd/{}", descriptor_); }

Result<std::string> ReadTokenFile(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return Status::FromErrno(errno, "read the token in " + path.string());
  std::string token;
  std::array<char, 4'096> piece;
  ssize_t got = 0;
  while (token.size() <= kMaxTokenBytes && (got = ::read(descriptor, piece.data(), piece.size())) > 0)
    token.append(piece.data(), static_cast<size_t>(got));
  const int error = errno;
  ::close(descriptor);
  if (got < 0) return Status::FromErrno(error, "read the token in " + path.string());
  const size_t first = token.find_first_not_of(" \t\r\n");
  if (first == std::string::npos)
    return Status::Invalid(fmt::format("{} is empty: it should hold a token", path.string()));
  if (token.size() > kMaxTokenBytes) return Status::Invalid(fmt::format("{} is too large for a token", path.string()));
  return token.substr(first, token.find_last_not_of(" \t\r\n") - first + 1);
}

Result<Access> InClusterAccess(const std::string& host, const std::string& port, const std::filesystem::path& folder) {
  if (host.empty() || port.empty()) {
    return Status::NotFound(
        "KUBERNETES_SERVICE_HOST is not set, so this is not a pod; name a kubeconfig with --kubeconfig");
  }
  std::error_code error;
  if (!std::filesystem::exists(folder / "token", error)) {
    return Status::NotFound(fmt::format(
        "{} has no token: give the pod a service account (automountServiceAccountToken), or use --kubeconfig",
        folder.string()));
  }
  Access access;
  const bool six = host.find(':') != std::string::npos;
  access.server = fmt::format("https://{}:{}", six ? "[" + host + "]" : host, port);
  access.source = "the pod's service account";
  access.tls.ca_file = folder / "ca.crt";
  access.tls.token_source = [token = folder / "token"] { return ReadTokenFile(token); };
  return access;
}

}  // namespace weir::kube
