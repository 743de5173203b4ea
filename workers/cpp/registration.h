// workers/cpp/registration.h: how an engine becomes known to its farm, under an id that nobody had
// before.
#pragma once

#include <cstdint>
#include <string>

#include <linden/engine.h>

namespace linden {

// What an engine says of itself, as JSON.
[[nodiscard]] std::string engine_info(const FunctionRegistry& functions,
                                      const EngineOptions& options);

// Takes the next engine id; the counter and the engine's tuple change in one step.  Throws Error
// kNoMatch: the space is no farm.
[[nodiscard]] std::int64_t register_engine(Space& space, const std::string& info);

}  // namespace linden
