// The agent's own HTTP port: /metrics for Prometheus and what speaks like it, /healthz and /readyz for whoever runs the
// agent. It answers reading questions alone and knows no secrets of its own; on other than loopback addresses whoever
// reaches it can read the names of pods and what they carry.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/metric_family.h"
#include "base/status.h"
#include "net/http_server.h"

namespace weir::agent::metrics {

struct EndpointSources {
  std::function<void(MetricVisitor&)> visit;
  // What is wrong, "" = nothing: whether the agent still collects, and whether it has begun to. Fast, any thread.
  std::function<std::string()> ill;
  std::function<std::string()> not_ready;
};

class Endpoint {
 public:
  // kConflict when the address is taken, kInvalid when it is none; the message has the remedy.
  static Result<std::unique_ptr<Endpoint>> Start(const std::string& listen, EndpointSources sources);
  ~Endpoint() { server_->Stop(); }
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  std::string address() const { return server_->address(); }

 private:
  explicit Endpoint(std::unique_ptr<net::HttpServer> server) : server_(std::move(server)) {}

  const std::unique_ptr<net::HttpServer> server_;
};

}  // namespace weir::agent::metrics
