// How to reach an API server and who one is there: from a kubeconfig or from what Kubernetes lays into each pod.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "net/http_client.h"

namespace weir::kube {

// Bytes that live in memory alone and have a path for libraries that read files, as long as this object lives.
class MemoryFile {
 public:
  static Result<std::shared_ptr<const MemoryFile>> Create(std::string_view name, std::string_view bytes);
  ~MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  std::string path() const;

 private:
  explicit MemoryFile(int descriptor) : descriptor_(descriptor) {}
  const int descriptor_;
};

struct Access {
  std::string server;            // "https://10.96.0.1:443", without a slash at the end
  std::string cluster;           // as the kubeconfig calls it; "" within a cluster
  std::string source;            // for messages: "kubeconfig /root/.kube/config", "the pod's service account"
  net::HttpClient::Options tls;  // the authority, the client's certificate or its token
  std::vector<std::shared_ptr<const MemoryFile>> files;  // that `tls` names
};

// Of the current context. kNotFound: no such file; kInvalid: what is missing or not supported, with the remedy.
Result<Access> ReadKubeconfig(const std::filesystem::path& path);

inline constexpr const char* kServiceAccountFolder = "/var/run/secrets/kubernetes.io/serviceaccount";
// `host` and `port`: KUBERNETES_SERVICE_HOST and _PORT. kNotFound: this is no pod with a service account.
Result<Access> InClusterAccess(const std::string& host, const std::string& port, const std::filesystem::path& folder);

// The token in a file, read each time: Kubernetes replaces it long before it expires.
Result<std::string> ReadTokenFile(const std::filesystem::path& path);

}  // namespace weir::kube
