#include "wire/ack_codec.h"

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include "model/columns.h"
#include "weir/v1/ack.pb.h"
#include "wire/clean_text.h"

namespace weir::wire {
namespace {

using google::protobuf::internal::WireFormatLite;

std::string Clean(const std::string& text) { return CleanText(text, model::kMaxStringBytes); }

void PutNames(const model::PodNames& from, v1::PodNames& to) {
  to.set_epoch(from.to.epoch);
  to.set_version(from.to.version);
  to.set_complete(from.complete);
  for (const model::PodName& pod : from.pods) {
    v1::PodName& out = *to.add_pods();
    out.set_uid(Clean(pod.uid));
    out.set_cluster(Clean(pod.cluster));
    out.set_name_space(Clean(pod.name_space));
    out.set_pod(Clean(pod.pod));
    out.set_workload_kind(Clean(pod.workload_kind));
    out.set_workload(Clean(pod.workload));
    for (const model::ContainerName& container : pod.containers) {
      if (out.containers_size() == static_cast<int>(model::kMaxContainerNames)) break;
      v1::ContainerName& named = *out.add_containers();
      named.set_id(Clean(container.id));
      named.set_name(Clean(container.name));
    }
  }
  for (const std::string& uid : from.gone) to.add_gone(Clean(uid));
}

Status TakeText(std::string_view what, const std::string& from, std::string& to) {
  if (from.size() > model::kMaxStringBytes) {
    return Status::Invalid(fmt::format("{} has {} bytes, more than {}", what, from.size(), model::kMaxStringBytes));
  }
  if (!IsCleanText(from)) return Status::Invalid(fmt::format("{} has control characters or bad UTF-8", what));
  to = from;
  return Status::Ok();
}

Status TakePod(const v1::PodName& from, model::PodName& to) {
  WEIR_RETURN_IF_ERROR(TakeText("uid", from.uid(), to.uid));
  if (to.uid.empty()) return Status::Invalid("a pod without uid");
  WEIR_RETURN_IF_ERROR(TakeText("cluster", from.cluster(), to.cluster));
  WEIR_RETURN_IF_ERROR(TakeText("name_space", from.name_space(), to.name_space));
  WEIR_RETURN_IF_ERROR(TakeText("pod", from.pod(), to.pod));
  WEIR_RETURN_IF_ERROR(TakeText("workload_kind", from.workload_kind(), to.workload_kind));
  WEIR_RETURN_IF_ERROR(TakeText("workload", from.workload(), to.workload));
  if (static_cast<size_t>(from.containers_size()) > model::kMaxContainerNames) {
    return Status::Invalid(fmt::format("a pod with {} containers", from.containers_size()));
  }
  for (const v1::ContainerName& container : from.containers()) {
    model::ContainerName& out = to.containers.emplace_back();
    WEIR_RETURN_IF_ERROR(TakeText("container id", container.id(), out.id));
    WEIR_RETURN_IF_ERROR(TakeText("container name", container.name(), out.name));
  }
  return Status::Ok();
}

Status TakeNames(const v1::PodNames& from, size_t max_pods, model::PodNames& to) {
  const size_t count = static_cast<size_t>(from.pods_size()) + static_cast<size_t>(from.gone_size());
  if (count > max_pods) return Status::Invalid(fmt::format("names of {} pods, more than {}", count, max_pods));
  to.to = {from.epoch(), from.version()};
  to.complete = from.complete();
  to.pods.reserve(static_cast<size_t>(from.pods_size()));
  for (const v1::PodName& pod : from.pods()) WEIR_RETURN_IF_ERROR(TakePod(pod, to.pods.emplace_back()));
  for (const std::string& uid : from.gone()) WEIR_RETURN_IF_ERROR(TakeText("gone uid", uid, to.gone.emplace_back()));
  return Status::Ok();
}

// An empty element takes two bytes on the wire and a hundred in memory: counted before anything is parsed. `depth`
// leads down the fields that hold messages.
bool CountElements(std::string_view bytes, int depth, size_t& elements) {
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const uint8_t*>(bytes.data()),
                                            static_cast<int>(bytes.size()));
  while (static_cast<size_t>(in.CurrentPosition()) < bytes.size()) {
    const uint32_t tag = in.ReadTag();
    uint64_t number = 0;
    uint32_t length = 0;
    switch (tag == 0 ? WireFormatLite::WIRETYPE_END_GROUP : WireFormatLite::GetTagWireType(tag)) {
      case WireFormatLite::WIRETYPE_VARINT:
        if (!in.ReadVarint64(&number)) return false;
        break;
      case WireFormatLite::WIRETYPE_FIXED64:
        if (!in.Skip(8)) return false;
        break;
      case WireFormatLite::WIRETYPE_FIXED32:
        if (!in.Skip(4)) return false;
        break;
      case WireFormatLite::WIRETYPE_LENGTH_DELIMITED: {
        if (!in.ReadVarint32(&length) || length > bytes.size() - static_cast<size_t>(in.CurrentPosition()))
          return false;
        ++elements;
        const auto inside = bytes.substr(static_cast<size_t>(in.CurrentPosition()), length);
        // Text that happens to look like a message is counted a little too high; text that does not is no error.
        if (depth > 0) (void)CountElements(inside, depth - 1, elements);
        if (!in.Skip(static_cast<int>(length))) return false;
        break;
      }
      default: return false;
    }
  }
  return true;
}

// REQUIRES: `max_pods` pods at most are wanted; a pod has six texts and its containers three elements each.
Status CheckSize(std::string_view bytes, size_t max_bytes, size_t max_pods) {
  if (bytes.size() > max_bytes) {
    return Status::Invalid(fmt::format("an acknowledgement of {} bytes, more than {}", bytes.size(), max_bytes));
  }
  size_t elements = 0;
  if (!CountElements(bytes, 3, elements)) return Status::Invalid("not a protobuf message");
  const size_t most = 16 + max_pods * (8 + 3 * model::kMaxContainerNames);
  if (elements > most) return Status::Invalid(fmt::format("{} parts, more than {}", elements, most));
  return Status::Ok();
}

}  // namespace

