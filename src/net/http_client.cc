#include "net/http_client.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <mutex>

#include "base/text.h"

namespace weir::net {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr size_t kMaxHeaderBytes = size_t{64} << 10;  // of one answer
constexpr size_t kMaxErrorBodyBytes = 4'096;          // of a refused stream
constexpr size_t kMaxShownBodyBytes = 1'024;          // of these, in the message
constexpr std::chrono::milliseconds kConnectTimeout{10'000};

struct FreeEasy {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
struct FreeUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
struct FreeText {
  void operator()(char* text) const { curl_free(text); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

std::string_view Trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

// What may stand in messages: a url may carry a password, and messages go to logs.
struct Target {
  std::string shown;
  std::string host;              // with brackets when it is an IPv6 address
  std::string port;              // "" = the scheme's
  std::string beyond_authority;  // path and query
  bool loopback = false;
};

// A part of a URL that is there; "" otherwise.
std::string PartOf(CURLU* url, CURLUPart which, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, which, &text, flags) != CURLUE_OK) return {};
  return std::string(std::unique_ptr<char, FreeText>(text).get());
}

Result<Target> ParseUrl(const std::string& url) {
  const std::unique_ptr<CURLU, FreeUrl> parsed(curl_url());
  const CURLUcode code = curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0);
  if (code != CURLUE_OK) {
    return Status::Invalid(
        fmt::format("'{}' is not a url such as http://127.0.0.1:7600: {}", url, curl_url_strerror(code)));
  }
  const auto part = [&parsed](CURLUPart which) { return PartOf(parsed.get(), which); };
  const std::string scheme = part(CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") {
    return Status::Invalid(fmt::format("'{}': only http and https are spoken", scheme));
  }
  Target target;
  const std::string host = target.host = part(CURLUPART_HOST);
  const std::string port = target.port = part(CURLUPART_PORT);
  const std::string query = part(CURLUPART_QUERY);
  target.beyond_authority = part(CURLUPART_PATH) + (query.empty() ? "" : "?" + query);
  const bool v4_loopback = host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos;
  target.loopback = v4_loopback || host == "localhost" || host == "[::1]";
  target.shown = scheme + "://" + host + (port.empty() ? "" : ":" + port) + part(CURLUPART_PATH);
  return target;
}

bool IsToken(std::string_view text) {  // RFC 9110 §5.6.2
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

// One request under way: what the callbacks, called from curl_easy_perform on this thread, fill and check.
struct Exchange {
  const ClientRequest* request = nullptr;
  const std::function<bool(std::string_view)>* on_data = nullptr;  // nullptr: not a stream
  CURL* handle = nullptr;
  SteadyClock::time_point deadline;                              // of a stream's first answer
  SteadyClock::time_point end = SteadyClock::time_point::max();  // of a stream
  ClientResponse response;
  size_t header_bytes = 0;
  bool answered = false;  // the header section has ended
  bool too_large = false;
  bool satisfied = false;  // on_data wants no more
};

bool IsStreaming(const Exchange& exchange) { return exchange.on_data != nullptr && exchange.response.status == 200; }

size_t OnHeader(char* data, size_t size, size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  const std::string_view line(data, size * count);
  exchange.header_bytes += line.size();
  if (exchange.header_bytes > kMaxHeaderBytes) {
    exchange.too_large = true;
    return 0;
  }
  if (line.starts_with("HTTP/")) {  // of a "100 Continue" or of the answer itself: the last one counts
    exchange.response.headers.clear();
    return line.size();
  }
  if (Trim(line).empty()) {
    long status = 0;
    curl_easy_getinfo(exchange.handle, CURLINFO_RESPONSE_CODE, &status);
    exchange.response.status = static_cast<int>(status);
    exchange.answered = status >= 200;
    if (IsStreaming(exchange) && exchange.request->on_open) exchange.request->on_open();
    return line.size();
  }
  if (const auto colon = line.find(':'); colon != std::string_view::npos) {
    exchange.response.headers[Lower(Trim(line.substr(0, colon)))] = Trim(line.substr(colon + 1));
  }
  return line.size();
}

size_t OnBody(char* data, size_t size, size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  const std::string_view piece(data, size * count);
  if (IsStreaming(exchange)) {
    if ((*exchange.on_data)(piece)) return piece.size();
    exchange.satisfied = true;
    return 0;
  }
  const size_t limit = exchange.on_data == nullptr ? exchange.request->max_response_bytes : kMaxErrorBodyBytes;
  const size_t room = limit - exchange.response.body.size();
  exchange.response.body += piece.substr(0, room);
  if (piece.size() <= room) return piece.size();
  exchange.too_large = true;
  return 0;
}

// curl calls this at least once a second, also while nothing arrives.
int OnProgress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  const auto& exchange = *static_cast<const Exchange*>(user);
  const std::atomic<bool>* abort = exchange.request->abort;
  if (abort != nullptr && abort->load(std::memory_order_relaxed)) return 1;
  if (exchange.on_data == nullptr) return 0;
  const SteadyClock::time_point now = SteadyClock::now();
  return (!exchange.answered && now > exchange.deadline) || now > exchange.end ? 1 : 0;
}

Status StreamRefusal(const Target& target, const ClientResponse& response) {
  std::string message = fmt::format("{} answered {}", target.shown, response.status);
  if (!response.body.empty()) message += ": " + response.body.substr(0, kMaxShownBodyBytes);
  switch (response.status) {
    case 400: return Status::Invalid(std::move(message));
    case 401:
    case 403: return Status::Denied(std::move(message));
    case 404: return Status::NotFound(std::move(message));
    default: return Status::Unavailable(std::move(message));
  }
}

class CurlClient final : public HttpClient {
 public:
  explicit CurlClient(Options options) : options_(std::move(options)) {
    static std::once_flag once;  // curl's own global state, which it wants made before any thread uses it
    std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
    handle_.reset(curl_easy_init());
  }

  Result<ClientResponse> Send(const ClientRequest& request) override {
    Exchange exchange;
    exchange.request = &request;
    WEIR_ASSIGN_OR_RETURN(const Target target, ParseUrl(request.url));
    WEIR_RETURN_IF_ERROR(Perform(target, exchange));
    return std::move(exchange.response);
  }

  Status Stream(const ClientRequest& request, const std::function<bool(std::string_view)>& on_data) override {
    Exchange exchange;
    exchange.request = &request;
    exchange.on_data = &on_data;
    exchange.deadline = SteadyClock::now() + request.timeout;
    if (request.max_duration.count() > 0) exchange.end = SteadyClock::now() + request.max_duration;
    WEIR_ASSIGN_OR_RETURN(const Target target, ParseUrl(request.url));
    Status status = Perform(target, exchange);
    if (exchange.satisfied) return Status::Ok();
    const bool refused = exchange.answered && exchange.response.status != 200;
    if (!refused) return status;
    status = StreamRefusal(target, exchange.response);  // even if its body was cut off
    if (request.refusal != nullptr) *request.refusal = std::move(exchange.response);
    return status;
  }

 private:
  template <typename Value>
  void Set(CURLoption option, Value value) {
    curl_easy_setopt(handle_.get(), option, value);
  }

  // Keeps connections and TLS sessions, forgets everything else of the request before.
  void SetCommonOptions(const Target& target, Exchange& exchange) {
    const ClientRequest& request = *exchange.request;
    curl_easy_reset(handle_.get());
    error_[0] = '\0';
    Set(CURLOPT_ERRORBUFFER, error_);
    Set(CURLOPT_NOSIGNAL, 1L);  // timeouts without SIGALRM: there are other threads
    Set(CURLOPT_PROTOCOLS_STR, "http,https");
    Set(CURLOPT_URL, request.url.c_str());
    Set(CURLOPT_USERAGENT, "weir");
    if (target.loopback || request.direct)
      Set(CURLOPT_PROXY, "");  // a proxy from the environment cannot reach this host's loopback
    if (!options_.ca_file.empty()) Set(CURLOPT_CAINFO, options_.ca_file.c_str());
    if (!options_.client_certificate_file.empty()) {
      Set(CURLOPT_SSLCERT, options_.client_certificate_file.c_str());
      Set(CURLOPT_SSLKEY, options_.client_key_file.c_str());
    }
    if (request.accept_gzip) Set(CURLOPT_ACCEPT_ENCODING, "gzip");
    const bool stream = exchange.on_data != nullptr;
    const auto timeout = std::max<std::chrono::milliseconds>(request.timeout, std::chrono::milliseconds(1));
    Set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(std::min(timeout, kConnectTimeout).count()));
    Set(CURLOPT_TIMEOUT_MS, stream ? 0L : static_cast<long>(timeout.count()));
    Set(CURLOPT_TCP_KEEPALIVE, stream ? 1L : 0L);  // notices a server that vanished without a word
    Set(CURLOPT_HEADERFUNCTION, OnHeader);
    Set(CURLOPT_HEADERDATA, &exchange);
    Set(CURLOPT_WRITEFUNCTION, OnBody);
    Set(CURLOPT_WRITEDATA, &exchange);
    Set(CURLOPT_NOPROGRESS, 0L);
    Set(CURLOPT_XFERINFOFUNCTION, OnProgress);
    Set(CURLOPT_XFERINFODATA, &exchange);
    exchange.handle = handle_.get();
  }

  void SetMethod(const ClientRequest& request) {
    if (request.method == "HEAD") {
      Set(CURLOPT_NOBODY, 1L);
    } else if (request.method != "GET" || !request.body.empty()) {
      Set(CURLOPT_POSTFIELDS, request.body.data());
      Set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
      Set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    }
  }

  // curl asks for and checks the name in the url, so the url gets the name and the connection goes where the url did.
  HeaderList SetServerName(const Target& target) {
    if (options_.tls_server_name.empty()) return nullptr;
    const std::string port = target.port.empty() ? "" : ":" + target.port;
    Set(CURLOPT_URL, ("https://" + options_.tls_server_name + port + target.beyond_authority).c_str());  // curl copies
    HeaderList detour(curl_slist_append(nullptr, ("::" + target.host + ":" + target.port).c_str()));
    Set(CURLOPT_CONNECT_TO, detour.get());
    return detour;
  }

  Result<HeaderList> MakeHeaders(const ClientRequest& request) const {
    HeaderList list;
    const auto append = [&list](const std::string& line) {
      curl_slist* longer = curl_slist_append(list.get(), line.c_str());
      static_cast<void>(list.release());
      list.reset(longer);
    };
    std::string token = options_.bearer_token;
    if (options_.token_source) {
      WEIR_ASSIGN_OR_RETURN(token, options_.token_source());
    }
    if (token.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
      return Status::Invalid("the token has a line break or NUL in it: check the token file");
    }
    if (!token.empty()) append("Authorization: Bearer " + token);
    append("Expect:");  // no "100 Continue" round trip before a body
    // curl calls every body a form unless told otherwise.
    if (!request.body.empty() && request.headers.count("Content-Type") == 0) append("Content-Type:");
    for (const auto& [name, value] : request.headers) {
      // A line break in a header would start another header, or another request.
      if (!IsToken(name) || value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
        return Status::Invalid(fmt::format("header '{}' has characters that are not allowed", name));
      }
      append(value.empty() ? name + ";" : name + ": " + value);  // curl's way to write an empty value
    }
    return list;
  }

  Status Perform(const Target& target, Exchange& exchange) {
    const ClientRequest& request = *exchange.request;
    if (handle_ == nullptr) return Status::Exhausted("libcurl: out of memory");
    if (!IsToken(request.method)) return Status::Invalid("'" + request.method + "' is not an HTTP method");
    WEIR_ASSIGN_OR_RETURN(const HeaderList headers, MakeHeaders(request));
    SetCommonOptions(target, exchange);
    SetMethod(request);
    const HeaderList detour = SetServerName(target);
    Set(CURLOPT_HTTPHEADER, headers.get());
    const CURLcode code = curl_easy_perform(handle_.get());
    return code == CURLE_OK ? Status::Ok() : Explain(code, target, exchange);
  }

  Status Explain(CURLcode code, const Target& target, const Exchange& exchange) const {
    const std::string cause = error_[0] != '\0' ? error_ : curl_easy_strerror(code);
    const std::string message = fmt::format("{}: {}", target.shown, cause);
    if (exchange.too_large) {
      return Status::Exhausted(
          fmt::format("{}: the answer is larger than {} bytes", target.shown, exchange.request->max_response_bytes));
    }
    switch (code) {
      case CURLE_URL_MALFORMAT: return Status::Invalid(message);
      case CURLE_PEER_FAILED_VERIFICATION:
      case CURLE_SSL_ISSUER_ERROR:
      case CURLE_SSL_CACERT_BADFILE:
        return Status::Denied(message).WithRemedy("name the authority that signed the server's certificate as CA file");
      case CURLE_SSL_CERTPROBLEM:
      case CURLE_SSL_CONNECT_ERROR:  // what GnuTLS makes of a key that is another certificate's, among other things
        if (options_.client_certificate_file.empty()) return Status::Unavailable(message);
        return Status::Unavailable(message).WithRemedy("if this lasts, check the client certificate and its key");
      case CURLE_ABORTED_BY_CALLBACK:
        if (exchange.request->abort != nullptr && *exchange.request->abort) {
          return Status::Unavailable(target.shown + ": given up because the caller stops");
        }
        if (exchange.answered) return Status::Unavailable(target.shown + ": the stream lasted longer than it may");
        return Status::Unavailable(target.shown + ": no answer in time");
      default: return Status::Unavailable(message);
    }
  }

  const Options options_;
  std::unique_ptr<CURL, FreeEasy> handle_;
  char error_[CURL_ERROR_SIZE] = "";
};

}  // namespace

Result<UrlParts> ReadUrl(const std::string& url) {
  WEIR_RETURN_IF_ERROR(ParseUrl(url).status());
  const std::unique_ptr<CURLU, FreeUrl> parsed(curl_url());
  curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0);
  UrlParts parts;
  parts.scheme = PartOf(parsed.get(), CURLUPART_SCHEME);
  parts.host = PartOf(parsed.get(), CURLUPART_HOST);
  if (parts.host.starts_with('[')) parts.host = parts.host.substr(1, parts.host.size() - 2);
  const std::string port = PartOf(parsed.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
  std::from_chars(port.data(), port.data() + port.size(), parts.port);
  parts.path = PartOf(parsed.get(), CURLUPART_PATH);
  parts.has_user = !PartOf(parsed.get(), CURLUPART_USER).empty() || !PartOf(parsed.get(), CURLUPART_PASSWORD).empty();
  return parts;
}

std::unique_ptr<HttpClient> HttpClient::Create(Options options) {
  return std::make_unique<CurlClient>(std::move(options));
}

}  // namespace weir::net
