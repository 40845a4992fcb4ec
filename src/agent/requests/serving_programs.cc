#include "agent/requests/serving_programs.h"

#include <algorithm>
#include <iterator>
#include <string_view>

namespace weir::agent::requests {
namespace {

// As the kernel names a process: at most 15 bytes.
constexpr std::string_view kProcesses[] = {
    "vllm",             // `vllm serve`
    "sglang",           // `sglang serve`
    "text-generation",  // text-generation-router and -launcher (TGI)
    "text-embeddings",  // text-embeddings-router (TEI)
    "tritonserver",
    "trtllm-serve",
    "tensorflow_mode",  // tensorflow_model_server
    "llama-server",     // llama.cpp
    "ollama",
    "lmdeploy",
    "mooncake_master",
    "ray::ProxyActor",  // Ray Serve's HTTP proxy
    "ray::ServeRepli",  // and its replicas
};

// Within the name of a container or of its image: servers that are started as `python3` show nothing else.
constexpr std::string_view kContainers[] = {
    "vllm",
    "sglang",
    "text-generation-inference",
    "text-embeddings-inference",
    "tritonserver",
    "tensorrt-llm",
    "nvcr.io/nim",
    "llama.cpp",
    "ollama",
    "lmdeploy",
    "torchserve",
    "kserve-container",
    "tensorflow/serving",
    "ray-llm",
};

bool Names(std::string_view text) {
  return !text.empty() && std::any_of(std::begin(kContainers), std::end(kContainers), [text](std::string_view name) {
    return text.find(name) != std::string_view::npos;
  });
}

}  // namespace

bool IsServingInference(const model::LocalIdentity& server) {
  const auto* const end = std::end(kProcesses);
  return std::find(std::begin(kProcesses), end, server.process) != end || Names(server.container_name) ||
         Names(server.image);
}

}  // namespace weir::agent::requests
