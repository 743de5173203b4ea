// space/admin/help_text.cpp
#include "space/admin/help_text.h"

namespace linden::admin {

const char* about() {
  return "space-admin shows what is in a tuple space, and puts and takes tuples.";
}

std::vector<Section> help_sections() {
  return {
      {"WHICH SERVER",
       R"(  --connection FILE or ADDRESS, else $LINDEN_CONNECTION, else the cluster's connection.json in
  ${LINDEN_HOME:-~/.linden}/clusters/ID, which space-cluster writes. ID is --cluster-id or "default".)"},
      {"TUPLES AND TEMPLATES",
       R"(  Quote them for the shell.
  row       ("task", 17, nil)     fields in parentheses; (17,) and () are rows too
  values    nil true false 17 -1.5 "text" b"bytes" [1, ["a"]]
  formals   ?                     any field, nil too
            ?int                  a type: nil bool int float text bytes list object
            "abc"*                text that begins so
            1..5                  from 1 to 5, both included; also "a".."f"
            {1, 2, "three"}       one of these
            [1, ?int, ?]          a list of as many, each a value or formal
  escapes   \n \t \r \\ \" \' \xNN, and in text \uNNNN \UNNNNNNNN
  No field equals one of another type: 1, 1.0, true and "1" are four.)"},
      {"EXAMPLES",
       R"text(  space-admin queues --watch
  space-admin tuples '("task", "any"*, ?, ?, ?, ?, ?, ?, ?)' --state started
  space-admin count '("result", ?, ?int, {"error", "engine_died"}, ?, ?)'
  space-admin watch '("result", ?, ?, {"error", "engine_died"}, ?, ?)'
  space-admin --space demo put '("greeting", "hello")' --create
  space-admin --space demo take '("greeting", ?text)' --yes --json
  eval "$(space-admin completion bash)")text"},
      {"EXIT CODES",
       R"(  0 done   1 nothing matched, or a removal was declined or broken off   2 wrong usage
  3 cannot reach the server, or it did not answer in time   4 the server refused
  What goes on until Ctrl-C ends with 0 then, and when nobody reads its output any more.)"},
      {"ENVIRONMENT", R"(  LINDEN_CONNECTION, LINDEN_HOME: see which server.)"},
  };
}

std::string help_text(const std::vector<Section>& sections) {
  std::string text;
  for (const Section& section : sections) text += "\n" + section.title + "\n" + section.text + "\n";
  return text;
}

}  // namespace linden::admin
