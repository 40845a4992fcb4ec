// The API: HTTP routes over a store and a server, the live stream and the embedded web UI.
//
// Threads: the HTTP server's (net/http_server.h) and the live hub's (live.h).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "apps/scraper.h"
#include "base/clock.h"
#include "base/metric_family.h"
#include "base/status.h"
#include "kube/cluster_status.h"
#include "server/diagnosis_view.h"
#include "server/server.h"
#include "store/store.h"

namespace weir::api {

struct ApiOptions {
  std::string listen = "127.0.0.1:7600";
  std::string token;                 // "" = open, which only a loopback address may be
  std::string tls_certificate_file;  // PEM; both or neither
  std::string tls_key_file;
  // Called by any thread; nullptr = Kubernetes is no topic here.
  std::function<std::vector<kube::ClusterStatus>()> clusters;
  // What the detectors know now; called by any thread. nullptr: nobody judges.
  std::function<std::shared_ptr<const server::DiagnosisView>()> diagnosis;
  // Everything at /metrics; called by any thread. nullptr: the process' own numbers alone.
  std::function<void(MetricVisitor&)> metrics;
  // What applications say of themselves, with figures of this range; called by any thread. nullptr: none is asked.
  std::function<std::vector<apps::TargetView>(const store::TimeRange&)> apps;
};

class Api {
 public:
  // `server`, `store` and `clock` outlive the API. kInvalid: address, certificate, or no token where one is needed;
  // kConflict: the address is taken. Messages say what to do.
  static Result<std::unique_ptr<Api>> Start(ApiOptions options, server::Server& server, store::Store& store,
                                            const Clock& clock);
  virtual ~Api() = default;

  virtual std::string address() const = 0;  // "127.0.0.1:7600"
  // Ends streams, answers what waits. Idempotent; acknowledgements that come later go nowhere.
  virtual void Stop() = 0;
};

}  // namespace weir::api
