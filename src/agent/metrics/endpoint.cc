#include "agent/metrics/endpoint.h"

#include <utility>

#include "agent/budget/agent_threads.h"
#include "net/listen_address.h"
#include "net/metrics_page.h"

namespace weir::agent::metrics {
namespace {

// A scraper that stops reading holds a connection and its answer for a minute, and nothing else.
constexpr size_t kMaxConnections = 64;
constexpr unsigned kWorkers = 2;
constexpr size_t kMaxQueued = 16;
constexpr size_t kMaxBodyBytes = 1'024;

net::HttpResponse Plain(int status, std::string text) {
  net::HttpResponse response;
  response.status = status;
  response.content_type = "text/plain; charset=utf-8";
  response.body = std::move(text) + "\n";
  return response;
}

net::HttpHandler Health(std::function<std::string()> trouble) {
  return [trouble = std::move(trouble)](const net::HttpRequest&, std::unique_ptr<net::Responder> responder) {
    std::string found = trouble();
    responder->Send(found.empty() ? Plain(200, "ok") : Plain(503, std::move(found)));
  };
}

// A web page that has its own name point at this machine could otherwise read what is meant for this machine alone.
std::optional<net::HttpResponse> RefuseForeignHosts(const net::HttpRequest& request) {
  const auto host = request.headers.find("host");
  if (host == request.headers.end() || net::IsLoopbackHost(host->second)) return std::nullopt;
  return Plain(403,
               "this is a loopback address and the request's Host header names another machine; use 127.0.0.1 or "
               "localhost, or have --metrics-listen name an address that others may reach");
}

}  // namespace

Result<std::unique_ptr<Endpoint>> Endpoint::Start(const std::string& listen, EndpointSources sources) {
  WEIR_ASSIGN_OR_RETURN(const net::ListenAddress address, net::ParseListenAddress(listen));
  net::HttpServerOptions options;
  options.listen = listen;
  options.listen_flag = "--metrics-listen";
  options.pools = {{"metrics", kWorkers, kMaxQueued}};
  options.max_connections = kMaxConnections;
  options.max_body_bytes = kMaxBodyBytes;
  std::unique_ptr<net::HttpServer> server = net::HttpServer::Create(std::move(options));
  server->Route(
      "GET", "/metrics",
      [visit = std::move(sources.visit)](const net::HttpRequest& request, std::unique_ptr<net::Responder> responder) {
        budget::CountThisThread();
        responder->Send(net::MetricsPage(request, visit));
      });
  server->Route("GET", "/healthz", Health(std::move(sources.ill)));
  server->Route("GET", "/readyz", Health(std::move(sources.not_ready)));
  server->Route("GET", "/", [](const net::HttpRequest&, std::unique_ptr<net::Responder> responder) {
    responder->Send(Plain(200, "weir agent: see /metrics, /healthz, /readyz"));
  });
  if (address.loopback) server->SetGate(RefuseForeignHosts);
  WEIR_RETURN_IF_ERROR(server->Start());
  return std::unique_ptr<Endpoint>(new Endpoint(std::move(server)));
}

}  // namespace weir::agent::metrics
