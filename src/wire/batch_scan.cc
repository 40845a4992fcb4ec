#include "wire/batch_scan.h"

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include "model/node_report.h"
#include "model/side_report.h"
#include "weir/v1/batch.pb.h"

namespace weir::wire {
namespace {

using google::protobuf::internal::WireFormatLite;

// 75 counters of at most 12 bytes, three addresses, five histograms of 64 pairs and room for fields to come.
constexpr uint32_t kMaxFlowReportBytes = 4'096;
constexpr uint32_t kMaxNodeSampleBytes = 128;
constexpr uint32_t kMaxNamespaceBytes = model::kMaxNamespaceAddresses * 18 + 64;
constexpr uint32_t kMaxResolvedBytes = 128;
constexpr uint32_t kMaxRateWindowBytes = model::kMaxRateSteps * (5 + 4 * 10) + 1'024;

// The most bytes a message of this field may have; 0 = no bound of its own.
uint32_t MaxBytesOf(int field) {
  switch (field) {
    case v1::Batch::kFlowsFieldNumber: return kMaxFlowReportBytes;
    case v1::Batch::kNodeSamplesFieldNumber: return kMaxNodeSampleBytes;
    case v1::Batch::kRateWindowsFieldNumber: return kMaxRateWindowBytes;
    case v1::Batch::kNamespacesFieldNumber: return kMaxNamespaceBytes;
    case v1::Batch::kResolvedFieldNumber: return kMaxResolvedBytes;
    default: return 0;
  }
}

std::string_view WhatIs(int field) {
  switch (field) {
    case v1::Batch::kFlowsFieldNumber: return "flow report";
    case v1::Batch::kNodeSamplesFieldNumber: return "node sample";
    case v1::Batch::kNamespacesFieldNumber: return "network namespace";
    case v1::Batch::kResolvedFieldNumber: return "resolved name";
    default: return "rate window";
  }
}

size_t* CountOf(int field, BatchCounts& counts) {
  switch (field) {
    case v1::Batch::kFlowsFieldNumber: return &counts.flows;
    case v1::Batch::kStringsFieldNumber: return &counts.strings;
    case v1::Batch::kProbesFieldNumber: return &counts.probes;
    case v1::Batch::kCountersFieldNumber: return &counts.counters;
    case v1::Batch::kLocalAddressesFieldNumber: return &counts.local_addresses;
    case v1::Batch::kNodeSamplesFieldNumber: return &counts.node_samples;
    case v1::Batch::kRateWindowsFieldNumber: return &counts.rate_windows;
    case v1::Batch::kNamespacesFieldNumber: return &counts.namespaces;
    case v1::Batch::kResolvedFieldNumber: return &counts.resolved;
    default: return nullptr;
  }
}

// False when the field's bytes do not fit into the message.
bool SkipValue(google::protobuf::io::CodedInputStream& in, uint32_t tag, uint32_t& length, uint64_t& number) {
  uint64_t ignored = 0;
  uint32_t ignored_too = 0;
  switch (WireFormatLite::GetTagWireType(tag)) {
    case WireFormatLite::WIRETYPE_VARINT: return in.ReadVarint64(&number);
    case WireFormatLite::WIRETYPE_FIXED64: return in.ReadLittleEndian64(&ignored);
    case WireFormatLite::WIRETYPE_FIXED32: return in.ReadLittleEndian32(&ignored_too);
    case WireFormatLite::WIRETYPE_LENGTH_DELIMITED:
      return in.ReadVarint32(&length) && length <= INT32_MAX && in.Skip(static_cast<int>(length));
    default: return false;  // groups: proto3 has none
  }
}

}  // namespace

Result<BatchCounts> ScanBatch(std::string_view plain) {
  BatchCounts counts;
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const uint8_t*>(plain.data()),
                                            static_cast<int>(plain.size()));
  while (static_cast<size_t>(in.CurrentPosition()) < plain.size()) {
    const int position = in.CurrentPosition();
    uint32_t length = 0;
    uint64_t number = 0;
    const uint32_t tag = in.ReadTag();
    if (tag == 0 || !SkipValue(in, tag, length, number)) {
      return Status::Invalid(fmt::format("not a protobuf message: broken at byte {}", position));
    }
    const int field = WireFormatLite::GetTagFieldNumber(tag);
    if (field == v1::Batch::kFormatFieldNumber) counts.format = static_cast<uint32_t>(number);
    size_t* const count = CountOf(field, counts);
    if (const uint32_t most = MaxBytesOf(field); most != 0 && length > most) {
      return Status::Invalid(fmt::format("{} {} has {} bytes, more than {}", WhatIs(field), *count, length, most));
    }
    if (count != nullptr) ++*count;
  }
  return counts;
}

}  // namespace weir::wire
