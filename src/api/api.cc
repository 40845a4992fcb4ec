#include "api/api.h"

#include <utility>

#include "api/gate.h"
#include "api/live.h"
#include "api/routes.h"
#include "api/ui.h"
#include "api/web_asset.h"
#include "net/http_server.h"

namespace weir::api {
namespace {

class HttpApi final : public Api {
 public:
  HttpApi(ApiOptions options, Gate gate, server::Server& server, store::Store& store, const Clock& clock)
      : gate_(std::move(gate)),
        live_(server.live(), clock),
        watch_(store, clock),
        service_{
            server,          store,       clock, live_, watch_, clock.WallMillis(), options.clusters, options.diagnosis,
            options.metrics, options.apps},
        http_(net::HttpServer::Create(HttpOptions(std::move(options)))) {
    http_->SetGate([this](const net::HttpRequest& request) { return gate_.Check(request); });
    for (const Route& route : Routes()) AddRoute(route);
    const auto page = [](net::HttpRequest request, std::unique_ptr<net::Responder> responder) {
      responder->Send(UiAnswer(request, WebAssets()));
    };
    http_->Route("GET", "/*", page, 0, static_cast<size_t>(Lane::kPages));
  }
  ~HttpApi() override { HttpApi::Stop(); }
  HttpApi(const HttpApi&) = delete;
  HttpApi& operator=(const HttpApi&) = delete;

  Status Listen() { return http_->Start(); }
  std::string address() const override { return http_->address(); }
  void Stop() override {
    live_.Stop();
    watch_.Stop();
    http_->Stop();
  }

 private:
  static net::HttpServerOptions HttpOptions(ApiOptions options) {
    net::HttpServerOptions http;
    http.pools = {{"http-probe", 1, 64}, {"http-page", 2, 256}, {"http-ingest", 2, 256}, {"http-question", 4, 256}};
    http.listen = std::move(options.listen);
    http.tls_certificate_file = std::move(options.tls_certificate_file);
    http.tls_key_file = std::move(options.tls_key_file);
    return http;
  }

  void AddRoute(const Route& route) {
    http_->Route(
        std::string(route.method), std::string(route.path),
        [this, &route](net::HttpRequest request, std::unique_ptr<net::Responder> responder) {
          const std::map<std::string, std::string> query = std::move(request.query);
          Arguments arguments(route.parameters, query, service_.clock.WallMillis());
          if (route.answer != nullptr) return responder->Send(route.answer(service_, arguments));
          route.respond(service_, std::move(request), std::move(responder), arguments);
        },
        route.max_body_bytes, static_cast<size_t>(route.lane));
  }

  const Gate gate_;
  LiveViewers live_;
  StoreWatch watch_;
  Service service_;
  std::unique_ptr<net::HttpServer> http_;
};

}  // namespace

Result<std::unique_ptr<Api>> Api::Start(ApiOptions options, server::Server& server, store::Store& store,
                                        const Clock& clock) {
  WEIR_ASSIGN_OR_RETURN(Gate gate, Gate::Create(options.listen, options.token));
  auto api = std::make_unique<HttpApi>(std::move(options), std::move(gate), server, store, clock);
  WEIR_RETURN_IF_ERROR(api->Listen());
  return Result<std::unique_ptr<Api>>(std::move(api));
}

}  // namespace weir::api
