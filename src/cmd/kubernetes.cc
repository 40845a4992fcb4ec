#include "cmd/kubernetes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <sstream>
#include <string>
#include <utility>

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

std::vector<std::string> Parts(const std::string& list) {
  std::vector<std::string> parts;
  std::istringstream rest(list);
  for (std::string part; std::getline(rest, part, ',');) {
    if (!part.empty()) parts.push_back(part);
  }
  return parts;
}

// kNotFound when there is nothing to follow.
Result<kube::Access> FindAccess(const Settings& settings) {
  const std::string host = Environment("KUBERNETES_SERVICE_HOST");
  Result<kube::Access> within =
      kube::InClusterAccess(host, Environment("KUBERNETES_SERVICE_PORT"), kube::kServiceAccountFolder);
  if (within.ok() || !host.empty() || settings.Text("kubernetes") != "on") return within;
  if (const std::optional<std::filesystem::path> usual = UsualKubeconfig()) return kube::ReadKubeconfig(*usual);
  return within;
}

Result<std::vector<kube::Access>> FindAll(const Settings& settings) {
  std::vector<kube::Access> found;
  const std::vector<std::string> files = Parts(settings.Text("kubeconfig"));
  if (files.size() > Kubernetes::kMaxClusters) {
    return Status::Invalid(fmt::format("--kubeconfig: {} files, at most {} clusters can be followed", files.size(),
                                       Kubernetes::kMaxClusters));
  }
  for (const std::string& file : files) {
    WEIR_ASSIGN_OR_RETURN(kube::Access access, kube::ReadKubeconfig(file));
    found.push_back(std::move(access));
  }
  if (files.empty()) {
    WEIR_ASSIGN_OR_RETURN(kube::Access access, FindAccess(settings));
    found.push_back(std::move(access));
  }
  return found;
}

// Names tell clusters apart whose pods have the same addresses, so no two may have one.
Result<std::vector<std::string>> NamesOf(const std::vector<kube::Access>& clusters, const std::string& given) {
  std::vector<std::string> names = Parts(given);
  if (names.size() > clusters.size()) {
    return Status::Invalid(
        fmt::format("--cluster: {} names for {}", names.size(),
                    clusters.size() == 1 ? "one cluster" : fmt::format("{} clusters", clusters.size())));
  }
  for (size_t i = names.size(); i < clusters.size(); ++i) names.push_back(clusters[i].cluster);
  for (size_t i = 0; i < names.size(); ++i) {
    if (std::find(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(i), names[i]) !=
        names.begin() + static_cast<std::ptrdiff_t>(i)) {
      return Status::Invalid(
          fmt::format("two clusters are called \"{}\"; give each a name of its own with --cluster", names[i]));
    }
  }
  return names;
}

}  // namespace

Result<Kubernetes> Kubernetes::Start(const Settings& settings, const ListenerOf& listener_of, const Clock& clock) {
  Kubernetes kubernetes;
  if (settings.Text("kubernetes") == "off") {
    kubernetes.off_ = "--kubernetes off";
    return kubernetes;
  }
  Result<std::vector<kube::Access>> clusters = FindAll(settings);
  const bool demanded = settings.Text("kubernetes") == "on" || !settings.Text("kubeconfig").empty();
  if (!clusters.ok() && demanded) return clusters.status();
  if (!clusters.ok()) {
    kubernetes.off_ = clusters.status().message();
    return kubernetes;
  }
  WEIR_ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesOf(*clusters, settings.Text("cluster")));
  for (size_t i = 0; i < clusters->size(); ++i) {
    kube::ClusterWatchOptions options;
    options.cluster = names[i];
    options.access = std::move((*clusters)[i]);
    model::ClusterListener& listener = listener_of(options.cluster);
    kubernetes.watches_.push_back(kube::ClusterWatch::Start(std::move(options), listener, clock));
  }
  return kubernetes;
}

std::vector<kube::ClusterStatus> Kubernetes::Report() const {
  std::vector<kube::ClusterStatus> all;
  for (const auto& watch : watches_) all.push_back(watch->Report());
  if (all.empty()) all.emplace_back().off = off_;
  return all;
}

void Kubernetes::Stop() {
  for (const auto& watch : watches_) watch->Stop();
}

}  // namespace weir::cmd
