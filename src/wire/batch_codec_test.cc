#include "wire/batch_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zstd.h>

#include <functional>

#include "model/columns.h"
#include "weir/v1/batch.pb.h"
#include "wire/clean_text.h"

namespace weir::wire {
namespace {

using model::Address;
using model::AgentBatch;
using model::SideCounters;
using model::SideReport;
using testing::HasSubstr;

Address At(std::string_view text) { return *Address::Parse(text); }

std::vector<uint64_t> CountersOf(const SideCounters& c) {
  return {
#define WEIR_VALUE(name) c.name,
      WEIR_SIDE_COUNTERS(WEIR_VALUE)
#undef WEIR_VALUE
  };
}

std::vector<model::Histogram> HistogramsOf(const SideCounters& c) {
  return {
#define WEIR_VALUE(name) c.name,
      WEIR_SIDE_HISTOGRAMS(WEIR_VALUE)
#undef WEIR_VALUE
  };
}

// Every counter has a value of its own, so that two swapped fields are noticed.
SideCounters DistinctCounters(uint64_t base) {
  SideCounters c;
  uint64_t next = base;
#define WEIR_SET(name) c.name = next++;
  WEIR_SIDE_COUNTERS(WEIR_SET)
#undef WEIR_SET
  uint32_t count = 7;
#define WEIR_SET(name) c.name.AddBucket(3, count++), c.name.AddBucket(63, 4'000'000'000U);
  WEIR_SIDE_HISTOGRAMS(WEIR_SET)
#undef WEIR_SET
  return c;
}

AgentBatch Sample() {
  AgentBatch batch;
  batch.agent_id = "0123456789abcdef0123456789abcdef";
  batch.node = "host-ü";
  batch.sequence = 1'700'000'000'000'001;
  batch.start = 1'700'000'000'000;
  batch.end = 1'700'000'001'000;
  batch.machine = "97489f4d-c519-495f-adea-999bff75a6e2";
  batch.mode = "ebpf";
  batch.version = "1.2.3";
  batch.probes = {{"tcp_state", "on", "", ""}, {"drops", "failed", "no BTF", "use a newer kernel"}};
  batch.counters = {{"weir_agent_ticks_total", 42}, {"weir_agent_sockets", UINT64_MAX}};
  batch.local_addresses = {At("10.1.0.1"), At("fd00::1")};
  batch.names = {1'700'000'000'000, 77};
  batch.zone = "eu-central-1a";
  batch.region = "eu-central-1";
  batch.resolved = {
      {At("192.0.2.7"), "models.example", "edge.example", 60, 4'026'532'000, "0a1b2c3d-4e5f-6789-abcd-ef0123456789"},
      {At("2001:db8::7"), "models.example", "", UINT32_MAX, 0, ""}};
  batch.namespaces = {{4'026'531'840, "", true, "", {At("192.0.2.1"), At("2001:db8::1")}},
                      {4'026'532'000, "lab-a", false, "0a1b2c3d-4e5f-6789-abcd-ef0123456789", {At("10.1.0.1")}},
                      {4'026'532'001, "", false, "", {}}};
  SideReport client;
  client.ends = {model::Protocol::kTcp,
                 model::Side::kClient,
                 At("10.1.0.1"),
                 At("192.0.2.7"),
                 65'535,
                 UINT32_MAX,
                 At("10.96.0.10"),
                 443,
                 At("198.51.100.4"),
                 model::kUnknownNetns};
  client.identity = {"curl",
                     std::string(64, 'c'),
                     "",
                     "lab-a",
                     "models.example",
                     "h2,http/1.1",
                     "tls",
                     "0a1b2c3d-4e5f-6789-abcd-ef0123456789",
                     "web",
                     "nginx:1"};
  client.counters = DistinctCounters(1'000);
  SideReport server;
  server.ends = {
      model::Protocol::kUdp, model::Side::kServer, At("2001:db8::2"), At("fd00::1"), 53, 4'026'531'840, {}, 0, {}, 17};
  server.identity = {"named", "", "named.service", "", "", "", ""};
  server.request = {"dns", "AAAA", "models.example", "NXDOMAIN"};
  server.counters = DistinctCounters(UINT64_MAX - 200);
  batch.reports = {client, server};
  return batch;
}

void ExpectSame(const AgentBatch& a, const AgentBatch& b) {
  EXPECT_EQ(a.agent_id, b.agent_id);
  EXPECT_EQ(a.node, b.node);
  EXPECT_EQ(a.machine, b.machine);
  EXPECT_EQ(a.sequence, b.sequence);
  EXPECT_EQ(a.start, b.start);
  EXPECT_EQ(a.end, b.end);
  EXPECT_EQ(a.mode, b.mode);
  EXPECT_EQ(a.version, b.version);
  ASSERT_EQ(a.probes.size(), b.probes.size());
  for (size_t i = 0; i < a.probes.size(); ++i) {
    EXPECT_EQ(a.probes[i].name, b.probes[i].name);
    EXPECT_EQ(a.probes[i].state, b.probes[i].state);
    EXPECT_EQ(a.probes[i].reason, b.probes[i].reason);
    EXPECT_EQ(a.probes[i].hint, b.probes[i].hint);
  }
  ASSERT_EQ(a.counters.size(), b.counters.size());
  for (size_t i = 0; i < a.counters.size(); ++i) {
    EXPECT_EQ(a.counters[i].name, b.counters[i].name);
    EXPECT_EQ(a.counters[i].value, b.counters[i].value);
  }
  EXPECT_EQ(a.local_addresses, b.local_addresses);
  EXPECT_EQ(a.names, b.names);
  EXPECT_EQ(a.zone, b.zone);
  EXPECT_EQ(a.region, b.region);
  EXPECT_EQ(a.resolved, b.resolved);
  EXPECT_EQ(a.namespaces, b.namespaces);
  ASSERT_EQ(a.reports.size(), b.reports.size());
  for (size_t i = 0; i < a.reports.size(); ++i) {
    EXPECT_EQ(a.reports[i].ends, b.reports[i].ends);
    EXPECT_EQ(a.reports[i].identity, b.reports[i].identity);
    EXPECT_EQ(CountersOf(a.reports[i].counters), CountersOf(b.reports[i].counters));
    EXPECT_EQ(a.reports[i].request, b.reports[i].request);
    EXPECT_EQ(HistogramsOf(a.reports[i].counters), HistogramsOf(b.reports[i].counters));
  }
}

std::string Frame(std::string_view plain) {
  std::string out(ZSTD_compressBound(plain.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), plain.data(), plain.size(), 1));
  return out;
}

std::string Unframe(std::string_view frame) {
  std::string out(ZSTD_getFrameContentSize(frame.data(), frame.size()), '\0');
  EXPECT_EQ(ZSTD_decompress(out.data(), out.size(), frame.data(), frame.size()), out.size());
  return out;
}

// The sample as a message, changed by hand and framed: what a broken or hostile agent might send.
std::string Forged(const std::function<void(v1::Batch&)>& change) {
  v1::Batch message;
  EXPECT_TRUE(message.ParseFromString(Unframe(*EncodeBatch(Sample()))));
  change(message);
  // Partial: proto3 refuses to serialise bad UTF-8 quietly, so tests of that build bytes by other means.
  return Frame(message.SerializePartialAsString());
}

std::string ReasonFor(std::string_view bytes) {
  const Result<AgentBatch> decoded = DecodeBatch(bytes);
  if (decoded.ok()) return "accepted";
  EXPECT_EQ(decoded.status().code(), Code::kInvalid);
  return decoded.status().message();
}

TEST(BatchCodec, CarriesEveryField) {
  const AgentBatch batch = Sample();
  const Result<std::string> bytes = EncodeBatch(batch);
  ASSERT_TRUE(bytes.ok()) << bytes.status().message();
  const Result<AgentBatch> decoded = DecodeBatch(*bytes);
  ASSERT_TRUE(decoded.ok()) << decoded.status().message();
  ExpectSame(batch, *decoded);
}

TEST(BatchCodec, AnIntervalWithoutFlowsIsABatch) {
  AgentBatch batch = Sample();
  batch.reports.clear();
  batch.probes.clear();
  batch.counters.clear();
  batch.local_addresses.clear();
  batch.version.clear();
  const Result<AgentBatch> decoded = DecodeBatch(*EncodeBatch(batch));
  ASSERT_TRUE(decoded.ok()) << decoded.status().message();
  ExpectSame(batch, *decoded);
}

TEST(BatchCodec, WritesEachNameOnceAndIpv4InFourBytes) {
  AgentBatch batch = Sample();
  batch.reports.assign(3, batch.reports.front());
  v1::Batch message;
  ASSERT_TRUE(message.ParseFromString(Unframe(*EncodeBatch(batch))));
  EXPECT_THAT(message.strings(),
              testing::ElementsAre("", "curl", std::string(64, 'c'), "0a1b2c3d-4e5f-6789-abcd-ef0123456789", "web",
                                   "nginx:1", "lab-a", "models.example", "h2,http/1.1", "tls", "edge.example"));
  EXPECT_EQ(message.flows(2).client_address().size(), 4U);
  EXPECT_EQ(message.local_addresses(1).size(), 16U);
}

TEST(BatchCodec, MakesNamesCleanBeforeSending) {
  AgentBatch batch = Sample();
  batch.node = "n\x1B[2J";
  batch.reports[0].identity.process = std::string("a\0b", 3);
  batch.reports[0].identity.unit = std::string(300, 'u');
  batch.reports[1].identity.process = "bad\xFF";
  batch.probes[1].hint = "two\nlines";
  const Result<AgentBatch> decoded = DecodeBatch(*EncodeBatch(batch));
  ASSERT_TRUE(decoded.ok()) << decoded.status().message();
  EXPECT_EQ(decoded->node, "n\xEF\xBF\xBD[2J");
  EXPECT_EQ(decoded->reports[0].identity.process,
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(decoded->reports[0].identity.unit, std::string(model::kMaxStringBytes, 'u'));
  EXPECT_EQ(decoded->reports[1].identity.process, "bad\xEF\xBF\xBD");
  EXPECT_EQ(decoded->probes[1].hint, "two\xEF\xBF\xBDlines");
}

TEST(BatchCodec, RefusesABatchCutAnywhere) {
  const std::string bytes = *EncodeBatch(Sample());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_NE(ReasonFor(std::string_view(bytes).substr(0, size)), "accepted") << size << " bytes";
  }
}

TEST(BatchCodec, AFlippedBitNeverChangesTheContent) {
  const AgentBatch batch = Sample();
  const std::string bytes = *EncodeBatch(batch);
  size_t refused = 0;
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    const Result<AgentBatch> decoded = DecodeBatch(damaged);
    if (decoded.ok()) {
      ExpectSame(batch, *decoded);  // a bit of the frame header that zstd does not use
    } else {
      ++refused;
    }
  }
  EXPECT_GT(refused, bytes.size() * 8 - 32);
}

TEST(BatchCodec, TruncatedOrFlippedContentInAGoodFrameIsHandled) {
  // Without zstd's checksum in the way the message parser and our own checks must cope by themselves.
  const std::string plain = Unframe(*EncodeBatch(Sample()));
  for (size_t size = 0; size < plain.size(); ++size) {
    static_cast<void>(DecodeBatch(Frame(std::string_view(plain).substr(0, size))));
  }
  for (size_t bit = 0; bit < plain.size() * 8; ++bit) {
    std::string damaged = plain;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    const Result<AgentBatch> decoded = DecodeBatch(Frame(damaged));
    if (!decoded.ok()) continue;
    EXPECT_TRUE(EncodeBatch(*decoded).ok()) << "bit " << bit << ": accepted but not a batch of ours";
  }
}

TEST(BatchCodec, RefusesAnotherFormat) {
  EXPECT_EQ(ReasonFor(Forged([](v1::Batch& b) { b.set_format(2); })), "batch format 2 is not 1: upgrade the server");
  EXPECT_EQ(ReasonFor(Forged([](v1::Batch& b) { b.clear_format(); })), "batch format 0 is not 1: upgrade the agent");
}

TEST(BatchCodec, AcceptsFieldsAddedLater) {
  std::string plain = Unframe(*EncodeBatch(Sample()));
  plain += std::string("\xFA\x06\x03xyz", 6);  // field 111, three bytes
  const Result<AgentBatch> decoded = DecodeBatch(Frame(plain));
  ASSERT_TRUE(decoded.ok()) << decoded.status().message();
  ExpectSame(Sample(), *decoded);
}

// ---- The frame ----

TEST(BatchCodec, RefusesWhatIsNotOneFrame) {
  const std::string bytes = *EncodeBatch(Sample());
  EXPECT_EQ(ReasonFor(""), "not a zstd frame");
  EXPECT_EQ(ReasonFor("hello, world"), "not a zstd frame");
  EXPECT_EQ(ReasonFor(bytes + "x"), "1 bytes after the zstd frame");
  EXPECT_THAT(ReasonFor(bytes + bytes), HasSubstr("bytes after the zstd frame"));
  EXPECT_NE(ReasonFor(std::string("\x50\x2A\x4D\x18\x04\0\0\0abcd", 12)), "accepted");  // skippable frame
}

TEST(BatchCodec, RefusesAFrameThatDoesNotDeclareItsSize) {
  const std::string plain = Unframe(*EncodeBatch(Sample()));
  std::string out(ZSTD_compressBound(plain.size()), '\0');
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
  out.resize(ZSTD_compress2(context, out.data(), out.size(), plain.data(), plain.size()));
  ZSTD_freeCCtx(context);
  EXPECT_EQ(ReasonFor(out), "zstd frame does not declare its size");
}

TEST(BatchCodec, RefusesABombByItsDeclaredSize) {
  const std::string bomb = Frame(std::string(kMaxDecodedBytes + 1, '\0'));
  ASSERT_LT(bomb.size(), 10'000U);
  EXPECT_EQ(ReasonFor(bomb), "67108865 bytes after decompression, more than 67108864");
}

TEST(BatchCodec, RefusesABombThatLiesAboutItsSize) {
  // Magic (4 bytes), a descriptor that says "four bytes of size", the window (1 byte), the size (RFC 8878
  // §3.1.1).
  const std::string honest = Frame(std::string(size_t{1} << 20, '\0'));
  ASSERT_EQ(static_cast<uint8_t>(honest[4]) & 0xE0, 0x80);
  ASSERT_EQ(honest.substr(6, 4), std::string("\0\0\x10\0", 4));
  std::string bomb = honest;
  bomb.replace(6, 4, std::string("\x64\0\0\0", 4));  // declares 100 bytes, holds 1 MiB
  EXPECT_THAT(ReasonFor(bomb), HasSubstr("damaged zstd frame"));
  bomb.replace(6, 4, std::string("\0\0\x20\0", 4));  // declares twice what it holds
  EXPECT_NE(ReasonFor(bomb), "accepted");
}

TEST(BatchCodec, RefusesAnOversizedFrame) {
  EXPECT_EQ(ReasonFor(std::string(kMaxEncodedBytes + 1, 'x')), "batch of 16777217 bytes, more than 16777216");
}

// ---- Counts: refused by the scan, before the parser allocates ----

TEST(BatchCodec, RefusesTooManyOfAnything) {
  const auto repeated = [](char tag, size_t count) {
    std::string plain = "\x08\x01";  // format 1
    for (size_t i = 0; i < count; ++i) plain += {tag, '\0'};
    return Frame(plain);
  };
  EXPECT_EQ(ReasonFor(repeated('\x5A', kMaxReports + 1)), "200001 flow reports, more than 200000");
  EXPECT_EQ(ReasonFor(repeated('\x52', 14 * kMaxReports + 2)), "2800002 strings, more than 2800001");
  EXPECT_EQ(ReasonFor(repeated('\x62', kMaxProbes + 1)), "257 probes, more than 256");
  EXPECT_EQ(ReasonFor(repeated('\x6A', kMaxCounters + 1)), "257 counters, more than 256");
  EXPECT_EQ(ReasonFor(repeated('\x72', kMaxLocalAddresses + 1)), "65537 local addresses, more than 65536");
  std::string namespaces = "\x08\x01";
  for (size_t i = 0; i <= model::kMaxBatchNamespaces; ++i) namespaces += std::string("\x8A\x01\0", 3);
  EXPECT_EQ(ReasonFor(Frame(namespaces)), "16385 network namespaces, more than 16384");
}

TEST(BatchCodec, EncodingObeysTheSameBounds) {
  const auto reason = [](const std::function<void(AgentBatch&)>& change) {
    AgentBatch batch = Sample();
    change(batch);
    const Result<std::string> encoded = EncodeBatch(batch);
    return encoded.ok() ? "accepted" : encoded.status().message();
  };
  EXPECT_EQ(reason([](AgentBatch& b) { b.reports.resize(kMaxReports + 1); }), "200001 flow reports, more than 200000");
  EXPECT_EQ(reason([](AgentBatch& b) { b.probes.resize(kMaxProbes + 1); }), "257 probes, more than 256");
  EXPECT_EQ(reason([](AgentBatch& b) { b.agent_id = "x"; }), "agent_id is not 32 lower-case hex digits");
  EXPECT_EQ(reason([](AgentBatch& b) { b.sequence = 0; }), "sequence is 0");
  EXPECT_EQ(reason([](AgentBatch& b) { b.reports[1].ends.protocol = model::Protocol{1}; }),
            "a flow report has an unknown protocol");
  EXPECT_EQ(reason([](AgentBatch& b) { b.end = b.start + kMaxIntervalMs + 1; }),
            "interval of 3600001 ms is longer than 3600000 ms");
  // 100,000 reports with three names of their own are within the counts but not within the bytes.
  EXPECT_THAT(
      reason([](AgentBatch& b) {
        b.reports.resize(100'000);
        for (size_t i = 0; i < b.reports.size(); ++i) {
          const std::string tail = std::to_string(i);
          b.reports[i].identity = {
              std::string(240, 'p') + tail, std::string(240, 'c') + tail, std::string(240, 'u') + tail, "", "", "", ""};
        }
      }),
      HasSubstr("bytes before compression, more than 67108864"));
}

TEST(BatchCodec, TheLargestBatchGoesThrough) {
  AgentBatch batch = Sample();
  model::SideCounters& counters = batch.reports.front().counters;
#define WEIR_CLEAR(stem) \
  counters.stem##_count = counters.stem##_sum_us = counters.stem##_max_us = 0, counters.stem##_histogram = {};
  WEIR_REQUEST_TIMES(WEIR_CLEAR)  // of requests, which are reports of their own: with both it would be 74 MB
#undef WEIR_CLEAR
  batch.reports.assign(kMaxReports, batch.reports.front());
  const Result<std::string> bytes = EncodeBatch(batch);
  ASSERT_TRUE(bytes.ok()) << bytes.status().message();
  const Result<AgentBatch> decoded = DecodeBatch(*bytes);
  ASSERT_TRUE(decoded.ok()) << decoded.status().message();
  EXPECT_EQ(decoded->reports.size(), kMaxReports);
  EXPECT_EQ(CountersOf(decoded->reports.back().counters), CountersOf(batch.reports.back().counters));
}

TEST(BatchCodec, RefusesAnInflatedNamespace) {
  EXPECT_EQ(ReasonFor(Forged([](v1::Batch& b) {
              for (int i = 0; i < 1'000; ++i) b.mutable_namespaces(0)->add_addresses("1234");
            })),
            "network namespace 0 has 6032 bytes, more than 4672");
}

TEST(BatchCodec, RefusesAnInflatedFlowReport) {
  EXPECT_EQ(ReasonFor(Forged([](v1::Batch& b) {
              for (int i = 0; i < 6'000; ++i) b.mutable_flows(1)->add_rtt_histogram(1);
            })),
            "flow report 1 has 7073 bytes, more than 4096");
}

// ---- Fields ----

struct BadField {
  std::string reason;
  std::function<void(v1::Batch&)> change;
};

TEST(BatchCodec, RefusesBadFieldsAndSaysWhere) {
  const BadField cases[] = {
      {"agent_id is not 32 lower-case hex digits", [](v1::Batch& b) { b.set_agent_id(std::string(32, 'A')); }},
      {"agent_id is not 32 lower-case hex digits", [](v1::Batch& b) { b.set_agent_id(std::string(31, 'a')); }},
      {"sequence is 0", [](v1::Batch& b) { b.set_sequence(0); }},
      {"node is empty", [](v1::Batch& b) { b.clear_node(); }},
      {"node has 257 bytes, more than 256", [](v1::Batch& b) { b.set_node(std::string(257, 'n')); }},
      {"node has control characters or bad UTF-8", [](v1::Batch& b) { b.set_node("a\nb"); }},
      {"mode is empty", [](v1::Batch& b) { b.clear_mode(); }},
      {"interval 0..1700000001000 ms is not a time range", [](v1::Batch& b) { b.set_start_ms(0); }},
      {"interval 1700000000000..1 ms is not a time range", [](v1::Batch& b) { b.set_end_ms(1); }},
      {"interval -1..1700000001000 ms is not a time range", [](v1::Batch& b) { b.set_start_ms(-1); }},
      {"interval 1700000000000..9223372036854775807 ms is not a time range",
       [](v1::Batch& b) { b.set_end_ms(INT64_MAX); }},
      {"interval of 3600001 ms is longer than 3600000 ms",
       [](v1::Batch& b) { b.set_end_ms(b.start_ms() + 3'600'001); }},
      {"probe hint has 1025 bytes, more than 1024",
       [](v1::Batch& b) { b.mutable_probes(0)->set_hint(std::string(1'025, 'h')); }},
      {"counter name has control characters or bad UTF-8",
       [](v1::Batch& b) { b.mutable_counters(0)->set_name("\x1B"); }},
      {"local address has 5 bytes, not 4 or 16", [](v1::Batch& b) { b.add_local_addresses("12345"); }},
      {"network namespace 1: address has 3 bytes, not 4 or 16",
       [](v1::Batch& b) { b.mutable_namespaces(1)->add_addresses("123"); }},
      {"network namespace 0: name is string 99 of 16", [](v1::Batch& b) { b.mutable_namespaces(0)->set_name(99); }},
      {"network namespace 2: pod_uid is string 99 of 16",
       [](v1::Batch& b) { b.mutable_namespaces(2)->set_pod_uid(99); }},
      {"network namespace 0: 257 addresses, more than 256",
       [](v1::Batch& b) {
         for (int i = 0; i < 255; ++i) b.mutable_namespaces(0)->add_addresses("1234");
       }},
      {"resolved name 1: address has 0 bytes, not 4 or 16",
       [](v1::Batch& b) { b.mutable_resolved(1)->clear_address(); }},
      {"resolved name 0: canonical is string 99 of 16", [](v1::Batch& b) { b.mutable_resolved(0)->set_canonical(99); }},
      {"zone has control characters or bad UTF-8", [](v1::Batch& b) { b.set_zone("a\nb"); }},
      {"flow report 0: pod_uid is string 16 of 16", [](v1::Batch& b) { b.mutable_flows(0)->set_pod_uid(16); }},
      {"string 0 is not empty", [](v1::Batch& b) { b.set_strings(0, "x"); }},
      {"string 1 has 257 bytes, more than 256", [](v1::Batch& b) { b.set_strings(1, std::string(257, 's')); }},
      {"string 2 has control characters or bad UTF-8", [](v1::Batch& b) { b.set_strings(2, std::string("\0", 1)); }},
      {"flow report 0: protocol 1 is unknown", [](v1::Batch& b) { b.mutable_flows(0)->set_protocol(1); }},
      {"flow report 1: protocol 262 is unknown", [](v1::Batch& b) { b.mutable_flows(1)->set_protocol(262); }},
      {"flow report 1: server_port is 65536", [](v1::Batch& b) { b.mutable_flows(1)->set_server_port(65'536); }},
      {"flow report 0: client_address has 0 bytes, not 4 or 16",
       [](v1::Batch& b) { b.mutable_flows(0)->clear_client_address(); }},
      {"flow report 0: server_address has 17 bytes, not 4 or 16",
       [](v1::Batch& b) { b.mutable_flows(0)->set_server_address(std::string(17, 'x')); }},
      {"flow report 0: process is string 99 of 16", [](v1::Batch& b) { b.mutable_flows(0)->set_process(99); }},
      {"flow report 0: container is string 16 of 16", [](v1::Batch& b) { b.mutable_flows(0)->set_container(16); }},
      {"flow report 1: unit is string 4294967295 of 16",
       [](v1::Batch& b) { b.mutable_flows(1)->set_unit(UINT32_MAX); }},
      {"flow report 1: netns_name is string 16 of 16", [](v1::Batch& b) { b.mutable_flows(1)->set_netns_name(16); }},
      {"flow report 0: rtt_histogram is not made of pairs",
       [](v1::Batch& b) { b.mutable_flows(0)->add_rtt_histogram(1); }},
      {"flow report 0: bucket 64 of rtt_histogram is out of range or out of order",
       [](v1::Batch& b) { b.mutable_flows(0)->set_rtt_histogram(2, 64); }},
      {"flow report 0: bucket 3 of rtt_histogram is out of range or out of order",
       [](v1::Batch& b) { b.mutable_flows(0)->set_rtt_histogram(2, 3); }},
      {"flow report 0: a bucket of rtt_histogram is without samples",
       [](v1::Batch& b) { b.mutable_flows(0)->set_rtt_histogram(1, 0); }},
  };
  for (const BadField& bad : cases) {
    SCOPED_TRACE(bad.reason);
    EXPECT_EQ(ReasonFor(Forged(bad.change)), bad.reason);
  }
}

TEST(BatchCodec, RefusesBadUtf8OnTheWire) {
  std::string plain = Unframe(*EncodeBatch(Sample()));
  const size_t at = plain.find("curl");
  ASSERT_NE(at, std::string::npos);
  plain[at] = '\xFF';
  EXPECT_NE(ReasonFor(Frame(plain)), "accepted");
}

TEST(BatchCodec, RefusesGroupsAndCutValues) {
  EXPECT_EQ(ReasonFor(Frame("\x08\x01\x7B")), "not a protobuf message: broken at byte 2");      // group
  EXPECT_EQ(ReasonFor(Frame("\x08\x01\x5A\x7F")), "not a protobuf message: broken at byte 2");  // length 127
  EXPECT_EQ(ReasonFor(Frame("\x08\x01\x5A\xFF\xFF\xFF\xFF\x0F")), "not a protobuf message: broken at byte 2");
}

}  // namespace
}  // namespace weir::wire
