#include "agent/recording/answers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace weir::agent::recording {
namespace {

using Log = AnswerLog<int, std::string>;
using Book = AnswerBook<int, std::string>;

TEST(Answers, OnlyWhatIsNewIsWritten) {
  Log log;
  EXPECT_FALSE(log.Given(1, 1, "", "")) << "a book says so by itself";
  EXPECT_EQ(log.Given(1, 1, "a", ""), 1U) << "after one that was given already";
  EXPECT_FALSE(log.Given(1, 1, "a", ""));
  EXPECT_FALSE(log.Given(1, 2, "a", ""));
  EXPECT_EQ(log.Given(1, 2, "b", ""), 1U);
  EXPECT_EQ(log.Given(1, 3, "a", ""), 0U);
  EXPECT_EQ(log.Given(2, 3, "a", ""), 0U);
}

// Any course of answers comes back the same, when a step's changes are known before its questions are asked.
TEST(Answers, ABookAnswersAsItWasAnswered) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    Log log;
    Book book;
    std::vector<std::string> now(4);
    for (uint64_t step = 1; step < 20; ++step) {
      book.BeginStep();
      std::vector<std::pair<int, std::string>> course;
      for (size_t i = random() % 12; i > 0; --i) {
        const int key = static_cast<int>(random() % 4);
        std::string& answer = now[static_cast<size_t>(key)];
        if (random() % 3 == 0) answer = std::string(1, static_cast<char>('a' + random() % 3));
        course.emplace_back(key, answer);
        if (const auto after = log.Given(key, step, answer, "")) book.Put(key, *after, answer);
      }
      for (const auto& [key, answer] : course) ASSERT_EQ(book.Ask(key, ""), answer) << round << " " << step;
    }
  }
}

TEST(Answers, AQuestionThatIsNoLongerAskedDelaysNothing) {
  Book book;
  book.BeginStep();
  book.Put(1, 5, "late");
  EXPECT_EQ(book.Ask(1, "?"), "?") << "the sixth time";
  book.BeginStep();
  EXPECT_EQ(book.Ask(1, "?"), "late");
}

TEST(Answers, WhatTheLogForgetsItWritesAgain) {
  Log log;
  for (int key = 0; key <= static_cast<int>(Log::kMaxKeys); ++key) (void)log.Given(key, 1, "x", "");
  EXPECT_FALSE(log.Given(1, 1, "x", "")) << "not within a step";
  EXPECT_EQ(log.Given(1, 2, "", ""), 0U) << "a book still says x";
}

// Of questions that are asked about once, such as those about a connection.
TEST(Answers, ALogAndABookOfOneBoundForgetTogether) {
  constexpr size_t kMostKeys = 20;
  std::mt19937 random(11);
  Log log(kMostKeys);
  Book book(kMostKeys);
  size_t most = 0;
  for (uint64_t step = 1; step < 2'000; ++step) {
    book.BeginStep();
    most = std::max(most, book.size());
    std::vector<std::pair<int, std::string>> course;
    for (size_t i = random() % 8; i > 0; --i) {
      const int key = static_cast<int>(step / 4 + random() % 6);
      course.emplace_back(key, random() % 4 == 0 ? "" : std::string(1, static_cast<char>('a' + random() % 3)));
      if (const auto after = log.Given(key, step, course.back().second, ""))
        book.Put(key, *after, course.back().second);
    }
    for (const auto& [key, answer] : course) ASSERT_EQ(book.Ask(key, ""), answer) << step;
  }
  EXPECT_LE(most, kMostKeys) << "once a step has begun";
  EXPECT_GT(most, kMostKeys / 2);
}

TEST(Answers, UnansweredQuestionsAreForgotten) {
  Book book;
  book.Put(-1, 0, "kept");
  for (int key = 0; key <= static_cast<int>(Book::kMaxUnanswered); ++key) (void)book.Ask(key, "");
  book.BeginStep();
  book.BeginStep();
  EXPECT_EQ(book.size(), 1U);
  EXPECT_EQ(book.Ask(-1, ""), "kept");
}

}  // namespace
}  // namespace weir::agent::recording
