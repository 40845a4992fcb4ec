// Kubeconfigs: the one file of kube/ that talks to yaml-cpp.
#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <fstream>
#include <stdexcept>

#include "kube/access.h"

namespace weir::kube {
namespace {

constexpr size_t kMaxConfigBytes = 1U << 20;

// What stops ReadKubeconfig, with the remedy; does not leave this file.
class Unusable : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

std::string TextAt(const YAML::Node& node, const char* key) {
  const YAML::Node value = node[key];
  return value && value.IsScalar() ? value.Scalar() : std::string();
}

// The entry `name` of the list `list`, its part `part`: {name: x, cluster: {...}}.
YAML::Node Named(const YAML::Node& config, const char* list, const std::string& name, const char* part) {
  for (const YAML::Node& entry : config[list]) {
    if (entry.IsMap() && TextAt(entry, "name") == name && entry[part] && entry[part].IsMap()) return entry[part];
  }
  throw Unusable(fmt::format("it has no entry '{}' under {}", name, list));
}

int Base64Digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

std::string FromBase64(const std::string& text, const char* what) {
  std::string bytes;
  uint32_t gathered = 0;
  int bits = 0;
  for (const char c : text) {
    if (c == '=' || c == '\n' || c == '\r' || c == ' ') continue;
    const int digit = Base64Digit(c);
    if (digit < 0) throw Unusable(fmt::format("{} is not base64", what));
    gathered = (gathered << 6 | static_cast<uint32_t>(digit)) & 0xffffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push_back(static_cast<char>(gathered >> bits & 0xff));
  }
  return bytes;
}

// Paths in a kubeconfig are relative to it.
std::string FileAt(const YAML::Node& node, const char* key, const std::filesystem::path& folder) {
  const std::string name = TextAt(node, key);
  if (name.empty()) return {};
  std::filesystem::path path = folder / name;
  if (!std::ifstream(path)) throw Unusable(fmt::format("{} names {}, which cannot be read", key, path.string()));
  return path;
}

// A file, or the bytes of one that stand in the kubeconfig itself under KEY-data, which win.
std::string FileOrData(const YAML::Node& node, const char* key, const std::filesystem::path& folder, Access& access) {
  const std::string data_key = std::string(key) + "-data";
  const std::string data = TextAt(node, data_key.c_str());
  if (data.empty()) return FileAt(node, key, folder);
  Result<std::shared_ptr<const MemoryFile>> file = MemoryFile::Create(key, FromBase64(data, data_key.c_str()));
  if (!file.ok()) throw Unusable(file.status().message());
  access.files.push_back(*file);
  return (*file)->path();
}

void RefuseWhatIsNotSupported(const YAML::Node& cluster, const YAML::Node& user) {
  constexpr const char* kRemedy =
      "use a client certificate, a token or a tokenFile, e.g. of the service account in deploy/kubernetes/rbac.yaml";
  for (const char* key : {"exec", "auth-provider"}) {
    if (user[key]) {
      throw Unusable(fmt::format("its user gets credentials from another program ({}), which Weir does not run; {}",
                                 key, kRemedy));
    }
  }
  for (const char* key : {"username", "as", "act-as"}) {
    if (user[key]) throw Unusable(fmt::format("'{}' of its user is not supported; {}", key, kRemedy));
  }
  if (TextAt(cluster, "insecure-skip-tls-verify") == "true") {
    throw Unusable(
        "insecure-skip-tls-verify would hand the cluster to whoever answers; name its certificate-authority instead");
  }
  if (!TextAt(cluster, "proxy-url").empty())
    throw Unusable("proxy-url is not supported; set the environment variable https_proxy instead");
}

void ReadUser(const YAML::Node& user, const std::filesystem::path& folder, Access& access) {
  access.tls.client_certificate_file = FileOrData(user, "client-certificate", folder, access);
  access.tls.client_key_file = FileOrData(user, "client-key", folder, access);
  if (access.tls.client_certificate_file.empty() != access.tls.client_key_file.empty())
    throw Unusable("client-certificate and client-key belong together, and one of them is missing");
  const std::string token_file = FileAt(user, "tokenFile", folder);
  if (!token_file.empty()) {
    access.tls.token_source = [token_file] { return ReadTokenFile(token_file); };
  } else {
    access.tls.bearer_token = TextAt(user, "token");
  }
}

void Read(const YAML::Node& config, const std::filesystem::path& folder, Access& access) {
  if (!config.IsMap()) throw Unusable("it is no mapping of YAML");
  const std::string current = TextAt(config, "current-context");
  if (current.empty()) throw Unusable("it has no current-context; choose one with `kubectl config use-context`");
  const YAML::Node context = Named(config, "contexts", current, "context");
  access.cluster = TextAt(context, "cluster");
  const YAML::Node cluster = Named(config, "clusters", access.cluster, "cluster");
  const YAML::Node user = Named(config, "users", TextAt(context, "user"), "user");
  RefuseWhatIsNotSupported(cluster, user);
  access.server = TextAt(cluster, "server");
  while (access.server.ends_with('/')) access.server.pop_back();
  if (!access.server.starts_with("https://") && !access.server.starts_with("http://"))
    throw Unusable("its cluster has no server such as https://10.0.0.1:6443");
  access.tls.ca_file = FileOrData(cluster, "certificate-authority", folder, access);
  access.tls.tls_server_name = TextAt(cluster, "tls-server-name");
  ReadUser(user, folder, access);
}

Result<std::string> ReadText(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Status::NotFound(fmt::format("cannot read the kubeconfig {}", path.string()));
  std::string text(kMaxConfigBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  if (text.size() > kMaxConfigBytes)
    return Status::Invalid(fmt::format("{} is larger than a kubeconfig may be (1 MiB)", path.string()));
  return text;
}

}  // namespace

Result<Access> ReadKubeconfig(const std::filesystem::path& path) {
  WEIR_ASSIGN_OR_RETURN(const std::string text, ReadText(path));
  Access access;
  access.source = "kubeconfig " + path.string();
  try {
    Read(YAML::Load(text), path.parent_path(), access);
  } catch (const Unusable& unusable) {
    return Status::Invalid(fmt::format("kubeconfig {}: {}", path.string(), unusable.what()));
  } catch (const YAML::Exception& error) {
    return Status::Invalid(fmt::format("kubeconfig {} is not YAML: {}", path.string(), error.what()));
  }
  return access;
}

}  // namespace weir::kube
