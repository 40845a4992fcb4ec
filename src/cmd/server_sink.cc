#include "cmd/server_sink.h"

#include "agent/export/http_sink.h"
#include "cmd/token.h"

namespace weir::cmd {

Result<std::unique_ptr<wire::BatchSink>> SinkOf(const Settings& settings, const Clock& clock) {
  WEIR_ASSIGN_OR_RETURN(std::string token, ReadToken(settings));
  auto http = net::HttpClient::Create({.ca_file = settings.Text("ca-file"), .bearer_token = std::move(token)});
  WEIR_ASSIGN_OR_RETURN(auto sink, agent::HttpSink::Create(settings.Text("server"), std::move(http), clock));
  return std::unique_ptr<wire::BatchSink>(std::move(sink));
}

}  // namespace weir::cmd
