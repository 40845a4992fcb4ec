#include "wire/batch_codec.h"

#include <fmt/format.h>
#include <google/protobuf/arena.h>
#include <google/protobuf/stubs/logging.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/text.h"
#include "model/columns.h"
#include "weir/v1/batch.pb.h"
#include "wire/batch_scan.h"
#include "wire/clean_text.h"
#include "wire/dictionary.h"
#include "wire/node_codec.h"

namespace weir::wire {
namespace {

using model::Address;
using model::AgentBatch;
using model::SideReport;

constexpr int kCompressionLevel = 1;            // the node's CPU belongs to its workload; bytes are few anyway
constexpr size_t kMaxExplanationBytes = 1'024;  // of a probe's reason and hint, which are sentences

bool IsKnown(model::Protocol protocol) {
  return protocol == model::Protocol::kTcp || protocol == model::Protocol::kUdp;
}

// What holds for every batch in either direction, apart from its reports.
Status CheckHeader(const AgentBatch& batch) {
  if (!IsAgentId(batch.agent_id)) return Status::Invalid("agent_id is not 32 lower-case hex digits");
  if (batch.sequence == 0) return Status::Invalid("sequence is 0");
  if (batch.node.empty()) return Status::Invalid("node is empty");
  if (batch.mode.empty()) return Status::Invalid("mode is empty");
  if (batch.start <= 0 || batch.end < batch.start || batch.end > kLatestTime) {
    return Status::Invalid(fmt::format("interval {}..{} ms is not a time range", batch.start, batch.end));
  }
  if (batch.end - batch.start > kMaxIntervalMs) {
    return Status::Invalid(
        fmt::format("interval of {} ms is longer than {} ms", batch.end - batch.start, kMaxIntervalMs));
  }
  return Status::Ok();
}

Status CheckCounts(const BatchCounts& counts) {
  const auto check = [](std::string_view what, size_t count, size_t limit) {
    if (count <= limit) return Status::Ok();
    return Status::Invalid(fmt::format("{} {}, more than {}", count, what, limit));
  };
  WEIR_RETURN_IF_ERROR(check("flow reports", counts.flows, kMaxReports));
  // Fourteen names per report, and "". No batch with so many has so few reports that its node's names do not fit.
  WEIR_RETURN_IF_ERROR(check("strings", counts.strings, 14 * kMaxReports + 1));
  WEIR_RETURN_IF_ERROR(check("node samples", counts.node_samples, model::kMaxNodeSamples));
  WEIR_RETURN_IF_ERROR(check("rate windows", counts.rate_windows, model::kMaxRateWindows));
  WEIR_RETURN_IF_ERROR(check("network namespaces", counts.namespaces, model::kMaxBatchNamespaces));
  WEIR_RETURN_IF_ERROR(check("resolved names", counts.resolved, model::kMaxResolvedNames));
  WEIR_RETURN_IF_ERROR(check("probes", counts.probes, kMaxProbes));
  WEIR_RETURN_IF_ERROR(check("counters", counts.counters, kMaxCounters));
  return check("local addresses", counts.local_addresses, kMaxLocalAddresses);
}

// ---- Encoding ----

void PutAddress(const Address& address, std::string& out) {
  const auto* bytes = reinterpret_cast<const char*>(address.bytes.data());
  if (address.is_v4()) {
    out.assign(bytes + 12, 4);
  } else {
    out.assign(bytes, 16);
  }
}

void PutHistogram(const model::Histogram& histogram, google::protobuf::RepeatedField<uint32_t>& out) {
  for (const auto& [bucket, count] : histogram.buckets()) {
    out.Add(bucket);
    out.Add(count);
  }
}

void PutReport(const SideReport& report, Dictionary& dictionary, v1::FlowReport& out) {
  out.set_protocol(static_cast<uint32_t>(report.ends.protocol));
  out.set_server_side(report.ends.side == model::Side::kServer);
  PutAddress(report.ends.client_address, *out.mutable_client_address());
  PutAddress(report.ends.server_address, *out.mutable_server_address());
  out.set_server_port(report.ends.server_port);
  out.set_netns(report.ends.netns);
  out.set_peer_netns(report.ends.peer_netns);
  out.set_process(dictionary.IndexOf(report.identity.process));
  out.set_container(dictionary.IndexOf(report.identity.container));
  out.set_unit(dictionary.IndexOf(report.identity.unit));
  out.set_pod_uid(dictionary.IndexOf(report.identity.pod_uid));
  out.set_container_name(dictionary.IndexOf(report.identity.container_name));
  out.set_image(dictionary.IndexOf(report.identity.image));
  out.set_netns_name(dictionary.IndexOf(report.identity.netns_name));
  out.set_server_name(dictionary.IndexOf(report.identity.server_name));
  out.set_alpn(dictionary.IndexOf(report.identity.alpn));
  out.set_application(dictionary.IndexOf(report.identity.application));
  if (!report.ends.service_address.is_unspecified()) {
    PutAddress(report.ends.service_address, *out.mutable_service_address());
    out.set_service_port(report.ends.service_port);
  }
  if (!report.ends.snat_address.is_unspecified()) {
    PutAddress(report.ends.snat_address, *out.mutable_snat_address());
  }
  if (!report.request.empty()) {
    out.set_request_application(dictionary.IndexOf(report.request.application));
    out.set_request_operation(dictionary.IndexOf(report.request.operation));
    out.set_request_resource(dictionary.IndexOf(report.request.resource));
    out.set_request_result(dictionary.IndexOf(report.request.result));
  }
#define WEIR_PUT(name) out.set_##name(report.counters.name);
  WEIR_SIDE_COUNTERS(WEIR_PUT)
#undef WEIR_PUT
#define WEIR_PUT(name) PutHistogram(report.counters.name, *out.mutable_##name());
  WEIR_SIDE_HISTOGRAMS(WEIR_PUT)
#undef WEIR_PUT
}

Status PutNamespaces(const AgentBatch& batch, Dictionary& dictionary, v1::Batch& out) {
  for (const model::NetNamespace& space : batch.namespaces) {
    if (space.addresses.size() > model::kMaxNamespaceAddresses) {
      return Status::Invalid(fmt::format("network namespace {} has {} addresses", space.inode, space.addresses.size()));
    }
    v1::NetNamespace& to = *out.add_namespaces();
    to.set_inode(space.inode);
    to.set_name(dictionary.IndexOf(space.name));
    to.set_pod_uid(dictionary.IndexOf(space.pod_uid));
    to.set_is_host(space.is_host);
    for (const Address& address : space.addresses) PutAddress(address, *to.add_addresses());
  }
  return Status::Ok();
}

void PutResolved(const AgentBatch& batch, Dictionary& dictionary, v1::Batch& out) {
  for (const model::ResolvedName& resolved : batch.resolved) {
    v1::ResolvedName& to = *out.add_resolved();
    PutAddress(resolved.address, *to.mutable_address());
    to.set_name(dictionary.IndexOf(resolved.name));
    to.set_canonical(dictionary.IndexOf(resolved.canonical));
    to.set_pod_uid(dictionary.IndexOf(resolved.pod_uid));
    to.set_netns(resolved.netns);
    to.set_ttl_s(resolved.ttl_s);
  }
}

void PutHeader(const AgentBatch& batch, v1::Batch& out) {
  out.set_format(kFormat);
  out.set_agent_id(batch.agent_id);
  out.set_node(CleanText(batch.node, model::kMaxStringBytes));
  out.set_machine(CleanText(batch.machine, model::kMaxStringBytes));
  out.set_sequence(batch.sequence);
  out.set_start_ms(batch.start);
  out.set_end_ms(batch.end);
  out.set_mode(CleanText(batch.mode, model::kMaxStringBytes));
  out.set_agent_version(CleanText(batch.version, model::kMaxStringBytes));
  out.set_zone(CleanText(batch.zone, model::kMaxStringBytes));
  out.set_region(CleanText(batch.region, model::kMaxStringBytes));
  for (const model::ProbeReport& probe : batch.probes) {
    v1::Probe& to = *out.add_probes();
    to.set_name(CleanText(probe.name, model::kMaxStringBytes));
    to.set_state(CleanText(probe.state, model::kMaxStringBytes));
    to.set_reason(CleanText(probe.reason, kMaxExplanationBytes));
    to.set_hint(CleanText(probe.hint, kMaxExplanationBytes));
  }
  for (const model::AgentCounter& counter : batch.counters) {
    v1::Counter& to = *out.add_counters();
    to.set_name(CleanText(counter.name, model::kMaxStringBytes));
    to.set_value(counter.value);
  }
  for (const Address& address : batch.local_addresses) PutAddress(address, *out.add_local_addresses());
  out.set_names_epoch(batch.names.epoch);
  out.set_names_version(batch.names.version);
}

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

Result<std::string> Compress(std::string_view plain) {
  const std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
  if (context == nullptr) return Status::Exhausted("zstd: out of memory");
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, kCompressionLevel);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
  std::string out(ZSTD_compressBound(plain.size()), '\0');
  const size_t size = ZSTD_compress2(context.get(), out.data(), out.size(), plain.data(), plain.size());
  if (ZSTD_isError(size)) return Status::Internal(fmt::format("zstd: {}", ZSTD_getErrorName(size)));
  if (size > kMaxEncodedBytes) {
    return Status::Invalid(fmt::format("batch of {} bytes, more than {}", size, kMaxEncodedBytes));
  }
  out.resize(size);
  out.shrink_to_fit();  // the worst case is many times the usual one, and batches wait in memory
  return out;
}

// ---- Decoding ----

struct Plain {
  std::unique_ptr<char[]> bytes;
  size_t size = 0;
};

struct FreeDecompressor {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

// One frame, nothing behind it, of a declared size within bounds. The declared size is a promise the frame is
// held to: zstd gets a buffer of exactly that size, so a frame that holds more fails instead of growing.
Result<Plain> Decompress(std::string_view frame) {
  if (frame.size() > kMaxEncodedBytes) {
    return Status::Invalid(fmt::format("batch of {} bytes, more than {}", frame.size(), kMaxEncodedBytes));
  }
  const unsigned long long declared = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (declared == ZSTD_CONTENTSIZE_ERROR) return Status::Invalid("not a zstd frame");
  if (declared == ZSTD_CONTENTSIZE_UNKNOWN) return Status::Invalid("zstd frame does not declare its size");
  if (declared > kMaxDecodedBytes) {
    return Status::Invalid(fmt::format("{} bytes after decompression, more than {}", declared, kMaxDecodedBytes));
  }
  const size_t frame_size = ZSTD_findFrameCompressedSize(frame.data(), frame.size());
  if (ZSTD_isError(frame_size)) {
    return Status::Invalid(fmt::format("damaged zstd frame: {}", ZSTD_getErrorName(frame_size)));
  }
  if (frame_size != frame.size()) {
    return Status::Invalid(fmt::format("{} bytes after the zstd frame", frame.size() - frame_size));
  }
  Plain plain{std::make_unique_for_overwrite<char[]>(declared), declared};
  const std::unique_ptr<ZSTD_DCtx, FreeDecompressor> context(ZSTD_createDCtx());
  if (context == nullptr) return Status::Exhausted("zstd: out of memory");
  const size_t got = ZSTD_decompressDCtx(context.get(), plain.bytes.get(), plain.size, frame.data(), frame.size());
  if (ZSTD_isError(got)) {
    return Status::Invalid(fmt::format("damaged zstd frame: {}", ZSTD_getErrorName(got)));
  }
  if (got != plain.size) return Status::Invalid("zstd frame is shorter than it declares");
  return plain;
}

// Takes a name from a message field into the model.
Status TakeText(std::string_view what, std::string& from, size_t max_bytes, std::string& to) {
  if (from.size() > max_bytes) {
    return Status::Invalid(fmt::format("{} has {} bytes, more than {}", what, from.size(), max_bytes));
  }
  if (!IsCleanText(from)) return Status::Invalid(fmt::format("{} has control characters or bad UTF-8", what));
  to.assign(from);
  return Status::Ok();
}

Status TakeAddress(std::string_view what, const std::string& from, Address& to) {
  if (from.size() == 16) {
    std::memcpy(to.bytes.data(), from.data(), 16);
  } else if (from.size() == 4) {
    to.bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
    std::memcpy(to.bytes.data() + 12, from.data(), 4);
  } else {
    return Status::Invalid(fmt::format("{} has {} bytes, not 4 or 16", what, from.size()));
  }
  return Status::Ok();
}

Status TakeHistogram(std::string_view what, const google::protobuf::RepeatedField<uint32_t>& pairs,
                     model::Histogram& to) {
  if (pairs.size() % 2 != 0) return Status::Invalid(fmt::format("{} is not made of pairs", what));
  int64_t previous = -1;
  for (int i = 0; i < pairs.size(); i += 2) {
    const uint32_t bucket = pairs.Get(i);
    const uint32_t count = pairs.Get(i + 1);
    if (bucket >= model::kHistogramBuckets || bucket <= previous) {
      return Status::Invalid(fmt::format("bucket {} of {} is out of range or out of order", bucket, what));
    }
    if (count == 0) return Status::Invalid(fmt::format("a bucket of {} is without samples", what));
    to.AddBucket(bucket, count);
    previous = bucket;
  }
  return Status::Ok();
}

Status TakeNames(const v1::Batch& batch, const v1::FlowReport& from, SideReport& to) {
  WEIR_RETURN_IF_ERROR(TakeName("process", batch, from.process(), to.identity.process));
  WEIR_RETURN_IF_ERROR(TakeName("container", batch, from.container(), to.identity.container));
  WEIR_RETURN_IF_ERROR(TakeName("unit", batch, from.unit(), to.identity.unit));
  WEIR_RETURN_IF_ERROR(TakeName("pod_uid", batch, from.pod_uid(), to.identity.pod_uid));
  WEIR_RETURN_IF_ERROR(TakeName("container_name", batch, from.container_name(), to.identity.container_name));
  WEIR_RETURN_IF_ERROR(TakeName("image", batch, from.image(), to.identity.image));
  WEIR_RETURN_IF_ERROR(TakeName("netns_name", batch, from.netns_name(), to.identity.netns_name));
  WEIR_RETURN_IF_ERROR(TakeName("server_name", batch, from.server_name(), to.identity.server_name));
  WEIR_RETURN_IF_ERROR(TakeName("alpn", batch, from.alpn(), to.identity.alpn));
  WEIR_RETURN_IF_ERROR(TakeName("application", batch, from.application(), to.identity.application));
  WEIR_RETURN_IF_ERROR(TakeName("request_application", batch, from.request_application(), to.request.application));
  WEIR_RETURN_IF_ERROR(TakeName("request_operation", batch, from.request_operation(), to.request.operation));
  WEIR_RETURN_IF_ERROR(TakeName("request_resource", batch, from.request_resource(), to.request.resource));
  return TakeName("request_result", batch, from.request_result(), to.request.result);
}

Status TakeReport(const v1::Batch& batch, const v1::FlowReport& from, SideReport& to) {
  if (from.protocol() > 0xFF || !IsKnown(static_cast<model::Protocol>(from.protocol()))) {
    return Status::Invalid(fmt::format("protocol {} is unknown", from.protocol()));
  }
  if (from.server_port() > 0xFFFF) return Status::Invalid(fmt::format("server_port is {}", from.server_port()));
  to.ends.protocol = static_cast<model::Protocol>(from.protocol());
  to.ends.side = from.server_side() ? model::Side::kServer : model::Side::kClient;
  to.ends.server_port = static_cast<uint16_t>(from.server_port());
  to.ends.netns = from.netns();
  to.ends.peer_netns = from.peer_netns();
  WEIR_RETURN_IF_ERROR(TakeAddress("client_address", from.client_address(), to.ends.client_address));
  WEIR_RETURN_IF_ERROR(TakeAddress("server_address", from.server_address(), to.ends.server_address));
  if (from.service_port() > 0xFFFF) return Status::Invalid(fmt::format("service_port is {}", from.service_port()));
  if (!from.service_address().empty()) {
    WEIR_RETURN_IF_ERROR(TakeAddress("service_address", from.service_address(), to.ends.service_address));
    to.ends.service_port = static_cast<uint16_t>(from.service_port());
  }
  if (!from.snat_address().empty()) {
    WEIR_RETURN_IF_ERROR(TakeAddress("snat_address", from.snat_address(), to.ends.snat_address));
  }
  WEIR_RETURN_IF_ERROR(TakeNames(batch, from, to));
#define WEIR_TAKE(name) to.counters.name = from.name();
  WEIR_SIDE_COUNTERS(WEIR_TAKE)
#undef WEIR_TAKE
#define WEIR_TAKE(name) WEIR_RETURN_IF_ERROR(TakeHistogram(#name, from.name(), to.counters.name));
  WEIR_SIDE_HISTOGRAMS(WEIR_TAKE)
#undef WEIR_TAKE
  return Status::Ok();
}

Status TakeNamespace(const v1::Batch& batch, const v1::NetNamespace& from, model::NetNamespace& to) {
  to.inode = from.inode();
  to.is_host = from.is_host();
  WEIR_RETURN_IF_ERROR(TakeName("name", batch, from.name(), to.name));
  WEIR_RETURN_IF_ERROR(TakeName("pod_uid", batch, from.pod_uid(), to.pod_uid));
  if (static_cast<size_t>(from.addresses_size()) > model::kMaxNamespaceAddresses) {
    return Status::Invalid(
        fmt::format("{} addresses, more than {}", from.addresses_size(), model::kMaxNamespaceAddresses));
  }
  for (const std::string& address : from.addresses()) {
    WEIR_RETURN_IF_ERROR(TakeAddress("address", address, to.addresses.emplace_back()));
  }
  return Status::Ok();
}

Status TakeNamespaces(const v1::Batch& from, AgentBatch& to) {
  to.namespaces.resize(static_cast<size_t>(from.namespaces_size()));
  for (size_t i = 0; i < to.namespaces.size(); ++i) {
    Status taken = TakeNamespace(from, from.namespaces(static_cast<int>(i)), to.namespaces[i]);
    if (!taken.ok()) return std::move(taken).Annotate(fmt::format("network namespace {}", i));
  }
  return Status::Ok();
}

Status TakeResolved(const v1::Batch& from, AgentBatch& to) {
  to.resolved.resize(static_cast<size_t>(from.resolved_size()));
  for (size_t i = 0; i < to.resolved.size(); ++i) {
    const v1::ResolvedName& item = from.resolved(static_cast<int>(i));
    model::ResolvedName& out = to.resolved[i];
    Status taken = TakeAddress("address", item.address(), out.address);
    if (taken.ok()) taken = TakeName("name", from, item.name(), out.name);
    if (taken.ok()) taken = TakeName("canonical", from, item.canonical(), out.canonical);
    if (taken.ok()) taken = TakeName("pod_uid", from, item.pod_uid(), out.pod_uid);
    if (!taken.ok()) return std::move(taken).Annotate(fmt::format("resolved name {}", i));
    out.netns = item.netns();
    out.ttl_s = item.ttl_s();
  }
  return Status::Ok();
}

Status TakeHeader(v1::Batch& from, AgentBatch& to) {
  to.agent_id = from.agent_id();
  to.sequence = from.sequence();
  to.start = from.start_ms();
  to.end = from.end_ms();
  to.names = {from.names_epoch(), from.names_version()};
  WEIR_RETURN_IF_ERROR(TakeText("node", *from.mutable_node(), model::kMaxStringBytes, to.node));
  WEIR_RETURN_IF_ERROR(TakeText("machine", *from.mutable_machine(), model::kMaxStringBytes, to.machine));
  WEIR_RETURN_IF_ERROR(TakeText("mode", *from.mutable_mode(), model::kMaxStringBytes, to.mode));
  WEIR_RETURN_IF_ERROR(TakeText("agent_version", *from.mutable_agent_version(), model::kMaxStringBytes, to.version));
  WEIR_RETURN_IF_ERROR(TakeText("zone", *from.mutable_zone(), model::kMaxStringBytes, to.zone));
  WEIR_RETURN_IF_ERROR(TakeText("region", *from.mutable_region(), model::kMaxStringBytes, to.region));
  for (v1::Probe& probe : *from.mutable_probes()) {
    model::ProbeReport& out = to.probes.emplace_back();
    WEIR_RETURN_IF_ERROR(TakeText("probe name", *probe.mutable_name(), model::kMaxStringBytes, out.name));
    WEIR_RETURN_IF_ERROR(TakeText("probe state", *probe.mutable_state(), model::kMaxStringBytes, out.state));
    WEIR_RETURN_IF_ERROR(TakeText("probe reason", *probe.mutable_reason(), kMaxExplanationBytes, out.reason));
    WEIR_RETURN_IF_ERROR(TakeText("probe hint", *probe.mutable_hint(), kMaxExplanationBytes, out.hint));
  }
  for (v1::Counter& counter : *from.mutable_counters()) {
    model::AgentCounter& out = to.counters.emplace_back();
    out.value = counter.value();
    WEIR_RETURN_IF_ERROR(TakeText("counter name", *counter.mutable_name(), model::kMaxStringBytes, out.name));
  }
  for (const std::string& address : from.local_addresses()) {
    WEIR_RETURN_IF_ERROR(TakeAddress("local address", address, to.local_addresses.emplace_back()));
  }
  return CheckHeader(to);
}

Status CheckDictionary(const v1::Batch& batch) {
  if (batch.strings_size() > 0 && !batch.strings(0).empty()) return Status::Invalid("string 0 is not empty");
  for (int i = 0; i < batch.strings_size(); ++i) {
    const std::string& text = batch.strings(i);
    if (text.size() > model::kMaxStringBytes) {
      return Status::Invalid(
          fmt::format("string {} has {} bytes, more than {}", i, text.size(), model::kMaxStringBytes));
    }
    if (!IsCleanText(text)) {
      return Status::Invalid(fmt::format("string {} has control characters or bad UTF-8", i));
    }
  }
  return Status::Ok();
}

google::protobuf::ArenaOptions ArenaFor(size_t plain_bytes) {
  google::protobuf::ArenaOptions options;
  // A parsed report takes a few times its bytes on the wire; fewer, larger blocks are fewer allocations.
  options.start_block_size = std::clamp<size_t>(plain_bytes * 3, 4'096, size_t{1} << 20);
  options.max_block_size = size_t{1} << 20;
  return options;
}

}  // namespace

Result<std::string> EncodeBatch(const AgentBatch& batch) {
  WEIR_RETURN_IF_ERROR(CheckHeader(batch));
  WEIR_RETURN_IF_ERROR(CheckCounts({.flows = batch.reports.size(),
                                    .probes = batch.probes.size(),
                                    .counters = batch.counters.size(),
                                    .local_addresses = batch.local_addresses.size(),
                                    .node_samples = batch.node_samples.size(),
                                    .rate_windows = batch.rate_windows.size(),
                                    .namespaces = batch.namespaces.size(),
                                    .resolved = batch.resolved.size()}));
  google::protobuf::Arena arena(ArenaFor(batch.reports.size() * 200));
  auto& message = *google::protobuf::Arena::CreateMessage<v1::Batch>(&arena);
  PutHeader(batch, message);
  Dictionary dictionary(message);
  message.mutable_flows()->Reserve(static_cast<int>(batch.reports.size()));
  for (const SideReport& report : batch.reports) {
    if (!IsKnown(report.ends.protocol)) return Status::Invalid("a flow report has an unknown protocol");
    PutReport(report, dictionary, *message.add_flows());
  }
  WEIR_RETURN_IF_ERROR(PutNamespaces(batch, dictionary, message));
  PutResolved(batch, dictionary, message);
  WEIR_RETURN_IF_ERROR(PutNode(batch, dictionary, message));

  const size_t size = message.ByteSizeLong();
  if (size > kMaxDecodedBytes) {
    return Status::Invalid(fmt::format("batch of {} bytes before compression, more than {}", size, kMaxDecodedBytes));
  }
  const auto plain = std::make_unique_for_overwrite<char[]>(size);
  message.SerializeWithCachedSizesToArray(reinterpret_cast<uint8_t*>(plain.get()));
  return Compress({plain.get(), size});
}

Result<AgentBatch> DecodeBatch(std::string_view bytes) {
  // protobuf prints a line per malformed string; a hostile sender would fill the log. We return the error.
  static auto* const silenced = google::protobuf::SetLogHandler(nullptr);
  static_cast<void>(silenced);

  WEIR_ASSIGN_OR_RETURN(const Plain plain, Decompress(bytes));
  WEIR_ASSIGN_OR_RETURN(const BatchCounts counts, ScanBatch({plain.bytes.get(), plain.size}));
  // The format decides what everything else means, so it is judged first.
  if (counts.format != kFormat) {
    return Status::Invalid(fmt::format("batch format {} is not {}: upgrade the {}", counts.format, kFormat,
                                       counts.format > kFormat ? "server" : "agent"));
  }
  WEIR_RETURN_IF_ERROR(CheckCounts(counts));

  google::protobuf::Arena arena(ArenaFor(plain.size));
  auto& message = *google::protobuf::Arena::CreateMessage<v1::Batch>(&arena);
  if (!message.ParseFromArray(plain.bytes.get(), static_cast<int>(plain.size))) {
    return Status::Invalid("not a weir.v1.Batch message");
  }
  AgentBatch batch;
  WEIR_RETURN_IF_ERROR(TakeHeader(message, batch));
  WEIR_RETURN_IF_ERROR(CheckDictionary(message));
  batch.reports.resize(static_cast<size_t>(message.flows_size()));
  for (size_t i = 0; i < batch.reports.size(); ++i) {
    Status taken = TakeReport(message, message.flows(static_cast<int>(i)), batch.reports[i]);
    if (!taken.ok()) return std::move(taken).Annotate(fmt::format("flow report {}", i));
  }
  WEIR_RETURN_IF_ERROR(TakeNamespaces(message, batch));
  WEIR_RETURN_IF_ERROR(TakeResolved(message, batch));
  WEIR_RETURN_IF_ERROR(TakeNode(message, batch));
  return batch;
}

}  // namespace weir::wire
