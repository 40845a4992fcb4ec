#include "agent/requests/path_template.h"

#include <gtest/gtest.h>

namespace weir::agent::requests {
namespace {

TEST(PathTemplateTest, IdentifiersBecomeOnePlace) {
  struct Case {
    const char* target;
    const char* expected;
  };
  for (const auto& [target, expected] : {
           Case{"/", "/"},
           Case{"/orders/1234?full=1", "/orders/{id}"},
           Case{"/orders/1234/", "/orders/{id}/"},
           Case{"/u/550e8400-e29b-41d4-a716-446655440000/x#top", "/u/{id}/x"},
           Case{"/blob/9f86d081884c7d65", "/blob/{id}"},
           Case{"/words/deadbeef", "/words/deadbeef"},
           Case{"/v1/chat/completions", "/v1/chat/completions"},
           Case{"/files/a-name-that-is-rather-longer-than-32-bytes", "/files/{id}"},
           Case{"http://shop.example/orders/7", "/orders/{id}"},
           Case{"http://shop.example", "/"},
           Case{"/login?next=http://x/1", "/login"},
           Case{"*", "*"},
           Case{"garbage", "/"},
           Case{"/1/2/3/4/5/6/7/8/9/10", "/{id}/{id}/{id}/{id}/{id}/{id}/{id}/{id}/..."},
           Case{"/a\x01\x1b[31m", "/a??[31m"},
       }) {
    EXPECT_EQ(PathTemplate(target), expected);
  }
}

TEST(PathTemplateTest, IsBounded) {
  std::string target;
  for (int i = 0; i < 100; ++i) target += "/abcdefghijklmnopqrstuvwxyz";
  EXPECT_LE(PathTemplate(target).size(), kMaxTemplateBytes);
}

}  // namespace
}  // namespace weir::agent::requests
