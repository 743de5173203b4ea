// api/model/operation.h: the operations are public vocabulary; see there.
#pragma once
#include <linden/operation.h>