Result<std::string> EncodeAck(const Ack& ack) {
  if (ack.names.pods.size() + ack.names.gone.size() > model::kMaxPodNames) {
    return Status::Invalid(fmt::format("names of more than {} pods", model::kMaxPodNames));
  }
  v1::Ack message;
  message.set_watermark(ack.watermark);
  message.set_duplicate(ack.duplicate);
  if (!ack.names.empty() || ack.names.to != model::NamesVersion{}) PutNames(ack.names, *message.mutable_names());
  std::string bytes = message.SerializeAsString();
  if (bytes.size() > kMaxAckBytes) return Status::Invalid(fmt::format("an acknowledgement of {} bytes", bytes.size()));
  return bytes;
}

Result<Ack> DecodeAck(std::string_view bytes) {
  WEIR_RETURN_IF_ERROR(CheckSize(bytes, kMaxAckBytes, model::kMaxPodNames));
  v1::Ack message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return Status::Invalid("not a weir.v1.Ack");
  Ack ack{message.duplicate(), message.watermark(), {}};
  if (message.has_names()) WEIR_RETURN_IF_ERROR(TakeNames(message.names(), model::kMaxPodNames, ack.names));
  return ack;
}

std::string EncodePodNames(const model::PodNames& names) {
  v1::PodNames message;
  PutNames(names, message);
  return message.SerializeAsString();
}

Result<model::PodNames> DecodePodNames(std::string_view bytes, size_t max_pods) {
  WEIR_RETURN_IF_ERROR(CheckSize(bytes, max_pods * 1'024 + 1'024, max_pods));
  v1::PodNames message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return Status::Invalid("not a weir.v1.PodNames");
  }
  model::PodNames names;
  WEIR_RETURN_IF_ERROR(TakeNames(message, max_pods, names));
  return names;
}

}  // namespace weir::wire
