// THE route table: what can be asked over HTTP. Routing, the refusal of unknown parameters, docs in /openapi.json and
// the tests all read it; docs/api.md says the same in prose.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "api/live.h"
#include "api/parameters.h"
#include "api/store_watch.h"
#include "apps/scraper.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/status.h"
#include "kube/cluster_status.h"
#include "net/http_server.h"
#include "server/diagnosis_view.h"
#include "server/server.h"
#include "store/store.h"

namespace weir::api {

// What applications say of themselves, with figures of this range; called by any thread.
using AppsOf = std::function<std::vector<apps::TargetView>(const store::TimeRange&)>;

// What handlers work with. All of it outlives the HTTP server.
struct Service {
  server::Server& server;
  store::Store& store;
  const Clock& clock;
  LiveViewers& live;
  StoreWatch& watch;
  UnixMillis started;                                                       // by the clock
  std::function<std::vector<kube::ClusterStatus>()> clusters;               // may be nullptr
  std::function<std::shared_ptr<const server::DiagnosisView>()> diagnosis;  // nullptr: nobody judges
  std::function<void(MetricVisitor&)> metrics;                              // nullptr: the process' own alone
  AppsOf apps;                                                              // nullptr: no application is asked
};

// Whose threads run a route's handler: routes that may take long hold up nobody else.
enum class Lane : size_t {
  kProbes,     // is the process well: touches nothing that can wait
  kPages,      // from memory, or with a bound of a second
  kIngest,     // decodes batches
  kQuestions,  // asks the store, up to its own limit of time
};

struct Route {
  std::string_view method;
  std::string_view path;
  std::string_view summary;
  std::string_view content_types;  // of a 200 answer, separated by "|"
  std::span<const Parameter> parameters = {};
  // Exactly one of the two. Arguments have been checked for unknown names; a handler asks refusal() after reading them.
  net::HttpResponse (*answer)(Service& service, Arguments& arguments) = nullptr;
  void (*respond)(Service& service, net::HttpRequest request, std::unique_ptr<net::Responder> responder,
                  Arguments& arguments) = nullptr;
  Lane lane = Lane::kQuestions;
  size_t max_body_bytes = 0;  // 0 = the server's default
};

std::span<const Route> Routes();

// --- the handlers, by file ---
net::HttpResponse AnswerFlows(Service& service, Arguments& arguments);  // answer_flows.cc
net::HttpResponse AnswerMap(Service& service, Arguments& arguments);
net::HttpResponse AnswerSeries(Service& service, Arguments& arguments);
net::HttpResponse AnswerNodes(Service& service, Arguments& arguments);  // answer_nodes.cc
net::HttpResponse AnswerNodeSeries(Service& service, Arguments& arguments);
net::HttpResponse AnswerRateWindows(Service& service, Arguments& arguments);
net::HttpResponse AnswerAccounts(Service& service, Arguments& arguments);  // answer_accounts.cc
net::HttpResponse AnswerFindings(Service& service, Arguments& arguments);  // answer_findings.cc
net::HttpResponse AnswerLoads(Service& service, Arguments& arguments);
net::HttpResponse AnswerHealth(Service& service, Arguments& arguments);
net::HttpResponse AnswerServing(Service& service, Arguments& arguments);  // answer_serving.cc
net::HttpResponse AnswerWhy(Service& service, Arguments& arguments);      // answer_why.cc
net::HttpResponse AnswerColumns(Service& service, Arguments& arguments);  // answer_about.cc
net::HttpResponse AnswerStatus(Service& service, Arguments& arguments);
net::HttpResponse AnswerOpenApi(Service& service, Arguments& arguments);
net::HttpResponse AnswerHealthy(Service& service, Arguments& arguments);
net::HttpResponse AnswerReady(Service& service, Arguments& arguments);
void RespondMetrics(Service& service, net::HttpRequest request, std::unique_ptr<net::Responder> responder,
                    Arguments& arguments);
void RespondLive(Service& service, net::HttpRequest request, std::unique_ptr<net::Responder> responder,
                 Arguments& arguments);  // answer_stream.cc
void RespondIngest(Service& service, net::HttpRequest request, std::unique_ptr<net::Responder> responder,
                   Arguments& arguments);

// Of a question's parameters filter and namespace.
model::Filter FilterOfQuestion(Arguments& arguments);  // answer_flows.cc

// How a Status of the store or server is told to an HTTP client: code, and message split from remedy.
net::HttpResponse StatusResponse(const Status& status);
net::HttpResponse JsonResponse(std::string body);

// Counts a question to the store as answered or failed, and hands it on.
template <typename T>
Result<T> Counted(Result<T> result) {
  Count(result.ok() ? Metric::server_queries : Metric::server_query_errors);
  return result;
}

// Of a store without NodeStore.
inline Status NoNodeStore() { return Status::Unsupported("this store keeps no node signals"); }

}  // namespace weir::api
