#include "agent/requests/serving_programs.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::agent::requests {
namespace {

bool Serves(const std::string& process, const std::string& container_name = "", const std::string& image = "") {
  model::LocalIdentity server;
  server.process = process;
  server.container_name = container_name;
  server.image = image;
  return IsServingInference(server);
}

TEST(ServingProgramsTest, ByProcessContainerOrImage) {
  EXPECT_TRUE(Serves("vllm"));
  EXPECT_TRUE(Serves("text-generation"));
  EXPECT_TRUE(Serves("python3", "", "docker.io/vllm/vllm-openai:v0.9.1"));
  EXPECT_TRUE(Serves("python3", "kserve-container"));
  EXPECT_TRUE(Serves("", "", "nvcr.io/nvidia/tritonserver:25.01-py3"));
  EXPECT_FALSE(Serves(""));
  EXPECT_FALSE(Serves("python3", "web", "python:3.12"));
  EXPECT_FALSE(Serves("vllmx")) << "a process by its whole name";
}

}  // namespace
}  // namespace weir::agent::requests
