// linden/linden.h: all of the C++ API (docs/reference/cpp-api.md) but engines (linden/engine.h) and
// what only few programs need: linden/data.h, linden/field_view.h.
#pragma once

#include <linden/array.h>
#include <linden/bell.h>
#include <linden/client.h>
#include <linden/error.h>
#include <linden/farm.h>
#include <linden/future.h>
#include <linden/mapreduce_job.h>
#include <linden/plain.h>
#include <linden/space.h>
#include <linden/stream.h>
#include <linden/subscription.h>
#include <linden/transaction.h>
#include <linden/typed.h>
#include <linden/version.h>
#include <linden/views.h>
