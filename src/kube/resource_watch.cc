#include "kube/resource_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/log.h"
#include "base/metrics.h"
#include "kube/line_splitter.h"

namespace weir::kube {
namespace {

using std::chrono::milliseconds;

constexpr size_t kEventOverhead = 1'024;  // what stands around an object in an event
constexpr int kRelistAfterFailures = 5;   // of a watch in a row: where it goes on may be what is wrong
constexpr milliseconds kLongestRetryAfter{120'000};

// What may stand in a query as it is: RFC 3986's unreserved characters.
std::string Escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~';
    if (plain) {
      out.push_back(c);
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

milliseconds RetryAfter(const net::ClientResponse& response) {
  const auto header = response.headers.find("retry-after");
  if (header == response.headers.end()) return milliseconds(0);
  int64_t seconds = 0;
  std::from_chars(header->second.data(), header->second.data() + header->second.size(), seconds);
  return std::clamp(milliseconds(seconds * 1'000), milliseconds(0), kLongestRetryAfter);
}

// The first of `wanted` that is among `served`; any served one when the table names none.
std::string ChooseVersion(std::string_view wanted, const std::vector<std::string>& served) {
  if (wanted.empty()) return served.front();
  while (!wanted.empty()) {
    const size_t comma = std::min(wanted.find(','), wanted.size());
    const std::string_view version = wanted.substr(0, comma);
    if (std::find(served.begin(), served.end(), version) != served.end()) return std::string(version);
    wanted.remove_prefix(std::min(comma + 1, wanted.size()));
  }
  return {};
}

bool HasOneVersion(const ResourceDescription& resource) {
  return !resource.versions.empty() && resource.versions.find(',') == std::string_view::npos;
}

}  // namespace

ResourceWatch::ResourceWatch(Resource resource, WatchContext& context)
    : resource_(Describe(resource)),
      context_(context),
      http_(net::HttpClient::Create(context.access.tls)),
      decoder_(resource),
      backoff_(context.timing.first_retry, context.timing.longest_retry),
      page_objects_(context.timing.page_objects) {
  status_.resource = resource_.plural;
  status_.state = "starting";
}

void ResourceWatch::Run() {
  while (!context_.stopper.stopping()) {
    const bool listing = version_.empty();
    Outcome outcome = base_url_.empty() ? FindVersion() : Outcome{};
    if (outcome.verdict == Verdict::kDone) outcome = listing ? List() : Watch();
    if (context_.stopper.stopping()) return;
    Handle(outcome, listing);
    if (const milliseconds wait = WaitAfter(outcome); wait.count() > 0) context_.stopper.Wait(wait);
  }
}

WatchStatus ResourceWatch::Report() const {
  WatchStatus status;
  {
    const std::lock_guard lock(mutex_);
    status = status_;
  }
  status.objects = context_.state.Count(resource_.resource);
  return status;
}

// --- asking ---

net::ClientRequest ResourceWatch::Request(const std::string& query) const {
  net::ClientRequest request;
  request.url = base_url_ + query;
  request.timeout = context_.timing.answer_timeout;
  request.abort = &context_.stopper.flag();
  request.headers["Accept"] = "application/json";
  return request;
}

ResourceWatch::Outcome ResourceWatch::FindVersion() {
  const std::string& server = context_.access.server;
  if (resource_.group.empty()) {
    base_url_ = fmt::format("{}/api/{}/{}", server, resource_.versions, resource_.plural);
    return {};
  }
  if (HasOneVersion(resource_)) {
    base_url_ = fmt::format("{}/apis/{}/{}/{}", server, resource_.group, resource_.versions, resource_.plural);
    return {};
  }
  net::ClientRequest request = Request("");
  request.url = fmt::format("{}/apis/{}", server, resource_.group);
  request.max_response_bytes = size_t{1} << 20;
  Result<net::ClientResponse> response = http_->Send(request);
  if (!response.ok()) return OutcomeOf(response.status());
  if (response->status != 200) return OutcomeOf(*response);
  const Result<std::vector<std::string>> served = DecodeGroupVersions(response->body);
  if (!served.ok()) return {Verdict::kBroken, served.status().message(), {}};
  const std::string version = ChooseVersion(resource_.versions, *served);
  if (version.empty()) {
    return {Verdict::kAbsent,
            fmt::format("the server has none of the versions {} of {}", resource_.versions, resource_.group),
            {}};
  }
  base_url_ = fmt::format("{}/apis/{}/{}/{}", server, resource_.group, version, resource_.plural);
  return {};
}

ResourceWatch::Outcome ResourceWatch::List() {
  SetState("listing");
  std::unordered_set<std::string> uids;
  // Where pages expire again and again before the last one is read, the list is asked for as a whole.
  const Outcome outcome = ListPages(expired_in_a_row_ < 2, uids);
  if (outcome.verdict != Verdict::kDone) return outcome;
  context_.state.Listed(resource_.resource, uids);
  Count(Metric::kube_lists);
  const std::lock_guard lock(mutex_);
  ++status_.lists;
  return outcome;
}

ResourceWatch::Outcome ResourceWatch::ListPages(bool in_pages, std::unordered_set<std::string>& uids) {
  std::string next;
  do {
    net::ClientRequest request = Request(in_pages ? fmt::format("?limit={}", page_objects_) : "?resourceVersion=0");
    if (!next.empty()) request.url += "&continue=" + Escaped(next);
    if (resource_.metadata_only)
      request.headers["Accept"] = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
    request.accept_gzip = true;
    request.max_response_bytes = in_pages ? context_.timing.page_bytes : context_.timing.list_bytes;
    Result<net::ClientResponse> response = http_->Send(request);
    if (!response.ok()) return OutcomeOf(response.status());
    if (response->status != 200) return OutcomeOf(*response);
    const Result<ListPage> page = decoder_.DecodeList(response->body, [&](Object&& object) {
      uids.insert(UidOf(object));
      context_.state.Changed(resource_.resource, std::move(object));
    });
    if (!page.ok()) return {Verdict::kBroken, page.status().message(), {}};
    next = page->continue_token;
    version_ = next.empty() ? page->resource_version : "";
    Heard();
    const std::lock_guard lock(mutex_);
    status_.refused += page->refused;
  } while (!next.empty() && !context_.stopper.stopping());
  return {};
}

ResourceWatch::Outcome ResourceWatch::Watch() {
  using std::chrono::seconds;
  const seconds life = std::chrono::duration_cast<seconds>(backoff_.Jittered(context_.timing.watch_life));
  net::ClientRequest request =
      Request(fmt::format("?watch=1&allowWatchBookmarks=true&resourceVersion={}&timeoutSeconds={}", Escaped(version_),
                          std::max<int64_t>(life.count(), 1)));
  if (resource_.metadata_only)
    request.headers["Accept"] = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
  request.max_duration = life + context_.timing.watch_grace;
  net::ClientResponse refusal;
  request.refusal = &refusal;
  request.on_open = [this] { SetState("watching"); };  // the first event may be minutes away
  LineSplitter lines(kMaxObjectBytes + kEventOverhead);
  size_t too_long = 0;
  Outcome outcome;
  heard_ = false;
  const Nanos started = context_.clock.MonotonicNanos();
  const Status status = http_->Stream(request, [&](std::string_view piece) {
    const bool more = lines.Feed(piece, [&](std::string& line) { return TakeEvent(line, outcome); });
    if (const size_t left_out = lines.too_long() - too_long; left_out > 0) {
      too_long += left_out;
      Count(Metric::kube_objects_refused, left_out);
      const std::lock_guard lock(mutex_);
      status_.refused += left_out;
    }
    return more && !context_.stopper.stopping();
  });
  if (outcome.verdict != Verdict::kDone) return outcome;
  if (refusal.status != 0) return OutcomeOf(refusal);
  const milliseconds lasted((context_.clock.MonotonicNanos() - started) / 1'000'000);
  // Not even a bookmark in its whole life: the version may be one the server never had, whose watch stays silent.
  if (!heard_ && lasted >= life) return {Verdict::kExpired, "the watch was silent", {}};
  if (!status.ok()) return OutcomeOf(status);
  // A server that ends watches at once is not asked again at once.
  if (lasted < milliseconds(1'000) && !heard_)
    return {Verdict::kUnreachable, "the server ended the watch as soon as it began", {}};
  return {};
}

// False: the watch is over.
bool ResourceWatch::TakeEvent(std::string& line, Outcome& outcome) {
  Result<Event> event = decoder_.DecodeEvent(line);
  if (!event.ok() && event.status().code() == Code::kInvalid) {
    const std::lock_guard lock(mutex_);
    ++status_.refused;
    return true;
  }
  if (!event.ok()) {
    outcome = {Verdict::kBroken, event.status().message(), {}};
    return false;
  }
  switch (event->type) {
    case EventType::kAdded:
    case EventType::kModified: context_.state.Changed(resource_.resource, std::move(event->object)); break;
    case EventType::kDeleted: context_.state.Deleted(resource_.resource, event->object); break;
    case EventType::kBookmark: break;
    case EventType::kError: outcome = OutcomeOf(event->refusal); return false;
  }
  if (!event->resource_version.empty()) version_ = event->resource_version;
  if (!heard_) {
    heard_ = true;
    failures_in_a_row_ = 0;
    backoff_.Reset();
  }
  Heard();
  Count(Metric::kube_events);
  const std::lock_guard lock(mutex_);
  ++status_.events;
  return true;
}

// --- what an answer means ---

ResourceWatch::Outcome ResourceWatch::OutcomeOf(net::ClientResponse& response) {
  Refusal refusal = decoder_.DecodeRefusal(response.body);
  refusal.code = response.status;
  if (refusal.message.empty()) refusal.message = fmt::format("the server answered {}", response.status);
  Outcome outcome = OutcomeOf(refusal);
  outcome.retry_after = RetryAfter(response);
  return outcome;
}

ResourceWatch::Outcome ResourceWatch::OutcomeOf(const Refusal& refusal) const {
  const std::string message = refusal.message.empty() ? fmt::format("error {}", refusal.code) : refusal.message;
  switch (refusal.code) {
    case 410: return {Verdict::kExpired, message, {}};
    case 401:
    case 403: return {Verdict::kDenied, message, {}};
    case 404: return {Verdict::kAbsent, message, {}};
    case 429:
    case 503: return {Verdict::kBusy, message, {}};
    // The server cannot have the version that was asked for yet, or ever: it was restored from an older copy.
    case 504: return {version_.empty() ? Verdict::kUnreachable : Verdict::kExpired, message, {}};
    default: return {Verdict::kBroken, message, {}};
  }
}

ResourceWatch::Outcome ResourceWatch::OutcomeOf(const Status& status) const {
  switch (status.code()) {
    case Code::kExhausted: return {Verdict::kTooLarge, status.message(), {}};
    case Code::kUnavailable: return {Verdict::kUnreachable, status.message(), {}};
    default: return {Verdict::kDenied, status.message(), {}};  // certificates and token files
  }
}

void ResourceWatch::Handle(const Outcome& outcome, bool listed) {
  const bool done = outcome.verdict == Verdict::kDone;
  const bool owners = resource_.resource == Resource::kReplicaSets;
  if (owners && (done || outcome.verdict == Verdict::kDenied || outcome.verdict == Verdict::kAbsent))
    context_.state.SetOwnersReadable(done);
  if (done) {
    if (listed) expired_in_a_row_ = failures_in_a_row_ = 0;
  } else if (outcome.verdict == Verdict::kExpired) {
    version_.clear();
    ++expired_in_a_row_;
    Count(Metric::kube_expired);
  } else if (outcome.verdict == Verdict::kAbsent && IsOptional(resource_.resource)) {
    base_url_.clear();
    version_.clear();
    SetState("absent");  // as in most clusters: no failure
  } else {
    ++failures_in_a_row_;
    Count(Metric::kube_failures);
    if (failures_in_a_row_ % kRelistAfterFailures == 0) version_.clear();
    if (outcome.verdict == Verdict::kTooLarge) page_objects_ = std::max(page_objects_ / 5, 1U);
    if (outcome.verdict == Verdict::kAbsent) base_url_.clear();  // another version may be served from now on
    const bool denied = outcome.verdict == Verdict::kDenied;
    SetState(denied ? "denied" : outcome.verdict == Verdict::kAbsent ? "absent" : "retrying");
    const std::string sentence = Sentence(outcome);
    const std::lock_guard lock(mutex_);
    ++status_.failures;
    if (status_.problem != sentence && failures_in_a_row_ == 1) LogWarn("kubernetes: {}", sentence);
    status_.problem = sentence;
  }
  if (!std::exchange(answered_, true)) context_.on_first_answer(resource_.resource);
}

std::chrono::milliseconds ResourceWatch::WaitAfter(const Outcome& outcome) {
  switch (outcome.verdict) {
    case Verdict::kDone: return milliseconds(0);
    // The first time at once; a server that keeps saying so is asked less and less often.
    case Verdict::kExpired: return expired_in_a_row_ < 2 ? milliseconds(0) : backoff_.Next();
    case Verdict::kDenied: return backoff_.Jittered(std::min(context_.timing.denied_retry, backoff_.Next() * 4));
    case Verdict::kAbsent: return backoff_.Jittered(context_.timing.absent_retry);
    case Verdict::kBusy: return std::max(backoff_.Next(), backoff_.Jittered(outcome.retry_after));
    case Verdict::kTooLarge: return page_objects_ > 1 ? milliseconds(0) : backoff_.Next();
    default: return backoff_.Next();
  }
}

std::string ResourceWatch::Sentence(const Outcome& outcome) const {
  std::string_view cause = outcome.message;
  while (cause.ends_with('.')) cause.remove_suffix(1);
  const std::string_view what = resource_.plural;
  const std::string& server = context_.access.server;
  switch (outcome.verdict) {
    case Verdict::kDenied:
      return fmt::format(
          "The Kubernetes API at {} does not let Weir read {}: {}. Grant get, list and watch on them, as"
          " deploy/kubernetes/rbac.yaml does, and check {}; until then {}.",
          server, what, cause, context_.access.source, resource_.price);
    case Verdict::kAbsent:
      return fmt::format(
          "The Kubernetes API at {} does not serve {}: {}. Check that the address is an API server's and"
          " its version is 1.19 or newer; until then {}.",
          server, what, cause, resource_.price);
    case Verdict::kTooLarge:
      return fmt::format(
          "The Kubernetes API at {} sends more {} at once than Weir takes: {}. Smaller pages are asked for;"
          " until one fits, {}.",
          server, what, cause, resource_.price);
    case Verdict::kBroken:
      return fmt::format(
          "The Kubernetes API at {} answers for {} what Weir cannot use: {}. Check that the address is an"
          " API server's and look at its log; what was known stays in use.",
          server, what, cause);
    default:
      return fmt::format(
          "The Kubernetes API at {} cannot be reached for {}: {}. Check its address, the network between and"
          " that it runs; Weir tries again, and what was known stays in use.",
          server, what, cause);
  }
}

void ResourceWatch::SetState(const char* state) {
  const std::lock_guard lock(mutex_);
  const bool before = status_.state == "watching";
  status_.state = state;
  const bool now = status_.state == "watching";
  if (now) status_.problem.clear();
  // Of all clusters together.
  if (before != now) Count(Metric::kube_watching, now ? 1 : ~uint64_t{0});
}

void ResourceWatch::Heard() {
  const UnixMillis now = context_.clock.WallMillis();
  SetGauge(Metric::kube_last_heard, static_cast<uint64_t>(now / 1'000));
  const std::lock_guard lock(mutex_);
  status_.last_heard = now;
}

}  // namespace weir::kube
