#include "cmd/kubernetes.h"

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include "kube/access.h"

namespace weir::cmd {
namespace {

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

// Where kubectl would look.
std::optional<std::filesystem::path> UsualKubeconfig() {
  if (const std::string named = Environment("KUBECONFIG"); !named.empty()) return named.substr(0, named.find(':'));
  const std::filesystem::path usual = std::filesystem::path(Environment("HOME")) / ".kube" / "config";
  std::error_code error;
  if (std::filesystem::exists(usual, error)) return usual;
  return std::nullopt;
}

// kNotFound when there is nothing to follow.
Result<kube::Access> FindAccess(const Settings& settings) {
  if (const std::string& file = settings.Text("kubeconfig"); !file.empty()) return kube::ReadKubeconfig(file);
  const std::string host = Environment("KUBERNETES_SERVICE_HOST");
  Result<kube::Access> within =
      kube::InClusterAccess(host, Environment("KUBERNETES_SERVICE_PORT"), kube::kServiceAccountFolder);
  if (within.ok() || !host.empty() || settings.Text("kubernetes") != "on") return within;
  if (const std::optional<std::filesystem::path> usual = UsualKubeconfig()) return kube::ReadKubeconfig(*usual);
  return within;
}

}  // namespace

Result<Kubernetes> Kubernetes::Start(const Settings& settings, const ListenerOf& listener_of, const Clock& clock) {
  Kubernetes kubernetes;
  if (settings.Text("kubernetes") == "off") {
    kubernetes.off_ = "--kubernetes off";
    return kubernetes;
  }
  Result<kube::Access> access = FindAccess(settings);
  const bool demanded = settings.Text("kubernetes") == "on" || !settings.Text("kubeconfig").empty();
  if (!access.ok() && demanded) return access.status();
  if (!access.ok()) {
    kubernetes.off_ = access.status().message();
    return kubernetes;
  }
  kube::ClusterWatchOptions options;
  options.cluster = settings.Text("cluster").empty() ? access->cluster : settings.Text("cluster");
  options.access = *std::move(access);
  model::ClusterListener& listener = listener_of(options.cluster);
  kubernetes.watch_ = kube::ClusterWatch::Start(std::move(options), listener, clock);
  return kubernetes;
}

kube::ClusterStatus Kubernetes::Report() const {
  if (watch_) return watch_->Report();
  kube::ClusterStatus status;
  status.off = off_;
  return status;
}

void Kubernetes::Stop() {
  if (watch_) watch_->Stop();
}

}  // namespace weir::cmd
